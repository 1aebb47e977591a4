import ArgumentParser
import Foundation
import Kernel
import PlimsollFile
import Rollouts

struct RolloutPlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Which steps would show a worsening of a given size, and how long must they last?",
    discussion: """
      Needs no server: traffic and error rate are given, or stand in plimsoll.yaml. Prints steps for plimsoll.yaml,
      and with --service what the steps that stand there now show.
      Exit 1 when no step can show it in time, with what can be seen instead.
      """)

  @Option(name: .long, help: "Requests a second, of old and new version together; else 'traffic' of the --service.")
  var traffic: Double?
  @Option(name: .long, help: "The usual share of errors, such as 0.1% or 0.001; else 'baseline' of the --service.")
  var baseline: String?
  @Option(name: .long, help: "The worsening to be seen at every step: 5 is five times as many errors.")
  var detect: Double
  @Option(name: .long, help: "No step may last longer.")
  var longestStep = "10m"
  @OptionGroup var limits: JudgedLimits
  @Flag(name: .long, help: "Print JSON instead of words.")
  var json = false

  /// The plan's own keys, and what the configured steps show.
  private struct Answer: Encodable {
    let plan: RampPlan
    let configured: [StepAnswer]?
    private enum CodingKeys: String, CodingKey { case configured }
    func encode(to encoder: any Encoder) throws {
      try plan.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encodeIfPresent(configured, forKey: .configured)
    }
  }

  func run() throws {
    let found = try limits.found()
    let place = found?.place
    let traffic = try expectedTraffic(place)
    let rate = try usualRate(place)
    guard detect > 1, detect.isFinite else {
      throw Refusal(.malformed, "--detect is \(detect); a worsening is more than 1, such as 2 or 5.")
    }
    guard let longest = parseSpan(longestStep), longest > .zero else {
      throw Refusal(.malformed, "--longest-step is '\(longestStep)'; give a duration such as 90s or 10m.")
    }
    let plan = RampPlan(
      toSee: detect, totalRequestsPerSecond: traffic,
      baseline: .history(requestsPerSecond: traffic, errorRate: rate),
      policy: found?.policy.judge ?? JudgedLimits.assumed, longestStep: longest)
    let configured = place.map { RampSight(of: $0.policy, baselineRate: rate, expectedRate: traffic) }
    if json {
      try printJSON(Answer(plan: plan, configured: configured?.steps.map(StepAnswer.init)))
    } else {
      show(plan, traffic, longest)
      if let place, let configured { show(configured, of: place) }
    }
    if plan.steps.isEmpty { throw ExitCode(1) }
  }

  private func expectedTraffic(_ place: PlimsollFile.JudgedPlace?) throws -> Double {
    guard let traffic = traffic ?? place?.expectation.traffic else {
      throw Refusal(.malformed, "--traffic is missing; give requests/s, or a --service whose 'traffic' the file names.")
    }
    guard traffic > 0, traffic.isFinite else { throw Refusal(.malformed, "--traffic is \(traffic); give more than 0.") }
    return traffic
  }

  private func usualRate(_ place: PlimsollFile.JudgedPlace?) throws -> Double {
    guard let baseline else {
      guard let place else {
        throw Refusal(.malformed, "--baseline is missing; give a share such as 0.1%, or a --service.")
      }
      return place.expectation.baseline
    }
    guard let rate = parseShare(baseline) else {
      throw Refusal(.malformed, "--baseline is '\(baseline)'; give a share such as 0.1% or 0.001.")
    }
    return rate
  }

  private func show(_ plan: RampPlan, _ traffic: Double, _ longest: Span) {
    let terminal = Terminal.standard
    if plan.wantedRatio > detect {
      terminal.line(
        terminal.paint(
          "note: less than \(number(plan.wantedRatio))x is allowed by the error-ratio; planned for that.", .warning))
    }
    guard !plan.steps.isEmpty else {
      let instead =
        plan.smallestRatio.map { "\(number($0))x and worse can be." } ?? "nothing less than an outage can be."
      terminal.line(
        terminal.paint(
          "\(number(plan.wantedRatio))x cannot be seen within \(longest.words) at \(number(traffic)) requests/s, "
            + "even with all traffic; \(instead)", .bad))
      return
    }
    printTable(
      ["STEP", "NEW VERSION", "LASTS", "WHAT IT SHOWS"],
      plan.steps.map { step in
        [
          "\(step.percent) %", "\(number(step.requestsPerSecond)) requests/s", step.lasts.words,
          step.detectable.sentence,
        ]
      })
    let steps = plan.steps.dropLast().map { "{ share: \($0.percent)%, minimum: \(seconds($0.lasts)) }" } + ["100%"]
    terminal.line(
      """

      \(number(plan.wantedRatio))x would be seen at every step; \(plan.lasts.words) in all. For plimsoll.yaml:
        steps: [\(steps.joined(separator: ", "))]
        final-watch: \(seconds(plan.steps.last?.lasts ?? .zero))   # or more
        rollback: { must-detect: \(number(plan.wantedRatio)) }
      """)
  }

  private func show(_ configured: RampSight, of place: PlimsollFile.JudgedPlace) {
    let terminal = Terminal.standard
    terminal.line("\n\(limits.file) has for \(place.service) in \(place.environment)")
    terminal.line("  \(place.policy.strategySentence)")
    for step in configured.steps {
      terminal.line("  " + (step.isBlind ? terminal.paint(step.sentence, .warning) : step.sentence))
    }
  }

  private func seconds(_ span: Span) -> String { "\(Int(span.seconds.rounded(.up)))s" }
  private func number(_ value: Double) -> String { String(format: "%.3g", value) }
}

