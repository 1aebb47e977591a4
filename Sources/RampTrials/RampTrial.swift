import Kernel
import Ramps
import Statistics

/// What came of one ramp in one contender's hands.
package struct RampOutcome: Sendable {
  /// Seconds from the begin of the harm, or of the ramp where there is none, until it was stopped; nil when it was not.
  package let seconds: Int?
  /// Stopped before the harm began.
  package let isNeedless: Bool
}

/// What came of many.
package struct RampTally: Equatable, Sendable {
  package let contender: RampContender
  package private(set) var ramps = 0
  /// Of those that were stopped for what they did, rising.
  package private(set) var seconds: [Int] = []
  /// Of ramps that did no harm, or none yet.
  package private(set) var needless = 0

  package init(_ contender: RampContender) { self.contender = contender }

  package mutating func add(_ outcomes: [RampOutcome]) {
    ramps += outcomes.count
    needless += outcomes.count { $0.isNeedless }
    seconds = (seconds + outcomes.filter { !$0.isNeedless }.compactMap(\.seconds)).sorted()
  }
  package mutating func add(_ other: RampTally) {
    ramps += other.ramps
    needless += other.needless
    seconds = (seconds + other.seconds).sorted()
  }

  /// Seconds within which `part` (0 to 1) of the ramps that were not stopped needlessly were stopped; nil when fewer
  /// were.
  package func seconds(for part: Double) -> Int? {
    let index = Int((Double(ramps - needless) * part).rounded(.up)) - 1
    return seconds.indices.contains(index) ? seconds[index] : nil
  }
  package var needlessShare: Double { ramps == 0 ? 0 : Double(needless) / Double(ramps) }
  /// Clopper and Pearson's upper limit at 95 %, one-sided.
  package var needlessLimit: Double { Binomial.upperBound(events: needless, trials: ramps, confidence: 0.95) }
}

/// Ramps of one cell.
package struct RampTrial: Sendable {
  package let cell: RampCell
  /// Ramps in which the sample-ratio check alarmed; no simulated ramp gives it a reason.
  package private(set) var sampleAlarms = 0
  package private(set) var tallies: [RampTally]

  package init(_ cell: RampCell, contenders: [RampContender]) {
    self.cell = cell
    tallies = contenders.map { RampTally($0) }
  }

  package mutating func add(_ other: RampTrial) {
    sampleAlarms += other.sampleAlarms
    for index in tallies.indices { tallies[index].add(other.tallies[index]) }
  }

  package mutating func run(_ seeds: Range<UInt64>) {
    for seed in seeds {
      let stops = ramp(seed)
      for index in tallies.indices { tallies[index].add([outcome(stops[index])]) }
    }
  }

  private func outcome(_ stop: Int?) -> RampOutcome {
    guard cell.ratio != 1 else { return RampOutcome(seconds: stop, isNeedless: stop != nil) }
    return RampOutcome(
      seconds: stop.map { $0 - cell.onset }, isNeedless: stop.map { $0 <= cell.onset } ?? false)
  }

  package static func policy(_ cell: RampCell) -> RampPolicy {
    let counting: Guardrail.Counting = cell.shape == .unseenBursts ? .requests : .units
    let all = [
      Guardrail("errors", .errors, counting: counting),
      Guardrail("slow requests", .latency(slowerThan: .seconds(1)), counting: counting),
      Guardrail("conversions", .conversion(within: .seconds(Double(RampCell.conversionSeconds)))),
    ]
    return RampPolicy(
      stages: cell.stages.map { RampPolicy.Stage(percent: $0, least: .minutes(10)) },
      guardrails: Array(all.prefix(cell.guardrails)))
  }

  /// Seconds until each contender stopped the ramp.
  private mutating func ramp(_ seed: UInt64) -> [Int?] {
    var world = RampWorld(cell, seed: seed)
    var judge = RampJudge(RampTrial.policy(cell))
    var zTest = ZTest()
    var asymptotic = AsymptoticSequence()
    var stops: [Int?] = tallies.map { _ in nil }
    var epoch = -1
    var begun = 0
    var isAlarmed = false
    for number in 0..<(RampCell.rampSeconds + cell.onset) {
      let second = world.next()
      if second.epoch != epoch {
        epoch = second.epoch
        begun = number
        judge.begin(epoch: epoch, percent: world.stage(at: number).percent, at: second.at)
        zTest = ZTest()
        asymptotic = AsymptoticSequence()
      }
      if number == begun + (epoch == 0 ? 0 : RampCell.settleSeconds) { judge.settle(epoch: epoch, at: second.at) }
      for (index, tally) in tallies.enumerated() where stops[index] == nil {
        let stopped =
          switch tally.contender {
          case .plimsoll: RampTrial.stops(&judge, second, guardrails: cell.guardrails)
          case .zTest: zTest.stops(after: second.errors)
          case .asymptotic: asymptotic.stops(after: second.errors)
          }
        if stopped { stops[index] = number + 1 }
      }
      if judge.isSampleAlarmed, !isAlarmed {
        isAlarmed = true
        sampleAlarms += 1
      }
      if !stops.contains(where: { $0 == nil }) { break }
    }
    return stops
  }

  private static func stops(_ judge: inout RampJudge, _ second: RampWorld.Second, guardrails: Int) -> Bool {
    let now = second.at + .seconds(1)
    judge.absorb(units: second.units, epoch: second.epoch, second: second.at, now: now)
    judge.absorb(second.errors, for: 0, now: now)
    if guardrails > 1 { judge.absorb(second.slow, for: 1, now: now) }
    if guardrails > 2, let ripe = second.conversions { judge.absorb(ripe, for: 2, now: now) }
    return judge.record.conviction != nil
  }
}
