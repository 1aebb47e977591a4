import Kernel
import Yams

/// Reads the documents of one file: indicators by name first, then objectives against them.
struct OpenSLOReader {
  let reading: Reading
  init(_ reading: Reading) { self.reading = reading }

  static let version = "openslo/v1"
  static let passedOver = ["Service", "AlertPolicy", "AlertCondition", "AlertNotificationTarget", "DataSource"]
  /// The two names under which files give Prometheus' query; the specification leaves it open.
  static let queryKeys = ["query", "promql"]

  private typealias Fields = [String: Node]

  func read(_ documents: [Node]) -> [Objective] {
    var indicators: [String: Node] = [:]
    var found: [(fields: Fields, node: Node)] = []
    for document in documents {
      guard let fields = mapping(document, "document") else { continue }
      guard let kind = required(fields, "kind", "document", at: document) else { continue }
      if let version = required(fields, "apiVersion", kind, at: document), version != Self.version {
        reading.fail(document, "\(kind): expected apiVersion \(Self.version), found '\(version)'")
      }
      switch kind {
      case "SLO": found.append((fields, document))
      case "SLI": if let name = name(fields, kind, at: document) { indicators[name] = document }
      case _ where Self.passedOver.contains(kind):
        reading.warn(document, "\(kind): has no effect here; only SLO and SLI are read")
      default:
        reading.fail(
          document,
          "unknown kind '\(kind)'\(Reading.hint(kind, ["SLO", "SLI"] + Self.passedOver)); expected SLO or SLI")
      }
    }
    if found.isEmpty, !reading.problems.contains(where: { $0.severity == .error }), let first = documents.first {
      reading.fail(first, "expected at least one SLO, found none")
    }
    var names: Set<String> = []
    return found.flatMap { fields, node -> [Objective] in
      let objectives = self.objectives(fields, at: node, indicators)
      for objective in objectives where !names.insert(objective.name).inserted {
        reading.fail(node, "SLO '\(objective.name)' stands there twice")
      }
      return objectives
    }
  }

  private func objectives(_ fields: Fields, at node: Node, _ indicators: [String: Node]) -> [Objective] {
    guard let name = name(fields, "SLO", at: node), let specNode = present(fields, "spec", "SLO '\(name)'", at: node),
      let spec = mapping(specNode, "SLO '\(name)': spec")
    else { return [] }
    let subject = "SLO '\(name)'"
    let service = required(spec, "service", subject, at: specNode)
    if let method = spec["budgetingMethod"].flatMap({ reading.text($0, "\(subject): budgetingMethod") }),
      method != "Occurrences"
    {
      reading.fail(
        spec["budgetingMethod"] ?? node,
        "\(subject): budgetingMethod '\(method)' is not supported; Occurrences is, which counts requests")
    }
    let window = window(spec, subject, at: specNode)
    let metric = metric(spec, subject, at: specNode, indicators)
    guard let list = present(spec, "objectives", subject, at: specNode),
      let items = reading.items(list, "\(subject): objectives")
    else { return [] }
    if items.isEmpty { reading.fail(list, "\(subject): expected at least one objective, found none") }
    let title = (fields["metadata"].flatMap { mapping($0, subject) })?["displayName"]?.string ?? name
    return items.enumerated().compactMap { index, item in
      guard let objective = mapping(item, "\(subject): objective") else { return nil }
      let target = target(objective, subject, at: item)
      let indicator = metric.flatMap { self.indicator($0, objective, subject, at: item) }
      guard let service, let window, let target, let indicator else { return nil }
      return Objective(
        name: items.count == 1 ? name : "\(name)-\(index + 1)", title: objective["displayName"]?.string ?? title,
        service: service, target: target, window: window, indicator: indicator)
    }
  }

  // MARK: Parts of an SLO

  /// `timeWindow: [{ duration: 30d, isRolling: true }]`
  private func window(_ spec: Fields, _ subject: String, at node: Node) -> Span? {
    guard let list = present(spec, "timeWindow", subject, at: node),
      let items = reading.items(list, "\(subject): timeWindow")
    else { return nil }
    guard items.count == 1, let fields = mapping(items[0], "\(subject): timeWindow") else {
      reading.fail(list, "\(subject): timeWindow: expected exactly one window, found \(items.count)")
      return nil
    }
    if fields["calendar"] != nil || fields["isRolling"]?.string == "false" {
      reading.fail(items[0], "\(subject): a calendar window is not supported; write isRolling: true")
      return nil
    }
    guard let duration = present(fields, "duration", "\(subject): timeWindow", at: items[0]) else { return nil }
    return reading.value(
      duration, "\(subject): duration", expected: "days or weeks such as 30d or 4w (months have no fixed length)",
      Self.duration)
  }

  /// `30d`, `4w`, `12h`: OpenSLO's shorthands of a fixed length. From an hour, because shorter windows hold no budget,
  /// to a year.
  static func duration(_ text: String) -> Span? {
    let minutes = ["m": 1.0, "h": 60, "d": 1440, "w": 10_080]
    guard let unit = text.last.flatMap({ minutes[String($0)] }), let count = Int(text.dropLast()), count > 0,
      (60...527_040).contains(Double(count) * unit)
    else { return nil }
    return .minutes(Double(count) * unit)
  }

