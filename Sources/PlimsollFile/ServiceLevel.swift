import Kernel
import Rollouts

/// What a service promises its users (`slo:`), and what the judge makes of it.
struct ServiceLevel {
  var p99 = ServiceLevel.assumedP99
  /// The share of requests that must succeed, above 0 to 1; nil when the file does not say.
  var availability: Double?

  /// A target that few interactive services would be unhappy with; `plimsoll check` says that it was assumed.
  static let assumedP99 = Span(milliseconds: 500)
  /// Errors at 14.4 times the rate that the target allows spend 2 % of a 30-day error budget in an hour, which is where
  /// one pages a person (The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts").
  static let fastBurn = 14.4
  /// Below one request in a hundred, a service that does not keep its promise today would lose every release by an
  /// absolute rule; the baseline's rule is finer there. Above, pages are seen to be broken, whatever was promised.
  static let derivedCeilings = 0.01...JudgePolicy.defaultCeiling

  /// The error rate beyond which a new version goes, whatever the baseline.
  ///
  /// - Parameter explicit: `rollback.ceiling`; wins.
  func ceiling(explicit: Double?) -> (share: Double, origin: PlimsollFile.Ceiling.Origin) {
    if let explicit { return (explicit, .explicit) }
    guard let availability else { return (JudgePolicy.defaultCeiling, .standard) }
    let burning = Self.fastBurn * (1 - availability)
    let limits = Self.derivedCeilings
    return (min(max(burning, limits.lowerBound), limits.upperBound), .availability(availability))
  }
}

extension PlimsollFile {
  /// The P99 target of a service whose file names none.
  package static let assumedP99 = ServiceLevel.assumedP99

  /// Which error rate rolls a judged version back whatever the baseline, and who said so.
  package struct Ceiling: Equatable, Sendable {
    package enum Origin: Equatable, Sendable {
      /// `rollback.ceiling`.
      case explicit
      /// `slo.availability`, the share that must succeed.
      case availability(Double)
      /// Neither was given.
      case standard
    }
    /// 0 to 1.
    package let share: Double
    package let origin: Origin

    package var sentence: String { "Errors above \(percent(share)) roll a version back, by \(reason)." }

    /// Where the share comes from, without a full stop.
    package var reason: String {
      switch origin {
      case .explicit: "rollback.ceiling"
      case .standard: "default; slo.availability or rollback.ceiling changes it"
      case .availability(let availability):
        "slo.availability \(percent(availability)): \(Self.tenths(ServiceLevel.fastBurn * 10)) times what it allows, "
          + "within \(percent(ServiceLevel.derivedCeilings.lowerBound)) to "
          + percent(ServiceLevel.derivedCeilings.upperBound)
      }
    }

    private static func tenths(_ number: Double) -> String { decimal(Int64(number.rounded()), places: 1) }
  }
}

/// `1.44%`: a share in percent, with at most three places.
func percent(_ share: Double) -> String { decimal(Int64((share * 100_000).rounded()), places: 3) + "%" }

/// `40`, `0.5`: a number with at most three places.
func amount(_ number: Double) -> String { decimal(Int64((number * 1000).rounded()), places: 3) }

/// A whole number of thousandths or tenths as a decimal, without zeros at its end.
private func decimal(_ units: Int64, places: Int) -> String {
  let digits = String(units)
  let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
  var fraction = padded.suffix(places)
  while fraction.last == "0" { fraction = fraction.dropLast() }
  let whole = padded.dropLast(places)
  return fraction.isEmpty ? String(whole) : "\(whole).\(fraction)"
}
