import Kernel
import Ramps
import Statistics

/// A judge, a clock and a source.
struct RampScene {
  static let began = Instant(milliseconds: 1_750_000_000_000)
  var judge: RampJudge
  var second = 0
  var epoch = 0
  var percent = 0.0
  var chance: Chance
  var requests = 1000.0
  var rate = 0.005
  var units = 50.0
  /// Of treatment and control.
  var ratio = 1.0

  init(_ guardrails: [Guardrail] = [Guardrail("errors", .errors)], seed: UInt64 = 7, least: Span = .minutes(1)) {
    let stages = [1.0, 5, 25, 100].map { RampPolicy.Stage(percent: $0, least: least) }
    judge = RampJudge(RampPolicy(stages: stages, guardrails: guardrails))
    chance = Chance(seed: seed)
  }

  var at: Instant { RampScene.began + .seconds(Double(second)) }
  var now: Instant { at + .seconds(1) }
  var verdict: RampVerdict { judge.verdict(at: at) }
  var isBad: Bool { judge.record.conviction != nil }

  mutating func begin(percent: Double) {
    epoch += 1
    self.percent = percent
    judge.begin(epoch: epoch, percent: percent, at: at)
    judge.settle(epoch: epoch, at: at)
  }

  /// What the second that runs has.
  mutating func draw() -> CohortSecond {
    let share = percent / 100
    let trials = Cohorts(
      treatment: chance.poisson(requests * share), control: chance.poisson(requests * (1 - share)))
    let events = Cohorts(
      treatment: min(chance.poisson(requests * share * rate * ratio), trials.treatment),
      control: min(chance.poisson(requests * (1 - share) * rate), trials.control))
    return CohortSecond(second: at, epoch: epoch, trials: trials, events: events)
  }

  mutating func drawUnits(share: Double? = nil) -> Cohorts {
    let share = share ?? percent / 100
    return Cohorts(treatment: chance.poisson(units * share), control: chance.poisson(units * (1 - share)))
  }

  /// Seconds of it, each changed by `change`; stops when the judge has stopped the ramp.
  mutating func run(_ seconds: Int, _ change: (CohortSecond) -> CohortSecond = { $0 }) {
    for _ in 0..<seconds where !isBad {
      judge.absorb(change(draw()), for: 0, now: now)
      let units = drawUnits()
      judge.absorb(units: units, epoch: epoch, second: at, now: now)
      second += 1
    }
  }
}

extension RampVerdict {
  var isGood: Bool { if case .good = self { true } else { false } }
  var isUndecided: Bool { if case .undecided = self { true } else { false } }
}

extension CohortSecond {
  func with(trials: Cohorts? = nil, events: Cohorts? = nil, second: Instant? = nil, epoch: Int? = nil) -> CohortSecond {
    CohortSecond(
      second: second ?? self.second, epoch: epoch ?? self.epoch, trials: trials ?? self.trials,
      events: events ?? self.events)
  }
}
