import Kernel

/// Asks one instance for its metrics, once.
struct MetricsScrape: Sendable {
  /// Longer than the interval an answer is of no use; a healthy page of 100,000 lines comes in well under it.
  static let timeLimit = Span.seconds(1)

  let fetcher: any HTTPFetcher

  /// - Parameter mapping: nil to see what the page has.
  func look(_ target: MetricsTarget, _ mapping: MetricsMapping?, timeLimit: Span = timeLimit) async -> InstanceLook {
    let result: Result<InstanceLook.Page, Outage>
    var at = Instant.now
    do throws(Outage) {
      let answer = try await fetcher.fetch(
        HTTPFetch(
          .get, target.url, headers: [HTTPFetch.Header("accept", ExpositionParser.accepted)], timeLimit: timeLimit,
          answerLimit: ExpositionParser.sizeLimit))
      // Counters are of this instant at the latest; reading a long page takes time.
      at = .now
      result = .success(try Self.page(answer, of: target.url, mapping))
    } catch {
      result = .failure(error)
    }
    return InstanceLook(target: target, result: result, at: at)
  }

  /// - Throws: `Outage` when the answer is no page of metrics.
  static func page(_ answer: HTTPAnswer, of url: String, _ mapping: MetricsMapping?) throws(Outage)
    -> InstanceLook.Page
  {
    guard answer.status == 200 else {
      throw Outage("metrics", "\(url) answered \(answer.status); see that the path is right and open to this machine")
    }
    guard let format = ExpositionParser.Format(contentType: answer.contentType) else {
      throw Outage(
        "metrics", "\(url) answered \(answer.contentType ?? "nothing") where metrics were expected; name their path")
    }
    var parser = ExpositionParser(format, source: url)
    var survey = MetricsSurvey()
    var reading = InstanceReading()
    let process = ProcessMetrics.all.map { Array($0.utf8) }
    let wanted = mapping.map { process + $0.sampleNames.map { Array($0.utf8) } }
    try parser.feed(answer.body) { line in
      guard case .sample(let sample) = line else { return }
      guard let mapping, let wanted else { return survey.take(sample) }
      // Bytes are compared before any text is made: most lines of a long page are nobody's.
      if wanted.contains(where: { $0.elementsEqual(sample.nameBytes) }) { reading.take(sample, mapping) }
    }
    try parser.finish()
    return mapping == nil ? .survey(survey) : .reading(reading)
  }
}
