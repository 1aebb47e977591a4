import Flags
import Synchronization

/// What Unleash's clients report: how often each variant was shown. Counts without subjects, so they prove that a variant
/// is or is no longer shown, and join with nothing.
///
/// Bounded; what there is no room for is counted. Called on a connection's thread, once a minute for each client.
package final class UnleashMetrics: Sendable {
  /// Bytes of one report.
  static let bodyLimit = 1 << 20
  /// Pairs of flag and variant remembered for each environment: 10,000 flags with their usual two.
  static let pairLimit = 20_000
  /// Bytes of the name of a flag or a variant.
  static let longestName = 256

  /// Evaluations of one variant since the start.
  package struct Count: Sendable, Equatable {
    package let flag: String
    package let variant: String
    package let shown: Int
    /// When it was reported last, seconds since 1970.
    package let lastReport: Double
  }

  private struct Pair: Hashable {
    let environment: String
    let flag: String
    let variant: String
  }

  private struct Kept {
    var shown: [Pair: (count: Int, at: Double)] = [:]
    var reports = 0
    var impactMetrics = 0
    var dropped = 0
  }

  private let kept = Mutex(Kept())

  package init() {}

  package var reports: Int { kept.withLock { $0.reports } }
  /// Impact metrics that came with reports. They have no variant, so they tell nothing of a cohort and are counted only.
  package var impactMetrics: Int { kept.withLock { $0.impactMetrics } }
  /// Evaluations that there was no room for, or that had no sense.
  package var dropped: Int { kept.withLock { $0.dropped } }

  /// By flag and variant.
  package func counts(in environment: String) -> [Count] {
    kept.withLock { kept in
      kept.shown.filter { $0.key.environment == environment }
        .map { Count(flag: $0.key.flag, variant: $0.key.variant, shown: $0.value.count, lastReport: $0.value.at) }
    }.sorted { ($0.flag, $0.variant) < ($1.flag, $1.variant) }
  }

  /// `{"bucket": {"toggles": {name: {"yes", "no", "variants": {name: count}}}}, "impactMetrics": […]}`.
  func add(_ report: JSONView, for request: FlagRequest) {
    let toggles = report.member("bucket")?.member("toggles") ?? .null
    for (name, counts) in toggles.members { add(name.string ?? "", counts, for: request) }
    let impact = Int(report.member("impactMetrics")?.elements.count ?? 0)
    kept.withLock { kept in
      kept.reports += 1
      kept.impactMetrics += impact
    }
  }

  /// `{"metrics": [{"featureName", "yes", "no", "variants"}]}`, as Unleash's proxies send it.
  func addBulk(_ report: JSONView, for request: FlagRequest) {
    for counts in report.member("metrics")?.elements ?? UnsafeBufferPointer(start: nil, count: 0) {
      add(counts.member("featureName")?.string ?? "", counts, for: request)
    }
    kept.withLock { $0.reports += 1 }
  }

  private func add(_ flag: String, _ counts: JSONView, for request: FlagRequest) {
    let served = request.environment.store.current
    let variants = counts.member("variants") ?? .null
    let position = served.flags.position(of: flag)
    // A flag of ours that is on or off has variants with names of their own.
    if let position, case let members = Array(served.flags.flag(at: position).variantMembers),
      members.allSatisfy({ $0.value.kind == .boolean })
    {
      // Of a flag that is off, `no` is what everybody should say: it shows nobody anything.
      let isServed = served.flags.flag(at: position).isEnabled
      for (word, isOn) in [(counts.member("yes"), true), (counts.member("no"), false)] where isOn || isServed {
        let name = members.first { $0.value.isTrue == isOn }?.name.string ?? (isOn ? "yes" : "no")
        add(flag, name, word, served, for: request)
      }
      return
    }
    if variants.kind == .object, variants.count > 0 {
      for (name, count) in variants.members { add(flag, name.string ?? "", count, served, for: request) }
    } else {
      add(flag, "yes", counts.member("yes"), served, for: request)
      add(flag, "no", counts.member("no"), served, for: request)
    }
  }

  private func add(
    _ flag: String, _ variant: String, _ count: JSONView?, _ served: ServedFlags, for request: FlagRequest
  ) {
    guard let count = count?.integer, count > 0 else { return }
    guard flag.utf8.count <= Self.longestName, count < Int64(Int32.max) else {
      kept.withLock { $0.dropped &+= Int(clamping: count) }
      return
    }
    kept.withLock { kept in
      let pair = Pair(environment: request.environment.name, flag: flag, variant: variant)
      guard variant.utf8.count <= Self.longestName, kept.shown[pair] != nil || kept.shown.count < Self.pairLimit else {
        kept.dropped &+= Int(count)
        return
      }
      kept.shown[pair] = ((kept.shown[pair]?.count ?? 0) + Int(count), request.now)
    }
    // Told even where there is no room for its count: that somebody is shown it keeps a kill from being proved.
    request.environment.exposures?.reported(
      environment: request.environment.name, flag: flag, variant: variant, count: Int(count),
      version: served.version, at: request.now)
  }
}
