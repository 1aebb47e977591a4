import Kernel
import Ramps
import RealModule
import Statistics

/// One simulated ramp from its seed: what each second brings, told as a source would tell it.
package struct RampWorld: Sendable {
  package struct Second: Sendable {
    package let at: Instant
    package let epoch: Int
    package let errors: CohortSecond
    package let slow: CohortSecond
    /// Of units exposed `RampCell.conversionSeconds` ago.
    package let conversions: CohortSecond?
    /// Exposed for the first time in the epoch.
    package let units: Cohorts
  }

  package let cell: RampCell
  private var chance: Chance
  private var second = 0
  private var errors: EventSource
  private var slow: EventSource
  private var exposed: [CohortSecond] = []
  private var factors: SharedFactors

  /// Any instant will do.
  package static let began = Instant(milliseconds: 1_750_000_000_000)

  package init(_ cell: RampCell, seed: UInt64) {
    self.cell = cell
    chance = Chance(seed: cell.seed &+ seed &* 0xd134_2543_de82_ef95)
    let units = Int(cell.requestsPerSecond * RampCell.unitsPerRequest)
    errors = EventSource(cell.shape, units: units)
    slow = EventSource(cell.shape, units: units)
    factors = SharedFactors(cell.shape, phase: chance.uniform())
  }

  /// Number and percent of the stage at a second.
  package func stage(at second: Int) -> (number: Int, percent: Double) {
    let number = min(second / RampCell.stageSeconds, cell.stages.count - 1)
    return (number, cell.stages[number])
  }

  /// While clients learn of a stage the share moves.
  private func share(at second: Int) -> Double {
    let (number, percent) = stage(at: second)
    let into = second - number * RampCell.stageSeconds
    let before = number > 0 ? cell.stages[number - 1] : 0
    guard number > 0, into < RampCell.settleSeconds else { return percent / 100 }
    let part = Double(into + 1) / Double(RampCell.settleSeconds + 1)
    return (before + (percent - before) * part) / 100
  }

  package mutating func next() -> Second {
    let at = RampWorld.began + .seconds(Double(second))
    let (epoch, _) = stage(at: second)
    let share = share(at: second)
    factors.move(&chance)
    let volume = cell.requestsPerSecond * factors.traffic(at: second)
    let trials = Cohorts(treatment: chance.poisson(volume * share), control: chance.poisson(volume * (1 - share)))
    let harm = second >= cell.onset ? cell.ratio : 1
    let rates = factors.rates(at: second)
    let failed = errors.draw(
      second: second, mean: volume * RampCell.errorRate * rates, share: share, harm: harm, &chance)
    let late = slow.draw(second: second, mean: volume * RampCell.slowRate * rates, share: share, harm: 1, &chance)
    func told(_ events: Cohorts) -> CohortSecond {
      // A request that fails is one, whenever its own second has few.
      let trials = Cohorts(
        treatment: max(trials.treatment, events.treatment), control: max(trials.control, events.control))
      return CohortSecond(second: at, epoch: epoch, trials: trials, events: events)
    }
    let units = newUnits(volume, share, at, epoch)
    defer { second += 1 }
    return Second(
      at: at, epoch: epoch, errors: told(failed), slow: told(late),
      conversions: second >= RampCell.conversionSeconds ? exposed[second - RampCell.conversionSeconds] : nil,
      units: units)
  }

  private mutating func newUnits(_ volume: Double, _ share: Double, _ at: Instant, _ epoch: Int) -> Cohorts {
    let volume = volume * RampCell.newUnitsPerRequest
    let units = Cohorts(treatment: chance.poisson(volume * share), control: chance.poisson(volume * (1 - share)))
    guard cell.guardrails > 1 else {
      exposed.append(CohortSecond(second: at, epoch: epoch, trials: .zero, events: .zero))
      return units
    }
    func converted(_ count: Int) -> Int { (0..<count).count { _ in chance.uniform() < RampCell.conversionRate } }
    let events = Cohorts(treatment: converted(units.treatment), control: converted(units.control))
    exposed.append(CohortSecond(second: at, epoch: epoch, trials: units, events: events))
    return units
  }
}

