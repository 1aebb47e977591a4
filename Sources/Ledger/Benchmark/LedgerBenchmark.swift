import Foundation
import GRDB
import Kernel

/// Measures the appends of concurrent requesters, gathered as the engine gathers them, against SQLite's own single
/// inserts, both durable, in turns in one run.
package enum LedgerBenchmark {
  /// As many as issue 2 asks for.
  package static let concurrentStreams = 32

  /// - Parameter folder: on the disk to be measured; a folder of its own below it is made and removed.
  /// - Throws: `Outage` when the disk or the ledger fails, or the ledger is not sound afterwards.
  package static func run(
    folder: String, rounds: Int, insertsPerRound: Int, appendsPerStream: Int
  ) async throws -> LedgerBenchmarkReport {
    let home = DataFolder(at: "\(folder)/ledger-benchmark-\(UUID().uuidString)")
    try home.create()
    defer { try? FileManager.default.removeItem(atPath: home.path) }
    let ledger = try SQLiteLedger<BenchmarkEvent, BenchmarkState>(at: home.ledger, snapshotFormat: "benchmark")
    let plain = try PlainInserts(database: "\(home.path)/plain.sqlite")
    var measured: [LedgerBenchmarkReport.Round] = []
    for round in 0..<rounds {
      let flush = try flushMicroseconds(in: home.path)
      let inserts = try plain.run(count: insertsPerRound)
      let appends = try await groupAppends(ledger, round: round, appendsPerStream: appendsPerStream)
      measured.append(
        LedgerBenchmarkReport.Round(
          flushMicroseconds: flush, singleInsertsPerSecond: inserts, durableAppendsPerSecond: appends))
    }
    try ledger.close()
    let verdict = try LedgerVerifier(files: home.ledger).verify()
    guard verdict.isSound else {
      throw Outage("ledger", "the measured ledger is not sound", sources: verdict.findings.map(\.description))
    }
    return LedgerBenchmarkReport(concurrentStreams: concurrentStreams, rowBytes: plain.rowBytes, rounds: measured)
  }

  private static func groupAppends(
    _ ledger: SQLiteLedger<BenchmarkEvent, BenchmarkState>, round: Int, appendsPerStream: Int
  ) async throws -> Double {
    let engine = RequestGathering<BenchmarkEvent> { events throws(AppendFailure) in
      try ledger.append(events, routedThrough: nil)
    }
    let clock = ContinuousClock()
    let start = clock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<concurrentStreams {
        group.addTask {
          let stream = StreamID(.build, "bench/\(index)")
          for step in 0..<appendsPerStream {
            let version = Version(round * appendsPerStream + step + 1)
            _ = try await engine.request(BenchmarkEvent.new(stream, version))
          }
        }
      }
      try await group.waitForAll()
    }
    return Double(concurrentStreams * appendsPerStream) / seconds(clock.now - start)
  }

  /// The mean of some flushes of a 4 KiB overwrite: without it, figures of different disks cannot be compared.
  private static func flushMicroseconds(in folder: String) throws -> Double {
    let flushes = 100
    let file = try Descriptor(opening: "\(folder)/flush", O_WRONLY | O_CREAT, mode: Disk.secretMode)
    let page = [UInt8](repeating: 7, count: 4096)
    let clock = ContinuousClock()
    let start = clock.now
    for _ in 0..<flushes {
      try file.write(page, at: 0)
      guard fdatasync(file.raw) == 0 else { throw Disk.outage("flush", folder) }
    }
    return seconds(clock.now - start) * 1_000_000 / Double(flushes)
  }
}

/// What the measured rows hold: about 450 bytes each, the size of a usual event.
struct BenchmarkEvent: LedgerEvent {
  let number: Int64
  let commit: String
  let text: String
  var type: String { "bench.appended" }

  static func new(_ stream: StreamID, _ version: Version) -> NewEvent<BenchmarkEvent> {
    NewEvent(
      stream: stream, version: version, at: Instant(milliseconds: 1_700_000_000_000 + version),
      cause: .request(id: "bench-\(version)"), actor: "bench",
      event: BenchmarkEvent(number: version, commit: commit, text: text))
  }

  // Made once: filling a text takes longer than encoding it, and is no work of the ledger.
  private static let commit = String(repeating: "a", count: 40)
  private static let text = String(repeating: "x", count: 220)
}

struct BenchmarkState: Codable, Equatable, Sendable {}

/// SQLite alone: one connection with the ledger's own pragmas, one prepared statement, one row a transaction, the
/// events table with its index.
private final class PlainInserts {
  private let pool: DatabasePool
  private var version: Version = 0
  private(set) var rowBytes = 0

  init(database: String) throws {
    pool = try openLedgerForWriting(database)
    try pool.writeWithoutTransaction { db in try db.execute(sql: LedgerSchema.tables) }
  }

  func run(count: Int) throws -> Double {
    let stream = StreamID(.build, "bench/0")
    let first = version + 1
    let encoder = ledgerEncoder()
    // Encoded before the clock starts: only SQLite is measured here.
    let events = try (first..<first + Int64(count)).map { try PreparedEvent(BenchmarkEvent.new(stream, $0), encoder) }
    version += Int64(count)
    if let event = events.first {
      rowBytes =
        event.payload.count + event.cause.utf8.count + event.type.utf8.count + event.actor.utf8.count
        + event.streamText.utf8.count + HashChain.origin.count + 3 * MemoryLayout<Int64>.size
    }
    return try pool.writeWithoutTransaction { db in
      let insert = try db.cachedStatement(sql: LedgerSchema.insertEvent)
      let clock = ContinuousClock()
      let start = clock.now
      for event in events {
        try insert.execute(arguments: [
          event.version, event.streamText, event.version, event.type, event.at, event.cause, event.actor,
          event.payload, HashChain.origin,
        ])
      }
      return Double(count) / seconds(clock.now - start)
    }
  }
}

private func seconds(_ duration: Duration) -> Double {
  Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
}
