import ArgumentParser
import Foundation
import Kernel
import Ledger
import Simulator

struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure the ledger against SQLite's single inserts, and a turn of the engine.",
    discussion: "Both sides of a ratio run in turns in one run; medians are reported. Quote figures of a release build."
  )

  @Option(name: .long, help: "A folder on the disk to be measured.", completion: .directory)
  var folder = FileManager.default.temporaryDirectory.path
  @Option(name: .long, help: "Rounds; the median is reported.")
  var rounds = 7
  @Flag(name: .long, help: "Print JSON instead of words.")
  var json = false

  /// Issue "the spine", "It must reach".
  static let ledgerRatio = 3.0
  static let turnMicroseconds = 20.0

  private struct Answer: Encodable {
    var ledger: LedgerBenchmarkReport
    var turnMicroseconds: Double
    var turnRounds: [Double]
    var turns: Int
  }

  func run() async throws {
    let ledger = try await LedgerBenchmark.run(
      folder: folder, rounds: rounds, insertsPerRound: 2000, appendsPerStream: 250)
    let benchmark = TurnBenchmark()
    let clock = ContinuousClock()
    var turns = 0
    let each = (0..<max(rounds, 1)).map { _ -> Double in
      let began = clock.now
      turns = benchmark.replay()
      let elapsed = clock.now - began
      return (Double(elapsed.components.seconds) * 1e6 + Double(elapsed.components.attoseconds) / 1e12) / Double(turns)
    }
    let turn = each.sorted()[each.count / 2]
    if json {
      try printJSON(Answer(ledger: ledger, turnMicroseconds: turn, turnRounds: each, turns: turns))
    } else {
      let terminal = Terminal.standard
      terminal.line("ledger: \(ledger.concurrentStreams) concurrent streams, rows of \(ledger.rowBytes) bytes")
      for line in ledger.table { terminal.line(line) }
      terminal.line(
        verdict("ledger ratio", ledger.ratio, "at least", Self.ledgerRatio, ledger.ratio >= Self.ledgerRatio))
      terminal.line("turn: \(turns) turns a round")
      terminal.line(verdict("microseconds a turn", turn, "below", Self.turnMicroseconds, turn < Self.turnMicroseconds))
    }
    if ledger.ratio < Self.ledgerRatio || turn >= Self.turnMicroseconds { throw ExitCode(1) }
  }

  private func verdict(_ what: String, _ value: Double, _ how: String, _ bar: Double, _ held: Bool) -> String {
    let text = String(format: "%@ %.2f, wanted %@ %.0f", what, value, how, bar)
    return Terminal.standard.paint("\(held ? "held  " : "BROKEN")  \(text)", held ? .good : .bad)
  }
}
