import API
import ArgumentParser
import Foundation
import Kernel

// Flags of a running server: what they are. FlagManagementPlaces.swift has where they are on, FlagManagementRamps.swift
// their ramps and the kill.

/// What every change of a flag is given.
struct FlagChangeOptions: ParsableArguments {
  @Option(name: .long, help: "Why; people read it later.")
  var reason: String
  @OptionGroup var options: ServerOptions

  /// Sends it and tells what came of it.
  func send(_ key: String, _ verb: String, _ body: some Encodable) async throws -> FlagReceipt {
    try await options.client().post("/v1/flags/\(component(key))/\(verb)", body)
  }

  func show(_ receipt: FlagReceipt) throws {
    if options.json { return try printJSON(receipt) }
    let terminal = Terminal.standard
    if receipt.decided.isEmpty { terminal.line("That is so already; nothing changed.") }
    for sentence in receipt.decided { terminal.line(sentence) }
    for note in receipt.notes { terminal.line(terminal.paint(note, .quiet)) }
    for stage in receipt.stages {
      terminal.line("\(FlagTelling.number(stage.percent)) %:")
      for sentence in stage.sees { terminal.line("  \(sentence)") }
    }
  }
}

/// A definition's text, from a file or from standard input.
enum FlagFile {
  /// - Parameter path: `-` for standard input.
  /// - Throws: `Refusal` when there is none, or it is no UTF-8.
  static func text(_ path: String) throws -> String {
    let data: Data?
    if path == "-" {
      data = try FileHandle.standardInput.readToEnd()
    } else {
      data = FileManager.default.contents(atPath: path)
    }
    guard let data else { throw Refusal(.unknown, "\(path) cannot be read: name a file, or - for standard input.") }
    guard let text = String(data: data, encoding: .utf8) else {
      throw Refusal(.malformed, "\(path) is no UTF-8: write it as JSON.")
    }
    return text
  }
}

/// The body of `create` and `edit`.
private struct FlagDefinitionBody: Encodable {
  var key: String?
  var reason: String
  var over: Int?
  var environments: [String: Bool]?
  var definition: String?
  var owner: String?
  var type: String?
  var expiry: String?
  var service: String?
  var unit: String?
}

struct FlagCreateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create", abstract: "Create a flag, from a definition or as a plain switch.",
    discussion: """
      Without --definition it has the variants on and off, and off is the default. Every flag has an expiry: 30 days \
      from now when none is named. It is off in every environment until it is switched on there.
      """)

  @Argument(help: "The key, as code asks for it.")
  var key: String
  @Option(
    name: .long, help: "The flag's JSON as docs/flags.md has it; - for standard input.",
    completion: .file(extensions: ["json"]))
  var definition: String?
  @Option(name: .long, help: "Who answers for it; you when left out.")
  var owner: String?
  @Option(name: .long, help: "release, experiment, operational, kill-switch or permission.")
  var type: String?
  @Option(name: .long, help: "When it must be gone: 2027-01-31, 2027-01-31T12:00:00Z, or a time from now such as 60d.")
  var expires: String?
  @Option(name: .long, help: "The service whose behaviour it changes.")
  var service: String?
  @Option(name: .long, help: "The attribute that tells subjects apart; targetingKey when left out.")
  var unit: String?
  @Option(name: .long, help: ArgumentHelp("Switch it on there at once; may be repeated.", valueName: "environment"))
  var on: [String] = []
  @OptionGroup var change: FlagChangeOptions

  func run() async throws {
    let body = FlagDefinitionBody(
      key: key, reason: change.reason,
      environments: on.isEmpty ? nil : Dictionary(on.map { ($0, true) }, uniquingKeysWith: { first, _ in first }),
      definition: try definition.map(FlagFile.text), owner: owner, type: type,
      expiry: expires.map { FlagTelling.expiry($0) }, service: service, unit: unit)
    try change.show(try await change.options.client().post("/v1/flags", body))
  }
}

struct FlagEditCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edit", abstract: "Replace a flag's definition.",
    discussion: """
      'plimsoll flag show KEY' names the present revision, and with --definition it prints that revision's text. Look at \
      the number first, then take the text, and give the number as --over: of two who edit the same revision the second \
      is refused.
      """)

  @Argument(help: "The key.")
  var key: String
  @Option(name: .long, help: "The flag's JSON; - for standard input.", completion: .file(extensions: ["json"]))
  var definition: String
  @Option(name: .long, help: "The revision that you saw, and that your text was made from.")
  var over: Int?
  @OptionGroup var change: FlagChangeOptions

  func validate() throws {
    // The newest at the time of sending may be somebody else's edit, which would be lost.
    guard over != nil else {
      throw ValidationError(
        "Give --over, the number of the revision that you edited: 'plimsoll flag show \(key)' names the present one.")
    }
  }

  func run() async throws {
    let body = FlagDefinitionBody(reason: change.reason, over: over, definition: try FlagFile.text(definition))
    try change.show(try await change.send(key, "edit", body))
  }
}

