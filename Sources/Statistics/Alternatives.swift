import RealModule

/// The worsenings that a test looks for, as ratios to the usual rate, and how much of its evidence each one holds.
///
/// A mixture over alternatives is an e-process whatever the weights; what a weight w costs is ln(1/w) nats where its
/// alternative is the truth. 5x has the most, because it is the least worsening whose time matters and each nat costs
/// it two bad requests; 20x has what lets the fourth bad request decide. 2x takes long at any weight, and 50x and more
/// give so much evidence that a small weight costs less than one bad request. (Chosen with `plimsoll bench judge`;
/// seven weights of one seventh each make 5x a tenth slower.)
package struct Alternatives: Equatable, Sendable {
  /// Above 1, rising.
  package let ratios: [Double]
  let logWeights: [Double]

  private static let ladder: [(ratio: Double, weight: Double)] = [
    (1.5, 0.03), (2, 0.05), (3, 0.05), (5, 0.42), (10, 0.1), (20, 0.22), (50, 0.06), (100, 0.05), (300, 0.02),
  ]
  /// Nearer to 1 no traffic tells the worse from the usual.
  package static let smallestRatio = 1.5

  /// - Parameter smallest: no alternative is below it; below `smallestRatio` that is read.
  package init(from smallest: Double = smallestRatio) {
    let smallest = max(smallest, Alternatives.smallestRatio)
    let above = Alternatives.ladder.filter { $0.ratio > smallest }
    let nearest = Alternatives.ladder.last { $0.ratio <= smallest } ?? Alternatives.ladder[0]
    let steps = [(ratio: smallest, weight: nearest.weight)] + above
    let total = steps.reduce(0) { $0 + $1.weight }
    ratios = steps.map(\.ratio)
    logWeights = steps.map { Double.log($0.weight / total) }
    mostOfOne = Double.log(steps.reduce(0) { $0 + $1.ratio * $1.weight / total })
  }

  /// The most ln evidence that one event can ever be, however few requests there were.
  package let mostOfOne: Double

  /// ln of the mixture of the alternatives' likelihood ratios, whose logarithms `logRatio` gives by index.
  @inline(__always)
  func mixture(_ logRatio: (Int) -> Double) -> Double {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: logWeights.count) { terms in
      var largest = -Double.infinity
      for index in logWeights.indices {
        let term = logRatio(index) + logWeights[index]
        terms[index] = term
        largest = max(largest, term)
      }
      guard largest > -.infinity else { return -.infinity }
      var sum = 0.0
      for index in logWeights.indices { sum += Double.exp(terms[index] - largest) }
      return largest + Double.log(sum)
    }
  }
}
