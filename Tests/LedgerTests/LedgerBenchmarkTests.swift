import Kernel
import Synchronization
import Testing

@testable import Ledger

@Suite struct LedgerBenchmarkTests {
  @Test func bothSidesAreMeasuredAndNothingIsLeft() async throws {
    let folder = try TemporaryFolder()
    let report = try await LedgerBenchmark.run(
      folder: folder.path, rounds: 2, insertsPerRound: 20, appendsPerStream: 4)
    #expect(report.rounds.count == 2 && report.singleInsertsPerSecond > 0 && report.durableAppendsPerSecond > 0)
    #expect((400...500).contains(report.rowBytes), "\(report.rowBytes)")
    #expect(report.table.count == 4)
    #expect(try names(in: folder.path) == [])
  }

  @Test func requestsThatWaitShareAnAppendOfAtMost256() async throws {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    let sizes = Mutex<[Int]>([])
    let gathering = RequestGathering<ToyEvent> { events throws(AppendFailure) in
      sizes.withLock { $0.append(events.count) }
      return try ledger.append(events, routedThrough: nil)
    }
    let positions = try await withThrowingTaskGroup(of: Position.self) { group in
      for index in 0..<600 { group.addTask { try await gathering.request(toy("s\(index)", 1)) } }
      return try await group.reduce(into: [Position]()) { $0.append($1) }
    }
    #expect(positions.sorted() == Array(1...600))
    let appends = sizes.withLock { $0 }
    #expect(appends.reduce(0, +) == 600 && appends.count < 600 && appends.allSatisfy { $0 <= 256 }, "\(appends)")
    try ledger.close()
    #expect(try LedgerVerifier(files: folder.ledger).verify().findings == [])
  }

  @Test func afterClosingEveryRequestHearsOfAnOutage() async throws {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    try ledger.close()
    let gathering = RequestGathering<ToyEvent> { events throws(AppendFailure) in
      try ledger.append(events, routedThrough: nil)
    }
    await #expect(throws: AppendFailure.self) { try await gathering.request(toy("a", 1)) }
  }
}
