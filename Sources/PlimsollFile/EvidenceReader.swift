import Kernel
import Rollouts
import Yams

extension PlimsollFile {
  /// The Prometheus server that checks ask.
  package struct PrometheusPlace: Equatable, Sendable {
    package let url: VariableSource.Source
    /// Sent as `Authorization: Bearer …`; looked up at each query.
    package let token: VariableSource.Source?
  }
}

/// Reads what a rollout is watched by beside its requests: `guards`, `watch` and `prometheus`.
struct EvidenceReader {
  let reading: Reading
  init(_ reading: Reading) { self.reading = reading }

  static let prometheusKeys = ["url", "token"]
  static let comparisonKeys: [(key: String, comparison: QueryCheck.Comparison)] = [
    ("below", .below), ("at-most", .atMost), ("above", .above), ("at-least", .atLeast),
  ]
  static let watchKeys = ["run", "query"] + comparisonKeys.map(\.key) + ["lookback", "time-limit", "every", "fails"]

  func prometheus(_ node: Node) -> PlimsollFile.PrometheusPlace? {
    guard let fields = reading.fields(node, "prometheus", Self.prometheusKeys) else { return nil }
    guard let url = fields["url"] else {
      reading.fail(node, "prometheus: expected 'url', such as http://127.0.0.1:9090 or env:PROMETHEUS_URL")
      return nil
    }
    let token = fields["token"].flatMap { reading.source($0, "prometheus.token") }
    return reading.source(url, "prometheus.url").map { PlimsollFile.PrometheusPlace(url: $0, token: token) }
  }

  /// `[throughput, memory, processor]`, or some of them; an empty list is none.
  func guards(_ node: Node, _ subject: String) -> [Rule]? {
    let names = Rule.guards.map(\.rawValue)
    guard let items = reading.items(node, subject) else { return nil }
    return items.compactMap { item in
      guard let text = reading.text(item, subject) else { return nil }
      if let rule = Rule.guards.first(where: { $0.rawValue == text }) { return rule }
      reading.fail(
        item,
        "\(subject): expected some of \(names.joined(separator: ", ")), found '\(text)'\(Reading.hint(text, names))")
      return nil
    }
  }

  func watch(_ node: Node, _ subject: String) -> [WatchCheck] {
    (reading.pairs(node, subject) ?? []).compactMap { pair in
      guard let name = CheckName(rawValue: pair.key) else {
        reading.fail(pair.keyNode, "\(subject): '\(pair.key)' is no name; expected lower-case letters, digits, hyphens")
        return nil
      }
      return check(name, pair.value, "\(subject).\(name)")
    }
  }

  private func check(_ name: CheckName, _ node: Node, _ subject: String) -> WatchCheck? {
    if case .scalar = node {
      return reading.text(node, subject).map {
        WatchCheck(
          name: name, question: .command($0, timeLimit: WatchCheck.defaultTimeLimit),
          every: WatchCheck.defaultEveryCommand)
      }
    }
    guard let fields = reading.fields(node, subject, Self.watchKeys) else { return nil }
    let every = fields["every"].flatMap { self.every($0, "\(subject).every") }
    let fails =
      fields["fails"].flatMap { reading.whole($0, "\(subject).fails", in: 1...100) } ?? WatchCheck.defaultFails
    let question: WatchCheck.Question?
    switch (fields["run"], fields["query"]) {
    case (let run?, nil): question = command(run, fields, subject)
    case (nil, let query?): question = self.query(query, node, fields, subject)
    default:
      reading.fail(node, "\(subject): expected either 'run: COMMAND' or 'query: QUERY'")
      return nil
    }
    guard let question else { return nil }
    let usual =
      switch question {
      case .query: WatchCheck.defaultEveryQuery
      case .command: WatchCheck.defaultEveryCommand
      }
    return WatchCheck(name: name, question: question, every: every ?? usual, fails: fails)
  }

  private func every(_ node: Node, _ subject: String) -> Span? {
    guard let span = reading.limit(node, subject) else { return nil }
    guard span >= WatchCheck.shortestEvery else {
      reading.fail(node, "\(subject): expected 1s or more; a check is not asked more often")
      return nil
    }
    return span
  }

  private func command(_ run: Node, _ fields: [String: Node], _ subject: String) -> WatchCheck.Question? {
    for key in Self.comparisonKeys.map(\.key) + ["lookback"] {
      guard let node = fields[key] else { continue }
      reading.fail(node, "\(subject).\(key): belongs to a query; a command ends with 0 or 1")
    }
    let limit = fields["time-limit"].flatMap { reading.limit($0, "\(subject).time-limit") }
    return reading.text(run, "\(subject).run").map { .command($0, timeLimit: limit ?? WatchCheck.defaultTimeLimit) }
  }

  private func query(
    _ node: Node, _ check: Node, _ fields: [String: Node], _ subject: String
  ) -> WatchCheck.Question? {
    if let limit = fields["time-limit"] { reading.fail(limit, "\(subject).time-limit: belongs to a command") }
    reading.queried(node, "\(subject).query")
    let given = Self.comparisonKeys.filter { fields[$0.key] != nil }
    guard given.count == 1, let only = given.first, let limit = fields[only.key] else {
      let keys = Self.comparisonKeys.map(\.key).joined(separator: ", ")
      reading.fail(check, "\(subject): expected one of \(keys): what the number must be")
      return nil
    }
    let lookback = fields["lookback"].flatMap { reading.limit($0, "\(subject).lookback") }
    let threshold = reading.value(limit, "\(subject).\(only.key)", expected: "a number") { text in
      Double(text).flatMap { $0.isFinite ? $0 : nil }
    }
    guard let text = reading.text(node, "\(subject).query"), let threshold else { return nil }
    return .query(QueryCheck(query: text, mustBe: only.comparison, threshold: threshold, lookback: lookback))
  }
}

extension PolicyReader {
  /// Nil where nothing is judged.
  var guards: GuardPolicy? {
    guard judged else {
      if let watch = draft.watch?.node {
        reading.warn(
          watch, "\(subject): nothing is judged here, so 'watch' has no effect; 'checks' run before users come")
      }
      return nil
    }
    return GuardPolicy(rules: draft.guards ?? Rule.guards, checks: draft.watch?.value ?? [])
  }
}
