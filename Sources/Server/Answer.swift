import API
import ControlPlane
import Foundation
import HTTPTypes
import Hummingbird
import Kernel
import NIOCore

/// Bodies of requests and answers: JSON in, JSON out, and every failure as a `Failure`.
enum Answer {
  /// Of a request's body; the longest legal one is a few hundred bytes.
  static let bodyLimit = 64 * 1024

  static func json(_ value: some Encodable, _ status: HTTPResponse.Status = .ok) throws -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return bytes([UInt8](try encoder.encode(value)), type: "application/json", status)
  }

  static func bytes(_ bytes: [UInt8], type: String, _ status: HTTPResponse.Status = .ok) -> Response {
    var headers = HTTPFields()
    headers[.contentType] = type
    headers[.contentLength] = String(bytes.count)
    return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  static func text(_ text: String, type: String, _ status: HTTPResponse.Status = .ok) -> Response {
    bytes(Array(text.utf8), type: type, status)
  }

  // MARK: Reading requests

  /// - Throws: `Refused` (413, 415) or `Refusal.malformed` that names the field.
  static func body<Body: Decodable>(_ type: Body.Type, of request: Request) async throws -> Body {
    let buffer = try await collected(request, type: "application/json", limit: bodyLimit, next: "send less")
    do {
      return try JSONDecoder().decode(type, from: Data(buffer.readableBytesView))
    } catch let error as DecodingError {
      throw Refusal(.malformed, sentence(for: error))
    }
  }

  /// - Parameter next: what to do instead of sending more than `limit` bytes.
  /// - Throws: `Refused` (413, 415).
  static func collected(_ request: Request, type: String, limit: Int, next: String) async throws -> ByteBuffer {
    // A form of another site can send plain text or a form, but not this type without asking first (CORS).
    let media = request.headers[.contentType]?.split(separator: ";").first.map {
      $0.trimmingCharacters(in: .whitespaces).lowercased()
    }
    guard media == type else {
      throw Refused(
        status: .unsupportedMediaType, kind: "malformed",
        sentence: "The body has the type '\(media ?? "none")': send Content-Type: \(type).")
    }
    do {
      return try await request.body.collect(upTo: limit)
    } catch is NIOTooManyBytesError {
      throw Refused(
        status: .contentTooLarge, kind: "tooLarge", sentence: "The body is longer than \(limit) bytes: \(next).")
    }
  }

  private static func sentence(for error: DecodingError) -> String {
    func path(_ context: DecodingError.Context) -> String {
      context.codingPath.map(\.stringValue).joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, _): return "The field '\(key.stringValue)' is missing: give it."
    case .typeMismatch(let type, let context):
      guard !context.codingPath.isEmpty else { return "The body is no JSON object: send one." }
      return "The field '\(path(context))' is no \(name(of: type)): mend its type."
    case .valueNotFound(let type, let context): return "The field '\(path(context))' is null: give a \(name(of: type))."
    case .dataCorrupted(let context):
      return context.codingPath.isEmpty
        ? "The body is no JSON: send an object." : "The field '\(path(context))' cannot be read: mend its value."
    @unknown default: return "The body cannot be read: send an object as openapi.yaml describes it."
    }
  }

  private static func name(of type: Any.Type) -> String {
    switch type {
    case is String.Type: "string"
    case is Bool.Type: "boolean"
    case is any BinaryInteger.Type: "whole number"
    default: "value of the right type"
    }
  }

  // MARK: Failures

  /// What went wrong as status and failure; nil for a defect, which is not explained to the outside.
  static func failure(for error: any Error) -> (HTTPResponse.Status, Failure) {
    switch error {
    case let refused as Refused: (refused.status, Failure(kind: refused.kind, sentence: refused.sentence))
    case let refusal as Refusal:
      (status(of: refusal.kind), Failure(kind: refusal.kind.rawValue, sentence: refusal.sentence))
    case let outage as Outage:
      (.serviceUnavailable, Failure(kind: "unavailable", sentence: "\(outage.subject): \(outage.sentence)"))
    case let error as HTTPError where error.status == .notFound:
      (.notFound, Failure(kind: "unknown", sentence: "There is nothing here: see /v1/openapi.yaml for what there is."))
    case let error as HTTPError:
      (error.status, Failure(kind: "malformed", sentence: error.body ?? "The request cannot be read."))
    default:
      (
        .internalServerError,
        Failure(kind: "unavailable", sentence: "Plimsoll failed at this request: look into its log and report it.")
      )
    }
  }

  private static func status(of kind: Refusal.Kind) -> HTTPResponse.Status {
    switch kind {
    case .malformed: .badRequest
    case .unknown: .notFound
    case .notNow: .conflict
    case .forbidden: .forbidden
    }
  }
}

/// A refusal of HTTP itself, which no machine knows.
struct Refused: Error {
  let status: HTTPResponse.Status
  let kind: String
  let sentence: String
}
