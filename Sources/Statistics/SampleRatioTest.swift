import RealModule

/// An anytime-valid test that units come into the first cohort with a stated share.
///
/// The e-value is the likelihood of the counts under shares drawn from a beta distribution around the stated one,
/// divided by their likelihood under it (Lindon and Malek, NeurIPS 2022, arXiv 2011.03567). Units must be counted once
/// each: requests of one unit go one way together.
package enum SampleRatioTest {
  /// A p-value of 0.001, the line of the field's checks (GrowthBook, Statsig, Eppo), whenever one looks.
  package static let alarm = Double.log(1000)
  /// Of the beta distribution, in units of the rarer cohort: other shares are looked for within a third of it.
  private static let concentration = 10.0

  /// ln of the e-value; 0 without units.
  ///
  /// - Parameters:
  ///   - first: units in the first cohort; `other` in the other.
  ///   - share: stated, above 0 and below 1.
  package static func logEvidence(first: Int, other: Int, share: Double) -> Double {
    guard first + other > 0, share > 0, share < 1 else { return 0 }
    let weight = concentration / min(share, 1 - share)
    let (a, b) = (weight * share, weight * (1 - share))
    let (x, y) = (Double(first), Double(other))
    return logBeta(a + x, b + y) - logBeta(a, b) - x * Double.log(share) - y * Double.log(onePlus: -share)
  }
}
