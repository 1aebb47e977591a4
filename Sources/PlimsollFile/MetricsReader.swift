import Kernel
import Yams

extension PlimsollFile {
  /// A service's own metrics page, where its requests are counted by it (`evidence: metrics`).
  package struct MetricsPage: Equatable, Sendable {
    /// What counts as an error.
    package enum Errors: Equatable, Sendable {
      /// 500 to 599 in this label.
      case serverErrors(label: String)
      case values(label: String, values: [String])
      /// A counter of its own.
      case counter(String)
    }
    /// Which metrics count; nil in the page to look for the usual names.
    package struct Mapping: Equatable, Sendable {
      package let requests: String
      package let errors: Errors
      /// A histogram without `_bucket`; nil when latency is not known.
      package let durations: String?
      package let areMilliseconds: Bool
      /// The label of the route; nil when routes are not told apart.
      package let route: String?
    }
    package let path: String
    package let mapping: Mapping?
    /// Routes that no user asks for, beside the readiness path and the page itself.
    package let ignoredRoutes: [String]
  }
}

/// Reads `evidence` and `metrics` of a service.
struct MetricsReader {
  let reading: Reading
  init(_ reading: Reading) { self.reading = reading }

  enum Source: String, CaseIterable { case log, metrics }
  static let keys = ["path", "requests", "errors", "durations", "route", "ignore-routes"]
  static let mappingKeys = ["requests", "errors", "durations", "route"]
  static let errorKeys = ["label", "values", "counter"]
  static let durationKeys = ["histogram", "unit"]
  static let usualPath = "/metrics"
  private enum Unit: String, CaseIterable { case seconds, milliseconds }

  /// Nil for HAProxy's log.
  func read(_ fields: [String: Node], _ subject: String) -> PlimsollFile.MetricsPage? {
    let source = fields["evidence"].flatMap { reading.choice($0, "\(subject).evidence", Source.self) } ?? .log
    guard let node = fields["metrics"] else {
      return source == .log
        ? nil : PlimsollFile.MetricsPage(path: Self.usualPath, mapping: nil, ignoredRoutes: [])
    }
    guard source == .metrics else {
      reading.fail(node, "\(subject).metrics: has no effect without 'evidence: metrics'")
      return nil
    }
    return page(node, "\(subject).metrics")
  }

  private func page(_ node: Node, _ subject: String) -> PlimsollFile.MetricsPage? {
    reading.fields(node, subject, Self.keys).flatMap { page($0, node, subject) }
  }

  /// Of pages that are somewhere else (`observe`): which metrics count, and nothing about where.
  func mapping(_ node: Node, _ subject: String) -> PlimsollFile.MetricsPage.Mapping? {
    guard let fields = reading.fields(node, subject, Self.mappingKeys) else { return nil }
    guard fields["requests"] != nil else {
      reading.fail(
        node, "\(subject): expected 'requests', the counter's name; leave 'mapping' out to find the usual names")
      return nil
    }
    return page(node, subject)?.mapping
  }

  /// - Parameter fields: of `node`, other keys than these among them.
  func page(_ fields: [String: Node], _ node: Node, _ subject: String) -> PlimsollFile.MetricsPage? {
    let path = fields["path"].flatMap { self.path($0, "\(subject).path") } ?? Self.usualPath
    let ignored = fields["ignore-routes"].map { paths($0, "\(subject).ignore-routes") } ?? []
    guard let requests = fields["requests"] else {
      for key in ["errors", "durations", "route"] {
        guard let other = fields[key] else { continue }
        reading.fail(
          other, "\(subject).\(key): says nothing without 'requests'; leave both out to find the usual names")
      }
      return PlimsollFile.MetricsPage(path: path, mapping: nil, ignoredRoutes: ignored)
    }
    guard let errorsNode = fields["errors"] else {
      reading.fail(node, "\(subject): expected 'errors' beside 'requests': a label, or { counter: NAME }")
      return nil
    }
    let durations = fields["durations"].flatMap { self.durations($0, "\(subject).durations") }
    let route = fields["route"].flatMap { reading.text($0, "\(subject).route") }
    guard let requests = reading.text(requests, "\(subject).requests"),
      let errors = errors(errorsNode, "\(subject).errors")
    else { return nil }
    return PlimsollFile.MetricsPage(
      path: path,
      mapping: PlimsollFile.MetricsPage.Mapping(
        requests: requests, errors: errors, durations: durations?.name,
        areMilliseconds: durations?.areMilliseconds ?? false, route: route), ignoredRoutes: ignored)
  }

  private func errors(_ node: Node, _ subject: String) -> PlimsollFile.MetricsPage.Errors? {
    if case .scalar = node { return reading.text(node, subject).map { .serverErrors(label: $0) } }
    guard let fields = reading.fields(node, subject, Self.errorKeys) else { return nil }
    if let counter = fields["counter"], fields.count == 1 {
      return reading.text(counter, "\(subject).counter").map { .counter($0) }
    }
    guard let label = fields["label"], let values = fields["values"], fields.count == 2 else {
      reading.fail(node, "\(subject): expected a label, { label: NAME, values: [...] } or { counter: NAME }")
      return nil
    }
    let texts = (reading.items(values, "\(subject).values") ?? []).compactMap { reading.text($0, "\(subject).values") }
    return reading.text(label, "\(subject).label").map { .values(label: $0, values: texts) }
  }

  private func durations(_ node: Node, _ subject: String) -> (name: String, areMilliseconds: Bool)? {
    if case .scalar = node { return reading.text(node, subject).map { ($0, false) } }
    guard let fields = reading.fields(node, subject, Self.durationKeys) else { return nil }
    guard let histogram = fields["histogram"] else {
      reading.fail(node, "\(subject): expected a histogram's name, or { histogram: NAME, unit: milliseconds }")
      return nil
    }
    let unit = fields["unit"].flatMap { reading.choice($0, "\(subject).unit", Unit.self) } ?? .seconds
    return reading.text(histogram, "\(subject).histogram").map { ($0, unit == .milliseconds) }
  }

  private func path(_ node: Node, _ subject: String) -> String? {
    reading.value(node, subject, expected: "a path such as /metrics") { text in
      text.hasPrefix("/") && !text.contains(where: { $0.isWhitespace || $0.isNewline }) ? text : nil
    }
  }

  private func paths(_ node: Node, _ subject: String) -> [String] {
    (reading.items(node, subject) ?? []).compactMap { path($0, subject) }
  }
}
