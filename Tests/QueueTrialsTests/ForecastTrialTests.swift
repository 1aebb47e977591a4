import Kernel
import MergeQueues
import Statistics
import Testing

@testable import QueueTrials

/// A policy that tells each change on arrival when it will have landed, and learns from what came of it.
private struct Forecasting<Policy: TrialPolicy>: TrialPolicy {
  var policy: Policy
  var book = ForecastBook()
  var durations = DurationSample()
  var given: [Int: Forecast] = [:]
  let tally: @Sendable (Bool) -> Void

  init(_ policy: Policy, tally: @escaping @Sendable (Bool) -> Void) {
    self.policy = policy
    self.tally = tally
  }

  mutating func arrived(_ change: Int, on farm: inout CIFarm) {
    let grounds = ForecastGrounds(
      ahead: farm.pending.count - 1, slots: farm.slots, duration: durations.median ?? .seconds(Model2.medianSeconds),
      rates: FailureRates(change: 0.05, flake: farm.trace.flakeRate))
    given[change] = book.forecast(grounds)
    policy.arrived(change, on: &farm)
  }

  mutating func ended(_ build: CIFarm.Ended, on farm: inout CIFarm) {
    durations.add(.seconds(build.build.endsAt - build.build.startedAt))
    policy.ended(build, on: &farm)
  }

  mutating func settle(on farm: inout CIFarm) {
    policy.settle(on: &farm)
    for change in given.keys.sorted() where !farm.isPending(change) {
      guard let forecast = given.removeValue(forKey: change), !farm.trace.changes[change].isBad else { continue }
      let took = Span.seconds(farm.now - farm.trace.changes[change].arrivalSeconds)
      if book.outcomes(of: forecast.crowd) >= ForecastBook.least { tally(forecast.covers(took)) }
      book.learn(forecast, took: took)
    }
  }
}

/// Counts across the copies that a policy is.
private final class Tally: @unchecked Sendable {
  var inside = 0
  var all = 0
  func count(_ isInside: Bool) {
    all += 1
    if isInside { inside += 1 }
  }
}

@Suite("Forecasts on the trials' traces") struct ForecastTrialTests {
  @Test(
    "75 to 85 % of landings fall inside of the 80 % interval, quiet or busy, theirs or ours",
    arguments: [6, 12, 20], [true, false])
  func calibrated(arrivals: Int, isOurs: Bool) {
    let cell = Model2.Cell(failure: 0.05, flake: 0.01, slots: 10, arrivals: arrivals)
    let tally = Tally()
    for seed in [1, 2] as [UInt64] {
      let farm = CIFarm(trace: Model2.trace(cell, changes: 2_000, seed: seed), slots: cell.slots, proof: .tree)
      if isOurs {
        _ = PolicyRun.run(Forecasting(PlannedQueue(slots: cell.slots)) { tally.count($0) }, on: farm)
      } else {
        let rival = BatchLine(window: .fixed(cell.slots), batch: .fixed(1))
        _ = PolicyRun.run(Forecasting(rival) { tally.count($0) }, on: farm)
      }
    }
    let share = Double(tally.inside) / Double(tally.all)
    #expect(tally.all > 3_000 && (0.75...0.85).contains(share), "\(share) of \(tally.all)")
  }
}
