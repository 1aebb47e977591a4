import Foundation

/// OTLP's JSON: names in camel case, identifiers in hexadecimal, large numbers as text
/// (opentelemetry.io, "OTLP specification", JSON Protobuf encoding).
extension OTLPBatch {
  init(json: Data, _ signal: OTLPSignal) throws {
    let request = try JSONDecoder().decode(Request.self, from: json)
    groups = (signal == .logs ? request.resourceLogs : request.resourceSpans)?.map(\.group) ?? []
  }

  private struct Request: Decodable {
    let resourceLogs: [Resource]?
    let resourceSpans: [Resource]?
  }

  private struct Resource: Decodable {
    struct Named: Decodable { let attributes: [Pair]? }
    struct Scope: Decodable {
      let logRecords: [Record]?
      let spans: [SpanRecord]?
    }
    let resource: Named?
    let scopeLogs: [Scope]?
    let scopeSpans: [Scope]?

    var group: Group {
      var group = Group()
      group.resource = OTLPBatch.attributes(resource?.attributes)
      group.logs = (scopeLogs ?? []).flatMap { $0.logRecords ?? [] }.map(\.event)
      group.spans = (scopeSpans ?? []).flatMap { $0.spans ?? [] }.map(\.span)
      return group
    }
  }

  private struct Record: Decodable {
    let timeUnixNano: LargeNumber?
    let observedTimeUnixNano: LargeNumber?
    let eventName: String?
    let name: String?
    let traceId: String?
    let attributes: [Pair]?

    var event: Event {
      var event = Event()
      event.name = eventName ?? name ?? ""
      event.nanoseconds = timeUnixNano?.natural ?? 0
      if event.nanoseconds == 0 { event.nanoseconds = observedTimeUnixNano?.natural ?? 0 }
      event.trace = OTLPBatch.bytes(traceId)
      event.attributes = OTLPBatch.attributes(attributes)
      return event
    }
  }

  private struct SpanRecord: Decodable {
    struct Status: Decodable { let code: EnumValue? }
    let traceId: String?
    let parentSpanId: String?
    let kind: EnumValue?
    let startTimeUnixNano: LargeNumber?
    let endTimeUnixNano: LargeNumber?
    let attributes: [Pair]?
    let events: [Record]?
    let status: Status?

    var span: Span {
      var span = Span()
      span.trace = OTLPBatch.bytes(traceId)
      span.hasParent = !(parentSpanId ?? "").isEmpty
      span.kind = kind?.number ?? 0
      span.began = startTimeUnixNano?.natural ?? 0
      span.ended = endTimeUnixNano?.natural ?? 0
      span.attributes = OTLPBatch.attributes(attributes)
      span.events = (events ?? []).map(\.event)
      span.status = status?.code?.number ?? 0
      return span
    }
  }

  private struct Pair: Decodable {
    struct AnyValue: Decodable {
      let stringValue: String?
      let boolValue: Bool?
      let intValue: LargeNumber?
      let doubleValue: Double?
    }
    let key: String
    let value: AnyValue?
  }

  /// A number of 64 bits: as text, or as a number.
  private struct LargeNumber: Decodable {
    let integer: Int64
    var natural: UInt64 { UInt64(max(integer, 0)) }
    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let integer = try? container.decode(Int64.self) {
        self.integer = integer
        return
      }
      guard let integer = Int64(try container.decode(String.self)) else {
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "no whole number of 64 bits")
      }
      self.integer = integer
    }
  }

  /// The specification has numbers; some exporters write names.
  private struct EnumValue: Decodable {
    let number: Int
    private static let names = [
      "SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3, "SPAN_KIND_PRODUCER": 4,
      "SPAN_KIND_CONSUMER": 5, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2,
    ]
    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let number = try? container.decode(Int.self) {
        self.number = number
      } else {
        number = EnumValue.names[try container.decode(String.self)] ?? 0
      }
    }
  }

  private static func attributes(_ pairs: [Pair]?) -> Attributes {
    var attributes = Attributes()
    for pair in pairs ?? [] {
      guard let value = pair.value else { continue }
      if let text = value.stringValue {
        attributes.add(pair.key, .text(text))
      } else if let number = value.intValue {
        attributes.add(pair.key, .number(number.integer))
      } else if let bool = value.boolValue {
        attributes.add(pair.key, .bool(bool))
      } else if let real = value.doubleValue {
        attributes.add(pair.key, .real(real))
      }
    }
    return attributes
  }

  /// Of hexadecimal digits; empty when they are none.
  private static func bytes(_ text: String?) -> [UInt8] {
    guard let text, text.utf8.count % 2 == 0 else { return [] }
    var bytes: [UInt8] = []
    var high: UInt8?
    for character in text {
      guard let digit = character.hexDigitValue else { return [] }
      if let before = high {
        bytes.append(before << 4 | UInt8(digit))
        high = nil
      } else {
        high = UInt8(digit)
      }
    }
    return bytes
  }
}
