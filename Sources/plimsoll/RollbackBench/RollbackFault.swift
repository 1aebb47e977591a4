/// One way in which a version of the harbor is bad, and how bad it is.
struct RollbackFault: Sendable {
  struct Worsening: Sendable {
    /// How many times the usual share of requests is bad.
    let factor: Double
    /// 0 to 1: of errors the baseline's; of slow and open requests one in a hundred, which is what P99 allows.
    let usual: Double
  }

  let name: String
  /// Of `Examples/harbor/variants`.
  let variant: String
  /// Nil where no share of requests is meant.
  let worsening: Worsening?
  /// It loses requests by its own fault: an unanswered request says nothing of the switch then.
  let isLossy: Bool
  /// Share of the traffic that meets the fault, 0 to 1.
  let longStays: Double
  /// Traffic in times of the usual: what fails after so many requests is not waited for.
  let trafficFold: Double
  /// Rounds of a run of `rounds`.
  let roundsOf: @Sendable (Int) -> Int

  private init(
    _ name: String, variant: String, worsening: Worsening? = nil, isLossy: Bool = false, longStays: Double = 0.05,
    trafficFold: Double = 1, rounds: @escaping @Sendable (Int) -> Int = { $0 }
  ) {
    self.name = name
    self.variant = variant
    self.worsening = worsening
    self.isLossy = isLossy
    self.longStays = longStays
    self.trafficFold = trafficFold
    roundsOf = rounds
  }

  /// Issue "Rollouts that judge well": "10x or worse".
  static let leastFactor = 10.0
  /// "At (canary requests/s x baseline error rate) of at least 0.1/s".
  static let leastUsualPerSecond = 0.1

  /// Whether the bars are stated for it.
  func isHeldToBar(canaryPerSecond: Double) -> Bool {
    guard let worsening else { return false }
    // A product of decimal fractions: 100 · 0.1 · 0.01 may be a hair below 0.1.
    return worsening.factor >= Self.leastFactor
      && canaryPerSecond * worsening.usual >= Self.leastUsualPerSecond - 1e-9
  }

  /// - Parameter baseline: the usual version's share of errors, 0 to 1.
  static func all(baseline: Double) -> [RollbackFault] {
    let failing = [leastFactor, 20, 50].filter { $0 * baseline <= 1 }.map { factor in
      // The bad version fails by chance as well, as the usual one does.
      RollbackFault(
        "failing \(Int(factor))x", variant: "failing", worsening: Worsening(factor: factor, usual: baseline),
        longStays: (factor - 1) * baseline / (1 - baseline))
    }
    let late = Worsening(factor: leastFactor, usual: 0.01)
    return failing + [
      RollbackFault("slow 10x", variant: "slow", worsening: late, longStays: late.factor * late.usual),
      RollbackFault(
        "hanging 10x", variant: "hanging", worsening: late, isLossy: true, longStays: late.factor * late.usual),
      RollbackFault("crashing", variant: "crashing", isLossy: true, trafficFold: 2) { ($0 + 1) / 2 },
      RollbackFault("leaking", variant: "leaking", isLossy: true, trafficFold: 2) { ($0 + 1) / 2 },
    ]
  }

  /// Never gets a request, so that there is no first bad response: only that is measured.
  static let neverReady = RollbackFault("never-ready", variant: "never-ready") { _ in 1 }
}
