import Kernel

/// How many requests were served between two looks, for any threshold of slowness that may be asked for later.
struct ServedCounts: Equatable, Sendable {
  /// Not rounded: a counter may hold fractions.
  var requests = 0.0
  var errors = 0.0
  /// Requests timed, and of them those that took at most each bound (ms), by bound.
  private(set) var timed = 0.0
  private(set) var within: [Double: Double] = [:]
  /// Series that say each bound; one that not all say is not used.
  private var saying: [Double: Int] = [:]
  private var sayingAll = 0
  /// True when some durations are those of errors too, and their labels do not tell.
  private(set) var mixesErrors = false

  static let zero = ServedCounts()

  mutating func add(_ role: InstanceReading.Role, _ count: Double) {
    switch role {
    case .requests(let areErrors):
      requests += count
      if areErrors { errors += count }
    case .errors: errors += count
    case .finished(let bound, let errorsLeftOut):
      if !errorsLeftOut { mixesErrors = true }
      if bound == .infinity {
        timed += count
        sayingAll += 1
      } else {
        within[bound, default: 0] += count
        saying[bound, default: 0] += 1
      }
    }
  }

  static func + (left: ServedCounts, right: ServedCounts) -> ServedCounts {
    var sum = left
    sum.requests += right.requests
    sum.errors += right.errors
    sum.timed += right.timed
    sum.sayingAll += right.sayingAll
    sum.within.merge(right.within, uniquingKeysWith: +)
    sum.saying.merge(right.saying, uniquingKeysWith: +)
    sum.mixesErrors = left.mixesErrors || right.mixesErrors
    return sum
  }

  /// Bounds that every series has, ms, ascending.
  var bounds: [Double] { saying.filter { $0.value == sayingAll }.keys.sorted() }

  /// The bound that stands for a threshold: its own, else the next lower one, by which more requests look slow than
  /// are; nil when all are higher. A bound may differ from the threshold by what writing it as a decimal costs.
  func bound(for threshold: Span) -> Double? {
    bounds.last { $0 <= Double(threshold.milliseconds) * (1 + 1e-9) }
  }

  /// What a judge counts. Rounded to the nearest whole request; never more hurt than there were requests, since two
  /// counters are not read in one instant. Where durations mix in those of errors, as many slow requests as there were
  /// errors are left out: any of them may be one that is already counted.
  func counts(slowerThan threshold: Span) -> RequestCounts {
    func whole(_ number: Double) -> Int { Int(min(max(number, 0), 1e15).rounded()) }
    let requests = whole(requests)
    let errors = min(whole(errors), requests)
    var slow = bound(for: threshold).map { timed - (within[$0] ?? 0) } ?? 0
    if mixesErrors { slow -= self.errors }
    return RequestCounts(requests: requests, errors: errors, slow: min(whole(slow), requests - errors))
  }

  /// The bound below which at least 99 % of the timed requests stayed, ms: at most one bucket too high. Nil without
  /// requests, or when it lies above all bounds.
  var p99Ms: Double? {
    guard timed > 0 else { return nil }
    return bounds.first { (within[$0] ?? 0) >= 0.99 * timed }
  }
}
