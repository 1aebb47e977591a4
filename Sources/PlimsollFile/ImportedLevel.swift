import Kernel

extension PlimsollFile {
  /// What an OpenSLO file says of one service: its objectives, and what of them the judge can go by.
  package struct ImportedLevel: Equatable, Sendable {
    /// A value and the objective that it is of.
    package struct Taken<Value: Equatable & Sendable>: Equatable, Sendable {
      package let value: Value
      package let objective: String
    }
    /// As plimsoll.yaml names it.
    package let file: String
    /// In the file's order; at least one.
    package let objectives: [Objective]

    /// The strictest share of requests that must not fail; nil when none is told.
    package var availability: Taken<Double>? {
      objectives.filter { Self.meaning(of: $0) == .availability }.map { Taken(value: $0.target, objective: $0.name) }
        .max { $0.value < $1.value }
    }

    /// The strictest time that 99 of 100 requests must keep; nil when none is told.
    package var p99: Taken<Span>? {
      objectives.compactMap { objective in
        if case .p99(let span) = Self.meaning(of: objective) {
          Taken(value: span, objective: objective.name)
        } else {
          nil
        }
      }.min { $0.value < $1.value }
    }

    /// One sentence for each objective: what was taken from it.
    package var sentences: [String] {
      let (availability, p99) = (availability, p99)
      return objectives.map { objective in
        let taken: String
        if objective.name == availability?.objective {
          taken = "taken as slo.availability \(percent(objective.target))"
        } else if let p99, objective.name == p99.objective {
          taken = "taken as slo.p99 \(spanWords(p99.value))"
        } else {
          taken =
            switch Self.meaning(of: objective) {
            case .availability, .p99: "a stricter one is taken"
            case .other(let why): why
            }
        }
        return
          "\(file), '\(objective.name)': \(percent(objective.target)) over \(spanWords(objective.window)), \(taken)."
      }
    }
  }
}

extension PlimsollFile {
  /// What is imported for one place, as `plimsoll check` tells it.
  package struct PlaceLevel: Equatable, Sendable {
    package let service: ServiceName
    package let environment: EnvironmentName
    package let imported: ImportedLevel
    /// A Prometheus server is named, which is asked about the error budgets.
    package let isWatched: Bool
    /// What a nearer place says instead, as `slo.p99 200ms`.
    package let replaced: [String]

    /// Whole sentences: each objective, then what comes of them.
    package var sentences: [String] {
      imported.sentences + replaced.map { "The service's environment says \($0), which counts." } + [
        isWatched
          ? "A spent error budget, and one that is spent so fast that a person would be paged, freezes new versions and "
            + "steps here until it has recovered; rollbacks go on."
          : "Nobody watches the error budgets, because no 'prometheus' is named."
      ]
    }
  }
}

extension PlimsollFile.ImportedLevel {
  /// What a query is about, as far as its text tells. Nothing is guessed: what is not told is not taken.
  enum Meaning: Equatable {
    case availability
    /// 99 of 100 requests, or more, are to be faster than this.
    case p99(Span)
    /// Why neither, in half a sentence.
    case other(String)
  }

  /// Of requests faster than a bound, this share and more of them is a promise about P99.
  private static let p99Share = 0.99

  static func meaning(of objective: Objective) -> Meaning {
    switch objective.indicator {
    case .bad(let query, _, _), .good(let query, _, _):
      guard query.contains("_bucket") else { return .availability }
      guard let bound = bound(in: query) else {
        return .other("about times, but its bound and unit cannot be read; set slo.p99 to judge by it")
      }
      return objective.target >= p99Share
        ? .p99(bound) : .other("about times, but of fewer than 99 in 100 requests; set slo.p99 to judge by them")
    case .threshold(let query, let comparison, let value):
      let isUpper = comparison == .lte || comparison == .lt
      guard isUpper, let quantile = quantile(in: query), let unit = unit(in: query), value > 0 else {
        return .other("not about the share of failed requests, nor P99")
      }
      guard quantile >= p99Share else { return .other("about another quantile than P99; set slo.p99 to judge by it") }
      return .p99(.seconds(value * unit))
    }
  }

  /// `NAME_seconds_bucket{…le="0.3"…}`: 300 ms. Nil when a query has none, or several.
  private static func bound(in query: String) -> Span? {
    let found = query.matches(of: /le\s*=~?\s*["']([0-9.]+)["']/)
    guard found.count == 1, let number = found.first.flatMap({ Double($0.1) }), number > 0, let unit = unit(in: query)
    else { return nil }
    return .seconds(number * unit)
  }

  /// `histogram_quantile(0.99, …)`.
  private static func quantile(in query: String) -> Double? {
    query.firstMatch(of: /histogram_quantile\(\s*([0-9.]+)\s*,/).flatMap { Double($0.1) }
  }

  /// Seconds in what the histogram's name ends with (Prometheus, "Metric and label naming").
  private static func unit(in query: String) -> Double? {
    if query.contains("_milliseconds_bucket") || query.contains("_ms_bucket") { return 0.001 }
    return query.contains("_seconds_bucket") ? 1 : nil
  }
}

/// `300ms`, `5m`, `30d`, as the file takes it.
func spanWords(_ span: Span) -> String {
  for (unit, length) in [("d", Int64(86_400_000)), ("h", 3_600_000), ("m", 60_000), ("s", 1000)]
  where span.milliseconds % length == 0 && span.milliseconds > 0 {
    return "\(span.milliseconds / length)\(unit)"
  }
  return "\(span.milliseconds)ms"
}
