import ArgumentParser
import Foundation
import Kernel
import Ledger
import Simulator

/// Has no options of its own: those of a parent are taken before its subcommands see theirs of the same name.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure the engine, the judge, the queue, flags, and rollbacks on real components.",
    discussion: "Quote figures of a release build.",
    subcommands: [
      BenchEngineCommand.self, BenchJudgeCommand.self, BenchDeploysCommand.self, BenchRolloutsCommand.self,
      BenchRollbackCommand.self, BenchQueueCommand.self,
      BenchMigrationsCommand.self, BenchRampsCommand.self, BenchFlagsCommand.self,
    ],
    defaultSubcommand: BenchEngineCommand.self)
}

struct BenchEngineCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "engine", abstract: "Measure the ledger against SQLite's single inserts, and a turn of the engine.",
    discussion: """
      Both sides of a ratio run in turns in one run; medians are reported. Quote figures of a release build.
      """)

  @Option(name: .long, help: "A folder on the disk to be measured.", completion: .directory)
  var folder = FileManager.default.temporaryDirectory.path
  @Option(name: .long, help: "Rounds; the median is reported.")
  var rounds = 7
  @Flag(name: .long, help: "Print JSON instead of words.")
  var json = false

  /// Issue "the spine", "It must reach".
  static let ledgerRatio = 3.0
  static let turnMicroseconds = 20.0
  /// Rounds of turns before any is measured: the first ones also pay for cold caches and for types looked up once.
  static let warmUpRounds = 2

  private struct Answer: Encodable {
    var ledger: LedgerBenchmarkReport
    var turnMicroseconds: Double
    var turnRounds: [Double]
    /// Of one round.
    var turns: Int
    var turnEvents: Int
  }

  func run() async throws {
    let ledger = try await LedgerBenchmark.run(
      folder: folder, rounds: rounds, insertsPerRound: 2000, appendsPerStream: 250)
    let benchmark = TurnBenchmark()
    for _ in 0..<Self.warmUpRounds { _ = benchmark.replay() }
    let measured = (0..<max(rounds, 1)).map { _ in Self.microsecondsATurn(benchmark) }
    let each = measured.map(\.microseconds)
    let work = measured[0].work
    let turn = each.sorted()[each.count / 2]
    if json {
      try printJSON(
        Answer(
          ledger: ledger, turnMicroseconds: turn, turnRounds: each, turns: work.turns, turnEvents: work.events))
    } else {
      let terminal = Terminal.standard
      terminal.line("ledger: \(ledger.concurrentStreams) concurrent streams, rows of \(ledger.rowBytes) bytes")
      for line in ledger.table { terminal.line(line) }
      terminal.line(
        verdict("ledger ratio", ledger.ratio, "at least", Self.ledgerRatio, ledger.ratio >= Self.ledgerRatio))
      terminal.line(
        "turn: \(each.count) rounds of \(work.turns) turns, \(work.events) events, invariants checked, after "
          + "\(Self.warmUpRounds) to warm up")
      terminal.line(verdict("microseconds a turn", turn, "below", Self.turnMicroseconds, turn < Self.turnMicroseconds))
    }
    if ledger.ratio < Self.ledgerRatio || turn >= Self.turnMicroseconds { throw ExitCode(1) }
  }

  private static func microsecondsATurn(
    _ benchmark: TurnBenchmark
  ) -> (microseconds: Double, work: TurnBenchmark.Work) {
    let clock = ContinuousClock()
    let began = clock.now
    let work = benchmark.replay()
    let elapsed = (clock.now - began).components
    return ((Double(elapsed.seconds) * 1e6 + Double(elapsed.attoseconds) / 1e12) / Double(max(work.turns, 1)), work)
  }

  private func verdict(_ what: String, _ value: Double, _ how: String, _ bar: Double, _ held: Bool) -> String {
    let text = String(format: "%@ %.2f, wanted %@ %.0f", what, value, how, bar)
    return Terminal.standard.paint("\(held ? "held  " : "BROKEN")  \(text)", held ? .good : .bad)
  }
}
