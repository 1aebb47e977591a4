import Foundation
import Kernel

/// What a Prometheus server answered.
package struct QueryAnswer: Equatable, Sendable {
  package enum Value: Equatable, Sendable {
    case scalar(Double)
    /// Sorted by labels.
    case vector([Series])
    /// Sorted by labels.
    case matrix([Track])
    case string(String)
  }
  /// A series and its value. NaN and infinities come as they are.
  package struct Series: Equatable, Sendable {
    /// Sorted; the metric's name is `__name__`.
    package let labels: [MetricLabel]
    package let value: Double
  }
  /// A series and its values over time, oldest first.
  package struct Track: Equatable, Sendable {
    package let labels: [MetricLabel]
    package let points: [Point]
  }
  package struct Point: Equatable, Sendable {
    package let at: Instant
    package let value: Double
  }
  package let value: Value
  /// The answer may be incomplete or not mean what it seems.
  package let warnings: [String]
  /// The query may not mean what it seems.
  package let infos: [String]
}

/// `{"status":…,"data":{"resultType":…,"result":…},"error":…,"warnings":[…],"infos":[…]}`
struct QueryEnvelope: Decodable {
  let status: String
  let data: QueryData?
  let error: String?
  let warnings: [String]?
  let infos: [String]?
}

struct QueryData: Decodable {
  let value: QueryAnswer.Value

  private enum CodingKeys: CodingKey { case resultType, result }
  private struct VectorEntry: Decodable {
    let metric: [String: String]
    /// Absent where a native histogram has `histogram`.
    let value: Sample?
  }
  private struct MatrixEntry: Decodable {
    let metric: [String: String]
    let values: [Sample]?
  }
  /// `[1700000000.25, "0.5"]`
  private struct Sample: Decodable {
    let at: Instant
    let text: String
    init(from decoder: any Decoder) throws {
      var pair = try decoder.unkeyedContainer()
      let seconds = try pair.decode(Double.self)
      guard abs(seconds) < 1e12 else {
        throw DecodingError.dataCorruptedError(in: pair, debugDescription: "a time beyond all calendars")
      }
      at = Instant(milliseconds: Int64((seconds * 1000).rounded()))
      text = try pair.decode(String.self)
    }
    func number(in decoder: any Decoder) throws -> Double {
      // Go writes NaN, +Inf and -Inf; all of these are numbers to Swift as well.
      guard let number = Double(text) else {
        throw DecodingError.dataCorrupted(
          .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is no number"))
      }
      return number
    }
  }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    switch try fields.decode(String.self, forKey: .resultType) {
    case "scalar": value = .scalar(try fields.decode(Sample.self, forKey: .result).number(in: decoder))
    case "string": value = .string(try fields.decode(Sample.self, forKey: .result).text)
    case "vector":
      let series = try fields.decode([VectorEntry].self, forKey: .result).map { entry in
        // A native histogram is no number: it is shown as not being one.
        QueryAnswer.Series(
          labels: Self.labels(entry.metric), value: try entry.value?.number(in: decoder) ?? .nan)
      }
      value = .vector(series.sorted { $0.labels.lexicographicallyPrecedes($1.labels) })
    case "matrix":
      let tracks = try fields.decode([MatrixEntry].self, forKey: .result).map { entry in
        QueryAnswer.Track(
          labels: Self.labels(entry.metric),
          points: try (entry.values ?? []).map {
            QueryAnswer.Point(at: $0.at, value: try $0.number(in: decoder))
          })
      }
      value = .matrix(tracks.sorted { $0.labels.lexicographicallyPrecedes($1.labels) })
    case let other:
      throw DecodingError.dataCorruptedError(
        forKey: .resultType, in: fields, debugDescription: "unknown result type '\(other)'")
    }
  }

  private static func labels(_ metric: [String: String]) -> [MetricLabel] {
    metric.map { MetricLabel($0.key, $0.value) }.sorted()
  }
}
