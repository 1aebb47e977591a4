import Foundation
import Kernel

/// Reads our own batches: one JSON object a line (`docs/flag-evidence.md`).
package struct EvidenceLines: Sendable {
  package private(set) var items: [EvidenceItem] = []
  /// The first lines that could not be read, at most `mostNamed`; numbers begin with 1.
  package private(set) var malformed: [Malformed] = []
  package private(set) var malformedCount = 0

  package struct Malformed: Codable, Equatable, Sendable {
    package let line: Int
    package let why: String
  }

  static let mostNamed = 20
  /// An object of ours has some two hundred bytes; keys are bounded by it too.
  static let longestLine = 16_384

  private struct Line: Decodable {
    let type: String
    let flag: String?
    let variant: String?
    let reason: String?
    let unit: String?
    let trace: String?
    let version: Int?
    let event: String?
    let service: String?
    let failed: Bool?
    let durationMs: Double?
    let at: Moment?
  }

  /// Seconds since 1970, or ISO 8601.
  private struct Moment: Decodable {
    let instant: Instant
    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let seconds = try? container.decode(Double.self) {
        guard let instant = Instant(secondsSince1970: seconds) else {
          throw DecodingError.dataCorruptedError(in: container, debugDescription: "at is beyond any time")
        }
        self.instant = instant
        return
      }
      let text = try container.decode(String.self)
      let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
      guard let date = (try? style.parse(text)) ?? (try? Date.ISO8601FormatStyle().parse(text)),
        let instant = Instant(secondsSince1970: date.timeIntervalSince1970)
      else {
        throw DecodingError.dataCorruptedError(
          in: container, debugDescription: "at is neither seconds since 1970 nor a time like 2026-11-23T21:00:00Z")
      }
      self.instant = instant
    }
  }

  /// - Parameter now: for lines that tell no time.
  package init(_ body: some Collection<UInt8>, now: Instant) {
    let decoder = JSONDecoder()
    for (index, bytes) in body.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      guard bytes.contains(where: { !EvidenceLines.spaces.contains($0) }) else { continue }
      switch EvidenceLines.item(bytes, decoder, now) {
      case .success(let item): items.append(item)
      case .failure(let error):
        malformedCount += 1
        if malformed.count < EvidenceLines.mostNamed {
          malformed.append(Malformed(line: index + 1, why: error.sentence))
        }
      }
    }
  }

  private static let spaces: Set<UInt8> = [0x20, 0x09, 0x0d]

  private static func item(
    _ bytes: some Collection<UInt8>, _ decoder: JSONDecoder, _ now: Instant
  ) -> Result<EvidenceItem, Refusal> {
    guard bytes.count <= longestLine else {
      return .failure(Refusal(.malformed, "The line has \(bytes.count) bytes; at most \(longestLine) are read."))
    }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      return .failure(Refusal(.malformed, "The line is no UTF-8; send it so."))
    }
    do {
      return try item(decoder.decode(Line.self, from: Data(bytes)), now)
    } catch {
      return .failure(Refusal(.malformed, EvidenceLines.why(error)))
    }
  }

  private static func item(_ line: Line, _ now: Instant) -> Result<EvidenceItem, Refusal> {
    let at = line.at?.instant ?? now
    let key = EvidenceKey(unit: line.unit, trace: line.trace)
    var named: NamedVariant?
    if let flag = line.flag, let variant = line.variant { named = NamedVariant(flag: flag, variant: variant) }
    switch line.type {
    case "exposure":
      guard let named else { return .failure(Refusal(.malformed, "An exposure needs flag and variant.")) }
      return .success(.exposure(named, reason: line.reason, key: key, version: line.version, at: at))
    case "outcome":
      guard line.failed != nil || line.durationMs != nil else {
        return .failure(Refusal(.malformed, "An outcome needs failed, durationMs, or both."))
      }
      guard named != nil || key.unit != nil || key.trace != nil else {
        return .failure(Refusal(.malformed, "An outcome needs unit, trace, or flag and variant."))
      }
      if let duration = line.durationMs, !(0...longestMs).contains(duration) {
        return .failure(Refusal(.malformed, "durationMs must be from 0 to \(Int(longestMs))."))
      }
      let result = RequestResult(
        service: line.service, event: line.event, isFailure: line.failed,
        duration: line.durationMs.map { Span(milliseconds: Int64($0.rounded())) })
      return .success(.outcome(variants: named.map { [$0] } ?? [], key: key, result: result, at: at))
    case "conversion":
      guard key.unit != nil || key.trace != nil else {
        return .failure(Refusal(.malformed, "A conversion needs unit or trace."))
      }
      return .success(.conversion(event: line.event, key: key, at: at))
    default:
      let near = nearestMatch(to: line.type, among: ["exposure", "outcome", "conversion"])
      let hint = near.map { "; did you mean \($0)?" } ?? "; it is exposure, outcome or conversion."
      return .failure(Refusal(.malformed, "type is \(line.type.onOneLine(upTo: 40))\(hint)"))
    }
  }

  /// A day.
  private static let longestMs = 86_400_000.0

  /// In short words: Foundation's own are long, and differ from version to version.
  private static func why(_ error: any Error) -> String {
    switch error {
    case DecodingError.keyNotFound(let key, _): "\(key.stringValue) is missing."
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
      "\(context.codingPath.map(\.stringValue).joined(separator: ".")) has another type than it should."
    case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty: context.debugDescription + "."
    default: "The line is no JSON object."
    }
  }
}

extension Instant {
  /// Nil for what is no number, or more than ten thousand years away.
  init?(secondsSince1970 seconds: Double) {
    guard seconds.isFinite, abs(seconds) < 3e11 else { return nil }
    self.init(milliseconds: Int64((seconds * 1000).rounded(.down)))
  }

  init(nanoseconds: UInt64) { self.init(milliseconds: Int64(nanoseconds / 1_000_000)) }
}
