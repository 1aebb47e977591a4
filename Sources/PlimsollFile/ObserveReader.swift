import Kernel
import Rollouts
import Yams

extension PlimsollFile {
  /// A place to which something else deploys: `observe.NAME`.
  package struct ObservedPlace: Equatable, Sendable {
    package let policy: Observation.Policy
    /// Addresses of metrics pages; they may hold secrets and never enter the ledger.
    package let metrics: [VariableSource.Source]
    /// Which metrics count; nil to look for the usual names.
    package let mapping: MetricsPage.Mapping?
    /// Routes of readiness probes, which are no users' requests.
    package let probes: [String]

    /// "shop in production is only observed: …", for `plimsoll check`.
    package var sentence: String {
      let versions =
        switch policy.versions {
        case .label(let label): "its version is the label '\(label)' of its requests"
        case .metric(let name, let label): "its version is the label '\(label)' of \(name)"
        case .reported: "its version is what is told, and judged before and after only"
        }
      let pages = metrics.count == 1 ? "1 page" : "\(metrics.count) pages"
      return
        "\(policy.service) in \(policy.environment) is only observed: \(pages), \(versions), each judged for "
        + "\(Int(policy.bake.seconds / 60)) min."
    }
  }
}

/// Reads `observe:`, the way in for who trusts nothing yet.
struct ObserveReader {
  let reading: Reading
  /// What relative paths are relative to.
  let folder: String
  let announceTargets: Int
  init(_ reading: Reading, folder: String, announceTargets: Int) {
    self.reading = reading
    self.folder = folder
    self.announceTargets = announceTargets
  }

  static let keys = ["environment", "metrics", "mapping", "version", "probes", "slo", "rollback", "bake"]
  static let versionKeys = ["label", "metric"]
  static let standardEnvironment = "production"
  static let standardLabel = "version"
  /// Asked every second; a service with more instances has a page that speaks for several.
  static let mostPages = 200

  /// - Parameter services: those that Plimsoll deploys, which leave nothing to observe.
  func read(_ node: Node, besides services: [ServiceName]) -> [PlimsollFile.ObservedPlace] {
    guard let pairs = reading.pairs(node, "observe") else { return [] }
    if pairs.isEmpty { reading.fail(node, "observe: expected at least one service, found none") }
    var result: [PlimsollFile.ObservedPlace] = []
    for pair in pairs {
      guard let name = ServiceName(rawValue: pair.key) else {
        reading.fail(
          pair.keyNode,
          "observe: '\(pair.key)' is no service name; expected 1 to \(longestName) lower-case letters, digits, hyphens")
        continue
      }
      if services.contains(name) {
        reading.fail(
          pair.keyNode, "observe.\(name): 'services' has it too; Plimsoll judges what it deploys, so take one away")
      }
      let nodes: [Node] = if case .sequence(let items) = pair.value { Array(items) } else { [pair.value] }
      for node in nodes {
        guard let place = place(name, node) else { continue }
        if result.contains(where: { $0.policy.service == name && $0.policy.environment == place.policy.environment }) {
          reading.fail(node, "observe.\(name): \(place.policy.environment) stands here twice; give 'environment'")
        }
        result.append(place)
      }
    }
    return result.sorted {
      ($0.policy.service, $0.policy.environment) < ($1.policy.service, $1.policy.environment)
    }
  }

  private func place(_ name: ServiceName, _ node: Node) -> PlimsollFile.ObservedPlace? {
    let subject = "observe.\(name)"
    guard let fields = reading.fields(node, subject, Self.keys) else { return nil }
    let environment =
      fields["environment"].map { node in
        reading.value(
          node, "\(subject).environment",
          expected: "a name of 1 to \(longestName) lower-case letters, digits and hyphens",
          EnvironmentName.init(rawValue:))
      } ?? EnvironmentName(rawValue: Self.standardEnvironment)
    let versions =
      fields["version"].map { self.versions($0, "\(subject).version") } ?? VersionSource.label(Self.standardLabel)
    let bake = fields["bake"].map { self.bake($0, "\(subject).bake") } ?? Observation.Policy.defaultBake
    let probes = fields["probes"].map { self.probes($0, "\(subject).probes") } ?? []
    let mapping = fields["mapping"].flatMap { MetricsReader(reading).mapping($0, "\(subject).mapping") }
    let judge = self.judge(fields, subject, name)
    guard let metricsNode = fields["metrics"] else {
      reading.fail(node, "\(subject): expected 'metrics', the addresses of its metrics pages")
      return nil
    }
    let metrics = self.metrics(metricsNode, "\(subject).metrics")
    if fields["slo"] == nil {
      reading.warn(
        node,
        "\(subject): no slo is set, so a P99 of \(ServiceLevel.assumedP99.milliseconds)ms is assumed; "
          + "set 'slo: { p99: … }'")
    }
    guard let environment, let versions, let bake else { return nil }
    return PlimsollFile.ObservedPlace(
      policy: Observation.Policy(
        service: name, environment: environment, versions: versions, judge: judge, bake: bake,
        announceTargets: announceTargets),
      metrics: metrics, mapping: mapping, probes: probes)
  }

