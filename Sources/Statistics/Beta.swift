import RealModule

/// ln B(a, b) for a, b > 0.
package func logBeta(_ a: Double, _ b: Double) -> Double {
  Double.logGamma(a) + Double.logGamma(b) - Double.logGamma(a + b)
}

/// ln (n over k) for 0 <= k <= n.
package func logChoose(_ n: Int, _ k: Int) -> Double {
  guard k > 0, k < n else { return 0 }
  return Double.logGamma(Double(n) + 1) - Double.logGamma(Double(k) + 1) - Double.logGamma(Double(n - k) + 1)
}

/// ln of the sum of exponentials, without overflow; minus infinity for an empty array.
package func logSumExp(_ terms: [Double]) -> Double {
  guard let largest = terms.max(), largest > -.infinity else { return -.infinity }
  var sum = 0.0
  for term in terms { sum += Double.exp(term - largest) }
  return largest + Double.log(sum)
}

/// The regularised incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1] (clamped).
///
/// Continued fraction DLMF 8.17.22, evaluated by Lentz's method as modified by Thompson and Barnett; the symmetry
/// I_x(a, b) = 1 - I_{1-x}(b, a) keeps it where it converges within O(sqrt(max(a, b))) terms. Relative error about
/// 1e-12 for a + b up to some millions.
package func regularizedIncompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
  if x <= 0 { return 0 }
  if x >= 1 { return 1 }
  let logFront = a * Double.log(x) + b * Double.log(onePlus: -x) - logBeta(a, b)
  if x < (a + 1) / (a + b + 2) {
    return min(1, Double.exp(logFront) * betaFraction(x, a, b) / a)
  }
  return max(0, 1 - Double.exp(logFront) * betaFraction(1 - x, b, a) / b)
}

/// Far more terms than a and b of some millions need; reaching it only costs accuracy in the last digits.
private let mostFractionTerms = 10_000
/// Stands in for a zero denominator in Lentz's method.
private let tiny = 1e-300

private func betaFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
  var c = 1.0
  var d = 1 - (a + b) * x / (a + 1)
  if abs(d) < tiny { d = tiny }
  d = 1 / d
  var result = d
  for term in 1...mostFractionTerms {
    let m = Double(term)
    for numerator in [
      m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
      -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
    ] {
      d = 1 + numerator * d
      if abs(d) < tiny { d = tiny }
      c = 1 + numerator / c
      if abs(c) < tiny { c = tiny }
      d = 1 / d
      result *= d * c
    }
    if abs(d * c - 1) < 1e-15 { break }
  }
  return result
}
