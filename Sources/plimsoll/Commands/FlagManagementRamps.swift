import API
import ArgumentParser
import Foundation
import Kernel
import PlimsollFile

struct FlagRampCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ramp", abstract: "Give a variant to more and more units, and take it back when it harms.",
    discussion: """
      'plimsoll flag ramp new-checkout production on --reason TEXT' goes through 1, 5, 25 and 100 %, with guardrails for \
      errors and latency. A guardrail is errors, latency:300ms or conversion:2m; a colon and a factor behind it say what \
      a stage must be able to see before it passes: errors:3x. With --follow: exit 0 when it is rolled out, 1 when it \
      was stopped.
      """)

  @OptionGroup var place: FlagPlaceArguments
  @Argument(help: "The variant.")
  var variant: String
  @Option(name: .long, help: "Percents of the units, rising.")
  var stages: String?
  @Option(name: .long, help: "How long each stage lasts at least; 10m when left out.")
  var least: String?
  @Option(name: .long, help: "What it must not do to those who get it; may be repeated.")
  var guardrail: [String] = []
  @Option(name: .long, help: "After so long a stage that cannot see what is promised asks; 1h when left out.")
  var patience: String?
  @Option(name: .long, help: "Whose requests are the evidence.")
  var service: String?
  @Flag(name: .long, help: "Show how it goes until it ends.")
  var follow = false
  @OptionGroup var change: FlagChangeOptions

  func run() async throws {
    let request = FlagRampRequest(
      environment: place.environment, variant: variant, stages: try stages.map(Self.percents),
      leastMs: try least.map { try Self.span($0, "--least") },
      guardrails: guardrail.isEmpty ? nil : try guardrail.map(Self.guardrail),
      patienceMs: try patience.map { try Self.span($0, "--patience") }, service: service, reason: change.reason)
    let receipt = try await change.send(place.key, "ramp", request)
    if !follow || !change.options.json { try change.show(receipt) }
    guard follow else { return }
    let ended = try await FlagFollowing(client: change.options.client(), quiet: change.options.json)
      .ramp(place.key, in: place.environment)
    if change.options.json { try printJSON(ended) } else { Terminal.standard.line(ended.sentence) }
    if ended.ramp?.outcome != "rolledOut" { throw ExitCode(1) }
  }

  static func percents(_ text: String) throws -> [Double] {
    try text.split(separator: ",").map { part in
      let digits = part.trimmingCharacters(in: CharacterSet(charactersIn: " %"))
      guard let percent = Double(digits) else {
        throw Refusal(.malformed, "--stages has '\(part)'; give percents such as 1,5,25,100.")
      }
      return percent
    }
  }

  static func span(_ text: String, _ option: String) throws -> Int64 {
    guard let span = parseSpan(text) else {
      throw Refusal(.malformed, "\(option) is '\(text)'; give a duration such as 10m.")
    }
    return span.milliseconds
  }

  /// `latency:300ms:3x`
  static func guardrail(_ text: String) throws -> FlagGuardrailRequest {
    let parts = text.split(separator: ":").map(String.init)
    var request = FlagGuardrailRequest(measure: parts.first ?? "")
    for part in parts.dropFirst() {
      if part.hasSuffix("x"), let factor = Double(part.dropLast()) {
        request.detect = factor
      } else if request.measure == "conversion" {
        request.withinMs = try span(part, "--guardrail conversion")
      } else if request.measure == "latency" {
        request.slowerThanMs = try span(part, "--guardrail latency")
      } else {
        throw Refusal(
          .malformed,
          "--guardrail is '\(text)'; give errors, latency:300ms or conversion:2m, and :3x behind it at most.")
      }
    }
    return request
  }
}

struct FlagAdvanceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "advance", abstract: "Let a ramp go on to its next stage, whatever the evidence says.")

  @OptionGroup var place: FlagPlaceArguments
  @Option(name: .long, help: "The stage that you saw, from 1; the present one when left out.")
  var stage: Int?
  @OptionGroup var change: FlagChangeOptions

  func run() async throws {
    var seen = stage.map { $0 - 1 }
    if seen == nil {
      let view: FlagView = try await change.options.client().get("/v1/flags/\(component(place.key))")
      seen = view.environments.first { $0.environment == place.environment }?.ramp?.stage
    }
    let request = FlagStageRequest(
      environment: place.environment, stage: seen, reason: change.reason)
    // Repeated as it stands, the command would go on from the stage of then.
    let receipt = try await LostAnswer.told(
      by: "advance", repeatWith: seen.map { "--stage \($0 + 1), which cannot go on twice" }
    ) { try await change.send(place.key, "advance", request) }
    try change.show(receipt)
  }
}

struct FlagHoldCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hold", abstract: "Keep a ramp at its share; a bad verdict takes it back all the same.")

  @OptionGroup var place: FlagPlaceArguments
  @OptionGroup var change: FlagChangeOptions

  func run() async throws {
    try change.show(
      try await change.send(
        place.key, "hold", FlagStageRequest(environment: place.environment, reason: change.reason)))
  }
}

struct FlagResumeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Let a ramp that is held go on; a stage whose sample was wrong begins anew.")

  @OptionGroup var place: FlagPlaceArguments
  @OptionGroup var change: FlagChangeOptions

  func run() async throws {
    try change.show(
      try await change.send(
        place.key, "resume", FlagStageRequest(environment: place.environment, reason: change.reason)))
  }
}

struct FlagStopCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop", abstract: "Take a ramp's variant back from everybody; the flag stays on.")

  @OptionGroup var place: FlagPlaceArguments
  @OptionGroup var change: FlagChangeOptions

  func run() async throws {
    try change.show(
      try await change.send(
        place.key, "stop", FlagStageRequest(environment: place.environment, reason: change.reason)))
  }
}

struct FlagKillCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kill", abstract: "Switch a flag off at once, and prove it.",
    discussion: """
      In every environment, unless one is named. With --service and --attributed it counts as a failed change of that \
      version. With --follow: exit 0 once every client has heard and nobody was seen with it any more, 1 when that is \
      not so after ten minutes.
      """)

  @Argument(help: "The key.")
  var key: String
  @Option(name: .long, help: "Only there.")
  var environment: String?
  @Option(name: .long, help: "Whose version made it necessary.")
  var service: String?
  @Option(name: .long, help: ArgumentHelp("That version, or its first digits.", valueName: "digest"))
  var attributed: String?
  @Flag(name: .long, help: "Show who has not heard until it is off everywhere.")
  var follow = false
  @OptionGroup var change: FlagChangeOptions

  func run() async throws {
    let receipt = try await change.send(
      key, "kill",
      FlagKillRequest(environment: environment, service: service, attributed: attributed, reason: change.reason))
    if !follow || !change.options.json { try change.show(receipt) }
    guard follow else { return }
    let following = FlagFollowing(client: try change.options.client(), quiet: change.options.json)
    let (proofs, isProved) = try await following.withdrawal(key, in: environment)
    if change.options.json {
      try printJSON(proofs)
    } else {
      for proof in proofs { Terminal.standard.line("\(proof.environment): \(proof.sentence)") }
    }
    if !isProved { throw ExitCode(1) }
  }
}
