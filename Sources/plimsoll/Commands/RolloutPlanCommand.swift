import ArgumentParser
import Foundation
import Kernel
import PlimsollFile
import Rollouts

struct RolloutPlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Which steps would show a worsening of a given size, and how long must they last?",
    discussion: """
      Needs no server: traffic and error rate are given. Prints steps for plimsoll.yaml.
      Exit 1 when no step can show it in time, with what can be seen instead.
      """)

  @Option(name: .long, help: "Requests a second, of old and new version together.")
  var traffic: Double
  @Option(name: .long, help: "The usual share of errors, such as 0.1% or 0.001.")
  var baseline: String
  @Option(name: .long, help: "The worsening to be seen at every step: 5 is five times as many errors.")
  var detect: Double
  @Option(name: .long, help: "No step may last longer.")
  var longestStep = "10m"
  @OptionGroup var limits: JudgedLimits
  @Flag(name: .long, help: "Print JSON instead of words.")
  var json = false

  func run() throws {
    guard traffic > 0, traffic.isFinite else { throw Refusal(.malformed, "--traffic is \(traffic); give more than 0.") }
    guard detect > 1, detect.isFinite else {
      throw Refusal(.malformed, "--detect is \(detect); a worsening is more than 1, such as 2 or 5.")
    }
    guard let rate = parseShare(baseline) else {
      throw Refusal(.malformed, "--baseline is '\(baseline)'; give a share such as 0.1% or 0.001.")
    }
    guard let longest = parseSpan(longestStep), longest > .zero else {
      throw Refusal(.malformed, "--longest-step is '\(longestStep)'; give a duration such as 90s or 10m.")
    }
    let rollout = try limits.configured()
    let plan = RampPlan(
      toSee: detect, totalRequestsPerSecond: traffic, baseline: .known(errorRate: rate),
      policy: rollout?.judge ?? JudgedLimits.assumed, longestStep: longest)
    if json { try printJSON(plan) } else { show(plan, longest) }
    if plan.steps.isEmpty { throw ExitCode(1) }
  }

  private func show(_ plan: RampPlan, _ longest: Span) {
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
    let longestStep = plan.steps.map(\.lasts).max() ?? .zero
    let together = longestStep * Int64(plan.steps.count)
    terminal.line(
      """

      \(number(plan.wantedRatio))x would be seen at every step; \(plan.lasts.words) in all. For plimsoll.yaml, \
      where one step-minimum holds for all steps (\(together.words)):
        steps: [\(plan.steps.map { "\($0.percent)" }.joined(separator: ", "))]
        step-minimum: \(Int(longestStep.seconds.rounded(.up)))s
        rollback: { must-detect: \(number(plan.wantedRatio)) }
      """)
  }

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
  func configured() throws -> Rollout.Policy? {
    guard let service else {
      guard environment == nil else {
        throw Refusal(.malformed, "--environment says whose limits apply; name the --service too.")
      }
      return nil
    }
    let services = try PlimsollFile.read(file).topology.services
    guard let found = services.first(where: { $0.name.rawValue == service }) else {
      throw unknown("service", service, services.map(\.name.rawValue))
    }
    guard let environment else { return found.environments.last?.rollout }
    guard let place = found.environments.first(where: { $0.name.rawValue == environment }) else {
      throw unknown("environment", environment, found.environments.map(\.name.rawValue))
    }
    return place.rollout
  }

  private func unknown(_ kind: String, _ name: String, _ names: [String]) -> Refusal {
    let hint = nearestMatch(to: name, among: names).map { "; did you mean '\($0)'?" } ?? ""
    return Refusal(.unknown, "\(file) names no \(kind) '\(name)'\(hint).")
  }
}