/// Whose limits a judge that needs no server applies.
struct JudgedLimits: ParsableArguments {
  @Option(name: .shortAndLong, help: "Judge as this plimsoll.yaml says, with --service.", completion: .file())
  var file: String = PlimsollFile.defaultName
  @Option(name: .long, help: "The service whose limits apply; the defaults when left out.")
  var service: String?
  @Option(name: .long, help: "The environment whose limits apply; the last one when left out.")
  var environment: String?

  /// As `plimsoll.yaml` has it when nothing is set.
  static let assumed = JudgePolicy(sloP99: PlimsollFile.assumedP99)

  /// Nil when no service is named.
  func configured() throws -> Rollout.Policy? { try found()?.policy }

  /// A place of the file, with what is expected of its traffic where it is judged.
  struct Found {
    let policy: Rollout.Policy
    let place: PlimsollFile.JudgedPlace?
    init(_ policy: Rollout.Policy, in file: PlimsollFile) {
      self.policy = policy
      place = file.judged.first { $0.service == policy.service && $0.environment == policy.environment }
    }
  }

  /// Nil when no service is named.
  func found() throws -> Found? {
    guard let service else {
      guard environment == nil else {
        throw Refusal(.malformed, "--environment says whose limits apply; name the --service too.")
      }
      return nil
    }
    let file = try PlimsollFile.read(self.file)
    let services = file.topology.services
    guard let found = services.first(where: { $0.name.rawValue == service }) else {
      throw unknown("service", service, services.map(\.name.rawValue))
    }
    guard let environment else { return found.environments.last.map { Found($0.rollout, in: file) } }
    guard let place = found.environments.first(where: { $0.name.rawValue == environment }) else {
      throw unknown("environment", environment, found.environments.map(\.name.rawValue))
    }
    return Found(place.rollout, in: file)
  }

  private func unknown(_ kind: String, _ name: String, _ names: [String]) -> Refusal {
    let hint = nearestMatch(to: name, among: names).map { "; did you mean '\($0)'?" } ?? ""
    return Refusal(.unknown, "\(file) names no \(kind) '\(name)'\(hint).")
  }
}
