import Kernel

/// What OpenTelemetry's conventions for feature flags say of logs and spans (semantic conventions, "Semantic conventions
/// for feature flags in logs"; release candidate). The older names, which SDKs still send, are read too.
extension OTLPBatch.Group {
  /// Where these things happened; nil when they do not say.
  var environment: String? { resource.text(["deployment.environment.name", "deployment.environment"]) }
  var service: String? { resource.text("service.name") }
  /// Whose clock stamped them.
  var source: String? {
    guard let instance = resource.text(["service.instance.id", "host.name", "host.id"]) else { return nil }
    return "\(service ?? "")/\(instance)"
  }

  /// - Parameter now: for what tells no time.
  func items(now: Instant) -> [EvidenceItem] {
    logs.compactMap { item($0, now) } + spans.flatMap { items($0, now) }
  }

  private static let evaluations: Set = ["feature_flag.evaluation", "feature_flag"]

  private func item(_ log: OTLPBatch.Event, _ now: Instant) -> EvidenceItem? {
    let name = log.name.isEmpty ? log.attributes.text("event.name") ?? "" : log.name
    let at = log.nanoseconds == 0 ? now : Instant(nanoseconds: log.nanoseconds)
    let trace = EvidenceKey.hash(bytes: log.trace)
    if Self.evaluations.contains(name) {
      guard let mention = FlagMention(log.attributes) else { return nil }
      return mention.exposure(unit: log.attributes.unit, trace: trace, at: at)
    }
    // Any other named event of a unit may be what a ramp hopes for; only guardrails of that name look at it.
    let key = EvidenceKey(unit: log.attributes.unit.flatMap { EvidenceKey.hash($0) }, trace: trace)
    guard !name.isEmpty, key.unit != nil || key.trace != nil else { return nil }
    return .conversion(event: name, key: key, at: at)
  }

  private func items(_ span: OTLPBatch.Span, _ now: Instant) -> [EvidenceItem] {
    let trace = EvidenceKey.hash(bytes: span.trace)
    var items: [EvidenceItem] = []
    var mentions: [FlagMention] = []
    func mention(_ attributes: OTLPBatch.Attributes, _ nanoseconds: UInt64) {
      guard let mention = FlagMention(attributes) else { return }
      mentions.append(mention)
      let at = nanoseconds == 0 ? now : Instant(nanoseconds: nanoseconds)
      items.append(mention.exposure(unit: span.attributes.unit, trace: trace, at: at))
    }
    mention(span.attributes, span.began)
    for event in span.events where Self.evaluations.contains(event.name) {
      mention(event.attributes, event.nanoseconds)
    }
    guard span.isRequest, !span.hasParent || !mentions.isEmpty else { return items }
    let unit = mentions.lazy.compactMap(\.unit).first ?? span.attributes.unit
    let milliseconds = span.ended >= span.began && span.began > 0 ? Int64((span.ended - span.began) / 1_000_000) : nil
    let result = RequestResult(
      service: service, isFailure: span.isFailure, duration: milliseconds.map { Kernel.Span(milliseconds: $0) })
    let at = span.ended == 0 ? now : Instant(nanoseconds: span.ended)
    let key = EvidenceKey(unit: unit.flatMap { EvidenceKey.hash($0) }, trace: trace)
    guard key.unit != nil || key.trace != nil || !mentions.isEmpty else { return items }
    // Whom targeting decided is in no cohort.
    let variants = mentions.filter { !EvidenceItem.isByTargeting($0.reason) }.map(\.named)
    items.append(.outcome(variants: variants, key: key, result: result, at: at))
    return items
  }
}

extension OTLPBatch.Span {
  /// Of the spans of a trace, those that stand for a request as whoever asked met it: a server's or a consumer's, or
  /// the trace's first.
  fileprivate var isRequest: Bool { kind == 2 || kind == 5 || (!hasParent && (kind == 0 || kind == 1)) }

  fileprivate var isFailure: Bool {
    status == 2 || (500...599).contains(attributes.number("http.response.status_code") ?? 0)
  }
}

extension OTLPBatch.Attributes {
  fileprivate var unit: String? { text(["feature_flag.context.id", "user.id", "enduser.id"]) }
}

/// A flag's evaluation in attributes.
private struct FlagMention {
  let named: NamedVariant
  let reason: String?
  let unit: String?
  let version: Int?

  init?(_ attributes: OTLPBatch.Attributes) {
    guard let flag = attributes.text("feature_flag.key"),
      let variant = attributes.text(["feature_flag.result.variant", "feature_flag.variant"])
    else { return nil }
    named = NamedVariant(flag: flag, variant: variant)
    reason = attributes.text(["feature_flag.result.reason", "feature_flag.evaluation.reason"])
    unit = attributes.text("feature_flag.context.id")
    version = attributes.number("feature_flag.version")
  }

  func exposure(unit other: String?, trace: UInt64?, at: Instant) -> EvidenceItem {
    let key = EvidenceKey(unit: (unit ?? other).flatMap { EvidenceKey.hash($0) }, trace: trace)
    return .exposure(named, reason: reason, key: key, version: version, at: at)
  }
}
