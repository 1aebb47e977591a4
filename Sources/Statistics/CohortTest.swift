import RealModule

/// An anytime-valid test that one cohort's events are at most `limit` times as frequent as those of the cohort beside
/// it, for a fault that may begin at any moment.
///
/// Of all events of a second, the first cohort has the share s that it has of the trials if both are alike, and
/// r·s/(r·s + 1 - s) of them if its rate is r times the other's: the conditional binomial (Przyborowski and Wilenski,
/// Biometrika 31, 1940). Its likelihood ratio multiplies from second to second with the share of each second, so
/// neither a moved share nor a rate that rises and falls for both is evidence: r = `limit` is the null, and every rate
/// ratio on the harmless side of it makes the product a supermartingale (monotone likelihood ratio). Where trials of
/// both cohorts are counted and the first's events are hypergeometric among them, E r^x is smaller still (Hoeffding,
/// JASA 58, 1963, theorem 4), so it holds without Poisson's assumption.
///
/// **When the fault begins** is not known: a product over all seconds drowns a late fault in the calm before it, and
/// windows that begin anew forget small ones. Each second therefore begins a product of its own with a small weight
/// (`StartWeights`), whose sum needs one number an alternative: S ← (S + weight)·likelihood ratio. A sum of e-processes
/// with weights that add up to 1 is an e-process, so it ever reaches 1/α under the null with probability at most α
/// (Ville's inequality; sums over beginnings: Shin, Ramdas, Rinaldo, "E-detectors", New England Journal of Statistics
/// in Data Science 2, 2024). Rejected: `MixtureWindows`, which begins a product every half minute at best.
package struct CohortTest: Equatable, Sendable {
  package enum Direction: String, Codable, Sendable {
    /// Events are bad: errors.
    case more
    /// Events are good: conversions. Ratios are those by which the other cohort has more.
    case fewer
  }

  package let direction: Direction
  /// Times the harm that is allowed: 1 when any is evidence.
  package let limit: Double
  /// Of the first cohort's rate to the other's, one an alternative.
  let ratios: [Double]
  let logRatios: [Double]
  let logWeights: [Double]
  private let weights: [Double]

  /// What is looked for, in times of the limit, and how much of the evidence each holds: 2x, 5x and 20x are what people
  /// ask about ("Flags: deploy is not release", guarded ramps), the rest is between. Any weights are valid. Simulated
  /// at 1,000 requests/s and 0.5 % errors this finds 2x and 5x as fast as forty ratios of one weight from 1.2 to 30, or
  /// a tenth faster, at a sixth of the work.
  private static let ladder: [(ratio: Double, weight: Double)] = [
    (1.5, 0.07), (2, 0.33), (3.2, 0.1), (5, 0.3), (9, 0.06), (20, 0.14),
  ]
  /// Products stop here: far beyond any threshold, and a number that JSON can write.
  private static let highest = 1e200

  /// - Parameter limit: at least 1.
  package init(_ direction: Direction, limit: Double = 1) {
    self.direction = direction
    self.limit = max(limit, 1)
    let harms = CohortTest.ladder.map { $0.ratio * max(limit, 1) }
    ratios = harms.map { direction == .more ? $0 : 1 / $0 }
    logRatios = ratios.map { Double.log($0) }
    let total = CohortTest.ladder.reduce(0) { $0 + $1.weight }
    weights = CohortTest.ladder.map { $0.weight / total }
    logWeights = weights.map { Double.log($0) }
  }

  /// The rate ratio that is the null.
  var nullRatio: Double { direction == .more ? limit : 1 / limit }

  /// ln of one alternative's likelihood ratio to the null.
  @inline(__always)
  func term(_ index: Int, _ events: Double, _ all: Double, _ share: Double) -> Double {
    let null = limit == 1 ? 0 : events * Double.log(nullRatio) - all * Double.log(onePlus: (nullRatio - 1) * share)
    return events * logRatios[index] - all * Double.log(onePlus: (ratios[index] - 1) * share) - null
  }

  /// What has been told so far, as a few numbers.
  package struct Evidence: Codable, Equatable, Sendable {
    /// One an alternative: the weighted sum of the products from each beginning on.
    fileprivate var products: [Double] = []
    /// The same as CUSUM statistics, only to tell since when (Page, Biometrika 41, 1954).
    fileprivate var cusums: [Double] = []
    fileprivate var since: [Int64] = []
    /// Beginnings so far, for their weights.
    fileprivate var seconds = 0
    fileprivate var stages = 0
    package init() {}
  }

  /// A new stage begins, where faults do.
  package func beginStage(_ evidence: inout Evidence) {
    let weight = StartWeights.stage(evidence.stages)
    evidence.stages += 1
    makeRoom(&evidence)
    for index in ratios.indices { evidence.products[index] += weight }
  }

  private func makeRoom(_ evidence: inout Evidence) {
    guard evidence.products.isEmpty else { return }
    evidence.products = Array(repeating: 0, count: ratios.count)
    evidence.cusums = evidence.products
    evidence.since = Array(repeating: 0, count: ratios.count)
  }

  /// The weight of a stage that another test judges.
  package func handOverStage(_ evidence: inout Evidence) -> Double {
    evidence.stages += 1
    return StartWeights.stage(evidence.stages - 1)
  }

  /// The weight that a fault has which begins with the stage that runs.
  package func stageWeight(_ evidence: Evidence) -> Double { StartWeights.stage(max(evidence.stages - 1, 0)) }

  /// One second of both cohorts.
  ///
  /// - Parameters:
  ///   - events: of the first cohort, 0 or more.
  ///   - all: of both.
  ///   - share: of the first cohort's trials among both's, 0 to 1; at 0 and 1 nothing is told.
  ///   - label: of the second, for `since`; any number.
  package func absorb(
    events: Double, all: Double, share: Double, label: Int64, into evidence: inout Evidence
  ) {
    makeRoom(&evidence)
    let weight = StartWeights.second(evidence.seconds)
    evidence.seconds += 1
    let tells = all > 0 && share > 0 && share < 1
    for index in ratios.indices {
      var product = evidence.products[index] + weight
      if tells {
        let told = term(index, events, all, share)
        product = min(product * Double.exp(told), CohortTest.highest)
        if evidence.cusums[index] <= 0 {
          evidence.cusums[index] = 0
          evidence.since[index] = label
        }
        evidence.cusums[index] = min(evidence.cusums[index] + told, CohortTest.highest)
      }
      evidence.products[index] = product
    }
  }

  /// The e-value. Its mean under the null is the sum of the weights of what has begun, which is below 1.
  package func value(_ evidence: Evidence) -> Double {
    zip(weights, evidence.products).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// The label of the second in which what is seen probably began; nil before any event.
  package func since(_ evidence: Evidence) -> Int64? {
    guard
      let strongest = evidence.products.indices.max(by: {
        evidence.products[$0] * weights[$0] < evidence.products[$1] * weights[$1]
      }), evidence.cusums[strongest] > 0
    else { return nil }
    return evidence.since[strongest]
  }
}

/// How one unit of evidence is dealt out to the moments at which a fault may begin. All weights together are at most 1.
///
/// Most faults begin with the ramp, some with a stage, the rest at any time. What a weight w costs is ln(1/w) nats: a
/// fifth of one for the beginning, which is a second at the bars of the issue; ten to eleven for a second after twenty
/// minutes, of which beginnings near to each other give two to three back.
package enum StartWeights {
  package static let first = 0.8
  /// For the stages after the first, all together; each has a quarter of what is left.
  static let stages = 0.07
  static let stageFold = 0.75
  /// The seconds' weights fall like 1/t² from here on: within half an hour nearly alike, and never used up.
  static let flatSeconds = 600.0
  private static var seconds: Double { 1 - first - stages }

  /// - Parameter number: 0 for the ramp's first.
  package static func stage(_ number: Int) -> Double {
    guard number > 0 else { return first }
    // Beyond it a weight is nothing.
    return stages * (1 - stageFold) * Double.pow(stageFold, min(number - 1, 200))
  }

  /// c/((t + c)(t + c + 1)), whose sum over all t from 0 on is 1.
  package static func second(_ number: Int) -> Double {
    let t = Double(number) + flatSeconds
    return seconds * flatSeconds / (t * (t + 1))
  }
}
