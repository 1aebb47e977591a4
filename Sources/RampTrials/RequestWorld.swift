import Kernel
import Ramps
import Statistics

/// One simulated ramp, request by request: units with hashes, clients that learn of a stage one after the other,
/// exposures and outcomes that come in any order.
package struct RequestWorld: Sendable {
  package let cell: RampCell
  private var chance: Chance
  private var factors: SharedFactors
  private let population: Int
  /// Requests that will fail for certain, by second: the rest of a unit's run.
  private var due: [Int: [Int]] = [:]
  /// By second.
  private var conversions: [Int: [Int]] = [:]
  /// The stage in which a unit last decided whether to convert.
  private var decided: [Int32]
  private var late: (exposures: [Exposure], outcomes: [Outcome]) = ([], [])

  /// Of exposures and outcomes: those that come a second later than the others.
  private static let latePart = 0.2
  private static let runMean = 5.0
  private static let brokenPart = 0.002
  private static let brokenEverySeconds = 5
  private static let brokenRuns = 120
  /// Bucketing by hash, as the evaluator does it, is fine enough at a ten-thousandth.
  private static let buckets: UInt64 = 10_000

  package init(_ cell: RampCell, seed: UInt64) {
    self.cell = cell
    chance = Chance(seed: cell.seed ^ (seed &* 0xd134_2543_de82_ef95))
    factors = SharedFactors(cell.shape, phase: chance.uniform())
    population = Int(cell.requestsPerSecond * RampCell.unitsPerRequest)
    decided = [Int32](repeating: -1, count: population)
  }

  static func at(_ second: Int) -> Instant { RampWorld.began + .seconds(Double(second)) }

  package func stage(at second: Int) -> Int { min(second / RampCell.stageSeconds, cell.stages.count - 1) }

  /// A hash of its own for each seed would need none; units of one number are alike in all of them.
  private func key(_ unit: Int) -> UInt64 {
    var mixed = Chance(seed: UInt64(unit) ^ cell.seed)
    return mixed.next()
  }

  private func cohort(_ unit: Int, stage: Int) -> Cohort {
    let percent = stage < 0 ? 0 : cell.stages[stage]
    return key(unit) % RequestWorld.buckets < UInt64(percent * 100) ? .treatment : .control
  }

  /// Tells what comes between a second's begin and its end; `book` has the clock of the end.
  package mutating func tell(second: Int, to book: inout ExposureBook) {
    let now = RequestWorld.at(second + 1)
    for exposure in late.exposures { book.came(exposure, now: now) }
    for outcome in late.outcomes { book.came(outcome, now: now) }
    late = ([], [])
    factors.move(&chance)
    let rate = RampCell.errorRate * factors.rates(at: second)
    let slow = RampCell.slowRate * factors.rates(at: second)
    for unit in due.removeValue(forKey: second) ?? [] {
      request(unit, second, failing: 1, slow: 0, to: &book, now)
    }
    for _ in 0..<chance.poisson(cell.requestsPerSecond * factors.traffic(at: second)) {
      request(Int(chance.uniform() * Double(population)), second, failing: rate, slow: slow, to: &book, now)
    }
    for unit in conversions.removeValue(forKey: second) ?? [] {
      book.came(Conversion(unit: key(unit), at: RequestWorld.at(second)), now: now)
    }
  }

  private mutating func request(
    _ unit: Int, _ second: Int, failing: Double, slow: Double, to book: inout ExposureBook, _ now: Instant
  ) {
    let stage = known(at: second)
    let cohort = cohort(unit, stage: stage)
    let at = RequestWorld.at(second) + Span(milliseconds: Int64(chance.uniform() * 1000))
    let harm = cohort == .treatment && second >= cell.onset ? cell.ratio : 1
    let base = cell.shape == .bursts && failing < 1 ? failing / RequestWorld.runMean : failing
    let fails = chance.uniform() < base * (failing < 1 ? harm : 1)
    if fails, failing < 1 { goOn(unit, second) }
    let duration = chance.uniform() < slow ? Span.seconds(2) : Span(milliseconds: 20)
    decide(unit, stage: stage, second)
    let exposure = Exposure(cohort: cohort, unit: key(unit), version: stage + 1, at: at)
    let outcome = Outcome(unit: key(unit), isFailure: fails, duration: duration, at: at)
    // The outcome first: nothing may depend on the order.
    if chance.uniform() < RequestWorld.latePart { late.outcomes.append(outcome) } else { book.came(outcome, now: now) }
    if chance.uniform() < RequestWorld.latePart {
      late.exposures.append(exposure)
    } else {
      book.came(exposure, now: now)
    }
  }

  /// The stage that the client of a request has learnt of.
  private mutating func known(at second: Int) -> Int {
    let stage = stage(at: second)
    let into = second - stage * RampCell.stageSeconds
    guard stage > 0, into < RampCell.settleSeconds else { return stage }
    let part = Double(into + 1) / Double(RampCell.settleSeconds + 1)
    return chance.uniform() < part ? stage : stage - 1
  }

  private mutating func goOn(_ unit: Int, _ second: Int) {
    switch cell.shape {
    case .bursts:
      var at = Double(second)
      for _ in 1..<max(chance.geometric(mean: RequestWorld.runMean), 1) {
        at += chance.exponential()
        due[max(Int(at), second + 1), default: []].append(unit)
      }
    case .broken:
      guard chance.uniform() < RequestWorld.brokenPart else { return }
      for run in 1...RequestWorld.brokenRuns {
        due[second + run * RequestWorld.brokenEverySeconds, default: []].append(unit)
      }
    case .steady, .incidents, .wave, .steps, .unseenBursts: return
    }
  }

  private mutating func decide(_ unit: Int, stage: Int, _ second: Int) {
    guard cell.guardrails > 2, decided[unit] < stage else { return }
    decided[unit] = Int32(stage)
    guard chance.uniform() < RampCell.conversionRate else { return }
    let delay = 1 + Int(chance.uniform() * Double(RampCell.conversionSeconds - 2))
    conversions[second + delay, default: []].append(unit)
  }
}
