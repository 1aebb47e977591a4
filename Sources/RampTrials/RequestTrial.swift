import Kernel
import Ramps

/// Ramps of one cell, request by request through an `ExposureBook`, as the product has them.
package struct RequestTrial: Sendable {
  package let cell: RampCell
  package private(set) var tally = RampTally(.plimsoll)
  package private(set) var sampleAlarms = 0
  /// Of the last ramp.
  package private(set) var told = EvidenceTally()

  package init(_ cell: RampCell) { self.cell = cell }

  package mutating func run(_ seeds: Range<UInt64>) {
    for seed in seeds {
      let stop = ramp(seed)
      let isHarmless = cell.ratio == 1
      tally.add([
        RampOutcome(
          seconds: stop.map { $0 - (isHarmless ? 0 : cell.onset) },
          isNeedless: stop.map { isHarmless || $0 <= cell.onset } ?? false)
      ])
    }
  }

  /// Seconds of evidence until the ramp was stopped; a source adds what it takes to arrive.
  private mutating func ramp(_ seed: UInt64) -> Int? {
    let policy = RampTrial.policy(cell)
    var world = RequestWorld(cell, seed: seed)
    var judge = RampJudge(policy)
    var book = ExposureBook(policy.guardrails.map { GuardedMeasure($0) })
    var isAlarmed = false
    var stage = -1
    for second in 0..<(RampCell.rampSeconds + cell.onset) {
      let at = RequestWorld.at(second)
      if world.stage(at: second) != stage {
        stage = world.stage(at: second)
        judge.begin(epoch: stage, percent: cell.stages[stage], at: at)
        book.begin(epoch: stage, version: stage + 1, at: at)
      }
      if second == stage * RampCell.stageSeconds + (stage == 0 ? 0 : RampCell.settleSeconds) {
        judge.settle(epoch: stage, at: at)
        book.settle(epoch: stage, at: at)
      }
      world.tell(second: second, to: &book)
      let now = at + .seconds(1)
      judge.absorb(book.close(now: now), now: now)
      told = book.tally
      if judge.isSampleAlarmed, !isAlarmed {
        isAlarmed = true
        sampleAlarms += 1
      }
      if let conviction = judge.record.conviction {
        return Int((conviction.decidedAt - RampWorld.began).seconds) + 1
      }
    }
    return nil
  }
}
