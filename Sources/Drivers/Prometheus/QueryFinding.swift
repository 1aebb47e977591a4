import Kernel

/// What a query that should give one number gave. Only a number is evidence; nothing else is ever *bad*.
package enum QueryFinding: Equatable, Sendable {
  case value(Double)
  /// Nothing, or no number: one sentence.
  case noEvidence(reason: String)
  /// A number that its server doubts, with what it says.
  case degraded(Double, warnings: [String])

  /// - Throws: `Refusal` when the query cannot give one number, whatever the data: several series, a range, a string.
  init(_ answer: QueryAnswer, query: String) throws(Refusal) {
    let number: Double
    switch answer.value {
    case .scalar(let value): number = value
    case .vector(let series):
      guard series.count < 2 else { throw Self.several(series, query) }
      guard let only = series.first else {
        self = .noEvidence(reason: Self.because("the query '\(query)' found no series", answer))
        return
      }
      number = only.value
    case .matrix:
      throw Refusal(
        .malformed, "the query '\(query)' gives values over time; wrap it in a function such as rate()")
    case .string:
      throw Refusal(.malformed, "the query '\(query)' gives a text; write one that gives a number")
    }
    guard number.isFinite else {
      let words = number.isNaN ? "not a number, as 0 divided by 0 is without traffic" : "infinite"
      self = .noEvidence(reason: Self.because("the query '\(query)' gives a value that is \(words)", answer))
      return
    }
    let doubts = answer.warnings + answer.infos
    self = doubts.isEmpty ? .value(number) : .degraded(number, warnings: doubts)
  }

  /// Series named in a refusal; more make it no clearer.
  private static let seriesNamed = 3

  private static func several(_ series: [QueryAnswer.Series], _ query: String) -> Refusal {
    let named = series.prefix(seriesNamed).map { "{\($0.labels.map(\.description).joined(separator: ","))}" }
    let more = series.count > seriesNamed ? " and \(series.count - seriesNamed) more" : ""
    return Refusal(
      .malformed,
      "the query '\(query)' gives \(series.count) series where one is expected: \(named.joined(separator: ", "))\(more); "
        + "put sum() or another aggregation around it")
  }

  private static func because(_ words: String, _ answer: QueryAnswer) -> String {
    let doubts = answer.warnings + answer.infos
    return doubts.isEmpty ? words : "\(words); the server adds: \(doubts.joined(separator: "; "))"
  }
}

extension PrometheusServer {
  /// The one number that a query gives.
  ///
  /// - Parameter lookback: how old a sample may be, about two scrape intervals; nil for a query whose series all have a
  ///   range of their own, as in `rate(errors_total[1m])`. A server that cannot look back less is asked for the last
  ///   sample within that range where the query is a series or a sum; else its number is degraded.
  /// - Throws: `Refusal` when the query is at fault, `Outage` when the server is.
  package func finding(_ query: String, at: Instant? = nil, lookback: Span?) async throws -> QueryFinding {
    var asked = query
    var isDoubted = false
    if let lookback, try await !knowsLookback() {
      if let recent = RatioQueries.recent(query, within: lookback) { asked = recent } else { isDoubted = true }
    }
    let answer = try await self.query(asked, at: at, lookback: lookback)
    let doubts = isDoubted ? [Self.unknownLookback] : []
    return try QueryFinding(
      QueryAnswer(value: answer.value, warnings: answer.warnings + doubts, infos: answer.infos), query: query)
  }

  private static let unknownLookback =
    "this server cannot look back less than it is set to, so samples of minutes ago may stand behind the number; give "
    + "each series in the query a range, as last_over_time() does, or upgrade Prometheus"
}

extension QueryCheck {
  /// - Throws: `Refusal` when the query is at fault, `Outage` when the server is: unknown, both of them.
  package func outcome(from server: PrometheusServer) async throws -> Outcome {
    outcome(of: try await server.finding(query, lookback: lookback))
  }

  package func outcome(of finding: QueryFinding) -> Outcome {
    switch finding {
    case .value(let value): return isMet(by: value) ? .holds(value) : .violated(value)
    case .noEvidence(let reason): return .unknown(reason)
    case .degraded(let value, let warnings):
      let doubts = warnings.joined(separator: "; ")
      return .unknown("the query '\(query)' gives \(value), which its server doubts: \(doubts)")
    }
  }
}

extension PrometheusServer: QuerySource {
  package func outcome(of check: QueryCheck) async -> QueryCheck.Outcome {
    do {
      return try await check.outcome(from: self)
    } catch let refusal as Refusal {
      return .unknown(refusal.sentence)
    } catch let outage as Outage {
      return .unknown("\(outage.subject): \(outage.sentence)")
    } catch {
      return .unknown("\(error)")
    }
  }
}