struct FlagRestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Make the definition of an older revision the newest one.")

  @Argument(help: "The key.")
  var key: String
  @Argument(help: "The revision's number; 'plimsoll flag history KEY' names them.")
  var revision: Int
  @OptionGroup var change: FlagChangeOptions

  func run() async throws {
    try change.show(
      try await change.send(key, "restore", FlagRestoreRequest(revision: revision, reason: change.reason)))
  }
}

struct FlagArchiveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "archive", abstract: "End a flag: no environment serves it any more, and its key stays taken.")

  @Argument(help: "The key.")
  var key: String
  @OptionGroup var change: FlagChangeOptions

  func run() async throws {
    try change.show(try await change.send(key, "archive", FlagArchiveRequest(reason: change.reason)))
  }
}

struct FlagShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show a flag: where it is on, its ramps, and who has not heard yet.")

  @Argument(help: "The key.")
  var key: String
  @Flag(name: .long, help: "Print the definition alone, to edit it.")
  var definition = false
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let view: FlagView = try await options.client().get("/v1/flags/\(component(key))")
    if definition { return Terminal.standard.line(view.definition) }
    if options.json { return try printJSON(view) }
    FlagTelling.show(view)
  }
}

struct FlagListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List flags: where each is on, who owns it, when it expires.")

  @Argument(help: "A part of a key or of an owner.")
  var search: String?
  @Option(name: .long, help: "Who answers for it.")
  var owner: String?
  @Option(name: .long, help: "release, experiment, operational, kill-switch or permission.")
  var type: String?
  @Option(name: .long, help: "On in this environment; with --phase, in that phase there.")
  var environment: String?
  @Option(name: .long, help: "off, on, watching, asking, holding, stopped, killed, rolledOut …")
  var phase: String?
  @Option(name: .long, help: "expired, soon (within 14 days) or later.")
  var expiry: String?
  @Flag(name: .long, help: "Those that are archived.")
  var archived = false
  @Option(name: .long, help: "At most so many.")
  var limit = 50
  @Option(name: .long, help: "Those behind this key.")
  var after: String?
  @OptionGroup var options: ServerOptions

  func run() async throws {
    var query = URLComponents()
    let items: [(String, String?)] = [
      ("search", search), ("owner", owner), ("type", type), ("environment", environment), ("phase", phase),
      ("expiry", expiry), ("archived", archived ? "true" : nil), ("limit", "\(limit)"), ("after", after),
    ]
    query.queryItems = items.compactMap { name, value in value.map { URLQueryItem(name: name, value: $0) } }
    let view: FlagsView = try await options.client().get("/v1/flags?\(query.percentEncodedQuery ?? "")")
    if options.json { return try printJSON(view) }
    let terminal = Terminal.standard
    if view.flags.isEmpty {
      return terminal.line("No flag is like that; 'plimsoll flag create KEY --reason TEXT' makes one.")
    }
    let places = view.flags.first?.environments.map(\.environment) ?? []
    printTable(
      ["flag"] + places + ["owner", "expires"],
      view.flags.map { flag in
        [flag.key] + flag.environments.map(\.words)
          + [flag.owner, flag.expired ? "expired \(ago(flag.expiresAtMs))" : ago(flag.expiresAtMs)]
      })
    if let next = view.next {
      terminal.line("\(view.flags.count) of \(view.total) flags; the next: plimsoll flag list --after \(next)")
    }
  }
}

struct FlagHistoryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "Show who changed a flag, when and why, newest first.")

  @Argument(help: "The key.")
  var key: String
  @Option(name: .long, help: "At most so many.")
  var limit = 50
  @Option(name: .long, help: "Those before this version.")
  var before: Int64?
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let more = before.map { "&before=\($0)" } ?? ""
    let view: FlagHistoryView = try await options.client().get(
      "/v1/flags/\(component(key))/history?limit=\(limit)\(more)")
    if options.json { return try printJSON(view) }
    let terminal = Terminal.standard
    for event in view.events {
      terminal.line("\(terminal.paint(ago(event.atMs), .quiet))  \(event.sentence)")
      for change in event.changes {
        terminal.line("    \(change.member): \(change.before ?? "nothing") → \(change.after ?? "nothing")")
      }
    }
    if let next = view.next { terminal.line("Older: plimsoll flag history \(key) --before \(next)") }
  }
}
