import API
import ArgumentParser
import Foundation
import Kernel

struct RolloutCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollout",
    abstract: "Show what runs where, what moves, and why it waits; approve a step, set a floor, plan steps.",
    subcommands: [
      RolloutShowCommand.self, ApproveCommand.self, FloorCommand.self, RolloutPlanCommand.self,
    ], defaultSubcommand: RolloutShowCommand.self)
}

struct RolloutShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show what runs where, what moves, and why it waits (the default).")

  @Argument(help: "The service; all when left out.")
  var service: String?
  @Argument(help: "The environment; all when left out.")
  var environment: String?
  @Option(name: .long, help: "One rollout by its number.")
  var id: Int?
  @Flag(name: .long, help: "Redraw every second until interrupted.")
  var watch = false
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    if let id {
      guard let service, let environment else {
        throw Refusal(.malformed, "A rollout's number counts within a service and an environment; name both.")
      }
      let rollout: RolloutView = try await client.get(
        "/v1/rollouts/\(component(service))/\(component(environment))/\(id)")
      if options.json { return try printJSON(rollout) }
      return show(rollout)
    }
    repeat {
      let views = try await environments(client)
      if options.json { return try printJSON(views) }
      if watch { Terminal.standard.clearScreen() }
      printTable(
        ["service", "environment", "serving", "now", "what happens"],
        views.map { view in
          [
            view.service, view.environment, view.serving.map { String($0.commit.prefix(10)) } ?? "nothing",
            Self.standing(view), view.sentence,
          ]
        })
      for view in views {
        showAsked(view)
        showBudgets(view, all: environment != nil)
      }
      if watch { try await Task.sleep(for: .seconds(1)) }
    } while watch
  }

  private func environments(_ client: Client) async throws -> [EnvironmentView] {
    if let service, let environment {
      return [try await client.get("/v1/services/\(component(service))/\(component(environment))")]
    }
    let overview: Overview = try await client.get("/v1/overview")
    if !options.json {
      for trouble in overview.troubles { Terminal.standard.line(Terminal.standard.paint(trouble, .warning)) }
    }
    let chosen = overview.services.filter { service == nil || $0.name == service }
    if let service, chosen.isEmpty {
      let hint = nearestMatch(to: service, among: overview.services.map(\.name)).map { "; did you mean '\($0)'?" } ?? ""
      throw Refusal(.unknown, "No service is named '\(service)'\(hint)")
    }
    return chosen.flatMap(\.environments)
  }

  /// One word for where a place stands; the sentence beside it says the rest.
  private static func standing(_ view: EnvironmentView) -> String {
    if view.rollout?.gate != nil { return "asks you" }
    let words = ["finalWatch": "final watch", "retired": "closed"]
    let phase = words[view.phase] ?? view.phase
    return view.freeze == nil ? phase : phase == "idle" ? "frozen" : "\(phase), frozen"
  }

  private func showAsked(_ view: EnvironmentView) {
    let terminal = Terminal.standard
    if let freeze = view.freeze {
      let until = freeze.untilMs.map { ", thaws \(ago($0))" } ?? ""
      terminal.line(
        terminal.paint(
          "\(view.service) in \(view.environment) was frozen by \(freeze.actor)\(until): \(freeze.reason)", .warning))
    }
    if let gate = view.rollout?.gate {
      terminal.line(terminal.paint("\(view.service) in \(view.environment) asks whether it may go on:", .warning))
      showGate(gate, view.service, view.environment)
    }
  }

  /// - Parameter all: open ones too.
  private func showBudgets(_ view: EnvironmentView, all: Bool) {
    let terminal = Terminal.standard
    let place = "\(view.service) in \(view.environment)"
    for budget in view.budgets {
      if let sentence = budget.sentence, all || budget.gate != "open" {
        terminal.line(terminal.paint("\(place): \(sentence)", budget.gate == "open" ? .quiet : .warning))
      }
      if let actor = budget.passedBy { terminal.line("\(place): \(actor) lets new versions through all the same") }
      if let inconclusive = budget.inconclusive {
        let source = inconclusive.source.map { " (\($0))" } ?? ""
        terminal.line(
          "\(place): nothing is known of the error budget of \(budget.objective) since "
            + "\(ago(inconclusive.sinceMs))\(source): \(inconclusive.missing)")
      }
    }
  }

  private func showGate(_ gate: GateView, _ service: String, _ environment: String) {
    let terminal = Terminal.standard
    terminal.line("  asked \(ago(gate.sinceMs))")
    terminal.line("  go on:    plimsoll rollout approve \(service) \(environment) --reason TEXT")
    terminal.line("  go back:  plimsoll rollback \(service) \(environment) --reason TEXT")
  }

  private func show(_ rollout: RolloutView) {
    let terminal = Terminal.standard
    terminal.line(
      terminal.paint("\(rollout.service) in \(rollout.environment), rollout \(rollout.id)", .strong)
        + "  \(rollout.kind), \(rollout.outcome)")
    terminal.line("\(rollout.deployment.commit.prefix(10))  \(rollout.deployment.digest)")
    if let sentence = rollout.sentence { terminal.line(sentence) }
    if rollout.kind != "drill" { showPlan(rollout) }
    if let detectable = rollout.detectable { terminal.line(terminal.paint(detectable, .quiet)) }
    if let guarantee = rollout.guarantee { terminal.line(terminal.paint(guarantee, .quiet)) }
    if let inconclusive = rollout.inconclusive {
      let source = inconclusive.source.map { " (\($0))" } ?? ""
      terminal.line("no verdict since \(ago(inconclusive.sinceMs))\(source): \(inconclusive.missing)")
    }
    for caveat in rollout.caveats { terminal.line(terminal.paint(caveat, .quiet)) }
    if let drill = rollout.drill { terminal.line(drill.sentence) }
    if let gate = rollout.gate { showGate(gate, rollout.service, rollout.environment) }
    guard let report = rollout.report else { return }
    terminal.line("cause: \(report.cause): \(report.sentence)")
    if let remedy = report.remedy { terminal.line(remedy) }
    var rows: [[String]] = []
    func add(_ label: String, _ from: Int64?, _ to: Int64?) {
      if let from, let to { rows.append([label, "\(max(0, to - from)) ms"]) }
    }
    add("first bad response to detection", report.firstBadAtMs, report.detectedAtMs)
    add("detection to decision", report.detectedAtMs, report.decidedAtMs)
    add("decision to last bad response", report.decidedAtMs, report.lastBadAtMs)
    add("first bad response to restored", report.firstBadAtMs, report.restoredAtMs)
    add("decision to closed, not restored before", report.decidedAtMs, report.closedAtMs)
    rows.append(["requests hurt", "\(report.requestsHurt)"])
    printTable(["part", "time"], rows)
  }

  private func showPlan(_ rollout: RolloutView) {
    let strategy = [rollout.strategy, rollout.preview.map { "preview by \($0)" }].compactMap { $0 }
    if !strategy.isEmpty { Terminal.standard.line(strategy.joined(separator: ", ")) }
    for (index, step) in rollout.plan.enumerated() {
      let isPassed = rollout.outcome == "completed" || rollout.step.map { index < $0 } ?? false
      let mark = index == rollout.step ? ">" : isPassed ? "x" : " "
      Terminal.standard.line("  \(mark) \(index + 1). \(step.words)")
    }
  }
}

