import RealModule

/// An anytime-valid test that one arm fails no more often than another beside it at the same time.
///
/// Of all bad requests, the first arm has its share of the traffic if both are alike, and `ratio·s / (ratio·s + 1 - s)`
/// of them at a share s if it fails `ratio` times as often: the conditional binomial (Przyborowski and Wilenski,
/// Biometrika 31, 1940). Each stretch of time multiplies with the share that it had, so neither a moved share nor a
/// rate that rises and falls for both arms is evidence: what a before/after comparison cannot know. An e-process as
/// `RegressionTest`.
package struct ConcurrentTest: Equatable, Sendable {
  package let alternatives: Alternatives
  private let logRatios: [Double]
  package init(alternatives: Alternatives = Alternatives()) {
    self.alternatives = alternatives
    logRatios = alternatives.ratios.map { Double.log($0) }
  }

  /// ln of the likelihood ratios, one an alternative.
  package var begin: [Double] { Array(repeating: 0, count: logRatios.count) }

  /// Adds one stretch of time to two views that both contain it.
  ///
  /// - Parameter share: of the first arm's requests among both arms', above 0 and below 1; at 0 and 1 nothing is told.
  package func absorb(
    events: Int, besideEvents: Int, share: Double, into whole: inout [Double], _ recent: inout [Double]
  ) {
    guard events + besideEvents > 0, share > 0, share < 1 else { return }
    let x = Double(events)
    let all = Double(events + besideEvents)
    for index in logRatios.indices {
      let told = x * logRatios[index] - all * Double.log(onePlus: (alternatives.ratios[index] - 1) * share)
      whole[index] += told
      recent[index] += told
    }
  }

  /// ln of the e-value.
  package func logEvidence(_ logs: [Double]) -> Double { alternatives.mixture { logs[$0] } }
}
