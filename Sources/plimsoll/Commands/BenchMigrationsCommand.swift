import ArgumentParser
import Foundation
import Kernel
import MigrationOracle

/// How long `plimsoll migrate check` takes.
struct BenchMigrationsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrations", abstract: "Measure how long the check of a migration takes.",
    discussion: """
      A PostgreSQL of its own, made-up schemas and statements of two versions; the schema before is built once and not \
      counted, applying the migration, running the statements and finding the line that did it are. The copy that the \
      migration is applied to is made within the check in the large case and waits ready in the small one; the copy of \
      the schema before stays as it was and serves every check. Quote figures of a release build.
      Exit 0 when both promises were held, 1 when not.
      """)

  @Option(name: .long, help: "Checks of each case; the median and the 95th percentile are reported.")
  var rounds = 20
  @Flag(name: .long, help: "Print JSON instead of words.")
  var json = false

  func validate() throws {
    guard (1...10_000).contains(rounds) else { throw ValidationError("Give 1 to 10000 --rounds.") }
  }

  func run() async throws {
    let server = try await ShadowServer.start()
    let rows: [MigrationBench.Row]
    do {
      rows = try await measure(on: server)
    } catch {
      await server.stop()
      throw error
    }
    await server.stop()
    Terminal.standard.clearProgress()
    if json {
      try printJSON(rows)
    } else {
      show(rows)
    }
    if !rows.allSatisfy(\.isHeld) { throw ExitCode(1) }
  }

  private func measure(on server: ShadowServer) async throws -> [MigrationBench.Row] {
    let bench = MigrationBench(rounds: rounds)
    let isQuiet = json
    var rows: [MigrationBench.Row] = []
    for item in MigrationBench.Case.all {
      rows.append(
        try await bench.run(item, on: server) { if !isQuiet { Terminal.standard.progress($0) } })
    }
    return rows
  }

  private func show(_ rows: [MigrationBench.Row]) {
    printTable(
      ["case", "tables", "statements", "rounds", "median", "P95", "worst", "parts (medians)", "load"],
      rows.map { row in
        [
          row.name, "\(row.tables)", "\(row.statements)", "\(row.rounds)", Self.milliseconds(row.medianMs),
          Self.milliseconds(row.p95Ms), Self.milliseconds(row.worstMs),
          row.partsMs.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "),
          String(format: "%.1f to %.1f", row.loadBefore, row.loadAfter),
        ]
      })
    for row in rows {
      let text =
        "\(row.name): P95 \(Self.milliseconds(row.p95Ms)), wanted at most \(Self.milliseconds(row.mostMs))"
      Terminal.standard.line(
        Terminal.standard.paint("\(row.isHeld ? "held  " : "BROKEN")  \(text)", row.isHeld ? .good : .bad))
    }
  }

  private static func milliseconds(_ value: Double) -> String { String(format: "%.0f ms", value) }
}