struct ApproveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "approve", abstract: "Let a rollout go on from the step where it stands.",
    discussion: """
      At a gate, or without waiting for evidence. What the evidence said then is
      recorded and printed. It approves the step that it saw: when the rollout
      stands elsewhere by then, nothing is approved (exit 1).
      """)

  @Argument(help: "The service.")
  var service: String
  @Argument(help: "The environment.")
  var environment: String
  @Option(name: .long, help: "Why; people read it later.")
  var reason: String
  @Option(
    name: .customLong("at"),
    help: ArgumentHelp("Rollout and step, such as 4/2; where it stands by default.", valueName: "rollout/step"))
  var given: String?
  @OptionGroup var options: ServerOptions

  /// As people count: steps from 1.
  struct Stand: Equatable {
    let rollout: Int
    let step: Int

    init(rollout: Int, step: Int) {
      self.rollout = rollout
      self.step = step
    }

    /// Nil unless it is two numbers of 1 or more.
    init?(_ text: String) {
      let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
      guard numbers.count == 2, let rollout = numbers[0], let step = numbers[1], rollout > 0, step > 0 else {
        return nil
      }
      self.init(rollout: rollout, step: step)
    }
  }

  func run() async throws {
    let named = try given.map { text throws(Refusal) in
      guard let stand = Stand(text) else {
        throw Refusal(
          .malformed, "--at is '\(text)'; give rollout and step as plimsoll rollout shows them, such as 4/2.")
      }
      return stand
    }
    let client = try options.client()
    let place = "\(component(service))/\(component(environment))"
    let stand: Stand
    if let named { stand = named } else { stand = try await seen(client, place) }
    let again = "--at \(stand.rollout)/\(stand.step), which cannot approve another step"
    let receipt: Receipt = try await LostAnswer.told(by: "approve", repeatWith: again) {
      try await client.post(
        "/v1/rollouts/\(place)/approve",
        ApproveRequest(rollout: stand.rollout, step: stand.step - 1, reason: reason))
    }
    try options.show(receipt)
  }

  private func seen(_ client: Client, _ place: String) async throws -> Stand {
    let view = try await client.get("/v1/services/\(place)", as: EnvironmentView.self)
    guard let rollout = view.rollout else {
      throw Refusal(.notNow, "Nothing rolls out in \(service) in \(environment), so there is nothing to approve.")
    }
    guard let step = rollout.step else {
      throw Refusal(.notNow, "Rollout \(rollout.id) stands at no step that could be approved: \(view.sentence)")
    }
    return Stand(rollout: rollout.id, step: step + 1)
  }
}

struct FloorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "floor", abstract: "Let no rollback go below a kept known-good version.",
    discussion: "For a version that wrote what older ones cannot read. Refused while a rollout runs.")

  @OptionGroup var about: DigestOptions

  func run() async throws {
    try await about.ask("floor", FloorRequest(digest: about.digest, reason: about.reason))
  }
}
