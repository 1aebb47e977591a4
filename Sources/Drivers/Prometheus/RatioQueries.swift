import Kernel

/// Two queries that say which share of requests was bad, as an OpenSLO `ratioMetric` names them; for burn rates.
package struct RatioQueries: Codable, Equatable, Sendable {
  package enum Part: String, Codable, Sendable {
    case good, bad
  }
  package let part: Part
  package let partQuery: String
  package let totalQuery: String
  /// True for counters that only rise, false for counts of each moment, or rates.
  package let areCounters: Bool
  package init(_ part: Part, _ partQuery: String, of totalQuery: String, areCounters: Bool) {
    self.part = part
    self.partQuery = partQuery
    self.totalQuery = totalQuery
    self.areCounters = areCounters
  }

  /// Moments at which a query's number is as it must be, among the moments at which it has one.
  package init(_ query: String, mustBe comparison: QueryCheck.Comparison, _ threshold: Double) {
    let sign =
      switch comparison {
      case .below: "<"
      case .atMost: "<="
      case .above: ">"
      case .atLeast: ">="
      }
    // A number equals itself, and what is not a number does not.
    self.init(
      .good, "(\(query)) \(sign) bool \(threshold)", of: "(\(query)) == bool (\(query))", areCounters: false)
  }

  /// Between two points of a subquery. Windows of burn rates begin at five minutes.
  static let resolution = Span.minutes(1)

  /// What a query counted over a window. A counter's selector, or its sum, is asked for as the sum of each series'
  /// increase, because a sum that falls when one instance restarts looks like a restart of all. Any other counter query
  /// is asked through a subquery, which has that weakness.
  static func counted(_ query: String, over window: Span, isCounter: Bool) -> String {
    let window = PrometheusServer.duration(window)
    let trimmed = query.trimmingBlanks()
    if isCounter, let selector = selector(in: trimmed) { return "sum(increase(\(selector)[\(window)]))" }
    let function = isCounter ? "increase" : "sum_over_time"
    return "\(function)((\(trimmed))[\(window):\(PrometheusServer.duration(resolution))])"
  }

  /// The same value of samples no older than `span`, for a selector or its sum; nil for anything else.
  static func recent(_ query: String, within span: Span) -> String? {
    let trimmed = query.trimmingBlanks()
    guard let selector = selector(in: trimmed) else { return nil }
    let last = "last_over_time(\(selector)[\(PrometheusServer.duration(span))])"
    return trimmed == selector ? last : "sum(\(last))"
  }

  /// `NAME{…}` of `NAME{…}` and of `sum(NAME{…})`; nil for anything else.
  static func selector(in query: String) -> String? {
    if query.hasPrefix("sum("), query.hasSuffix(")") {
      let inside = String(query.dropFirst(4).dropLast()).trimmingBlanks()
      return isSelector(inside) ? inside : nil
    }
    return isSelector(query) ? query : nil
  }

  private static func isSelector(_ query: String) -> Bool {
    let bytes = Array(query.utf8)
    var scanner = LineScanner(bytes[...])
    let name = scanner.name(colons: true)
    // Numbers to PromQL, in any case.
    guard !name.isEmpty, !["nan", "inf"].contains(String(decoding: name, as: UTF8.self).lowercased()) else {
      return false
    }
    var quote: UInt8?
    var isEscaped = false
    let rest = ExpositionLine.trimmed(scanner.rest)
    guard !rest.isEmpty else { return true }
    guard rest.first == UInt8(ascii: "{"), rest.last == UInt8(ascii: "}") else { return false }
    for byte in rest.dropFirst().dropLast() {
      if let open = quote {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == open {
          quote = nil
        }
      } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
        quote = byte
      } else if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "{") {
        return false
      }
    }
    return quote == nil
  }
}

/// What the windows of an objective hold.
package enum WindowFinding: Equatable, Sendable {
  /// One for each window asked, in the same order; `doubts` is what the server warned of.
  case counts([WindowRatio], doubts: [String])
  case noEvidence(reason: String)
}

extension PrometheusServer {
  /// Requests and errors over each window before the server's now. A bad part without series is no bad request where
  /// the total has some; a good part or a total without series is no evidence.
  ///
  /// - Throws: `Refusal` when a query is at fault, `Outage` when the server is.
  package func ratios(_ queries: RatioQueries, over windows: [Span]) async throws -> WindowFinding {
    var ratios: [WindowRatio] = []
    var doubts: [String] = []
    for window in windows {
      var numbers: [Double] = []
      for query in [queries.totalQuery, queries.partQuery] {
        let asked = RatioQueries.counted(query, over: window, isCounter: queries.areCounters)
        let answer = try await self.query(asked)
        // Many services have no series of errors before the first one. One without good requests, whose query is
        // perhaps misspelt, would fail all of them.
        if numbers.count == 1, queries.part == .bad, answer.isEmpty {
          numbers.append(0)
          continue
        }
        switch try QueryFinding(answer, query: asked) {
        case .value(let value): numbers.append(value)
        case .degraded(let value, let warnings):
          numbers.append(value)
          doubts += warnings.filter { !doubts.contains($0) }
        case .noEvidence(let reason): return .noEvidence(reason: reason)
        }
      }
      let total = max(numbers[0], 0)
      let part = min(max(numbers[1], 0), total)
      ratios.append(WindowRatio(window: window, requests: total, errors: queries.part == .bad ? part : total - part))
    }
    return .counts(ratios, doubts: doubts)
  }
}

extension QueryAnswer {
  /// No series, and no doubt that there is none.
  fileprivate var isEmpty: Bool {
    guard case .vector(let series) = value else { return false }
    return series.isEmpty && warnings.isEmpty && infos.isEmpty
  }
}

extension String {
  fileprivate func trimmingBlanks() -> String {
    String(decoding: ExpositionLine.trimmed(Array(utf8)[...]), as: UTF8.self)
  }
}
