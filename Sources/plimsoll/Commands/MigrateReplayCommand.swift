import ArgumentParser
import Foundation
import Kernel
import MigrationOracle
import Migrations

struct MigrateReplayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Judge every migration of a history as if it were about to be applied.",
    discussion: """
      Each migration is judged on the schema that those before it build, with the statements of the version that ran \
      then (docs/migrations.md): what `migrate check` would have said, for a repository whose outcome is known.
      Exit 0 when all are compatible or hazards, 1 when one breaks a version, 3 when one cannot be told.
      """)

  @Option(name: .long, help: "The migrations: a folder.", completion: .directory)
  var history: String
  @Option(
    name: .long, parsing: .singleValue,
    help: ArgumentHelp(
      "What runs when the migration FROM, and those after it, are applied; all of them when FROM is left out. May be"
        + " repeated.", valueName: "[from=]path"))
  var statements: [String] = []
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
  @Flag(name: .long, help: "Print JSON, a line for each migration, instead of words.")
  var json = false

  func run() async throws {
    let layout = try layout.map(MigrateCheckCommand.layout(named:))
    let files = try MigrationFolder(history, layout: layout).files
    guard files.count > 1 else {
      throw Refusal(.malformed, "\(history) holds one migration, so there is no step to judge; name the whole history.")
    }
    let replay = HistoryReplay(history: files, sets: try statements.map { try set($0, files) }, role: role)
    let isQuiet = json
    if !isQuiet { Terminal.standard.progress("starting PostgreSQL …") }
    let server = if let url { try await ShadowServer.attach(url: url) } else { try await ShadowServer.start() }
    let interruption = Interruption { number in
      Task {
        await server.stop()
        Foundation.exit(128 + number)
      }
    }
    defer { interruption.end() }
    let steps: [HistoryReplay.Step]
    do {
      steps = try await replay.run(on: server) { step in
        if isQuiet { printLine(step) } else { show(step, of: files.count) }
      }
    } catch {
      await server.stop()
      throw error
    }
    await server.stop()
    if !isQuiet { conclude(steps) }
    let verdicts = Set(steps.map(\.report.verdict))
    if verdicts.contains(.breaks) { throw ExitCode(1) }
    if verdicts.contains(.inconclusive) { throw ExitCode(3) }
  }

  private func set(_ given: String, _ files: [MigrationFile]) throws(Refusal) -> (from: Int, set: StatementSet) {
    var from = 0
    var path = given
    if !FileManager.default.fileExists(atPath: given), let equals = given.firstIndex(of: "=") {
      let name = given[..<equals]
      path = String(given[given.index(after: equals)...])
      guard let place = files.firstIndex(where: { Self.isNamed($0.path, name) }) else {
        throw Refusal(.unknown, "\(history) holds no migration \(name); name one by its file or its folder.")
      }
      from = place
    }
    let read = try StatementImport(reading: path)
    return (from, StatementSet(version: path, statements: read.statements, leftOut: read.leftOut))
  }

  private static func isNamed(_ path: String, _ name: Substring) -> Bool {
    path.split(separator: "/").suffix(2).contains(name) || path == name
  }

  private func printLine(_ step: HistoryReplay.Step) {
    let encoder = JSONEncoder.report
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if let data = try? encoder.encode(step) { print(String(decoding: data, as: UTF8.self)) }
  }

  private func show(_ step: HistoryReplay.Step, of count: Int) {
    let terminal = Terminal.standard
    terminal.clearProgress()
    let name = step.migration.split(separator: "/").suffix(2).joined(separator: "/")
    terminal.line(
      "\(terminal.paint(Self.word(step.report.verdict), Self.tone(step.report.verdict)))  \(name)  \(step.milliseconds) ms"
    )
    for finding in step.report.findings where finding.kind == .breaks || finding.kind == .inconclusive {
      let place = finding.migration.map { "line \($0.line): " } ?? ""
      terminal.line("  \(place)\(finding.message.onOneLine(upTo: Self.width)) [\(finding.rule)]")
    }
    terminal.progress("\(step.number) of \(count)")
  }

  private func conclude(_ steps: [HistoryReplay.Step]) {
    let terminal = Terminal.standard
    terminal.clearProgress()
    let times = steps.map(\.milliseconds).sorted()
    terminal.line()
    let verdicts: [MigrationReport.Verdict] = [.compatible, .hazard, .breaks, .inconclusive]
    printTable(
      ["VERDICT", "MIGRATIONS"],
      verdicts.map { verdict in [Self.word(verdict), "\(steps.count { $0.report.verdict == verdict })"] })
    if let slowest = times.last {
      terminal.line("\(times[times.count / 2]) ms a migration at the median, \(slowest) ms at most.")
    }
  }

  private static let width = 160

  private static func word(_ verdict: MigrationReport.Verdict) -> String {
    switch verdict {
    case .compatible: "compatible"
    case .hazard: "hazard"
    case .breaks: "breaks"
    case .inconclusive: "cannot be told"
    }
  }

  private static func tone(_ verdict: MigrationReport.Verdict) -> Terminal.Tone {
    switch verdict {
    case .compatible: .good
    case .hazard, .inconclusive: .warning
    case .breaks: .bad
    }
  }
}
