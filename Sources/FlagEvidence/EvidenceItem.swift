import Kernel

/// A flag's variant that a source names.
package struct NamedVariant: Equatable, Sendable {
  package let flag: String
  package let variant: String
  package init(flag: String, variant: String) {
    self.flag = flag
    self.variant = variant
  }

  fileprivate var isBounded: Bool {
    flag.utf8.count <= EvidenceItem.longestName && variant.utf8.count <= EvidenceItem.longestName
  }
  fileprivate var bytes: Int { flag.utf8.count + variant.utf8.count }
}

/// One thing that a source tells of an environment, whatever its format.
package enum EvidenceItem: Equatable, Sendable {
  /// Somebody was shown a variant.
  case exposure(NamedVariant, reason: String?, key: EvidenceKey, version: Int?, at: Instant)
  /// A request ended. `variants` are those that the source names beside it.
  case outcome(variants: [NamedVariant], key: EvidenceKey, result: RequestResult, at: Instant)
  /// A unit did what is hoped for.
  case conversion(event: String?, key: EvidenceKey, at: Instant)
  /// Requests that were shown a variant, counted by the source.
  case counted(NamedVariant, event: String?, result: CountedResult, at: Instant)

  /// Bytes of the longest name of a flag, a variant, a service or a source that is kept.
  package static let longestName = 256

  /// Without names that are longer than any; nil when nothing is left of it.
  var bounded: EvidenceItem? {
    switch self {
    case .exposure(let shown, _, _, _, _), .counted(let shown, _, _, _): return shown.isBounded ? self : nil
    case .outcome(let variants, let key, let result, let at):
      guard !variants.allSatisfy(\.isBounded) else { return self }
      return .outcome(variants: variants.filter(\.isBounded), key: key, result: result, at: at)
    case .conversion: return self
    }
  }

  /// What it takes while it waits, about.
  var bytes: Int {
    let texts: Int
    switch self {
    case .exposure(let shown, let reason, _, _, _): texts = shown.bytes + (reason?.utf8.count ?? 0)
    case .outcome(let variants, _, let result, _):
      let named = variants.reduce(0) { $0 + MemoryLayout<NamedVariant>.stride + $1.bytes }
      texts = named + (result.service?.utf8.count ?? 0) + (result.event?.utf8.count ?? 0)
    case .conversion(let event, _, _): texts = event?.utf8.count ?? 0
    case .counted(let shown, let event, _, _): texts = shown.bytes + (event?.utf8.count ?? 0)
    }
    return MemoryLayout<EvidenceItem>.stride + texts
  }

  /// Whether a reason, as OpenFeature or OpenTelemetry writes it, is that of targeting.
  static func isByTargeting(_ reason: String?) -> Bool { reason?.lowercased() == targetingMatch }
  static let targetingMatch = "targeting_match"

  var at: Instant {
    switch self {
    case .exposure(_, _, _, _, let at), .outcome(_, _, _, let at), .conversion(_, _, let at), .counted(_, _, _, let at):
      at
    }
  }

  func shifted(by span: Span) -> EvidenceItem {
    guard span != .zero else { return self }
    return switch self {
    case .exposure(let shown, let reason, let key, let version, let at):
      .exposure(shown, reason: reason, key: key, version: version, at: at + span)
    case .outcome(let variants, let key, let result, let at):
      .outcome(variants: variants, key: key, result: result, at: at + span)
    case .conversion(let event, let key, let at): .conversion(event: event, key: key, at: at + span)
    case .counted(let shown, let event, let result, let at):
      .counted(shown, event: event, result: result, at: at + span)
    }
  }
}

/// Whom or what a thing is told of: hashes, so that nothing of a person is kept.
package struct EvidenceKey: Equatable, Sendable {
  package let unit: UInt64?
  package let trace: UInt64?
  package init(unit: UInt64?, trace: UInt64?) {
    self.unit = unit
    self.trace = trace
  }
  /// - Parameters:
  ///   - unit: the targeting key; an empty one is none.
  ///   - trace: any text that names it; an empty one is none.
  package init(unit: String? = nil, trace: String? = nil) {
    self.init(unit: unit.flatMap { EvidenceKey.hash($0) }, trace: trace.flatMap { EvidenceKey.hash($0) })
  }

  /// FNV-1a of 64 bits (Fowler, Noll and Vo) with a mixed end, from a start that each process chooses, so that nobody
  /// can choose keys that are taken for one. Nil for an empty text.
  package static func hash(_ text: some StringProtocol) -> UInt64? { hash(bytes: text.utf8) }

  static func hash(bytes: some Sequence<UInt8>) -> UInt64? {
    var hash = seed
    var isEmpty = true
    for byte in bytes {
      isEmpty = false
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    guard !isEmpty else { return nil }
    hash = (hash ^ (hash >> 32)) &* 0x9e37_79b9_7f4a_7c15
    return hash ^ (hash >> 29)
  }

  private static let seed = UInt64.random(in: .min ... .max)
}

/// How a request ended.
package struct RequestResult: Equatable, Sendable {
  package let service: String?
  package let event: String?
  package let isFailure: Bool?
  package let duration: Span?
  package init(service: String? = nil, event: String? = nil, isFailure: Bool?, duration: Span? = nil) {
    self.service = service
    self.event = event
    self.isFailure = isFailure
    self.duration = duration
  }
}

package struct CountedResult: Equatable, Sendable {
  package let trials: Int
  package let events: Int
  /// Of whose requests `events` were slower; nil: `events` failed.
  package let slowerThan: Span?
  package init(trials: Int, events: Int, slowerThan: Span? = nil) {
    self.trials = trials
    self.events = events
    self.slowerThan = slowerThan
  }
}
