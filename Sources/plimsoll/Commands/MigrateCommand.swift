import ArgumentParser
import Foundation
import Kernel
import MigrationOracle
import Migrations

struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate", abstract: "Prove that a migration leaves the versions that run alone.",
    subcommands: [
      MigrateCheckCommand.self, MigrateReplayCommand.self, MigrateStatusCommand.self, MigrateOverrideCommand.self,
      MigrateAdoptCommand.self,
    ])
}

struct MigrateCheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Would every statement of the versions that run still run after this migration?",
    discussion: """
      Builds the schema from --history on a PostgreSQL of its own, applies --migration and runs the statements of each \
      version before and after, as the application's role (docs/migrations.md). Needs no plimsoll server and no \
      plimsoll.yaml.
      Exit 0 when it is compatible, 1 when it breaks a version (with --strict also for a hazard), 3 when it cannot be \
      told.
      """)

  @Option(
    name: .long, help: "The migrations that the database has: a folder, or a dump of its schema.",
    completion: .directory)
  var history: String?
  @Option(
    name: .long, parsing: .singleValue,
    help: "The migration to judge: a file or a folder; may lie in --history. May be repeated, in order.",
    completion: .file(extensions: ["sql"]))
  var migration: [String]
  @Option(
    name: .long, parsing: .singleValue,
    help: ArgumentHelp(
      "What a version that runs sends: a recording, .sqlx, sqlc's code, a CSV, a .sql file. May be repeated.",
      valueName: "[version=]path"))
  var statements: [String] = []
  @Option(
    name: .long,
    help: ArgumentHelp(
      "What the version to come sends: may it be deployed before the migration?", valueName: "[version=]path"))
  var newStatements: String?
  @Option(name: .long, help: "What production sends, for coverage: pg_stat_statements or the server's log as CSV.")
  var production: String?
  @Option(
    name: .long, help: "Sizes of production's tables: CSV with schema, table, rows, bytes.",
    completion: .file(extensions: ["csv"]))
  var sizes: String?
  @Option(name: .long, help: "The role that the application connects as.")
  var role: String?
  @Option(
    name: .long,
    help: ArgumentHelp(
      "How the folder is laid out: \(MigrationLayout.allCases.map(\.rawValue).joined(separator: ", ")).",
      valueName: "layout"))
  var layout: String?
  @Option(name: .long, help: "A PostgreSQL to work on, in databases of its own; one is started when left out.")
  var url: String?
  @Flag(name: .long, help: "Analyse the migration's text alone; the answer is never 'compatible'.")
  var analysisOnly = false
  @Option(name: .long, help: "The least share of production's statements that must have been captured.")
  var leastCoverage: Double = OracleQuestion.usualCoverage
  @Flag(name: .long, help: "Send the statements while the migration runs, and measure how long they stall.")
  var replay = false
  @Flag(name: .long, help: "Exit 1 for hazards too.")
  var strict = false
  @Flag(name: .long, help: "Print JSON instead of words.")
  var json = false
  @Option(name: .long, help: "Write SARIF for code scanning here.", completion: .file(extensions: ["sarif"]))
  var sarif: String?

  func run() async throws {
    let (question, notes) = try question()
    let report = try await report(on: question, notes)
    Terminal.standard.clearProgress()
    if let sarif {
      try writeFile(JSONEncoder.report.encode(SARIF(report, toolVersion: Plimsoll.version)), to: sarif)
    }
    if json { try printJSON(report) } else { MigrationTelling(report).show() }
    switch report.verdict {
    case .compatible: return
    case .hazard: if strict { throw ExitCode(1) }
    case .breaks: throw ExitCode(1)
    case .inconclusive: throw ExitCode(3)
    }
  }

  private func report(on question: OracleQuestion, _ notes: [String]) async throws -> MigrationReport {
    let check = MigrationCheck(question, notes: notes)
    if analysisOnly { return try await check.run(on: nil) }
    let isQuiet = json
    let progress: @Sendable (String) -> Void = { if !isQuiet { Terminal.standard.progress($0) } }
    progress("starting PostgreSQL …")
    let server =
      if let url { try await ShadowServer.attach(url: url) } else { try await ShadowServer.start() }
    let interruption = Interruption { number in
      Task {
        await server.stop()
        Foundation.exit(128 + number)
      }
    }
    defer { interruption.end() }
    do {
      let report = try await check.run(on: server, progress: progress)
      await server.stop()
      return report
    } catch {
      await server.stop()
      throw error
    }
  }

  private func question() throws -> (OracleQuestion, notes: [String]) {
    guard (0...1).contains(leastCoverage) else {
      throw Refusal(.malformed, "--least-coverage is \(leastCoverage), a share; give 0 to 1, such as 0.95.")
    }
    let layout = try layout.map(Self.layout(named:))
    let (before, migration) = try migrations(layout)
    guard migration.contains(where: { !$0.statements.isEmpty }) else {
      throw Refusal(.malformed, "The migration holds no statement, so there is nothing to judge; name another file.")
    }
    var notes: [String] = []
    let old = try statements.enumerated().map { index, given in
      try Self.set(given, label: statements.count == 1 ? "the version that runs" : "version \(index + 1)", &notes)
    }
    let question = OracleQuestion(
      history: before, migration: migration, old: old,
      new: try newStatements.map { try Self.set($0, label: "the version to come", &notes) },
      production: try production.map { try Self.set($0, label: "production", &notes) },
      sizes: try sizes.map { try TableSizes.read($0) } ?? [], role: role, leastCoverage: leastCoverage,
      replaysTraffic: replay)
    return (question, notes)
  }

  /// What the database has, and what is judged. A migration that lies in its own history ends it.
  private func migrations(_ layout: MigrationLayout?) throws -> (before: [MigrationFile], judged: [MigrationFile]) {
    guard !migration.isEmpty else { throw Refusal(.malformed, "Name the migration to judge with --migration.") }
    guard let history else { return ([], try migration.flatMap { try MigrationFolder($0, layout: layout).files }) }
    let folder = try MigrationFolder(history, layout: layout)
    let splits = migration.map { folder.split(at: $0) }
    if let first = splits.first ?? nil {
      return (
        first.before,
        try zip(splits, migration).flatMap { split, path in
          try split.map { [$0.migration] } ?? MigrationFolder(path, layout: folder.layout).files
        }
      )
    }
    return (folder.files, try migration.flatMap { try MigrationFolder($0, layout: layout).files })
  }

  static func layout(named name: String) throws(Refusal) -> MigrationLayout {
    if let layout = MigrationLayout(rawValue: name) { return layout }
    let names = MigrationLayout.allCases.map(\.rawValue)
    let near = nearestMatch(to: name, among: names).map { "; did you mean \($0)?" } ?? "."
    throw Refusal(.unknown, "There is no layout '\(name)'; there are \(names.joined(separator: ", "))\(near)")
  }

  /// `v41=path`, or a path alone.
  private static func set(_ given: String, label: String, _ notes: inout [String]) throws(Refusal) -> StatementSet {
    var version = label
    var path = given
    if !FileManager.default.fileExists(atPath: given), let equals = given.firstIndex(of: "=") {
      version = String(given[..<equals])
      path = String(given[given.index(after: equals)...])
    }
    let read = try StatementImport(reading: path)
    notes += read.notes
    return StatementSet(version: version, statements: read.statements, leftOut: read.leftOut)
  }
}
