import RealModule
import Rollouts
import Statistics

/// One deploy from its seed: ten minutes of history, then ten minutes of the new version beside the old one.
///
/// The new version has the cell's requests/s at every step, so that a cell has one answer; the old one has beside it
/// what the step's share leaves: nine times as much at 10 %, as much at 50 %, a nineteenth at 100 %, where 5 % are held
/// back. The history has the traffic of the first step, all of it on the old version. The steps are entered by time,
/// whatever is judged: detection is not helped by a step that waits. Requests arrive as a Poisson stream, so errors and
/// others are independent Poisson streams.
package struct Deploy: Sendable {
  /// What one version did in one slot of time.
  package struct Counts: Equatable, Sendable {
    package var requests = 0
    package var errors = 0
    /// Of `errors`: further ones of a client that had failed just before.
    package var repeats = 0
    package var slow = 0
    package init(requests: Int = 0, errors: Int = 0, repeats: Int = 0, slow: Int = 0) {
      self.requests = requests
      self.errors = errors
      self.repeats = repeats
      self.slow = slow
    }
    package mutating func add(_ other: Counts) {
      requests += other.requests
      errors += other.errors
      repeats += other.repeats
      slow += other.slow
    }
  }

  /// Production's bins: `Performer.binWidth`.
  package static let slotSeconds = 0.25
  package static let slotsASecond = 4
  package static let watchSeconds = 600
  /// Of the history, and how long one factor of the error rate lasts.
  package static let windowSeconds = 10
  package static let historyWindows = 60
  /// Seconds at which the second and the third step begin.
  package static let stepSeconds = [120, 240]
  /// The old version's traffic, in times of the new one's, at each step.
  package static let controlFolds: [Double] = [9, 1, 5.0 / 95]
  /// The new version's share at each step, as the router has it.
  package static let percents = [10, 50, 95]
  /// Share of requests that are too slow, in both versions: half of what P99 allows.
  package static let slowRate = 0.005
  package static let driftUp = 1.3
  /// A rate that is multiplied stops short of all.
  package static let highestRate = 0.95
  /// Errors of one client, on average, in the clustered shapes, and the seconds between two of them.
  package static let clusterMean = 5.0
  package static let clusterGapSeconds = 1.0

  package let cell: Cell
  package let seed: UInt64
  /// Of the old version: one a window of 10 s.
  package private(set) var history: [Counts] = []
  /// One a slot.
  package private(set) var canary: [Counts] = []
  package private(set) var control: [Counts] = []

  private var chance: Chance
  private var traffic = TrafficShape(phase: 0)

  package init(_ cell: Cell, seed: UInt64) {
    self.cell = cell
    self.seed = seed
    chance = Chance(seed: cell.seed &+ seed &* 0xd134_2543_de82_ef95)
    let slots = Deploy.watchSeconds * Deploy.slotsASecond
    history = Array(repeating: Counts(), count: Deploy.historyWindows)
    canary = Array(repeating: Counts(), count: slots)
    control = canary
    traffic = TrafficShape(phase: chance.uniform())
    drawHistory()
    drawWatch()
  }

  private var isClustered: Bool { cell.shape == .clustered || cell.shape == .clusteredUnseen }
  private var isOverdispersed: Bool { cell.shape == .overdispersed || cell.shape == .overdispersedApart }

  private mutating func factor() -> Double { isOverdispersed ? chance.exponential() : 1 }

  private mutating func drawHistory() {
    let rate = cell.requestsPerSecond * (1 + Deploy.controlFolds[0])
    let seconds = Double(Deploy.windowSeconds)
    for window in history.indices {
      let volume = rate * seconds * traffic.factor(cell.shape, at: Double(window) * seconds - 600, &chance)
      let errorRate = min(cell.errorRate * factor(), Deploy.highestRate)
      let errors = isClustered ? 0 : chance.poisson(volume * errorRate)
      let slow = chance.poisson(volume * Deploy.slowRate)
      history[window].add(
        Counts(requests: errors + chance.poisson(volume * (1 - errorRate)), errors: errors, slow: slow))
      guard isClustered else { continue }
      for _ in 0..<chance.poisson(volume * errorRate / Deploy.clusterMean) {
        let at = (Double(window) + chance.uniform()) * seconds
        Deploy.scatterRun(cell.shape, over: &history, &chance, from: at, width: seconds)
      }
    }
  }

  private mutating func drawWatch() {
    let slotsAWindow = Deploy.windowSeconds * Deploy.slotsASecond
    // The fluctuation's windows do not begin with the deploy.
    let offset = Int(chance.uniform() * Double(slotsAWindow))
    var canaryFactor = factor()
    var controlFactor = cell.shape == .overdispersedApart ? factor() : canaryFactor
    let drift =
      switch cell.shape {
      case .driftUp: Deploy.driftUp
      case .driftDown: 1 / Deploy.driftUp
      default: 1.0
      }
    for slot in canary.indices {
      if (slot + offset) % slotsAWindow == 0 {
        canaryFactor = factor()
        controlFactor = cell.shape == .overdispersedApart ? factor() : canaryFactor
      }
      let second = slot / Deploy.slotsASecond
      let fold = Deploy.controlFolds[Deploy.stepSeconds.count { $0 <= second }]
      let at = Double(slot) * Deploy.slotSeconds
      let volume =
        cell.requestsPerSecond * Deploy.slotSeconds * traffic.factor(cell.shape, at: at, &chance)
      let rate = cell.errorRate * drift
      let canaryRate = min(rate * canaryFactor * cell.worsening, Deploy.highestRate)
      let controlRate = min(rate * controlFactor, Deploy.highestRate)
      Deploy.draw(cell.shape, into: &canary, &chance, slot, volume: volume, errorRate: canaryRate)
      Deploy.draw(cell.shape, into: &control, &chance, slot, volume: volume * fold, errorRate: controlRate)
    }
  }

  private static func draw(
    _ shape: Shape, into arm: inout [Counts], _ chance: inout Chance, _ slot: Int, volume: Double, errorRate: Double
  ) {
    let slow = chance.poisson(volume * Deploy.slowRate)
    let others = chance.poisson(volume * (1 - errorRate))
    let isClustered = shape == .clustered || shape == .clusteredUnseen
    let errors = isClustered ? 0 : chance.poisson(volume * errorRate)
    arm[slot].add(Counts(requests: max(others, slow) + errors, errors: errors, slow: slow))
    guard isClustered else { return }
    for _ in 0..<chance.poisson(volume * errorRate / Deploy.clusterMean) {
      scatterRun(shape, over: &arm, &chance, from: Double(slot) * Deploy.slotSeconds, width: Deploy.slotSeconds)
    }
  }

  /// One client's run of errors, from `seconds` on.
  private static func scatterRun(
    _ shape: Shape, over arm: inout [Counts], _ chance: inout Chance, from seconds: Double, width: Double
  ) {
    var at = seconds
    for number in 0..<chance.geometric(mean: Deploy.clusterMean) {
      let slot = Int(at / width)
      guard arm.indices.contains(slot) else { return }
      let isTold = number > 0 && shape == .clustered
      arm[slot].add(Counts(requests: 1, errors: 1, repeats: isTold ? 1 : 0))
      at += Deploy.clusterGapSeconds * chance.exponential()
    }
  }
}

/// Requests a second over time, in times of the usual.
struct TrafficShape: Sendable {
  /// 0 to 1: where in the swing the deploy begins.
  let phase: Double
  private var burstUntil = -Double.infinity
  private var nextBurst = -Double.infinity

  init(phase: Double) { self.phase = phase }

  private static let swing = 0.6
  private static let swingSeconds = 1200.0
  private static let burstFold = 5.0
  private static let burstEverySeconds = 60.0
  private static let burstSeconds = 8.0

  /// - Parameter seconds: since the deploy began; never falls from call to call.
  mutating func factor(_ shape: Shape, at seconds: Double, _ chance: inout Chance) -> Double {
    switch shape {
    case .diurnal:
      return 1 + TrafficShape.swing * Double.sin(2 * Double.pi * (phase + seconds / TrafficShape.swingSeconds))
    case .bursty:
      while seconds >= nextBurst {
        let began = max(nextBurst, seconds - TrafficShape.burstEverySeconds)
        burstUntil = began + TrafficShape.burstSeconds * chance.exponential()
        nextBurst = began + TrafficShape.burstEverySeconds * chance.exponential()
      }
      return seconds < burstUntil ? TrafficShape.burstFold : 1
    default: return 1
    }
  }
}
