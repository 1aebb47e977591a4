import ControlPlane
import Foundation
import Kernel
import Rollouts
import Testing

@testable import Server

/// Approve, freeze, thaw, drill, floor: as requests, and as people see them.
@Suite("Gates, freezes, drills and floors") struct HoldingTests {
  private static let place = "/v1/rollouts/harbor/production"

  /// `words` must all be in the answer.
  private func check(
    _ what: String, in story: Harbor, _ verb: String, _ body: String, answers status: Int, saying words: String...,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await withServer(story) { wire, backend in
      let path = verb.hasPrefix("/") ? verb : "\(Self.place)/\(verb)"
      let answer = try await wire.send("POST", path, headers: authorized, body: body)
      #expect(answer.status == status, "\(what): \(answer.body)", sourceLocation: sourceLocation)
      for word in words {
        #expect(answer.body.contains(word), "\(what): \(answer.body)", sourceLocation: sourceLocation)
      }
      if status == 200 { #expect(await backend.asked?.lane == .protect, sourceLocation: sourceLocation) }
    }
  }

  @Test func aGateIsApprovedAsItWasSeen() async throws {
    let story = try Harbor.gated()
    try await check(
      "the step that asks", in: story, "approve", #"{"rollout":2,"step":2,"reason":"looked at it"}"#, answers: 200,
      saying: "api approved step 3 of rollout 2", "looked at it", "The verdict was good", #""rollout":2"#)
    try await check(
      "another step", in: story, "approve", #"{"rollout":2,"step":1,"reason":"x"}"#, answers: 409,
      saying: "does not wait", "is at step 3, 50 %")
    try await check(
      "another rollout", in: story, "approve", #"{"rollout":1,"step":2,"reason":"x"}"#, answers: 409,
      saying: "does not wait", "rollout 2 is at step 3")
    try await check(
      "without a reason", in: story, "approve", #"{"rollout":2,"step":2,"reason":""}"#, answers: 400,
      saying: "needs a reason")
    try await check("without a step", in: story, "approve", #"{"rollout":2}"#, answers: 400, saying: "is missing")
    try await check(
      "where nothing runs", in: try Harbor.drilled(), "approve", #"{"rollout":2,"step":2,"reason":"x"}"#,
      answers: 409, saying: "harbor in production")
    try await check(
      "of a service with a slip", in: story, "/v1/rollouts/harbr/production/approve",
      #"{"rollout":2,"step":2,"reason":"x"}"#, answers: 404, saying: "did you mean harbor?")
  }

  @Test func approvingTwiceDoesNotApproveTheNextStep() async throws {
    try await withServer(try Harbor.gated()) { wire, _ in
      let body = #"{"rollout":2,"step":2,"reason":"looked at it"}"#
      let first = try await wire.send("POST", "\(Self.place)/approve", headers: authorized, body: body)
      #expect(first.status == 200, "\(first.body)")
      let again = try await wire.send("POST", "\(Self.place)/approve", headers: authorized, body: body)
      #expect(again.status == 409, "\(again.body)")
    }
  }

  @Test func aFreezeHoldsUntilItIsThawed() async throws {
    let story = try Harbor.rich()
    let later = story.now.milliseconds + 3_600_000
    try await check(
      "with an end", in: story, "freeze", "{\"reason\":\"the regatta\",\"untilMs\":\(later)}", answers: 200,
      saying: "harbor in production was frozen", "the regatta", "until")
    try await check(
      "with an end that has passed", in: story, "freeze",
      "{\"reason\":\"x\",\"untilMs\":\(story.now.milliseconds - 1)}",
      answers: 400, saying: "cannot end before it begins")
    try await check("without a reason", in: story, "freeze", #"{"reason":""}"#, answers: 400, saying: "needs a reason")
    try await check(
      "a thaw of what is not frozen", in: story, "thaw", #"{"reason":"x"}"#, answers: 409, saying: "not frozen")
    try await check(
      "of an environment with a slip", in: story, "/v1/rollouts/harbor/prodution/freeze", #"{"reason":"x"}"#,
      answers: 404, saying: "did you mean production?")
    try await check(
      "a thaw", in: try Harbor.frozen(), "thaw", #"{"reason":"it is over"}"#, answers: 200, saying: "thawed",
      "it is over")
  }

  @Test func aDrillSaysWhichRolloutItIs() async throws {
    let story = try Harbor.drilled()
    try await check(
      "where nothing moves", in: story, "drill", #"{"reason":"again"}"#, answers: 200, saying: #""rollout":4"#,
      "drill")
    try await check("without a reason", in: story, "drill", #"{"reason":""}"#, answers: 400, saying: "needs a reason")
    try await check(
      "while a rollout is watched", in: try Harbor.rich(), "drill", #"{"reason":"x"}"#, answers: 409,
      saying: "harbor in production")
    try await check(
      "with nobody to go back to", in: try Harbor.gated(), "/v1/rollouts/harbor/staging/floor",
      #"{"digest":"abcd","reason":"x"}"#, answers: 404, saying: "No known-good version of harbor in staging")
  }

  @Test func aFloorIsAKeptVersion() async throws {
    let story = try Harbor.drilled()
    let digest = try #require(story.production.knownGood.first?.deployment.digest)
    try await check(
      "the serving one", in: story, "floor", "{\"digest\":\"\(digest.hex.prefix(9))\",\"reason\":\"new format\"}",
      answers: 200, saying: digest.short, "new format")
    try await check(
      "an unknown one", in: story, "floor", #"{"digest":"0000aaaa","reason":"x"}"#, answers: 404,
      saying: "No known-good version")
    try await check(
      "while a rollout runs", in: try Harbor.rich(), "floor",
      "{\"digest\":\"\(Harbor.digest("artifact of \(Harbor.commit("first"))").hex)\",\"reason\":\"x\"}", answers: 409,
      saying: "harbor in production")
  }

  @Test func aNameIsAnsweredOnce() async throws {
    let frozen = try Harbor.frozen()
    for (story, verb, body) in [
      (try Harbor.gated(), "approve", #"{"rollout":2,"step":2,"reason":"x"}"#),
      (try Harbor.drilled(), "drill", #"{"reason":"x"}"#), (try Harbor.rich(), "freeze", #"{"reason":"x"}"#),
      (frozen, "thaw", #"{"reason":"x"}"#),
    ] {
      try await withServer(story) { wire, backend in
        let named = authorized + [("Plimsoll-Request", "k-1")]
        let first = try await wire.send("POST", "\(Self.place)/\(verb)", headers: named, body: body)
        #expect(first.status == 200, "\(verb): \(first.body)")
        let head = await backend.head()
        let again = try await wire.send("POST", "\(Self.place)/\(verb)", headers: named, body: body)
        #expect(again.body == first.body, "\(verb)")
        #expect(await backend.head() == head, "\(verb)")
        #expect(try await wire.send("POST", "\(Self.place)/\(verb)", body: body).status == 401, "\(verb)")
      }
    }
  }

  // MARK: What people see

  private func see(
    _ story: Harbor, _ path: String, _ words: [String], not absent: [String] = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await withServer(story) { wire, _ in
      let page = try await wire.send("GET", path)
      #expect(page.status == 200, "\(path): \(page.body)", sourceLocation: sourceLocation)
      for word in words {
        #expect(page.body.contains(word), "\(path) lacks \(word)", sourceLocation: sourceLocation)
      }
      for word in absent {
        #expect(!page.body.contains(word), "\(path) says \(word)", sourceLocation: sourceLocation)
      }
    }
  }

  @Test func aGateAsksEverywhere() async throws {
    let story = try Harbor.gated()
    let command = "plimsoll rollout approve harbor production --reason TEXT"
    try await see(story, "/", ["asks you", "May it go on from 50 %?", command])
    try await see(story, "/services/harbor/production", ["asks you", command, "plimsoll rollback harbor production"])
    try await see(
      story, "/rollouts/harbor/production/2",
      [
        "May it go on from 50 %?", command, "preview requests only", "X-Preview: yes", "10 % on 1 instance",
        "until a 50x worsening would have been seen", "then a person is asked", "the old version keeps 5 %",
        "compared at the same moments",
      ], not: ["There is not enough evidence"])
    try await see(story, "/v1/rollouts/harbor/production/2", [#""kind":"approval""#, #""strategy":"canary""#])
    try await see(
      try Harbor.askedForEvidence(), "/rollouts/harbor/production/2",
      ["without evidence?", "There is not enough evidence yet", "HAProxy&#39;s log"])
  }

  @Test func aFreezeSaysWhoAndWhy() async throws {
    let story = try Harbor.frozen()
    for path in ["/", "/services/harbor/production", "/rollouts/harbor/production/4"] {
      try await see(story, path, ["Frozen by ada", "The regatta: nobody changes the locks."])
    }
    try await see(story, "/rollouts/harbor/production/3", ["rolled back"], not: ["Frozen by"])
    var hostile = try Harbor.rich()
    try hostile.ask(.freeze(Rollout.Freeze(reason: Harbor.hostileTitle, actor: "<b>mallory</b>", until: nil)))
    for path in ["/", "/services/harbor/production", "/rollouts/harbor/production/4", "/ledger"] {
      try await see(hostile, path, ["&lt;script&gt;", "&lt;b&gt;mallory"], not: ["<script>alert", "<b>mallory"])
    }
  }

  @Test func aSpentBudgetIsShownWithWhatIsMissing() async throws {
    let spent = try Harbor.spent()
    let words = "the error budget of orders (99.9 % over 30 days): it is overspent by 100.0 %."
    for path in ["/", "/services/harbor/production"] {
      try await see(
        spent, path, ["Frozen by error budget", words, "nknown since", "query &#39;all&#39; found no series"])
    }
    try await see(
      spent, "/services/harbor/production",
      ["All orders are taken", "spent", "Nothing closes and nothing opens for want of evidence."])
    try await withServer(try Harbor.spent(thenUnknown: true)) { wire, _ in
      let view = try await wire.send("GET", "/v1/services/harbor/production").json()
      let budgets = try #require(view["budgets"] as? [[String: Any]])
      #expect(budgets.map { $0["gate"] as? String } == ["spent", "open"])
      #expect((budgets.first?["left"] as? Double).map { abs($0 + 1) < 1e-9 } == true)
      let missing = budgets.map { ($0["inconclusive"] as? [String: Any])?["missing"] as? String }
      #expect(missing == ["Prometheus: it answered 503.", "The query 'all' found no series."])
      let since = budgets.map { ($0["inconclusive"] as? [String: Any])?["sinceMs"] as? Int64 }
      #expect(since.first.flatMap(\.self) ?? 0 > since.last.flatMap(\.self) ?? .max)
      #expect((view["freeze"] as? [String: Any])?["actor"] as? String == "error budget")
      #expect((view["sentence"] as? String)?.contains("waits, because this place is frozen (error budget") == true)
    }
  }

  @Test func whatTheEvidenceCannotTellIsShown() async throws {
    try await withServer(try Harbor.rich()) { wire, backend in
      await backend.count(
        by: EvidenceOrigin("requests on its instances' metrics pages", caveats: ["no histogram says how long"]))
      let page = try await wire.send("GET", "/rollouts/harbor/production/4").body
      #expect(page.contains("metrics pages") && page.contains("No histogram says how long."))
      let view = try await wire.send("GET", "/v1/rollouts/harbor/production/4").json()
      #expect(view["caveats"] as? [String] == ["No histogram says how long."])
      #expect(
        (view["inconclusive"] as? [String: Any])?["source"] as? String == "requests on its instances' metrics pages")
      let ended = try await wire.send("GET", "/v1/rollouts/harbor/production/3").json()
      #expect(ended["caveats"] as? [String] == [])
    }
  }

  @Test func aDrillIsNoDeployment() async throws {
    let story = try Harbor.drilled()
    try await see(story, "/services/harbor/production", ["drilled", "went there in"], not: ["Never drilled"])
    try await see(story, "/rollouts/harbor/production/3", ["drilled", "came back in"])
    try await see(story, "/", ["steady"])
    try await withServer(story) { wire, _ in
      let measures = try await wire.send("GET", "/v1/measures?days=1").json()
      let rows = try #require(measures["measures"] as? [[String: Any]])
      let deployments = try #require(rows.first { $0["key"] as? String == "deployments" })
      // One version, then another.
      #expect(deployments["facts"] as? Int == 2, "\(deployments)")
    }
  }

  @Test func whatTheJudgeLacksIsShown() async throws {
    try await see(
      try Harbor.rich(), "/rollouts/harbor/production/4",
      ["There is not enough evidence yet", "Nothing is rolled back for want of evidence", "HAProxy&#39;s log"])
  }
}
