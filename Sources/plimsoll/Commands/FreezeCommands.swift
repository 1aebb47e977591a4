import API
import ArgumentParser
import Foundation
import Kernel
import PlimsollFile

struct FreezeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "freeze", abstract: "Hold new versions and the steps of rollouts; rollbacks go on.",
    discussion: """
      Without --service it holds every service of the environment.
      A second freeze replaces the first. A promotion with --override passes it.
      """)

  @Argument(help: "The environment.")
  var environment: String
  @Option(name: .long, help: "This service only.")
  var service: String?
  @Option(name: .long, help: "Why; people read it later.")
  var reason: String
  @Option(name: .long, help: "Thaw by itself after 2h or 3d, or at 2026-12-01T08:00Z.")
  var until: String?
  @OptionGroup var options: ServerOptions

  func run() async throws {
    var untilMs: Int64?
    if let until {
      guard let parsed = Deadline.parse(until, from: Date()) else {
        throw Refusal(
          .malformed, "--until is '\(until)'; give a duration such as 2h, or a time such as 2026-12-01T08:00Z.")
      }
      untilMs = parsed
    }
    let request = FreezeRequest(reason: reason, untilMs: untilMs)
    let client = try options.client()
    let chosen = try await Places(client: client, environment: environment, service: service)
      .all.map { (service: $0.service, environment: $0.environment) }
    try await Places.ask(chosen, json: options.json) { place in
      try await client.post("/v1/rollouts/\(place)/freeze", request)
    }
  }
}

struct ThawCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "thaw", abstract: "Let versions and rollouts go on after a freeze.",
    discussion: "Without --service it thaws whatever is frozen in the environment.")

  @Argument(help: "The environment.")
  var environment: String
  @Option(name: .long, help: "This service only.")
  var service: String?
  @Option(name: .long, help: "Why; people read it later.")
  var reason: String
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    let places = try await Places(client: client, environment: environment, service: service).all
    let chosen = places.filter { service != nil || $0.freeze != nil }.map {
      (service: $0.service, environment: $0.environment)
    }
    guard !chosen.isEmpty else { throw Refusal(.notNow, "Nothing is frozen in \(environment).") }
    try await Places.ask(chosen, json: options.json) { place in
      try await client.post("/v1/rollouts/\(place)/thaw", ThawRequest(reason: reason))
    }
  }
}

/// The services of an environment, asked one by one.
struct Places {
  /// In the order of plimsoll.yaml; at least one.
  let all: [EnvironmentView]

  /// One place's answer, as `--json` prints it.
  struct Answer: Encodable {
    let service: String
    let environment: String
    var receipt: Receipt?
    var failure: String?
  }

  init(client: Client, environment: String, service: String?) async throws {
    if let service {
      all = [try await client.get("/v1/services/\(component(service))/\(component(environment))")]
      return
    }
    let known = try await client.get("/v1/overview", as: Overview.self).services.flatMap(\.environments)
      .filter { !["closing", "retired"].contains($0.phase) }
    all = known.filter { $0.environment == environment }
    guard all.isEmpty else { return }
    var names: [String] = []
    for name in known.map(\.environment) where !names.contains(name) { names.append(name) }
    let hint =
      nearestMatch(to: environment, among: names).map { "did you mean '\($0)'?" }
      ?? (names.isEmpty ? "none is configured." : "there is \(names.joined(separator: ", ")).")
    throw Refusal(.unknown, "There is no environment '\(environment)': \(hint)")
  }

  /// Asks each, also when one before it failed. Ends with the worst exit code.
  static func ask(
    _ places: [(service: String, environment: String)], json: Bool, _ request: (String) async throws -> Receipt
  ) async throws {
    var answers: [Answer] = []
    var worst: Int32 = 0
    for place in places {
      var answer = Answer(service: place.service, environment: place.environment)
      do {
        let receipt = try await request("\(component(place.service))/\(component(place.environment))")
        answer.receipt = receipt
        if !json { for sentence in receipt.decided { Terminal.standard.line(sentence) } }
      } catch {
        if places.count == 1 { throw error }
        let ending = Ending(error)
        answer.failure = ending.message
        worst = max(worst, ending.code)
        if !json {
          Terminal.standard.line(Terminal.standard.paint("\(place.service): \(ending.message)", .bad))
        }
      }
      answers.append(answer)
    }
    if json { try printJSON(answers) }
    if worst != 0 { throw ExitCode(worst) }
  }
}

/// A time that a person wrote: `2h` from now, or `2026-12-01T08:00Z`.
enum Deadline {
  /// Milliseconds since 1970; nil when it is neither.
  static func parse(_ text: String, from now: Date) -> Int64? {
    if let span = parseSpan(text) { return Int64(now.timeIntervalSince1970 * 1000) + span.milliseconds }
    guard let found = text.wholeMatch(of: /(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d)?(Z|[+-]\d\d:\d\d)/) else { return nil }
    let whole = "\(found.1)\(found.2 ?? ":00")\(found.3)"
    guard let date = try? Date(whole, strategy: .iso8601) else { return nil }
    return Int64(date.timeIntervalSince1970 * 1000)
  }
}
