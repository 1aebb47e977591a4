import Flags
import Testing

@testable import FlagServing

@Suite("OFREP: one flag")
struct SingleEvaluationTests {
  private static let set = #""flagSetId":"harbor","team":"sea""#
  private static let metadata = #","metadata":{\#(set)}}"#

  @Test(
    "An answer is exactly what the protocol and its stock clients want",
    arguments: [
      (
        "berth", "{}",
        #"{"key":"berth","reason":"STATIC","variant":"on","value":true,"#
          + #""metadata":{"flagSetId":"harbor","team":"quay"}}"#
      ),
      ("half", "{}", #"{"key":"half","reason":"STATIC","variant":"whole","value":1.0"# + metadata),
      ("count", "{}", #"{"key":"count","reason":"STATIC","variant":"one","value":1"# + metadata),
      ("words", "{}", #"{"key":"words","reason":"STATIC","variant":"a","value":"say \"hi\"\n""# + metadata),
      ("shape", "{}", #"{"key":"shape","reason":"STATIC","variant":"a","value":{"x":[1,2.0]}"# + metadata),
      ("asleep", "{}", #"{"key":"asleep","reason":"DISABLED","variant":"""# + metadata),
      ("yours", "{}", #"{"key":"yours","reason":"DEFAULT","variant":"""# + metadata),
      (
        "nordic", #"{"country": "SE"}"#,
        #"{"key":"nordic","reason":"TARGETING_MATCH","variant":"on","value":true"# + metadata
      ),
      (
        "nordic", #"{"country": "DE"}"#,
        #"{"key":"nordic","reason":"DEFAULT","variant":"off","value":false"# + metadata
      ),
      ("nordic", "{}", #"{"key":"nordic","reason":"DEFAULT","variant":"off","value":false"# + metadata),
    ])
  func answer(key: String, context: String, expected: String) throws {
    let answer = try TestServer().single(key, context)
    #expect(answer.status == 200)
    #expect(answer.body == expected)
  }

  @Test(
    "What cannot be evaluated has its status, its code and a sentence",
    arguments: [
      ("broken", #"{"context":{}}"#, 400, "PARSE_ERROR", "operation that does not exist"),
      ("nowhere", #"{"context":{}}"#, 400, "GENERAL", "names no variant"),
      ("bert", #"{"context":{}}"#, 404, "FLAG_NOT_FOUND", "did you mean 'berth'?"),
      ("a%2Fb%20c", #"{"context":{}}"#, 404, "FLAG_NOT_FOUND", "There is no flag 'a/b c'"),
      ("", #"{"context":{}}"#, 404, "FLAG_NOT_FOUND", "There is no flag ''"),
      ("berth", "", 400, "PARSE_ERROR", "The body is empty"),
      ("berth", "{", 400, "PARSE_ERROR", "1:2:"),
      ("berth", "[]", 400, "PARSE_ERROR", "no JSON object"),
      ("berth", #"{"context": {"x": NaN}}"#, 400, "PARSE_ERROR", "1:19:"),
      ("berth", #"{"context": []}"#, 400, "INVALID_CONTEXT", "no object"),
      ("berth", #"{"context": {"targetingKey": 7}}"#, 400, "INVALID_CONTEXT", "no text"),
      ("berth", #"{"context": {"targetingKey": ""}}"#, 400, "TARGETING_KEY_MISSING", "is empty"),
      ("berth", #"{"context": {"targetingKey": null}}"#, 400, "TARGETING_KEY_MISSING", "is empty"),
      ("berth", String(repeating: #"{"context":"#, count: 200), 400, "PARSE_ERROR", ""),
    ])
  func refuse(key: String, body: String, status: Int, code: String, words: String) throws {
    let answer = try TestServer().ask("/ofrep/v1/evaluate/flags/\(key)", body)
    #expect(answer.status == status)
    #expect(answer.body.contains(#""errorCode":"\#(code)""#), "\(answer.body)")
    #expect(answer.body.contains(#""errorDetails":""#))
    #expect(words.isEmpty || answer.body.contains(words), "\(answer.body)")
  }

  @Test("Before anything is published, a client is told to come again and forgets nothing")
  func nothingPublished() throws {
    let empty = FlagStore(environment: "staging")
    let server = try TestServer(others: [FlagEnvironment(store: empty)])
    for path in ["/ofrep/v1/evaluate/flags/berth", "/ofrep/v1/evaluate/flags"] {
      let answer = server.ask("/flags/staging\(path)", "{}")
      #expect(answer.status == 503)
      #expect(answer.headers["retry-after"] == "1")
      #expect(answer.body == #"{"errorDetails":"Environment 'staging' has no definitions yet: come again."}"#)
    }
    try empty.publish(definitions: "{}", at: 0)
    #expect(server.ask("/flags/staging/ofrep/v1/evaluate/flags", "{}").status == 200)
  }

  @Test("A body that is no UTF-8 is refused")
  func notUTF8() throws {
    let answer = try TestServer().ask(
      "/ofrep/v1/evaluate/flags/berth", bytes: Array(#"{"context":{"a":""#.utf8) + [0xff] + Array(#""}}"#.utf8))
    #expect(answer.status == 400)
    #expect(answer.body.contains("PARSE_ERROR"))
  }

  @Test("A body without a context has an empty one, as a stock client without context sends it")
  func noContext() throws {
    #expect(try TestServer().ask("/ofrep/v1/evaluate/flags/berth", "{}").status == 200)
  }

  @Test("Other methods are told which one is right")
  func methods() throws {
    let answer = try TestServer().ask("/ofrep/v1/evaluate/flags/berth", method: .GET)
    #expect(answer.status == 405)
    #expect(answer.headers["allow"] == "POST")
  }

  @Test("Who was shown what is told to the exposures; what has no value is not")
  func exposures() throws {
    let sink = KeptExposures()
    let server = try TestServer(exposures: sink)
    _ = server.single("berth", #"{"targetingKey": "user-1"}"#)
    _ = server.single("asleep")
    _ = server.single("broken")
    _ = server.bulk("{}")
    #expect(sink.kept == ["production berth on 1 user-1"])
  }

  @Test("The environment is chosen by path, then by header; an unknown one has a nearest name")
  func environments() throws {
    let other = FlagStore(environment: "staging")
    try other.publish(
      definitions: #"{"flags":{"berth":{"state":"ENABLED","variants":{"low":1},"defaultVariant":"low"}}}"#, at: 0)
    let server = try TestServer(others: [FlagEnvironment(store: other)])
    let path = "/ofrep/v1/evaluate/flags/berth"
    #expect(server.ask(path, "{}").body.contains(#""value":true"#))
    #expect(server.ask("/flags/staging\(path)", "{}").body.contains(#""value":1"#))
    #expect(server.ask(path, "{}", headers: [("Plimsoll-Environment", "staging")]).body.contains(#""value":1"#))
    let unknown = server.ask("/flags/stagin\(path)", "{}")
    #expect(unknown.status == 404)
    #expect(unknown.body.contains("did you mean staging?"))
  }

  @Test(
    "Where a token is wanted, only it opens",
    arguments: [
      ([], 401), ([("Authorization", "Bearer secret")], 200), ([("Authorization", "secret")], 200),
      ([("X-API-Key", "secret")], 200), ([("Authorization", "Bearer secret2")], 401), ([("X-API-Key", "")], 401),
    ] as [([(String, String)], Int)])
  func token(headers: [(String, String)], status: Int) throws {
    let server = try TestServer(token: "secret\n")
    let answer = server.ask("/ofrep/v1/evaluate/flags/berth", "{}", headers: headers)
    #expect(answer.status == status)
    if status == 401 { #expect(answer.body.contains("errorDetails")) }
    // Names of environments are for those who have it.
    let unknown = server.ask("/flags/stagin/ofrep/v1/evaluate/flags", "{}", headers: headers)
    #expect(unknown.status == (status == 200 ? 404 : 401))
    #expect(server.ask("/flags/stagin/healthz", method: .GET, headers: headers).status == unknown.status)
    #expect(server.ask("/healthz", method: .GET, headers: headers).status == 200)
  }
}

/// Keeps what it is told.
final class KeptExposures: ExposureSink, @unchecked Sendable {
  // Told by one thread in these tests.
  private(set) var kept: [String] = []
  var dropped: Int { 0 }

  func exposed(
    environment: String, flag: String, variant: String, reason: Evaluation.Reason, version: Int, unit: String?,
    at seconds: Double
  ) {
    kept.append("\(environment) \(flag) \(variant) \(version) \(unit ?? "nobody")")
  }
}
