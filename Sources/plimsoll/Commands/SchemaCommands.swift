import API
import ArgumentParser
import Foundation
import Kernel
import Migrations

/// `production/orders`.
struct SchemaPlaceArgument: ExpressibleByArgument {
  let environment: String
  let database: String

  init?(argument: String) {
    let parts = argument.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    (environment, database) = (parts[0], parts[1])
  }

  var path: String { "/v1/schemas/\(component(environment))/\(component(database))" }
}

struct MigrateStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show databases: what is applied, who lives there, what was refused and why.")

  @Argument(
    help: ArgumentHelp("The environment and the database; all when left out.", valueName: "environment/database"))
  var place: SchemaPlaceArgument?
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    if let place {
      let view: SchemaView = try await client.get(place.path)
      if options.json { return try printJSON(view) }
      return show(view)
    }
    let view: SchemasView = try await client.get("/v1/schemas")
    if options.json { return try printJSON(view) }
    if view.schemas.isEmpty {
      return Terminal.standard.line("No database is configured; name one under 'databases' in plimsoll.yaml.")
    }
    for (index, schema) in view.schemas.enumerated() {
      if index > 0 { Terminal.standard.line() }
      show(schema)
    }
  }

  private func show(_ view: SchemaView) {
    let terminal = Terminal.standard
    terminal.line(terminal.paint("\(view.environment)/\(view.database)", .strong) + "  \(view.sentence)")
    if let schema = view.schema {
      let last = view.last.map { ", the last \($0)" } ?? ""
      terminal.line("schema \(short(schema)), \(view.applied ?? 0) applied\(last)")
    }
    if !view.versions.isEmpty {
      printTable(
        ["service", "commit", "is", "on this schema", ""],
        view.versions.map { version in
          [
            version.service, String(version.commit.prefix(10)), version.standing, version.fit ?? "not judged",
            version.recorded || !version.why.isEmpty ? version.why : "nothing recorded of what it sends",
          ]
        })
    }
    for floor in view.floors { terminal.line("Rollback floor: \(words(floor, fails: "fails"))") }
    if let coverage = view.coverage { show(coverage) }
    if let refused = view.refused {
      terminal.line(
        "Refused \(ago(refused.atMs)): \(refused.service) \(refused.commit.prefix(10)), \(refused.title). \(refused.why)"
      )
      for version in refused.atRisk {
        terminal.line(
          "  \(version.service) \(version.commit.prefix(10)) (\(version.standing)): \(version.fit ?? "not judged")")
      }
      for floor in refused.floors { terminal.line("  Were it applied: \(words(floor, fails: "would fail"))") }
      terminal.line("Its report: plimsoll queue --log \(refused.report)")
    }
    if let override = view.override {
      terminal.line(
        "\(override.actor) took the risk \(ago(override.atMs)) for \(override.atRisk.joined(separator: ", ")): "
          + override.reason)
    }
    if !view.history.isEmpty {
      printTable(
        ["applied", "commit", "migrations", ""],
        view.history.prefix(Self.shown).map { change in
          [
            ago(change.atMs), String(change.commit.prefix(10)), change.migrations.joined(separator: ", "),
            change.override.map { "overridden by \($0.actor): \($0.reason)" } ?? change.title,
          ]
        })
    }
  }

  /// - Parameter fails: after the versions that cannot go back to.
  private func words(_ floor: SchemaFloorView, fails: String) -> String {
    let reach = floor.commit.map { "\(floor.service) \($0.prefix(10))" } ?? "no version of \(floor.service)"
    let barred = floor.barred.map { String($0.prefix(10)) }.joined(separator: ", ")
    return barred.isEmpty ? reach : "\(reach); \(barred) \(fails)"
  }

  private func show(_ coverage: SchemaCoverageView) {
    let terminal = Terminal.standard
    let age = coverage.measuredAtMs.map { ", measured \(ago($0))" } ?? ""
    let limit = Double(DatabaseSchema.coverageAge.milliseconds) / 1000
    guard let at = coverage.measuredAtMs, Date().timeIntervalSince1970 - Double(at) / 1000 <= limit else {
      terminal.line("Recorded: not known today; nothing was examined for a day\(age)")
      return
    }
    // Rounded down: what is not enough must not read like it.
    let share = String(format: "%.1f", (coverage.share * 1000).rounded(.down) / 10)
    let words =
      "Recorded: \(share) % of what the database counted; \(String(format: "%g", coverage.least * 100)) % are asked for"
      + age
    terminal.line(coverage.share < coverage.least ? terminal.paint(words, .warning) : words)
    guard coverage.unrecorded > 0 else { return }
    terminal.line("Never recorded, \(coverage.unrecorded) of \(coverage.counted) statements, the most frequent first:")
    for example in coverage.examples { terminal.line("  \(example)") }
  }

  private func short(_ digest: String) -> String { String(digest.dropFirst("sha256:".count).prefix(12)) }

  /// --json has the others.
  static let shown = 5
}

struct MigrateOverrideCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "override", abstract: "Take the risk of migrations that were refused, by name and reason.",
    discussion: """
      The versions put at risk are recorded with your name. It counts for exactly these migrations and until they are \
      applied; of a version of which nothing is recorded, until something is. Promote the commit again afterwards.
      """)

  @Argument(help: ArgumentHelp("The environment and the database.", valueName: "environment/database"))
  var place: SchemaPlaceArgument
  @Argument(help: "The commit that was refused last, or its first digits.")
  var commit: String
  @Option(name: .long, help: "Why the risk is taken; people read it later.")
  var reason: String
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    let receipt: Receipt = try await client.post(
      "\(place.path)/override", SchemaOverrideRequest(commit: commit, reason: reason))
    if receipt.decided.isEmpty, !options.json {
      return Terminal.standard.line("That was overridden already; nothing changed.")
    }
    try options.show(receipt)
    if !options.json {
      Terminal.standard.line("Now promote it again: plimsoll promote SERVICE \(commit) --reason TEXT")
    }
  }
}

struct MigrateAdoptCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "adopt", abstract: "Tell which migrations a database has that something else migrated so far.",
    discussion: """
      Writes the database's book of migrations and runs nothing. Until a database with tables has a book, nothing is \
      judged on it.
      """)

  @Argument(help: ArgumentHelp("The environment and the database.", valueName: "environment/database"))
  var place: SchemaPlaceArgument
  @Option(name: .long, help: ArgumentHelp("The last migration that it has.", valueName: "migration"))
  var through: String?
  @Flag(name: .long, help: "It has none of them.")
  var none = false
  @Option(name: .long, help: "Whose migrations: a whole commit; the trunk when left out.")
  var commit: String?
  @Option(name: .long, help: "How you know; people read it later.")
  var reason: String
  @OptionGroup var options: ServerOptions

  func run() async throws {
    guard (through == nil) == none else {
      throw Refusal(.malformed, "Give --through MIGRATION, the last one that the database has, or else --none.")
    }
    let client = try options.client()
    let receipt: Receipt = try await client.post(
      "\(place.path)/adopt", SchemaAdoptionRequest(commit: commit, through: through, reason: reason))
    try options.show(receipt)
  }
}
