import Kernel
import Ramps
import Testing

struct UnitMemoryTests {
  private func counted(_ seconds: [Double]) -> [Double] {
    var memory = UnitMemory()
    return seconds.filter { memory.counts(1, at: Instant(milliseconds: 0) + .seconds($0)) }
  }

  @Test func aBurstIsOneFailure() { #expect(counted([0, 1, 2, 5, 30, 59]) == [0]) }

  @Test func aBrokenUnitCountsEverMoreSeldom() {
    let all = (0..<360).map { Double($0) * 5 }
    #expect(counted(all) == [0, 60, 180, 420, 900])
  }

  @Test func aUnitThatWasWellForLongBeginsAnew() {
    #expect(counted([0, 60, 180, 1500, 1560]) == [0, 60, 180, 1500, 1560])
  }

  @Test func aClockSetBackCountsNothingAndForgetsNothing() { #expect(counted([100, 0, 50]) == [100]) }

  @Test func unitsAreToldApartAndTheirNumberIsBounded() {
    var memory = UnitMemory()
    let at = Instant(milliseconds: 0)
    let counted = (0..<100_000).count { memory.counts(UInt64($0), at: at) }
    #expect(counted == 100_000 && memory.overflows == 6)
    let again = memory.counts(99_999, at: at)
    #expect(!again)
  }
}

struct SecondBufferTests {
  private let zero = Instant(milliseconds: 1_000_000)
  private func at(_ seconds: Double) -> Instant { zero + .seconds(seconds) }
  private let one = Cohorts(treatment: 1, control: 2)

  @Test func aSecondIsGivenOutOnceAndWholeInOrder() {
    var buffer = SecondBuffer()
    buffer.add(second: at(1), epoch: 1, trials: one, events: .zero, now: at(1.5))
    buffer.add(second: at(0), epoch: 1, trials: one, events: .zero, now: at(1.6))
    buffer.add(second: at(0.5), epoch: 1, trials: one, events: one, now: at(1.7))
    #expect(buffer.close(now: at(2)).isEmpty)
    let closed = buffer.close(now: at(4))
    #expect(closed.map(\.second) == [at(0), at(1)])
    #expect(closed[0].trials == one + one && closed[0].events == one)
    #expect(buffer.close(now: at(9)).isEmpty)
  }

  @Test func whatComesTooLateFromTooFarAheadOrTooManyIsLost() {
    var buffer = SecondBuffer()
    _ = buffer.close(now: at(100))
    buffer.add(second: at(90), epoch: 1, trials: one, events: .zero, now: at(100))
    buffer.add(second: at(200), epoch: 1, trials: one, events: .zero, now: at(100))
    #expect(buffer.lost == 2)
    for epoch in 0..<70 { buffer.add(second: at(99), epoch: epoch, trials: one, events: .zero, now: at(100)) }
    #expect(buffer.lost == 2 + 70 - SecondBuffer.mostOpen)
  }
}

struct StageSightTests {
  private func sentence(_ percent: Double, rate: Double = 1000, detect: Double = 2) -> String {
    let policy = RampPolicy(
      stages: [RampPolicy.Stage(percent: percent, least: .seconds(30))],
      guardrails: [Guardrail("errors", .errors, detect: detect)])
    return StageSight(policy, guardrail: 0, stage: 0, traffic: UsualTraffic(trialsPerSecond: rate, rate: 0.005))
      .sentence
  }

  @Test func itSaysWhatAStageSeesAndHowLongItHolds() {
    #expect(
      sentence(1)
        == "1 % sees 5x errors in about 28 s (19 of 20 in 82 s); 2x would take 14 min, so the stage holds for 14 min.")
    #expect(sentence(0.01, rate: 0) == "0 %: 2x errors cannot be seen at this traffic, so the stage asks.")
    #expect(
      sentence(100)
        == "At 100 % nobody is left to compare errors with; it is judged beside the minutes before for 30 s.")
  }

  @Test func moreTrafficAndMoreShareSeeSooner() throws {
    func wait(_ percent: Double, _ rate: Double) throws -> Span {
      let policy = RampPolicy(
        stages: [RampPolicy.Stage(percent: percent, least: .zero)], guardrails: [Guardrail("errors", .errors)])
      let sight = StageSight(
        policy, guardrail: 0, stage: 0, traffic: UsualTraffic(trialsPerSecond: rate, rate: 0.005))
      return try #require(sight.rows.first?.p95)
    }
    #expect(try wait(5, 100) < wait(1, 100))
    #expect(try wait(1, 1000) < wait(1, 100))
  }
}
