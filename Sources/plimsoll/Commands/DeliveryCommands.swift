import API
import ArgumentParser
import Foundation
import Kernel

struct PromoteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "promote", abstract: "Show a commit's way through the environments, or send it on after a halt.",
    discussion: "Without --reason it only shows. A gate that was not passed is never skipped.")

  @Argument(help: "The service.")
  var service: String
  @Argument(help: "The commit, or its first digits; the newest when left out.")
  var commit: String?
  @Option(name: .long, help: "Why it should go on; this makes it a request.")
  var reason: String?
  @Option(name: .long, help: "To this environment; the next one when left out.")
  var environment: String?
  @Flag(name: .long, help: "Accept that the digest was condemned there.")
  var override = false
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    let target: String
    if let commit { target = commit } else { target = try await newest(client) }
    let path = "/v1/promotions/\(component(service))/\(component(target))"
    if let reason {
      let receipt: Receipt = try await client.post(
        path, PromoteRequest(environment: environment, override: override, reason: reason))
      return try options.show(receipt)
    }
    if environment != nil || override {
      throw Refusal(.malformed, "A promotion needs a reason that people can read later; add --reason TEXT.")
    }
    let promotion: PromotionView = try await client.get(path)
    if options.json { return try printJSON(promotion) }
    show(promotion)
  }

  private func newest(_ client: Client) async throws -> String {
    let promotions = try await client.get("/v1/promotions", as: PromotionsView.self).promotions
    guard let newest = promotions.first(where: { $0.service == service }) else {
      throw Refusal(.unknown, "\(service) has no promotion yet; land a change with 'plimsoll submit BRANCH'.")
    }
    return newest.commit
  }

  private func show(_ promotion: PromotionView) {
    let terminal = Terminal.standard
    terminal.line(
      terminal.paint("\(promotion.service) \(promotion.commit.prefix(10))", .strong) + "  \(promotion.title)")
    terminal.line("\(promotion.phase): \(promotion.sentence)")
    if let digest = promotion.digest { terminal.line("digest \(digest)") }
    printTable(
      ["environment", "asked", "taken", "served", "passed", "checks"],
      promotion.stages.map { stage in
        [
          stage.environment, stage.requestedAtMs.map { ago($0) } ?? "-", stage.takenAtMs.map { ago($0) } ?? "-",
          stage.servedAtMs.map { ago($0) } ?? "-", stage.passedAtMs.map { ago($0) } ?? "-",
          stage.checks.map { "\($0.name) \($0.passed ? "passed" : "failed: \($0.reason)")" }.joined(separator: "; "),
        ]
      })
  }
}

struct RolloutCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollout", abstract: "Show what runs where, what moves, and why it waits; plan steps.",
    subcommands: [RolloutShowCommand.self, RolloutPlanCommand.self], defaultSubcommand: RolloutShowCommand.self)
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
        ["service", "environment", "serving", "phase", "what happens"],
        views.map { view in
          [
            view.service, view.environment, view.serving.map { String($0.commit.prefix(10)) } ?? "nothing", view.phase,
            view.sentence,
          ]
        })
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

  private func show(_ rollout: RolloutView) {
    let terminal = Terminal.standard
    terminal.line(
      terminal.paint("\(rollout.service) in \(rollout.environment), rollout \(rollout.id)", .strong)
        + "  \(rollout.kind), \(rollout.outcome)")
    terminal.line("\(rollout.deployment.commit.prefix(10))  \(rollout.deployment.digest)")
    if let sentence = rollout.sentence { terminal.line(sentence) }
    if let detectable = rollout.detectable { terminal.line(terminal.paint(detectable, .quiet)) }
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
    rows.append(["requests hurt", "\(report.requestsHurt)"])
    printTable(["part", "time"], rows)
  }
}

struct RollbackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "Go back to known-good: digest and configuration together, without a build.")

  @Argument(help: "The service.")
  var service: String
  @Argument(help: "The environment.")
  var environment: String
  @Option(name: .long, help: "A kept digest, or its first characters; the version before when left out.")
  var to: String?
  @Option(name: .long, help: "The deployment to leave, refused when it is left already; the present one by default.")
  var from: String?
  @Option(name: .long, help: "Why; people read it later.")
  var reason: String
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    let place = "\(component(service))/\(component(environment))"
    let seen: String?
    if let from {
      seen = from
    } else {
      seen = try await client.get("/v1/services/\(place)", as: EnvironmentView.self).leaving
    }
    do {
      let receipt: Receipt = try await client.post(
        "/v1/rollouts/\(place)/rollback", RollbackRequest(to: to, from: seen, reason: reason))
      try options.show(receipt)
    } catch let outage as Outage {
      throw Self.unanswered(outage, seen: seen)
    } catch let failure as Failure where failure.kind == "unavailable" {
      throw Self.unanswered(Outage("server", failure.sentence), seen: seen)
    }
  }

  /// Repeated as it stands, the command would start from what serves by then.
  private static func unanswered(_ outage: Outage, seen: String?) -> Outage {
    guard let seen else { return outage }
    return Outage(
      "rollback",
      "it may have been decided although no answer came; repeat it with --from \(seen), which cannot go back twice",
      sources: [outage.description])
  }
}

struct LiftCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lift", abstract: "Let a condemned digest return to an environment.")

  @Argument(help: "The service.")
  var service: String
  @Argument(help: "The environment.")
  var environment: String
  @Argument(help: "The condemned digest, or its first characters.")
  var digest: String
  @Option(name: .long, help: "Why; people read it later.")
  var reason: String
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    let receipt: Receipt = try await client.post(
      "/v1/rollouts/\(component(service))/\(component(environment))/lift",
      LiftRequest(digest: digest, reason: reason))
    try options.show(receipt)
  }
}
