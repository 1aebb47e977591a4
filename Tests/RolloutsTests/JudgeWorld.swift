import Kernel
import RealModule
import Rollouts

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): the same seed, the same world.
struct Seeded: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
  /// How many good requests pass before the next bad one.
  mutating func gap(rate: Double) -> Int {
    guard rate > 0 else { return Int.max / 4 }
    if rate >= 1 { return 0 }
    let uniform = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &self)
    return Int(min(Double.log(uniform) / Double.log(onePlus: -rate), 1e12))
  }
  /// Bad requests among `requests` at `rate`.
  mutating func events(among requests: Int, rate: Double) -> Int {
    var count = 0
    var at = gap(rate: rate)
    while at < requests {
      count += 1
      at += 1 + gap(rate: rate)
    }
    return count
  }
}

/// Steady traffic on a canary and, perhaps, a control, in bins of 250 ms.
struct JudgeWorld {
  static let binMs: Int64 = 250
  static let canary = deployment("b")
  static let control = deployment("a")

  static func deployment(_ letter: String) -> DeploymentID {
    let name = "harbor.production.\(String(repeating: letter, count: 12)).\(String(repeating: letter, count: 8))"
    guard let id = DeploymentID(rawValue: name) else { preconditionFailure("\(name) is no deployment") }
    return id
  }

  static func bin(
    fromMs: Int64, toMs: Int64, canary: RequestCounts, control: RequestCounts? = nil,
    source: SourceHealth = .sound
  ) -> EvidenceBin {
    let isBad = canary.errors + canary.slow > 0
    let start = Instant(milliseconds: fromMs)
    var arms: [ArmEvidence] = []
    if let control { arms.append(ArmEvidence(deployment: JudgeWorld.control, counts: control)) }
    arms.append(
      ArmEvidence(
        deployment: JudgeWorld.canary, counts: canary, firstBadAt: isBad ? start : nil,
        lastBadAt: isBad ? start : nil))
    return EvidenceBin(from: start, to: Instant(milliseconds: toMs), arms: arms, source: source)
  }

  /// Traffic whose stretches without a bad request come as one bin of up to `longest` bins: that changes no decision,
  /// because evidence rises only with a bad request.
  static func bins(
    seconds: Int, rps: Double, errorRate: Double, slowRate: Double, longest: Int = 20, _ chance: inout Seeded
  ) -> [EvidenceBin] {
    var bins: [EvidenceBin] = []
    let perSecond = 1000 / Int(binMs)
    var errorAt = chance.gap(rate: errorRate)
    var slowAt = chance.gap(rate: slowRate)
    var index = 0
    let total = seconds * perSecond
    func first(_ bin: Int) -> Int { Int(Double(bin) * rps / Double(perSecond)) }
    while index < total {
      var end = index + 1
      let next = min(errorAt, slowAt)
      if next >= first(end) {
        let reach = Int(Double(next) * Double(perSecond) / rps)
        end = max(end, min(index + longest, total, reach))
      }
      var counts = RequestCounts(requests: first(end) - first(index))
      while errorAt < first(end) {
        counts.errors += 1
        errorAt += 1 + chance.gap(rate: errorRate)
      }
      while slowAt < first(end) {
        counts.slow += 1
        slowAt += 1 + chance.gap(rate: slowRate)
      }
      bins.append(bin(fromMs: Int64(index) * binMs, toMs: Int64(end) * binMs, canary: counts))
      index = end
    }
    return bins
  }

  /// Milliseconds from the first bad response to a conviction, and from the start to `good`; nil when neither came.
  static func run(_ judge: inout Judge, _ bins: [EvidenceBin]) -> (convictedMs: Int64?, goodMs: Int64?) {
    var firstBad: Instant?
    var good: Int64?
    for bin in bins {
      let counts = bin.counts(of: canary)
      if firstBad == nil, counts.errors + counts.slow > 0 { firstBad = bin.from }
      switch judge.absorb(bin) {
      case .bad: return (firstBad.map { (bin.to - $0).milliseconds }, good)
      case .good: if good == nil { good = bin.to.milliseconds }
      case .notEnoughEvidence, .sourceBroken: continue
      }
    }
    return (nil, good)
  }

  static func median(_ values: [Int64?], share: Double = 0.5) -> Double {
    let sorted = values.map { $0.map(Double.init) ?? .infinity }.sorted()
    return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
  }
}