  /// The same thresholds as a rollout's, so that what is observed is what would be done.
  private func judge(_ fields: [String: Node], _ subject: String, _ name: ServiceName) -> JudgePolicy {
    let level = LevelReader(reading, folder: folder).read(fields["slo"], subject, of: name).level
    let draft = RolloutReader(reading).read(fields.filter { $0.key == "rollback" }, subject)
    var judge = JudgePolicy(
      sloP99: level.p99, ceiling: level.ceiling(explicit: draft.ceiling).share,
      falseRollbackBudget: PlimsollFile.Budget(origin: draft.budget ?? .standard).share)
    if let value = draft.errorRatio { judge.errorRatio = value }
    if let value = draft.latencyFactor { judge.latencyFactor = value }
    if let value = draft.mustDetect { judge.mustDetectRatio = value }
    return judge
  }

  private func versions(_ node: Node, _ subject: String) -> VersionSource? {
    if case .scalar(let scalar) = node {
      if scalar.string == "reported" { return .reported }
      reading.fail(node, "\(subject): expected '{ label: NAME }' or 'reported', found '\(scalar.string)'")
      return nil
    }
    guard let fields = reading.fields(node, subject, Self.versionKeys) else { return nil }
    guard let labelNode = fields["label"] else {
      reading.fail(node, "\(subject): expected 'label', which names the version")
      return nil
    }
    let label = self.name(labelNode, "\(subject).label")
    guard let metricNode = fields["metric"] else { return label.map { .label($0) } }
    guard let metric = self.name(metricNode, "\(subject).metric"), let label else { return nil }
    return .metric(metric, label: label)
  }

  /// A name as metrics and labels have it (Prometheus' data model).
  private func name(_ node: Node, _ subject: String) -> String? {
    reading.value(node, subject, expected: "a name of letters, digits, '_' and ':'") { text in
      let bytes = text.utf8
      let fits = bytes.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
          || byte == UInt8(ascii: ":")
      }
      return fits && bytes.first.map { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } == true ? text : nil
    }
  }

  private func bake(_ node: Node, _ subject: String) -> Span? {
    guard let bake = reading.span(node, subject) else { return nil }
    guard Observation.Policy.bakes.contains(bake) else {
      reading.fail(node, "\(subject): expected a time from 1m to 24h, such as 30m")
      return nil
    }
    return bake
  }

  private func metrics(_ node: Node, _ subject: String) -> [PlimsollFile.VariableSource.Source] {
    let nodes: [Node] = if case .scalar = node { [node] } else { reading.items(node, subject) ?? [] }
    if nodes.isEmpty { reading.fail(node, "\(subject): expected at least one address") }
    if nodes.count > Self.mostPages {
      reading.fail(node, "\(subject): expected at most \(Self.mostPages) addresses, found \(nodes.count)")
    }
    var seen: [PlimsollFile.VariableSource.Source] = []
    for item in nodes {
      guard let source = reading.source(item, subject) else { continue }
      if case .value(let address) = source, !address.hasPrefix("http://"), !address.hasPrefix("https://") {
        reading.fail(item, "\(subject): expected an http(s) address, env:NAME or file:PATH, found '\(address)'")
        continue
      }
      if seen.contains(source) {
        reading.fail(item, "\(subject): this address stands here twice, and would count twice")
        continue
      }
      seen.append(source)
    }
    return seen
  }

  private func probes(_ node: Node, _ subject: String) -> [String] {
    (reading.items(node, subject) ?? []).compactMap { item in
      reading.value(item, subject, expected: "a path such as /healthz") { $0.hasPrefix("/") ? $0 : nil }
    }
  }
}
