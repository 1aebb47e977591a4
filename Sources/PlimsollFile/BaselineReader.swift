import Kernel
import Yams

extension PlimsollFile {
  /// A place whose baseline comes from the history of the Prometheus server (`baseline.prometheus`).
  package struct BaselineHistory: Equatable, Sendable {
    package struct Label: Equatable, Sendable {
      package let name: String
      package let value: String
    }
    /// Which series are the service's there; at least one, sorted by name.
    package let selector: [Label]
    /// Nil to look for the usual names.
    package let mapping: MetricsPage.Mapping?
    /// Routes that no user asks for, beside the readiness path.
    package let ignoredRoutes: [String]
    /// How far back to look.
    package let window: Span
  }
}

/// Reads `baseline`: what is usual, by expectation or by a Prometheus server's history.
struct BaselineReader {
  let reading: Reading
  init(_ reading: Reading) { self.reading = reading }

  static let keys = ["expected", "prometheus"]
  static let historyKeys = ["select", "window", "ignore-routes"] + MetricsReader.mappingKeys
  /// An hour of a service with a request a second holds 3.6 times the errors of the judge's own ten minutes (research of
  /// rollouts §2.6: the baseline's own uncertainty costs most at low traffic); more would be of another time of day.
  static let standardWindow = Span.minutes(60)
  /// Fewer steps of two minutes than fifteen do not tell crowding from chance.
  static let windows = Span.minutes(30)...Span.minutes(24 * 60)

  /// A share, or `{ expected: SHARE, prometheus: { … } }`.
  func read(_ node: Node, _ subject: String, into draft: inout RolloutDraft) {
    guard case .mapping = node else {
      draft.expectation.baseline = reading.share(node, subject)
      return
    }
    guard let fields = reading.fields(node, subject, Self.keys) else { return }
    if fields.isEmpty, case .mapping(let mapping) = node, mapping.isEmpty {
      reading.fail(node, "\(subject): expected a share, or some of \(Self.keys.joined(separator: ", "))")
    }
    draft.expectation.baseline = fields["expected"].flatMap { reading.share($0, "\(subject).expected") }
    draft.history = fields["prometheus"].flatMap { inner in
      reading.queried(inner, "\(subject).prometheus")
      return history(inner, "\(subject).prometheus").map { Placed(value: $0, node: inner) }
    }
  }

  private func history(_ node: Node, _ subject: String) -> PlimsollFile.BaselineHistory? {
    guard let fields = reading.fields(node, subject, Self.historyKeys) else { return nil }
    let window = fields["window"].map { self.window($0, "\(subject).window") } ?? Self.standardWindow
    let metrics = MetricsReader(reading).page(fields, node, subject)
    guard let selectNode = fields["select"] else {
      reading.fail(node, "\(subject): expected 'select', the labels of the service's series, such as { job: shop }")
      return nil
    }
    guard let selector = selector(selectNode, "\(subject).select"), let window, let metrics else { return nil }
    return PlimsollFile.BaselineHistory(
      selector: selector, mapping: metrics.mapping, ignoredRoutes: metrics.ignoredRoutes, window: window)
  }

  private func window(_ node: Node, _ subject: String) -> Span? {
    guard let span = reading.span(node, subject) else { return nil }
    guard Self.windows.contains(span) else {
      reading.fail(node, "\(subject): expected a time from 30m to 24h, such as 1h")
      return nil
    }
    return span
  }

  private func selector(_ node: Node, _ subject: String) -> [PlimsollFile.BaselineHistory.Label]? {
    guard let pairs = reading.pairs(node, subject) else { return nil }
    if pairs.isEmpty { reading.fail(node, "\(subject): expected at least one label, such as { job: shop }") }
    let labels = pairs.compactMap { pair -> PlimsollFile.BaselineHistory.Label? in
      guard isVariableName(pair.key) else {
        reading.fail(pair.keyNode, "\(subject): '\(pair.key)' is no label's name; expected letters, digits and '_'")
        return nil
      }
      return reading.text(pair.value, "\(subject).\(pair.key)").map {
        PlimsollFile.BaselineHistory.Label(name: pair.key, value: $0)
      }
    }
    return labels.isEmpty || labels.count < pairs.count ? nil : labels.sorted { $0.name < $1.name }
  }
}
