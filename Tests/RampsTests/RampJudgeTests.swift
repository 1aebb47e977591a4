import Foundation
import Kernel
import Ramps
import Statistics
import Testing

struct RampJudgeTests {
  @Test func aVariantThatFailsIsStoppedAndTheWordsSayWhy() throws {
    var scene = RampScene()
    scene.begin(percent: 5)
    scene.ratio = 5
    scene.run(120)
    guard case .bad(let conviction) = scene.verdict else {
      Issue.record("\(scene.verdict)")
      return
    }
    #expect(conviction.name == "errors" && conviction.percent == 5)
    #expect(conviction.logEvidence >= conviction.threshold)
    #expect(try #require(conviction.lower) > 1 && #require(conviction.ratio) > 2)
    #expect(try #require(conviction.since) >= RampScene.began)
    #expect(conviction.sentence.hasPrefix("errors at 5 %: "), "\(conviction.sentence)")
    let stoppedAt = scene.second
    scene.ratio = 0
    scene.run(300)
    #expect(scene.second == stoppedAt, "bad is final")
  }

  @Test func aHarmlessVariantPassesWithPowerAndNotBefore() {
    var scene = RampScene()
    scene.begin(percent: 5)
    scene.run(30)
    guard case .undecided(let lack) = scene.verdict else {
      Issue.record("\(scene.verdict)")
      return
    }
    #expect(lack.guardrail == 0 && lack.forecast.map { $0 > .seconds(30) && $0 < .minutes(20) } == true, "\(lack)")
    scene.run(570)
    guard case .good(let power) = scene.verdict else {
      Issue.record("\(scene.verdict)")
      return
    }
    #expect(power.sentence.contains("2x would have been seen"))
  }

  @Test func eachStageNeedsItsOwnPower() {
    var scene = RampScene()
    scene.begin(percent: 25)
    scene.run(300)
    #expect(scene.verdict.isGood, "\(scene.verdict)")
    scene.begin(percent: 50)
    #expect(scene.verdict.isUndecided, "\(scene.verdict)")
  }

  @Test func aFaultThatBeginsAfterTwentyCalmMinutesIsFoundSoon() {
    let waits = (0..<8).map { seed -> Int in
      var scene = RampScene(seed: UInt64(seed))
      scene.begin(percent: 5)
      scene.run(1200)
      scene.ratio = 5
      scene.run(300)
      return scene.second - 1200
    }.sorted()
    #expect(waits[4] < 40, "\(waits)")
  }

  @Test func severalGuardrailsShareTheEvidence() {
    var scene = RampScene([
      Guardrail("errors", .errors), Guardrail("slow", .latency(slowerThan: .seconds(1))),
      Guardrail("orders", .conversion(within: .minutes(2))),
    ])
    scene.begin(percent: 25)
    for _ in 0..<300 where !scene.isBad {
      let now = scene.now
      scene.judge.absorb(scene.draw(), for: 0, now: now)
      scene.judge.absorb(scene.draw(), for: 1, now: now)
      let units = scene.drawUnits()
      let events = Cohorts(
        treatment: min(scene.chance.poisson(Double(units.treatment) * 0.05), units.treatment),
        control: min(scene.chance.poisson(Double(units.control) * 0.2), units.control))
      scene.judge.absorb(
        CohortSecond(second: scene.at, epoch: scene.epoch, trials: units, events: events), for: 2, now: now)
      scene.second += 1
    }
    #expect(scene.judge.record.conviction?.name == "orders")
    #expect(scene.judge.record.conviction?.sentence.contains("converted") == true)
  }

  @Test func conversionsOfAnEarlierStageAreJudgedByItsShare() {
    var scene = RampScene([Guardrail("orders", .conversion(within: .minutes(1)))])
    scene.begin(percent: 1)
    scene.begin(percent: 50)
    for number in 0..<200 {
      let units = scene.drawUnits(share: 0.01)
      let events = Cohorts(
        treatment: scene.chance.poisson(Double(units.treatment) * 0.2) > 0 ? min(1, units.treatment) : 0,
        control: min(scene.chance.poisson(Double(units.control) * 0.2), units.control))
      scene.judge.absorb(
        CohortSecond(second: scene.at, epoch: 1, trials: units, events: events), for: 0, now: scene.now)
      scene.second = number
    }
    #expect(!scene.isBad)
  }

  @Test func atAHundredPercentTheMinutesBeforeAreTheMeasure() {
    var well = RampScene()
    well.begin(percent: 25)
    well.run(300)
    well.begin(percent: 100)
    well.run(120)
    #expect(well.verdict.isGood, "\(well.verdict)")
    var ill = RampScene()
    ill.begin(percent: 25)
    ill.run(300)
    ill.begin(percent: 100)
    ill.ratio = 5
    ill.run(120)
    #expect(ill.isBad && ill.second < 330, "\(ill.second)")
  }

  @Test func aJudgeGoesOnFromItsRecord() throws {
    var scene = RampScene()
    scene.begin(percent: 5)
    scene.run(200)
    let text = try JSONEncoder().encode(scene.judge.record)
    #expect(text.count < 6000, "\(text.count) bytes")
    let resumed = RampJudge(scene.judge.policy, resuming: try JSONDecoder().decode(RampRecord.self, from: text))
    #expect(resumed == scene.judge)
    scene.run(1000)
    #expect(try JSONEncoder().encode(scene.judge.record).count < 6000, "it does not grow")
  }
}
