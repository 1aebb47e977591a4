import API
import ArgumentParser
import Foundation
import Kernel

/// A flag in one environment.
struct FlagPlaceArguments: ParsableArguments {
  @Argument(help: "The key.")
  var key: String
  @Argument(help: "The environment.")
  var environment: String
}

struct FlagOnCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "on", abstract: "Switch a flag on in an environment: its definition decides there.")

  @OptionGroup var place: FlagPlaceArguments
  @OptionGroup var change: FlagChangeOptions

  func run() async throws {
    try change.show(
      try await change.send(
        place.key, "place", FlagPlaceRequest(environment: place.environment, on: true, reason: change.reason)))
  }
}

struct FlagOffCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "off", abstract: "Switch a flag off in an environment: code gets its own default. Ends a ramp there.")

  @OptionGroup var place: FlagPlaceArguments
  @OptionGroup var change: FlagChangeOptions

  func run() async throws {
    try change.show(
      try await change.send(
        place.key, "place", FlagPlaceRequest(environment: place.environment, on: false, reason: change.reason)))
  }
}

struct FlagSetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Let targeting or the default variant be another one in an environment.",
    discussion: """
      'plimsoll flag set new-checkout staging --default on --reason TEXT' serves on there to everybody whom targeting \
      leaves to it. --none takes what is set there away.
      """)

  @OptionGroup var place: FlagPlaceArguments
  @Option(name: .long, help: ArgumentHelp("The default variant there.", valueName: "variant"))
  var `default`: String?
  @Option(name: .long, help: "Targeting there: a file of JSONLogic; - for standard input.", completion: .file())
  var targeting: String?
  @Flag(name: .long, help: "As the definition has it.")
  var none = false
  @OptionGroup var change: FlagChangeOptions

  func validate() throws {
    guard none == (`default` == nil && targeting == nil) else {
      throw ValidationError("Give --default, --targeting or both, or else --none.")
    }
  }

  func run() async throws {
    var members: [String] = []
    if let name = `default` {
      members.append("\"defaultVariant\":\(String(decoding: try JSONEncoder().encode(name), as: UTF8.self))")
    }
    if let targeting { members.append("\"targeting\":\(try FlagFile.text(targeting))") }
    try change.show(
      try await change.send(
        place.key, "place",
        FlagPlaceRequest(
          environment: place.environment, override: "{\(members.joined(separator: ","))}", reason: change.reason)))
  }
}

struct FlagScheduleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schedule", abstract: "Switch a flag, or begin a ramp, at a time to come; or take that back.",
    discussion: """
      plimsoll flag schedule new-checkout production on --at 2026-12-01T08:00Z --reason TEXT
      plimsoll flag schedule new-checkout production --ramp on --at 2h --reason TEXT
      plimsoll flag schedule new-checkout --cancel 3 --reason TEXT
      """)

  @Argument(help: "The key.")
  var key: String
  @Argument(help: "The environment.")
  var environment: String?
  @Argument(help: "on or off.")
  var state: String?
  @Option(name: .long, help: "When: 2h from now, or 2026-12-01T08:00Z.")
  var at: String?
  @Option(
    name: .long, help: ArgumentHelp("Ramp this variant by the usual stages and guardrails.", valueName: "variant"))
  var ramp: String?
  @Option(name: .long, help: ArgumentHelp("Take back the change of this number.", valueName: "number"))
  var cancel: Int?
  @OptionGroup var change: FlagChangeOptions

  func validate() throws {
    if cancel != nil {
      guard environment == nil, at == nil, ramp == nil else {
        throw ValidationError("--cancel takes a change back; leave out the environment, --at and --ramp.")
      }
      return
    }
    guard environment != nil, at != nil, (state == nil) != (ramp == nil),
      state == nil || state == "on" || state == "off"
    else { throw ValidationError("Give an environment, on, off or --ramp VARIANT, and --at TIME.") }
  }

  func run() async throws {
    if let cancel {
      return try change.show(
        try await change.send(key, "unschedule", FlagUnscheduleRequest(number: cancel, reason: change.reason)))
    }
    guard let at, let time = Deadline.parse(at, from: Date()), let environment else {
      throw Refusal(
        .malformed, "--at is '\(at ?? "")'; give a duration such as 2h, or a time such as 2026-12-01T08:00Z.")
    }
    let request = FlagScheduleRequest(
      atMs: time, environment: ramp == nil ? environment : nil, on: state.map { $0 == "on" },
      ramp: ramp.map { FlagRampRequest(environment: environment, variant: $0, reason: change.reason) },
      reason: change.reason)
    try change.show(try await change.send(key, "schedule", request))
  }
}