  private func target(_ objective: Fields, _ subject: String, at node: Node) -> Double? {
    func share(_ key: String, _ whole: Double) -> Double? {
      objective[key].flatMap { node in
        reading.value(node, "\(subject): \(key)", expected: "a number above 0 and below \(Int(whole))") { text in
          Double(text).flatMap { $0 > 0 && $0 < whole ? $0 / whole : nil }
        }
      }
    }
    switch (objective["target"], objective["targetPercent"]) {
    case (_?, nil): return share("target", 1)
    case (nil, _?): return share("targetPercent", 100)
    case (nil, nil): reading.fail(node, "\(subject): an objective needs target or targetPercent")
    case (_?, _?): reading.fail(node, "\(subject): an objective has target or targetPercent, not both")
    }
    return nil
  }

  /// The SLI's metric, named or written out.
  private func metric(_ spec: Fields, _ subject: String, at node: Node, _ indicators: [String: Node]) -> Fields? {
    let holder: Node
    switch (spec["indicator"], spec["indicatorRef"]) {
    case (let written?, nil): holder = written
    case (nil, let named?):
      guard let name = reading.text(named, "\(subject): indicatorRef") else { return nil }
      guard let found = indicators[name] else {
        let known = indicators.keys.sorted()
        reading.fail(
          named, "\(subject): indicatorRef names '\(name)', which this file does not have\(Reading.hint(name, known))")
        return nil
      }
      holder = found
    case (nil, nil):
      reading.fail(node, "\(subject): expected indicator or indicatorRef, found neither")
      return nil
    case (_?, _?):
      reading.fail(node, "\(subject): indicator and indicatorRef exclude each other")
      return nil
    }
    guard let fields = mapping(holder, "\(subject): indicator"),
      let inner = present(fields, "spec", "\(subject): indicator", at: holder)
    else { return nil }
    return mapping(inner, "\(subject): indicator.spec")
  }

  private func indicator(_ spec: Fields, _ objective: Fields, _ subject: String, at node: Node)
    -> Objective.Indicator?
  {
    switch (spec["ratioMetric"], spec["thresholdMetric"]) {
    case (let ratio?, nil): return self.ratio(ratio, "\(subject): ratioMetric")
    case (nil, let threshold?):
      guard let query = query(threshold, "\(subject): thresholdMetric") else { return nil }
      let comparison = present(objective, "op", subject, at: node).flatMap {
        reading.choice($0, "\(subject): op", Objective.Comparison.self)
      }
      let value = present(objective, "value", subject, at: node).flatMap { node in
        reading.value(node, "\(subject): value", expected: "a number") { text in
          Double(text).flatMap { $0.isFinite ? $0 : nil }
        }
      }
      guard let comparison, let value else { return nil }
      return .threshold(query: query, mustBe: comparison, value: value)
    case (nil, nil), (_?, _?):
      reading.fail(node, "\(subject): the indicator needs either ratioMetric or thresholdMetric")
      return nil
    }
  }

  private func ratio(_ node: Node, _ subject: String) -> Objective.Indicator? {
    guard let fields = mapping(node, subject) else { return nil }
    guard fields["raw"] == nil else {
      reading.fail(node, "\(subject): a ready-made ratio ('raw') is not supported; give good or bad, and total")
      return nil
    }
    let areCounters = fields["counter"].flatMap { reading.flag($0, "\(subject): counter") } ?? false
    let total = present(fields, "total", subject, at: node).flatMap { query($0, "\(subject): total") }
    switch (fields["good"], fields["bad"]) {
    case (let good?, nil):
      guard let query = query(good, "\(subject): good"), let total else { return nil }
      return .good(query: query, total: total, areCounters: areCounters)
    case (nil, let bad?):
      guard let query = query(bad, "\(subject): bad"), let total else { return nil }
      return .bad(query: query, total: total, areCounters: areCounters)
    case (nil, nil), (_?, _?):
      reading.fail(node, "\(subject): expected either good or bad")
      return nil
    }
  }

  /// `metricSource: { type: Prometheus, spec: { query: … } }`
  private func query(_ node: Node, _ subject: String) -> String? {
    guard let fields = mapping(node, subject), let sourceNode = present(fields, "metricSource", subject, at: node),
      let source = mapping(sourceNode, "\(subject): metricSource")
    else { return nil }
    if let type = source["type"].flatMap({ reading.text($0, "\(subject): type") }), type.lowercased() != "prometheus" {
      reading.fail(source["type"] ?? sourceNode, "\(subject): type '\(type)' is not supported; Prometheus is")
      return nil
    }
    guard let specNode = present(source, "spec", "\(subject): metricSource", at: sourceNode),
      let spec = mapping(specNode, "\(subject): metricSource.spec")
    else { return nil }
    guard let key = Self.queryKeys.first(where: { spec[$0] != nil }), let query = spec[key] else {
      reading.fail(specNode, "\(subject): expected the query under 'query', found none")
      return nil
    }
    return reading.text(query, "\(subject): \(key)")
  }

  // MARK: Fields

  /// A mapping's fields; unknown ones are OpenSLO's own business.
  private func mapping(_ node: Node, _ subject: String) -> Fields? {
    reading.pairs(node, subject).map { pairs in
      Dictionary(pairs.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    }
  }

  private func present(_ fields: Fields, _ key: String, _ subject: String, at node: Node) -> Node? {
    if let value = fields[key] { return value }
    reading.fail(node, "\(subject): expected '\(key)', found none")
    return nil
  }

  private func required(_ fields: Fields, _ key: String, _ subject: String, at node: Node) -> String? {
    present(fields, key, subject, at: node).flatMap { reading.text($0, "\(subject): \(key)") }
  }

  private func name(_ fields: Fields, _ kind: String, at node: Node) -> String? {
    guard let metadata = present(fields, "metadata", kind, at: node), let inner = mapping(metadata, kind) else {
      return nil
    }
    return required(inner, "name", "\(kind): metadata", at: metadata)
  }
}
