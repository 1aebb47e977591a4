import Kernel

/// What came of asking one page of an observed place once. A page may speak for one instance or for many, and for one
/// version or for several.
struct VersionedLook: Sendable {
  enum Outcome: Sendable {
    /// No mapping was known yet: what the page has.
    case survey(MetricsSurvey)
    /// By version; under nil where versions are only reported.
    case readings([ObservedVersion?: InstanceReading])
    /// No whole page came: one sentence.
    case away(String)
    /// A page came that does not say what it must: one sentence.
    case senseless(String)
  }
  let url: String
  let outcome: Outcome
  /// When the answer had come, by our clock.
  let at: Instant
}

/// Asks one page for its metrics and takes it apart by version.
struct VersionedScrape: Sendable {
  /// Versions on one page at a time; more is a label that is no version, a request's id perhaps.
  static let mostVersions = 20

  let fetcher: any HTTPFetcher
  let source: VersionSource

  /// - Parameter mapping: nil to see what the page has.
  func look(_ url: String, _ mapping: MetricsMapping?) async -> VersionedLook {
    var at = Instant.now
    do throws(Outage) {
      let answer = try await fetcher.fetch(
        HTTPFetch(
          .get, url, headers: [HTTPFetch.Header("accept", ExpositionParser.accepted)],
          timeLimit: MetricsScrape.timeLimit, answerLimit: ExpositionParser.sizeLimit))
      at = .now
      if let mapping {
        return VersionedLook(url: url, outcome: try readings(answer, of: url, mapping), at: at)
      }
      guard case .survey(let survey) = try MetricsScrape.page(answer, of: url, nil) else {
        return VersionedLook(url: url, outcome: .away("\(url) gave no page"), at: at)
      }
      return VersionedLook(url: url, outcome: .survey(survey), at: at)
    } catch {
      return VersionedLook(url: url, outcome: .away(error.sentence), at: at)
    }
  }

  private func readings(
    _ answer: HTTPAnswer, of url: String, _ mapping: MetricsMapping
  ) throws(Outage) -> VersionedLook.Outcome {
    guard answer.status == 200, let format = ExpositionParser.Format(contentType: answer.contentType) else {
      // The same sentence as for instances of ours.
      _ = try MetricsScrape.page(answer, of: url, mapping)
      return .away("\(url) answered \(answer.status)")
    }
    var parts = VersionedParts(source: source, mapping: mapping)
    var parser = ExpositionParser(format, source: url)
    try parser.feed(answer.body) { line in
      if case .sample(let sample) = line { parts.take(sample) }
    }
    try parser.finish()
    return parts.outcome(of: url)
  }
}

/// One page's samples, by version.
private struct VersionedParts {
  let source: VersionSource
  let mapping: MetricsMapping
  private let wanted: [[UInt8]]
  private static let unnamed: ObservedVersion? = nil
  private var readings: [ObservedVersion?: InstanceReading] = [:]
  /// What the page says of its process counts for each version on it.
  private var process: [SampleLine] = []
  private var fault: String?
  /// Where the whole page is one version's: which.
  private var named: Set<String> = []

  init(source: VersionSource, mapping: MetricsMapping) {
    self.source = source
    self.mapping = mapping
    var names = ProcessMetrics.all + mapping.sampleNames
    if case .metric(let name, label: _) = source { names.append(name) }
    wanted = names.map { Array($0.utf8) }
  }

  mutating func take(_ sample: SampleLine) {
    // Bytes are compared before any text is made: most lines of a long page are nobody's.
    guard wanted.contains(where: { $0.elementsEqual(sample.nameBytes) }) else { return }
    let name = sample.name
    if case .metric(name, let label) = source {
      named.formUnion(sample.labels.filter { $0.name == label }.map(\.value))
      guard mapping.sampleNames.contains(name) else { return }
    }
    if ProcessMetrics.all.contains(name) {
      process.append(sample)
      return
    }
    guard case .label(let label) = source else {
      readings[Self.unnamed, default: InstanceReading()].take(sample, mapping)
      return
    }
    guard let text = sample.labels.first(where: { $0.name == label })?.value, !text.isEmpty else {
      // Durations without it only mean that latency is not told by version.
      if name == mapping.requests { fault = fault ?? "\(name) has samples without the label '\(label)'" }
      return
    }
    guard let version = ObservedVersion(rawValue: text) else {
      fault =
        fault ?? "\(name) has a '\(label)' that is no version: over \(ObservedVersion.longest) bytes, or lines"
      return
    }
    guard readings[version] != nil || readings.count < VersionedScrape.mostVersions else {
      fault = fault ?? "\(name) has more than \(VersionedScrape.mostVersions) values of '\(label)'; is it a version?"
      return
    }
    readings[version, default: InstanceReading()].take(sample, mapping)
  }

  func outcome(of url: String) -> VersionedLook.Outcome {
    if let fault { return .senseless("\(url): \(fault)") }
    var result = readings
    if case .metric(let name, let label) = source {
      guard named.count == 1, let text = named.first, let version = ObservedVersion(rawValue: text) else {
        let found = named.isEmpty ? "none" : "\(named.count)"
        return .senseless("\(url): \(name) must show one '\(label)', and there is \(found)")
      }
      result = [version: readings[Self.unnamed] ?? InstanceReading()]
    }
    for version in result.keys {
      for sample in process { result[version]?.take(sample, mapping) }
    }
    return .readings(result)
  }
}
