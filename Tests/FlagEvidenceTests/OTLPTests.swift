import FlagEvidence
import Foundation
import Kernel
import Ramps
import Testing

/// A protobuf message, field by field.
private struct Message {
  var bytes: [UInt8] = []
  private static func varint(_ value: UInt64) -> [UInt8] {
    value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7f) | 0x80] + varint(value >> 7)
  }
  func adding(_ number: UInt64, _ part: [UInt8]) -> Message {
    Message(bytes: bytes + Message.varint(number << 3 | 2) + Message.varint(UInt64(part.count)) + part)
  }
  func adding(_ number: UInt64, _ part: Message) -> Message { adding(number, part.bytes) }
  func adding(_ number: UInt64, _ text: String) -> Message { adding(number, Array(text.utf8)) }
  func adding(_ number: UInt64, value: UInt64) -> Message {
    Message(bytes: bytes + Message.varint(number << 3) + Message.varint(value))
  }
  func adding(_ number: UInt64, fixed: UInt64) -> Message {
    Message(bytes: bytes + Message.varint(number << 3 | 1) + (0..<8).map { UInt8(fixed >> ($0 * 8) & 0xff) })
  }
  func adding(_ number: UInt64, _ name: String, _ text: String) -> Message {
    adding(number, Message().adding(1, name).adding(2, Message().adding(1, text)))
  }
}

struct OTLPTests {
  private let nanoseconds = UInt64(EvidenceScene.began.milliseconds) * 1_000_000

  /// One server span that failed after 1.5 s, with the flag in its attributes or in an event.
  private func span(_ unit: String, inEvent: Bool) -> Message {
    func attributes(_ message: Message, _ number: UInt64) -> Message {
      message.adding(number, "feature_flag.key", "checkout").adding(number, "feature_flag.variant", "on")
        .adding(number, "feature_flag.context.id", unit)
    }
    let span = Message().adding(1, Array(repeating: 7, count: 16)).adding(5, "GET /").adding(6, value: 2)
      .adding(7, fixed: nanoseconds).adding(8, fixed: nanoseconds + 1_500_000_000)
      .adding(15, Message().adding(2, "no").adding(3, value: 2))
    guard inEvent else { return attributes(span, 9) }
    return span.adding(11, attributes(Message().adding(1, fixed: nanoseconds).adding(2, "feature_flag"), 3))
  }

  private func request(_ spans: [Message]) -> [UInt8] {
    let scope = spans.reduce(Message()) { $0.adding(2, $1) }
    return Message().adding(1, Message().adding(1, Message().adding(1, "service.name", "shop")).adding(2, scope)).bytes
  }

  private func told(_ body: [UInt8], type: String, path: String = "/v1/traces") async throws -> [RampTelling] {
    let scene = try EvidenceScene([Guardrail("errors", .errors), Guardrail("slow", .latency(slowerThan: .seconds(1)))])
    await scene.begin()
    let stream = try await scene.hub.tellings(of: scene.ramp)
    let answer = scene.post(path, body, type: type)
    #expect(answer.status == 200 && answer.contentType == type)
    return await scene.tellings(after: 6, stream)
  }

  @Test(arguments: [false, true])
  func spansInProtobuf(inEvent: Bool) async throws {
    let all = try await told(
      request([span("a", inEvent: inEvent), span("b", inEvent: inEvent)]), type: "application/x-protobuf")
    #expect(all.counts(0).events == Cohorts(treatment: 2, control: 0))
    #expect(all.counts(1).events == Cohorts(treatment: 2, control: 0))
    #expect(all.units == Cohorts(treatment: 2, control: 0))
  }

  @Test func spansAndLogsInJSON() async throws {
    let trace = String(repeating: "0a", count: 16)
    let time = "\"\(nanoseconds)\""
    let spans = """
      {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
       "scopeSpans":[{"spans":[{"traceId":"\(trace)","spanId":"0a0a0a0a0a0a0a0a","name":"GET /","kind":2,
        "startTimeUnixNano":\(time),"endTimeUnixNano":"\(nanoseconds + 5_000_000)",
        "attributes":[{"key":"http.response.status_code","value":{"intValue":"503"}}],"status":{}}]}]}]}
      """
    let logs = """
      {"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":\(time),"traceId":"\(trace)",
       "eventName":"feature_flag.evaluation","attributes":[
        {"key":"feature_flag.key","value":{"stringValue":"checkout"}},
        {"key":"feature_flag.result.variant","value":{"stringValue":"off"}},
        {"key":"feature_flag.context.id","value":{"stringValue":"a"}}]}]}]}]}
      """
    let scene = try EvidenceScene()
    await scene.begin()
    let stream = try await scene.hub.tellings(of: scene.ramp)
    #expect(scene.post("/v1/traces", Array(spans.utf8), type: "application/json").status == 200)
    #expect(scene.post("/v1/logs", Array(logs.utf8), type: "application/json; charset=utf-8").status == 200)
    #expect(await scene.tellings(after: 4, stream).counts().events == Cohorts(treatment: 0, control: 1))
  }

  @Test func whatIsNoRequestIsRefusedAndNothingCrashes() throws {
    let scene = try EvidenceScene()
    let body = request([span("a", inEvent: true)])
    for end in 0..<body.count {
      let status = scene.post("/v1/traces", Array(body[..<end]), type: "application/x-protobuf").status
      #expect(status == 400 || end == 0)
    }
    var broken = body
    for index in body.indices {
      broken[index] ^= 0xff
      _ = scene.post("/v1/traces", broken, type: "application/x-protobuf")
      _ = scene.post("/v1/logs", broken, type: "application/x-protobuf")
      broken[index] ^= 0xff
    }
    #expect(scene.post("/v1/traces", Array("[1]".utf8), type: "application/json").status == 400)
    #expect(scene.post("/v1/traces", [0xff], type: "application/json").status == 400)
    #expect(scene.post("/v1/traces", body, type: "text/plain").status == 415)
  }
}
