/// The classification of Kayenta's NetflixACAJudge (research §2.3) on one metric, the error rate in points of time:
/// Mann-Whitney at 98 % confidence, *high* when the lower end of the interval of the shift is above a quarter of the
/// estimate and the canary's mean is no less than the control's. Its guide asks for a control of the canary's size; a
/// smaller one has more points of zero, which the test takes for a shift.
package enum KayentaJudge {
  /// Both arms' points of `pointSeconds` fill the watch with the 50 that its guide asks for.
  package static let points = 50
  package static let pointSeconds = Deploy.watchSeconds / points
  /// Normal quantile of a two-sided confidence of 98 %.
  private static let deviations = 2.326
  /// As shipped: a shift smaller than this part of the estimate is no shift.
  private static let tolerance = 0.25

  /// - Parameters: as many points as there are, each a share of requests that failed; neither is empty.
  package static func isHigh(canary: [Double], control: [Double]) -> Bool {
    guard canary.sorted() != control.sorted(), Set(canary + control).count > 1 else { return false }
    let differences = canary.flatMap { one in control.map { one - $0 } }.sorted()
    let count = Double(differences.count)
    let spread = (count * Double(canary.count + control.count + 1) / 12).squareRoot()
    let rank = max(Int((count / 2 - deviations * spread).rounded(.down)), 0)
    let lower = differences[rank]
    let middle = differences.count / 2
    let estimate =
      differences.count % 2 == 1 ? differences[middle] : (differences[middle - 1] + differences[middle]) / 2
    guard lower > tolerance * abs(estimate) else { return false }
    let controlMean = control.reduce(0, +) / Double(control.count)
    // A mean of zero makes the ratio NaN, and the effect is not asked for.
    return controlMean == 0 || canary.reduce(0, +) / Double(canary.count) >= controlMean
  }

  /// One judgement at the end of the watch.
  static func rollsBack(canary: [Deploy.Counts], control: [Deploy.Counts]) -> Bool {
    func points(_ seconds: [Deploy.Counts]) -> [Double] {
      stride(from: 0, to: seconds.count, by: pointSeconds).compactMap { from in
        var total = Deploy.Counts()
        for second in seconds[from..<min(from + pointSeconds, seconds.count)] { total.add(second) }
        return total.requests == 0 ? nil : Double(total.errors) / Double(total.requests)
      }
    }
    let (canary, control) = (points(canary), points(control))
    return !canary.isEmpty && !control.isEmpty && isHigh(canary: canary, control: control)
  }
}
