import Kernel
import Ramps
import Testing

/// Telemetry that fails, lies or comes late is never harm.
struct RampTelemetryTests {
  private func reason(_ verdict: RampVerdict) -> RampMistrust.Reason? {
    guard case .untrusted(let mistrust) = verdict else { return nil }
    return mistrust.reason
  }

  @Test func anOutageHoldsTheStage() {
    var scene = RampScene()
    scene.begin(percent: 5)
    scene.run(100)
    scene.second += 59
    #expect(reason(scene.verdict) == nil)
    scene.second += 2
    #expect(reason(scene.verdict) == .telemetry)
    scene.run(400)
    #expect(reason(scene.verdict) == nil && !scene.isBad)
  }

  @Test func zeroTrafficIsNoOutageAndProvesNothing() {
    var scene = RampScene()
    scene.begin(percent: 5)
    scene.requests = 0
    scene.run(300)
    #expect(scene.verdict.isUndecided, "\(scene.verdict)")
  }

  @Test func aControlOfWhichNothingIsToldIsNoComparison() {
    var scene = RampScene()
    scene.begin(percent: 25)
    scene.run(100)
    scene.run(200) {
      $0.with(
        trials: Cohorts(treatment: $0.trials.treatment, control: 0),
        events: Cohorts(treatment: $0.events.treatment, control: 0))
    }
    #expect(!scene.isBad && scene.judge.record.lost[0].oneSided == 200)
  }

  @Test func halfAControlIsFollowed() {
    let stopped = (0..<20).count { seed in
      var scene = RampScene(seed: UInt64(seed))
      scene.begin(percent: 25)
      scene.run(100)
      scene.run(300) {
        $0.with(
          trials: Cohorts(treatment: $0.trials.treatment, control: $0.trials.control / 2),
          events: Cohorts(treatment: $0.events.treatment, control: $0.events.control / 2))
      }
      return scene.isBad
    }
    #expect(stopped <= 1, "\(stopped) of 20")
  }

  @Test func aControlWhoseErrorsStopComingIsNotBelieved() {
    var scene = RampScene()
    scene.begin(percent: 25)
    scene.run(200)
    scene.run(60) { $0.with(events: Cohorts(treatment: $0.events.treatment, control: 0)) }
    #expect(reason(scene.verdict) == .controlSilent && !scene.isBad)
    scene.run(300)
    #expect(reason(scene.verdict) == nil && !scene.isBad)
  }

  @Test func aControlThatIsCuredIsBelievedInTime() {
    var scene = RampScene()
    scene.begin(percent: 25)
    scene.run(200)
    scene.run(600) { $0.with(events: Cohorts(treatment: $0.events.treatment, control: 0)) }
    #expect(scene.isBad)
  }

  @Test func orderRepetitionAndTheFutureChangeNothing() {
    var scene = RampScene()
    scene.begin(percent: 5)
    let seconds = (0..<60).map { _ -> CohortSecond in
      defer { scene.second += 1 }
      return scene.draw()
    }
    var inOrder = scene.judge
    var mixed = scene.judge
    for second in seconds { inOrder.absorb(second, for: 0, now: scene.now) }
    for second in seconds.reversed() { mixed.absorb(second, for: 0, now: scene.now) }
    for second in seconds { mixed.absorb(second, for: 0, now: scene.now) }
    mixed.absorb(seconds[0].with(second: scene.now + .minutes(60)), for: 0, now: scene.now)
    mixed.absorb(seconds[0].with(epoch: 99), for: 0, now: scene.now)
    mixed.absorb(seconds[0].with(second: RampScene.began - .minutes(9)), for: 0, now: scene.now)
    mixed.absorb(seconds[0].with(events: Cohorts(treatment: -1, control: 0)), for: 0, now: scene.now)
    mixed.absorb(seconds[0].with(events: Cohorts(treatment: 9999, control: 0)), for: 0, now: scene.now)
    mixed.absorb(seconds[0], for: 7, now: scene.now)
    #expect(!inOrder.eValue.isNaN && abs(inOrder.eValue - mixed.eValue) < 0.2)
    let lost = mixed.record.lost[0]
    #expect(lost.repeated == 60 && lost.fromTheFuture == 1 && lost.unsound == 3 && lost.late == 1, "\(lost)")
  }

  @Test func aClockThatJumpsAndComesBackLosesLittle() {
    var scene = RampScene()
    scene.begin(percent: 5)
    scene.run(100)
    scene.second += 100_000
    scene.run(10)
    scene.second -= 100_000
    scene.ratio = 20
    scene.run(60)
    #expect(scene.isBad)
  }

  @Test func aWrongSampleHoldsTheStageAndIsNotHarm() {
    var scene = RampScene()
    scene.begin(percent: 5)
    scene.ratio = 5
    for _ in 0..<120 {
      scene.judge.absorb(units: scene.drawUnits(share: 0.2), epoch: scene.epoch, second: scene.at, now: scene.now)
      scene.second += 1
    }
    scene.run(200)
    guard case .untrusted(let mistrust) = scene.verdict else {
      Issue.record("\(scene.verdict)")
      return
    }
    #expect(mistrust.reason == .sampleRatio && mistrust.suspicion != nil && !scene.isBad)
    scene.ratio = 1
    scene.begin(percent: 5)
    scene.run(400)
    #expect(!scene.isBad, "what the wrong sample showed is forgotten")
    #expect(scene.verdict.isGood, "\(scene.verdict)")
  }

  @Test func whatStillComesOfAVoidStageIsNotUsed() {
    var scene = RampScene()
    scene.begin(percent: 5)
    for _ in 0..<60 {
      scene.judge.absorb(units: scene.drawUnits(share: 0.3), epoch: scene.epoch, second: scene.at, now: scene.now)
      scene.second += 1
    }
    #expect(scene.judge.isSampleAlarmed)
    scene.begin(percent: 5)
    scene.ratio = 20
    for _ in 0..<60 {
      scene.judge.absorb(scene.draw().with(epoch: 1), for: 0, now: scene.now)
      scene.second += 1
    }
    #expect(!scene.isBad)
  }

  @Test func oneGuardrailOfWhichNothingIsToldHoldsTheStage() {
    var scene = RampScene([Guardrail("errors", .errors), Guardrail("slow", .latency(slowerThan: .seconds(1)))])
    scene.begin(percent: 5)
    scene.run(100)
    #expect(reason(scene.verdict) == .telemetry)
  }

  @Test func aStageThatClientsStillLearnOfIsNoAlarm() {
    var scene = RampScene()
    scene.begin(percent: 1)
    scene.run(100)
    scene.epoch = 2
    scene.percent = 25
    scene.judge.begin(epoch: 2, percent: 25, at: scene.at)
    scene.percent = 3
    scene.run(20)
    scene.percent = 25
    scene.judge.settle(epoch: 2, at: scene.at)
    scene.run(300)
    #expect(!scene.judge.isSampleAlarmed && !scene.isBad)
  }
}
