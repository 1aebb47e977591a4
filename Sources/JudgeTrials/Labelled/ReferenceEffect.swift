import RealModule

/// The smallest worsening that a watch can show: of a reference test, from traffic, usual rate and time alone, so that
/// it is a property of the deploy and not of whoever judges it.
///
/// The test counts bad requests in each stretch from some half minute of the watch to its end, and compares with "at
/// most `tolerance` times the history, or at most a floor". With x bad among n, and h bad among H before, it asks
///
///     G = x·ln(x(H + τn) / (τn(x + h))) + h·ln(h(H + τn) / (H(x + h))) >= L    and    x·ln(x/φn) - x + φn >= L,
///
/// the log likelihood ratios against τ times the history's rate (two Poisson rates) and against the floor φ, with
/// L = ln(2·m/α): a budget of α for m stretches and two kinds of bad requests (Bonferroni). Let k be the least x that
/// satisfies both. The mean at which a Poisson stream brings k or more with 95 % probability is
/// μ = k·(1 - 1/(9k) + 1.645/(3·√k))³ (half of chi-square's quantile with 2k degrees: Wilson and Hilferty, PNAS 17,
/// 1931), and the least worsening whose mean is μ is the stretch's MDE. The deploy's is that of the best stretch, at
/// least `leastRatio`. Where bad requests come in clusters of index D (variance over mean), all counts are divided by
/// D first.
package struct ReferenceEffect: Sendable {
  /// The product's default: one needless rollback in 200 deploys.
  static let budget = 0.005
  static let tolerance = 1.3
  /// The article's "2x": less does not count against a version.
  package static let leastRatio = 2.0
  /// Error rates up to one in 2,000 and slow requests up to one in 100 (P99) are never a worsening.
  package static let errorFloor = 0.0005
  package static let slowFloor = 0.01
  static let stretchSeconds = 30
  /// No rate worsens beyond this.
  static let highestRate = 0.95
  /// Of the normal distribution, for a power of 95 %.
  private static let quantile = 1.6449
  private static let measures = 2.0

  /// Expected requests of the new version that somebody counted, one a second of the watch.
  let volumes: [Double]
  /// How much of the worsening there is, one a second of the watch: 0 before it begins, 1 when it is full.
  let profile: [Double]
  let usualRate: Double
  let floor: Double
  let historyRequests: Double
  /// At least 1.
  let dispersion: Double

  package init(
    volumes: [Double], profile: [Double], usualRate: Double, floor: Double, historyRequests: Double,
    dispersion: Double
  ) {
    self.volumes = volumes
    self.profile = profile
    self.usualRate = usualRate
    self.floor = floor
    self.historyRequests = historyRequests
    self.dispersion = dispersion
  }

  /// Nil when nothing up to `highestRate` would be found.
  package var ratio: Double? {
    let threshold = threshold
    return starts.compactMap { ratio(from: $0, threshold) }.min().map { max($0, Self.leastRatio) }
  }

  private var starts: [Int] { Array(stride(from: 0, to: volumes.count, by: Self.stretchSeconds)) }
  /// L, in nats.
  package var threshold: Double { Double.log(Self.measures * Double(starts.count) / Self.budget) }

  private func ratio(from start: Int, _ threshold: Double) -> Double? {
    var requests = 0.0
    var worsened = 0.0
    for second in start..<volumes.count {
      requests += volumes[second]
      worsened += volumes[second] * profile[second]
    }
    guard worsened > 0 else { return nil }
    let count = Double(leastCount(requests / dispersion, threshold))
    let root = 1 - 1 / (9 * count) + Self.quantile / (3 * count.squareRoot())
    let mean = count * root * root * root * dispersion
    let ratio = 1 + (mean - usualRate * requests) / (usualRate * worsened)
    return ratio * usualRate <= Self.highestRate ? ratio : nil
  }

  /// The least number of bad ones among `requests` that the test calls a worsening.
  package func leastCount(_ requests: Double, _ threshold: Double) -> Int {
    // One more than was counted, so that a spotless history is not a rate of zero.
    let earlier = usualRate * historyRequests / dispersion + 1
    let earlierRequests = historyRequests / dispersion
    let scaled = Self.tolerance * requests
    let null = max(scaled * earlier / earlierRequests, floor * requests)
    func convinces(_ count: Int) -> Bool {
      let x = Double(count)
      guard x > null else { return false }
      let all = x + earlier
      let joint = earlierRequests + scaled
      let history =
        x * Double.log(x * joint / (scaled * all)) + earlier * Double.log(earlier * joint / (earlierRequests * all))
      let absolute = x * Double.log(x / (floor * requests)) - x + floor * requests
      return history >= threshold && absolute >= threshold
    }
    var most = 1
    while !convinces(most) { most *= 2 }
    var least = most / 2
    while most - least > 1 {
      let middle = (least + most) / 2
      if convinces(middle) { most = middle } else { least = middle }
    }
    return most
  }
}
