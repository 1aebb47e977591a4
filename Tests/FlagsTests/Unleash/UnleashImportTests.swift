import Testing

@testable import Flags

@Suite("Unleash definitions that are served on")
struct UnleashImportTests {
  private let first = #"{ "name":"a", "enabled":true, "strategies":[], "x":1e2, "text":"} \" ü" }"#
  private let second = #"{"name":"b","enabled":false,"createdAt":"2026-01-01T00:00:00Z"}"#
  private let segment = #"{"id":7,"constraints":[],"own":[{}]}"#

  private func imported() throws -> UnleashImport {
    try UnleashImport(
      json: "{\"version\":2,\n\"features\": [\(first) , \(second)],\"segments\":[\(segment)],\"query\":{}}")
  }

  @Test("come out as they went in, letter by letter")
  func verbatim() throws {
    let document = try imported()
    #expect(document.text(of: "a") == first)
    #expect(document.document == "{\"version\":2,\"features\":[\(first),\(second)],\"segments\":[\(segment)]}")
    #expect(document.features.count == 2)
    let again = try UnleashImport(json: document.hydration(event: 3))
    #expect(again.document == document.document)
  }

  @Test("follow events, and a refused document changes nothing")
  func events() throws {
    var document = try imported()
    let changed = #"{"name":"b","enabled":true}"#
    let events = [
      "{\"type\":\"feature-updated\",\"feature\":\(changed)}", #"{"type":"feature-removed","featureName":"a"}"#,
      #"{"type":"segment-removed","segmentId":7}"#,
    ]
    try document.apply(json: "{\"events\":[\(events.joined(separator: ","))]}")
    #expect(document.document == "{\"version\":2,\"features\":[\(changed)],\"segments\":[]}")
    #expect(document.features.names == ["b"])
    #expect(throws: FlagRefusal.self) { try document.apply(json: "{\"features\":[{}]}") }
    #expect(document.text(of: "b") == changed)
  }
}
