import ControlPlane
import Kernel
import Statistics
import Testing

@testable import Rollouts
@testable import Runtime

@Suite("A metrics server's memory", .timeLimit(.minutes(2)))
struct HistoryTests {
  private let bench: Bench
  init() throws { bench = try Bench() }

  private let objective = Objective(
    name: "orders", title: "Orders are taken", service: "shop", target: 0.999, window: .minutes(30 * 1440),
    indicator: .bad(query: "bad", total: "all", areCounters: true))

  private var looked: [[BudgetReading]] {
    bench.posted.inputs.compactMap { input in
      if case .delivery(.budgetLooked(number: 7, let readings, at: _)) = input { readings } else { nil }
    }
  }

  @Test("an error budget is looked at at once, in all of its windows, and what is unknown is said")
  func budget() async throws {
    let windows = BurnRate.windows(objectiveWindow: objective.window)
    let counts = windows.map { WindowRatio(window: $0, requests: $0.seconds, errors: 1) }
    for answer in [WindowAnswer.counts(counts), .unknown("the server is away")] {
      bench.history.counts.now(.gives(answer))
      let effect = StreamEffect.delivery(.watchBudget(Rollout.BudgetOrder(number: 7, objectives: [objective])))
      let before = looked.count
      bench.start(effect, of: Facts.delivery)
      try await eventually("it is looked at") { looked.count > before }
      #expect(looked.last == [BudgetReading(objective: "orders", answer: answer)])
      #expect(bench.history.counts.asked.last == windows)
      bench.cancel(effect, of: Facts.delivery)
      await bench.performer.stopAll()
    }
    #expect(bench.posted.ends.isEmpty, "it stands until it is not wanted")
  }

  private func baseline() async throws -> Baseline? {
    try await bench.carryOut(
      .delivery(.measureBaseline(3, Facts.deployment("a").id, slowerThan: .seconds(0.6))), of: Facts.delivery)
    return bench.posted.inputs.lazy.compactMap { input in
      if case .delivery(.baselineMeasured(3, let baseline)) = input { baseline } else { nil }
    }.first
  }

  @Test("what a place's history says is the baseline, with its own crowding")
  func recorded() async throws {
    // Every fourth window has all of the errors.
    let windows = (0..<32).map { RequestCounts(requests: 1200, errors: $0 % 4 == 0 ? 8 : 0) }
    let history = RecordedHistory(
      totals: RequestCounts(requests: 38_000, errors: 65, slow: 3), windows: windows, width: .minutes(2),
      words: "the last 64 min in Prometheus")
    bench.history.baseline.now(.gives(.counts(history)))
    let found = try #require(try await baseline())
    #expect((found.requests, found.errors, found.slow) == (38_000, 65, 3))
    let own = try #require(Baseline(windows: windows).dispersion)
    #expect(found.dispersion?.windows == 32)
    #expect(found.dispersion?.errors == 1 + (own.errors - 1) * 12, "two minutes are twelve of the judge's windows")
    #expect(found.dispersion?.slow == 1)
    #expect(found.origin == "It is of the last 64 min in Prometheus")
    #expect(bench.history.baseline.asked == [.seconds(0.6)])
  }

  @Test("a steady history is not read as a crowded one")
  func steady() throws {
    let windows = (0..<32).map { RequestCounts(requests: 1200, errors: 2 + $0 % 2) }
    let history = RecordedHistory(
      totals: RequestCounts(requests: 38_400, errors: 80), windows: windows, width: .minutes(2), words: "then")
    #expect(Baseline(history)?.dispersion?.errors == 1)
  }

  @Test("a history that is lost, old or doubted leaves the source that judges, and says so")
  func lost() async throws {
    bench.history.baseline.now(.gives(.unknown("Prometheus is away")))
    let found = try #require(try await baseline())
    #expect(found.requests == 0 && found.dispersion == nil)
    #expect(
      found.origin == "Prometheus gave no baseline, so the last 10 min were counted: Prometheus is away")
  }

  @Test("too few windows are none") func few() async throws {
    let history = RecordedHistory(
      totals: RequestCounts(requests: 100), windows: Array(repeating: RequestCounts(requests: 10), count: 5),
      width: .minutes(2), words: "then")
    bench.history.baseline.now(.gives(.counts(history)))
    #expect(try await baseline()?.origin?.contains("only 5 of its windows hold requests, and 12 are needed") == true)
  }

  @Test("where no history is asked for nothing is said of it") func own() async throws {
    #expect(try await baseline()?.origin == nil)
  }
}
