import ControlPlane
import Kernel
import Testing

@testable import Rollouts
@testable import Runtime

@Suite("A watch turns bins into verdicts and a picture", .timeLimit(.minutes(2)))
struct WatchTests {
  private let bench: Bench
  private let bins: AsyncStream<EvidenceBin>.Continuation
  private let effect: StreamEffect

  init() throws {
    bench = try Bench()
    let (stream, continuation) = AsyncStream.makeStream(of: EvidenceBin.self)
    bench.telemetry.bins.now(.gives(stream))
    bins = continuation
    effect = .delivery(
      .watch(
        Rollout.WatchOrder(
          rollout: 1, canary: Facts.deployment("b").id, control: Facts.deployment("a").id,
          policy: JudgePolicy(sloP99: .seconds(0.2)), baseline: Baseline(requests: 1000, errors: 0, slow: 0),
          checkpoint: nil, began: Facts.start)))
  }

  /// A quarter of a second with ten good requests at the canary.
  private func bin(_ number: Int64) -> EvidenceBin {
    let from = Facts.start + Performer.binWidth * number
    return EvidenceBin(
      from: from, to: from + Performer.binWidth,
      arms: [ArmEvidence(deployment: Facts.deployment("b").id, counts: RequestCounts(requests: 10))], source: .sound)
  }
  /// The requests on which each verdict rests, in order.
  private var judged: [Int] {
    bench.posted.inputs.compactMap { input in
      guard case .delivery(.judged(1, verdict: _, let checkpoint, at: _)) = input else { return nil }
      return checkpoint.canaryCounts.requests
    }
  }
  private func points(in book: EvidenceBook) async -> [Int]? {
    await book.read(Facts.delivery, rollout: 1)?.points.map(\.canary.requests)
  }

  @Test("every bin is judged, and bins that end are a failure that starts the watch again")
  func judges() async throws {
    bench.start(effect, of: Facts.delivery)
    for number in 0..<8 {
      bins.yield(bin(Int64(number)))
      try await eventually("bin \(number) is judged") { judged.count == number + 1 }
    }
    #expect(judged == (1...8).map { $0 * 10 })
    #expect(bench.telemetry.bins.asked == [.seconds(0.6)], "slow is what the policy calls slow")

    bins.finish()
    try await eventually("the watch ends") { !bench.posted.ends.isEmpty }
    #expect(bench.posted.ends.map(\.failure?.subject) == ["telemetry"])
    #expect(await points(in: bench.performer.evidence) == [40, 40])
  }

  @Test("the picture on disk is whole once the watch is over")
  func picture() async throws {
    bench.start(effect, of: Facts.delivery)
    for number in 0..<8 { bins.yield(bin(Int64(number))) }
    try await eventually("all bins are judged") { judged.count == 8 }
    bench.cancel(effect, of: Facts.delivery)
    await bench.performer.stopAll()
    #expect(bench.posted.ends.isEmpty)
    #expect(await points(in: try EvidenceBook(folder: bench.folder.path)) == [40, 40])
  }

  @Test("the aftermath keeps the picture as a blob")
  func aftermath() async throws {
    bench.start(effect, of: Facts.delivery)
    for number in 0..<4 { bins.yield(bin(Int64(number))) }
    try await eventually("all bins are judged") { judged.count == 4 }
    bench.cancel(effect, of: Facts.delivery)
    await bench.performer.stopAll()

    try await bench.carryOut(
      .delivery(
        .collectAftermath(
          Rollout.AftermathOrder(
            rollout: 1, canary: Facts.deployment("b").id, control: nil, slowerThan: .seconds(0.6),
            since: Facts.start, restoredAt: Facts.start + .seconds(9)))),
      of: Facts.delivery)
    #expect(bench.posted.ends.map(\.failure) == [nil])
    guard case .delivery(.aftermath(1, let aftermath))? = bench.posted.inputs.last else {
      Issue.record("no aftermath was observed")
      return
    }
    #expect(aftermath.evidence == Facts.digest("e"))
    let blob = String(decoding: bench.blobs.put.last ?? [], as: UTF8.self)
    #expect(blob.contains(Facts.deployment("b").id.rawValue))
  }
}
