import API
import ArgumentParser
import Foundation
import Kernel

struct RollbackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "Go back to known-good: digest and configuration together, without a build.",
    discussion: """
      --drill only rehearses it: real requests go to the other version and back,
      and it says how long both took. Exit 0 when that worked, 1 when it did not.
      """)

  @Argument(help: "The service.")
  var service: String
  @Argument(help: "The environment.")
  var environment: String
  @Option(name: .long, help: "A kept digest, or its first characters; the version before when left out.")
  var to: String?
  @Option(name: .long, help: "The deployment to leave, refused when it is left already; the present one by default.")
  var from: String?
  @Option(name: .long, help: "Why; people read it later. A drill does without.")
  var reason: String?
  @Flag(name: .long, help: "Rehearse it, wait for the end, and go back to what serves.")
  var drill = false
  @OptionGroup var options: ServerOptions

  func validate() throws {
    if drill {
      guard to == nil, from == nil else {
        throw ValidationError("A drill goes where a rollback would go; leave out --to and --from.")
      }
    } else if reason == nil {
      throw ValidationError("A rollback needs a reason that people can read later; add --reason TEXT.")
    }
  }

  func run() async throws {
    let client = try options.client()
    let place = "\(component(service))/\(component(environment))"
    if drill { return try await rehearse(client, place) }
    let seen: String?
    if let from {
      seen = from
    } else {
      seen = try await client.get("/v1/services/\(place)", as: EnvironmentView.self).leaving
    }
    // Repeated as it stands, the command would start from what serves by then.
    let again = seen.map { "--from \($0), which cannot go back twice" }
    let receipt: Receipt = try await LostAnswer.told(by: "rollback", repeatWith: again) {
      try await client.post(
        "/v1/rollouts/\(place)/rollback", RollbackRequest(to: to, from: seen, reason: reason ?? ""))
    }
    try options.show(receipt)
  }

  private func rehearse(_ client: Client, _ place: String) async throws {
    let receipt: Receipt = try await client.post(
      "/v1/rollouts/\(place)/drill", DrillRequest(reason: reason ?? "to see that a rollback works"))
    guard let id = receipt.rollout else {
      throw Outage("rollback", "the server began no drill and did not say why; are both of one version?")
    }
    if !options.json { try options.show(receipt) }
    let ended = try await Following(client: client, quiet: options.json).drill(id, at: place)
    if options.json {
      try printJSON(ended)
    } else if let drill = ended.drill {
      Terminal.standard.line(Terminal.standard.paint(drill.sentence, .good))
    } else {
      let why = ended.sentence ?? "rollout \(id) ended as \(ended.outcome) before it."
      Terminal.standard.line(Terminal.standard.paint("The drill failed: \(why)", .bad))
    }
    if ended.drill == nil { throw ExitCode(1) }
  }
}

/// A digest of a place, and why something is done about it.
struct DigestOptions: ParsableArguments {
  @Argument(help: "The service.")
  var service: String
  @Argument(help: "The environment.")
  var environment: String
  @Argument(help: "The digest, or its first characters.")
  var digest: String
  @Option(name: .long, help: "Why; people read it later.")
  var reason: String
  @OptionGroup var options: ServerOptions

  /// Asks for `verb` in that place, and shows the receipt.
  func ask(_ verb: String, _ request: some Encodable & Sendable) async throws {
    let receipt: Receipt = try await options.client().post(
      "/v1/rollouts/\(component(service))/\(component(environment))/\(verb)", request)
    try options.show(receipt)
  }
}

struct LiftCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lift", abstract: "Let a condemned digest return to an environment.")

  @OptionGroup var about: DigestOptions

  func run() async throws {
    try await about.ask("lift", LiftRequest(digest: about.digest, reason: about.reason))
  }
}
