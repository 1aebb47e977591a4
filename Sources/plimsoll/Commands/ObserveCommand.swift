import API
import ArgumentParser
import Foundation
import Kernel

struct ObserveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "observe",
    abstract: "Judge what something else deploys, and keep score against what the team did.",
    discussion: "Places are named under 'observe' in plimsoll.yaml. Nothing is ever changed there.",
    subcommands: [
      ObserveShowCommand.self, ObserveDeployedCommand.self, ObserveKeptCommand.self, ObserveRolledBackCommand.self,
    ], defaultSubcommand: ObserveShowCommand.self)
}

/// A place; `production` unless another one is named.
struct ObservedPlaceOptions: ParsableArguments {
  @Argument(help: "The service.")
  var service: String
  @Option(name: .long, help: "The environment.")
  var environment = "production"

  var path: String { "/v1/observations/\(component(service))/\(component(environment))" }
}

struct ObserveShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show the score and what would have been done (the default).")

  @Argument(help: "The service; all when left out.")
  var service: String?
  @Option(name: .long, help: "The environment; all when left out.")
  var environment: String?
  @Flag(name: .long, help: "Redraw every second until interrupted.")
  var watch = false
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    repeat {
      let view = try await view(client)
      if options.json { return try printJSON(view) }
      if watch { Terminal.standard.clearScreen() }
      show(view)
      if watch { try await Task.sleep(for: .seconds(1)) }
    } while watch
  }

  private func view(_ client: Client) async throws -> ObservationsView {
    var view: ObservationsView = try await client.get("/v1/observations")
    guard service != nil || environment != nil else { return view }
    if let service, !view.places.contains(where: { $0.service == service }) {
      let names = view.places.map(\.service)
      let hint = nearestMatch(to: service, among: names).map { "; did you mean '\($0)'?" } ?? ""
      throw Refusal(.unknown, "No service '\(service)' is observed\(hint)")
    }
    view.places = view.places.filter { place in
      (service == nil || place.service == service) && (environment == nil || place.environment == environment)
    }
    // The score of all places says nothing of one.
    if view.places.count == 1 { view.score = view.places[0].score }
    return view
  }

  private func show(_ view: ObservationsView) {
    let terminal = Terminal.standard
    guard !view.places.isEmpty else {
      terminal.line("No place is observed; name one under 'observe' in plimsoll.yaml.")
      return
    }
    terminal.line(view.score.sentence)
    for place in view.places {
      terminal.line()
      terminal.line(terminal.paint("\(place.service) in \(place.environment)", .strong) + "  \(place.sentence)")
      if place.deployments.isEmpty { continue }
      printTable(
        ["#", "version", "deployed", "so", "plimsoll", "the team"],
        place.deployments.prefix(Self.shown).map { deployment in
          [
            "\(deployment.id)", deployment.version, ago(deployment.deployedAtMs),
            deployment.comparisonSentence ?? "judged now; its bake ends \(ago(deployment.endsAtMs))",
            deployment.judgementSentence, deployment.teamSentence ?? "",
          ]
        })
    }
  }

  /// The pages and --json have the others.
  static let shown = 10
}

struct ObserveDeployedCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "deployed", abstract: "Tell that a version is deployed now, or was a few minutes ago.",
    discussion: "Telling the version before means that the team went back. Telling the same twice is free.")

  @OptionGroup var place: ObservedPlaceOptions
  @Option(name: .long, help: "The version, as its label has it.")
  var version: String
  @Option(name: .long, help: "When, for example 2026-03-01T14:03:27Z; at most 10 minutes ago.")
  var at: String?
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    let receipt: Receipt = try await client.post(
      "\(place.path)/deployments",
      DeploymentRequest(version: version, atMs: try at.map(milliseconds), byHand: true))
    if receipt.decided.isEmpty, !options.json {
      return Terminal.standard.line("\(version) was known to be deployed already; nothing changed.")
    }
    try options.show(receipt)
  }
}

struct ObserveKeptCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kept", abstract: "Correct what the team did: it kept that version.")

  @OptionGroup var place: ObservedPlaceOptions
  @Option(name: .long, help: "The deployment's number; the newest when left out.")
  var deployment: Int?
  @Option(name: .long, help: "Why it is corrected, in one line.")
  var reason: String?
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    let receipt: Receipt = try await client.post(
      "\(place.path)/team", TeamRequest(did: "kept", deployment: deployment, reason: reason))
    try options.show(receipt)
  }
}

struct ObserveRolledBackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rolled-back", abstract: "Correct what the team did: it rolled that version back.")

  @OptionGroup var place: ObservedPlaceOptions
  @Option(name: .long, help: "When, for example 2026-03-01T14:03:27Z; now or its end when left out.")
  var at: String?
  @Option(name: .long, help: "The deployment's number; the newest when left out.")
  var deployment: Int?
  @Option(name: .long, help: "Why it is corrected, in one line.")
  var reason: String?
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    let receipt: Receipt = try await client.post(
      "\(place.path)/team",
      TeamRequest(did: "rolledBack", deployment: deployment, atMs: try at.map(milliseconds), reason: reason))
    try options.show(receipt)
  }
}

/// RFC 3339, with or without fractions of a second.
private func milliseconds(_ text: String) throws -> Int64 {
  let styles = [Date.ISO8601FormatStyle(), Date.ISO8601FormatStyle(includingFractionalSeconds: true)]
  guard let date = styles.lazy.compactMap({ try? $0.parse(text) }).first else {
    throw Refusal(.malformed, "'\(text)' is no time: write it like 2026-03-01T14:03:27Z.")
  }
  return Int64((date.timeIntervalSince1970 * 1000).rounded())
}
