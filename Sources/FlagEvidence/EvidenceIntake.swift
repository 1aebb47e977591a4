import Foundation
import Kernel

/// One request of a source, as a whole.
package struct EvidenceRequest: Sendable {
  /// Without query and without the prefix that chose the environment.
  package let path: String
  /// Chosen by path or header; nil when neither did.
  package let environment: String?
  package let contentType: String
  package let contentEncoding: String
  package let body: [UInt8]
  /// Address of the sender: whose clock stamps, where the body does not say.
  package let peer: String
  package init(
    path: String, environment: String? = nil, contentType: String, contentEncoding: String = "", body: [UInt8],
    peer: String = "unknown"
  ) {
    self.path = path
    self.environment = environment
    self.contentType = contentType
    self.contentEncoding = contentEncoding
    self.body = body
    self.peer = peer
  }
}

package struct EvidenceAnswer: Equatable, Sendable {
  package let status: Int
  package var retryAfterSeconds: Int?
  package var contentType = "application/json"
  package let body: [UInt8]

  static func sentence(_ status: Int, _ sentence: String, retryAfterSeconds: Int? = nil) -> EvidenceAnswer {
    struct Failure: Encodable { let error: String }
    let body = (try? JSONEncoder().encode(Failure(error: sentence))) ?? Data()
    return EvidenceAnswer(status: status, retryAfterSeconds: retryAfterSeconds, body: Array(body))
  }
}

/// Reads what sources send over HTTP, in any of the formats of `docs/flag-evidence.md`, and hands it to the hub.
package struct EvidenceIntake: Sendable {
  private let hub: EvidenceHub
  private let usual: String
  private let now: @Sendable () -> Instant

  /// OpenTelemetry's collector takes 20 MiB, but exporters send 512 spans at once: under a megabyte.
  package static let bodyLimit = 4 << 20
  /// Unpacked.
  static let inflatedLimit = 16 << 20
  /// Turns empty the inbox every quarter of a second.
  static let retryAfterSeconds = 1

  /// - Parameter usual: the environment of those who name none; one of the hub's.
  package init(hub: EvidenceHub, usual: String) {
    self.hub = hub
    self.usual = usual
    now = hub.clock
  }

  /// Whether a body is worth reading: what cannot be kept need not be unpacked.
  var hasRoom: Bool { hub.hasRoom }

  package func receive(_ request: EvidenceRequest) -> EvidenceAnswer {
    if let name = request.environment, !hub.environments.contains(name) {
      let near = nearestMatch(to: String(name.prefix(64)), among: hub.environments.sorted())
      let hint = near.map { "did you mean \($0)?" } ?? "there is \(hub.environments.sorted().joined(separator: ", "))."
      return .sentence(404, "There is no environment '\(name.onOneLine(upTo: 64))': \(hint)")
    }
    guard request.body.count <= EvidenceIntake.bodyLimit else { return EvidenceIntake.tooLarge }
    guard hasRoom else { return EvidenceIntake.full }
    let body: [UInt8]
    switch request.contentEncoding.lowercased() {
    case "", "identity": body = request.body
    case "gzip", "deflate":
      do { body = try Inflation.inflated(request.body, limit: EvidenceIntake.inflatedLimit) } catch .tooLarge {
        return EvidenceIntake.tooLarge
      } catch {
        return .sentence(400, "The body is no \(request.contentEncoding): send it as Content-Encoding says.")
      }
    default: return .sentence(415, "Content-Encoding may be gzip or deflate, or left out.")
    }
    switch request.path {
    case "/v1/logs": return receive(.logs, body, request)
    case "/v1/traces": return receive(.traces, body, request)
    case "/v1/flags/events": return receiveLines(body, request)
    default:
      return .sentence(404, "There is nothing here: send to /v1/logs, /v1/traces or /v1/flags/events.")
    }
  }

  static let tooLarge = EvidenceAnswer.sentence(
    413, "The body has more than \(bodyLimit >> 20) MB, or \(inflatedLimit >> 20) MB unpacked: send smaller batches.")
  static let full = EvidenceAnswer.sentence(
    429, "More comes than can be looked at: send it again in a second, or sample it by unit.",
    retryAfterSeconds: retryAfterSeconds)

  // MARK: Our own lines

  private struct Receipt: Encodable {
    let taken: Int
    let malformed: Int
    let lines: [EvidenceLines.Malformed]
  }

  private func receiveLines(_ body: [UInt8], _ request: EvidenceRequest) -> EvidenceAnswer {
    let lines = EvidenceLines(body, now: now())
    let place = request.environment ?? usual
    guard hub.take(lines.items, from: request.peer, in: place) else { return EvidenceIntake.full }
    let receipt = Receipt(taken: lines.items.count, malformed: lines.malformedCount, lines: lines.malformed)
    let isUseless = lines.items.isEmpty && lines.malformedCount > 0
    return EvidenceAnswer(
      status: isUseless ? 400 : 200, body: (try? JSONEncoder().encode(receipt)).map { Array($0) } ?? [])
  }

  // MARK: OTLP

  private func receive(_ signal: OTLPSignal, _ body: [UInt8], _ request: EvidenceRequest) -> EvidenceAnswer {
    let type = request.contentType.split(separator: ";").first.map { $0.lowercased() } ?? ""
    let batch: OTLPBatch
    switch type.trimmingCharacters(in: .whitespaces) {
    case "application/x-protobuf":
      guard let read = try? OTLPBatch(protobuf: body, signal) else {
        return .sentence(400, "The body is no OTLP request in protobuf: send it to the path of its signal.")
      }
      batch = read
    case "application/json":
      guard let read = try? OTLPBatch(json: Data(body), signal) else {
        return .sentence(400, "The body is no OTLP request in JSON: send it to the path of its signal.")
      }
      batch = read
    default: return .sentence(415, "Content-Type must be application/x-protobuf or application/json.")
    }
    let now = now()
    for group in batch.groups {
      // A batch whose first groups were taken is sent again whole: their exposures are the same, outcomes count twice in
      // both cohorts. A collector in between makes more than one group; a service sends one.
      guard hub.take(group.items(now: now), from: group.source ?? request.peer, in: place(of: group, request)) else {
        return EvidenceIntake.full
      }
    }
    // An empty message in either encoding: everything was taken, and what is no evidence was passed over.
    return EvidenceAnswer(
      status: 200, contentType: type, body: type == "application/json" ? Array("{}".utf8) : [])
  }

  private func place(of group: OTLPBatch.Group, _ request: EvidenceRequest) -> String {
    if let chosen = request.environment { return chosen }
    guard let told = group.environment, hub.environments.contains(told) else { return usual }
    return told
  }
}