/// Events of one kind, with the units they come from.
struct EventSource: Sendable {
  private let shape: RampShape
  private let units: Int
  private var memory = UnitMemory()
  /// Units that are yet to fail again, by second.
  private var due: [Int: [Int]] = [:]

  private static let runMean = 5.0
  private static let brokenPart = 0.002
  private static let brokenEverySeconds = 5
  private static let brokenRuns = 120

  init(_ shape: RampShape, units: Int) {
    self.shape = shape
    self.units = units
  }

  /// - Parameters:
  ///   - mean: of both cohorts, without harm.
  ///   - harm: times as many in the treatment.
  mutating func draw(second: Int, mean: Double, share: Double, harm: Double, _ chance: inout Chance) -> Cohorts {
    // Units below this number get the variant.
    let treated = max(Int(Double(units) * share), 1)
    let begins = shape == .bursts || shape == .unseenBursts ? mean / EventSource.runMean : mean
    var failing = due.removeValue(forKey: second) ?? []
    for _ in 0..<chance.poisson(begins * (1 - share)) {
      failing.append(begin(treated + Int(chance.uniform() * Double(units - treated)), second, &chance))
    }
    for _ in 0..<chance.poisson(begins * share * harm) {
      failing.append(begin(Int(chance.uniform() * Double(treated)), second, &chance))
    }
    var cohorts = Cohorts.zero
    let at = RampWorld.began + .seconds(Double(second))
    for unit in failing {
      guard shape == .unseenBursts || memory.counts(UInt64(unit), at: at) else { continue }
      if unit < treated { cohorts.treatment += 1 } else { cohorts.control += 1 }
    }
    return cohorts
  }

  private mutating func begin(_ unit: Int, _ second: Int, _ chance: inout Chance) -> Int {
    switch shape {
    case .bursts, .unseenBursts:
      var at = Double(second)
      for _ in 1..<max(chance.geometric(mean: EventSource.runMean), 1) {
        at += chance.exponential()
        due[max(Int(at), second + 1), default: []].append(unit)
      }
    case .broken:
      guard chance.uniform() < EventSource.brokenPart else { break }
      for run in 1...EventSource.brokenRuns {
        due[second + run * EventSource.brokenEverySeconds, default: []].append(unit)
      }
    case .steady, .incidents, .wave, .steps: break
    }
    return unit
  }
}

/// What befalls both cohorts alike.
struct SharedFactors: Sendable {
  private let shape: RampShape
  private let phase: Double
  private var incidentLeft = 0.0
  private var rate = 1.0
  private var volume = 1.0

  private static let incidentFold = 20.0
  private static let incidentEverySeconds = 60.0
  private static let incidentSeconds = 5.0
  private static let stepEverySeconds = 300.0
  private static let step = 3.0
  private static let swing = 0.6
  private static let swingSeconds = 1200.0

  init(_ shape: RampShape, phase: Double) {
    self.shape = shape
    self.phase = phase
  }

  mutating func move(_ chance: inout Chance) {
    switch shape {
    case .incidents:
      incidentLeft -= 1
      if chance.uniform() < 1 / SharedFactors.incidentEverySeconds {
        incidentLeft = max(incidentLeft, SharedFactors.incidentSeconds * chance.exponential())
      }
    case .steps:
      guard chance.uniform() < 1 / SharedFactors.stepEverySeconds else { return }
      if chance.uniform() < 0.5 {
        rate = rate > 1 ? 1 : SharedFactors.step
      } else {
        volume = volume < 1 ? 1 : 1 / SharedFactors.step
      }
    case .steady, .bursts, .broken, .wave, .unseenBursts: return
    }
  }

  private func wave(_ second: Int, _ shift: Double) -> Double {
    1 + SharedFactors.swing
      * Double.sin(2 * Double.pi * (phase + shift + Double(second) / SharedFactors.swingSeconds))
  }

  func traffic(at second: Int) -> Double { shape == .wave ? wave(second, 0) : volume }

  func rates(at second: Int) -> Double {
    switch shape {
    case .wave: wave(second, 0.25)
    case .incidents: incidentLeft > 0 ? SharedFactors.incidentFold : 1
    case .steady, .bursts, .broken, .steps, .unseenBursts: rate
    }
  }
}
