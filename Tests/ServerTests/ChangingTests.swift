import Foundation
import Kernel
import Testing

@testable import Server

@Suite struct ChangingTests {
  /// `words` must be in the answer.
  private func check(
    _ method: String, _ path: String, _ body: String?, headers: [(String, String)] = authorized, answers status: Int,
    saying words: String, outage: Outage? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await withServer { wire, backend in
      await backend.setOutage(outage)
      let answer = try await wire.send(method, path, headers: headers, body: body)
      #expect(answer.status == status, "\(answer.body)", sourceLocation: sourceLocation)
      #expect(answer.body.contains(words), "\(answer.body)", sourceLocation: sourceLocation)
    }
  }

  @Test func nothingChangesWithoutTheToken() async throws {
    let json = [("Content-Type", "application/json")]
    for path in ["/v1/changes", "/v1/rollouts/harbor/production/rollback", "/v1/promotions/harbor/c73d"] {
      try await check("POST", path, "{}", headers: json, answers: 401, saying: "unauthorized")
    }
    try await check(
      "POST", "/v1/changes", "{}", headers: json + [("Authorization", "Bearer secret-tokem")], answers: 401,
      saying: "token")
    try await check("DELETE", "/v1/changes/harbor/5", "{}", headers: json, answers: 401, saying: "unauthorized")
  }

  @Test func anEmptyTokenLetsNobodyIn() async throws {
    try await withServer(token: "") { wire, _ in
      let answer = try await wire.send(
        "POST", "/v1/changes", headers: [("Authorization", "Bearer "), ("Content-Type", "application/json")],
        body: "{}")
      #expect(answer.status == 401)
    }
  }

  @Test func badRequestsSayWhatToMend() async throws {
    try await check("POST", "/v1/changes", "{", answers: 400, saying: "no JSON")
    try await check("POST", "/v1/changes", "{}", answers: 400, saying: "'branch' is missing")
    try await check("POST", "/v1/changes", #"{"branch":7}"#, answers: 400, saying: "'branch' is no string")
    try await check("POST", "/v1/changes", #"{"branch":"-x"}"#, answers: 400, saying: "no branch name")
    try await check(
      "POST", "/v1/changes", #"{"branch":"tide-tabel"}"#, answers: 404, saying: "did you mean tide-table?")
    try await check(
      "POST", "/v1/changes", #"{"branch":"pilot","repository":"harbour"}"#, answers: 404, saying: "did you mean harbor?"
    )
    let form = [("Authorization", "Bearer secret-token"), ("Content-Type", "text/plain")]
    try await check("POST", "/v1/changes", "{}", headers: form, answers: 415, saying: "application/json")
    let long = "{\"branch\":\"" + String(repeating: "x", count: 70_000) + "\"}"
    try await check("POST", "/v1/changes", long, answers: 413, saying: "tooLarge")
  }

  @Test func refusalsAndOutagesHaveTheirStatus() async throws {
    try await check("DELETE", "/v1/changes/harbor/99", #"{"reason":"x"}"#, answers: 404, saying: "unknown")
    try await check(
      "POST", "/v1/promotions/harbor/\(Harbor.commit("first"))", #"{"reason":"x"}"#, answers: 409, saying: "notNow")
    try await check(
      "POST", "/v1/changes", #"{"branch":"pilot"}"#, answers: 503, saying: "unavailable",
      outage: Outage("disk", "is full: free some space"))
  }

  @Test func submittingWithdrawingAndRollingBack() async throws {
    try await withServer { wire, backend in
      let again = try await wire.send(
        "POST", "/v1/changes", headers: authorized + [("Plimsoll-Request", "k-1"), ("Plimsoll-Actor", "ada")],
        body: #"{"branch":"tariff-rounding"}"#)
      #expect(again.status == 200)
      #expect(try again.json()["entry"] as? Int == 8)
      var asked = try #require(await backend.asked)
      #expect(asked.id == "k-1")
      #expect(asked.actor == "ada")
      #expect(asked.lane == .progress)

      let withdrawn = try await wire.send(
        "DELETE", "/v1/changes/harbor/8", headers: authorized, body: #"{"reason":"not yet"}"#)
      #expect(withdrawn.body.contains("#8 was withdrawn: not yet."))

      let back = try await wire.send(
        "POST", "/v1/rollouts/harbor/production/rollback", headers: authorized, body: #"{"reason":"odd tides"}"#)
      #expect(back.status == 200)
      #expect(back.body.contains("was condemned in harbor in production"))
      asked = try #require(await backend.asked)
      #expect(asked.lane == .protect)
    }
  }

  @Test func aCondemnationIsLiftedByAPrefix() async throws {
    try await withServer { wire, backend in
      guard case .delivery(let state)? = await backend.state(of: Harbor.inProduction) else {
        Issue.record("production has no state")
        return
      }
      let digest = try #require(state.condemned.first?.digest)
      let lifted = try await wire.send(
        "POST", "/v1/rollouts/harbor/production/lift", headers: authorized,
        body: "{\"digest\":\"\(digest.hex.prefix(9))\",\"reason\":\"it was the load test\"}")
      #expect(lifted.status == 200, "\(lifted.body)")
      #expect(lifted.body.contains("was lifted"))
      #expect(await backend.asked?.lane == .protect)
    }
  }
}

@Suite struct TokenTests {
  @Test func comparesWholeTokens() {
    func check(_ given: String, _ expected: String, _ equal: Bool) {
      #expect(TokenGuard<WebContext>.areEqual(Array(given.utf8), Array(expected.utf8)) == equal)
    }
    check("abc", "abc", true)
    check("abd", "abc", false)
    check("ab", "abc", false)
    check("abcd", "abc", false)
    check("", "abc", false)
    check("", "", false)
  }
}

@Suite struct LookupTests {
  private func check(_ text: String, _ known: [String], finds digest: String? = nil, refuses words: String? = nil)
    throws
  {
    let digests = known.map {
      Harbor.parsed(Digest(rawValue: "sha256:" + $0.padding(toLength: 64, withPad: "0", startingAt: 0)))
    }
    do {
      let found = try Lookup.digest(text, among: digests, "artifact")
      #expect(digest.map(found.hex.hasPrefix) ?? false)
    } catch let refusal as Refusal {
      #expect(words.map(refusal.sentence.contains) ?? false, "\(refusal.sentence)")
    }
  }

  @Test func digestsByPrefix() throws {
    try check("abcd", ["abcd1", "ffff2"], finds: "abcd1")
    try check("sha256:abcd", ["abcd1"], finds: "abcd1")
    try check("abcd", ["abcd1", "abcd2"], refuses: "abcd10000000, abcd20000000")
    try check("abce", ["abcd1"], refuses: "did you mean abcd?")
    try check("abc", ["abcd1"], refuses: "at least its first 4")
    try check("../../etc", ["abcd1"], refuses: "is no digest")
  }
}
