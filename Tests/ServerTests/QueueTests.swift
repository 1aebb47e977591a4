import Foundation
import Kernel
import MergeQueues
import Testing

@testable import Server

@Suite struct QueuePageTests {
  private func check(
    _ path: String, of harbor: Harbor, says words: [String], not others: [String] = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await withServer(harbor) { wire, _ in
      let page = try await wire.send("GET", path)
      #expect(page.status == 200, "\(page.body)", sourceLocation: sourceLocation)
      for word in words { #expect(page.body.contains(word), "lacks \(word)", sourceLocation: sourceLocation) }
      for word in others + ["<script>alert", ".."] {
        #expect(!page.body.contains(word), "has \(word)", sourceLocation: sourceLocation)
      }
    }
  }

  @Test func theLineItsRunsAndWhoLandedLately() async throws {
    try await check(
      "/queues/harbor", of: try .lined(),
      says: [
        "What waits for main", "3 CI runs at once", "What is being tested", "queue-picture", "hotfix, testing",
        "lands together: #4, #5", "&lt;script&gt;alert(1)&lt;/script&gt;", "in all: ", "Expected to land in about",
        "Lately", "#1 landed as", "Everything that happened here",
      ], not: ["Nobody waits", "Paused", "Stalled"])
  }

  @Test func whoWaitedHowLongByServiceAndTeam() async throws {
    try await check(
      "/queues/harbor", of: try .lined(),
      says: [
        "How long changes waited in 30 days", "<td>all</td><td>3</td>", "<td>service harbor</td><td>3</td>",
        "<td>team quays</td><td>2</td>", "<td>team locks</td><td>1</td>", "% running CI",
      ])
    try await check("/queues/harbor", of: try .lacking(), says: ["Ask the pilot"], not: ["How long changes waited"])
  }

  @Test func aTestThatTakesTooLongIsNamed() async throws {
    var harbor = try Harbor.lined()
    harbor.pass(.minutes(40))
    try await check(
      "/queues/harbor", of: harbor,
      says: ["Stalled", "The test of harbor on #6 has run for 40 min; 99 of 100 take less than", "Look into its log"],
      not: ["Expected to land"])
    try await check(
      "/changes/harbor/4", of: harbor, says: ["Stalled", "on #4 and #5 has run for", "CI twice as fast"],
      not: ["Expected to land"])
  }

  @Test func aHoldSaysWhoAndWhyAndHowItEnds() async throws {
    var harbor = try Harbor.lined()
    try harbor.say(.hold(.paused, reason: "The CI farm moves", by: "ada"))
    try await check(
      "/queues/harbor", of: harbor,
      says: ["Paused by ada", "The CI farm moves.", "plimsoll queue resume --repository harbor --reason WHY"],
      not: ["Expected to land"])
    try harbor.say(.hold(.draining, reason: "We close at noon.", by: "grace"))
    try await check("/queues/harbor", of: harbor, says: ["Draining by grace", "takes nothing new: We close at noon.<"])
  }

  @Test func anEmptyQueueSaysWhatToDo() async throws {
    var harbor = Harbor()
    try harbor.open()
    try await check(
      "/queues/harbor", of: harbor, says: ["Nobody waits", "plimsoll submit BRANCH"],
      not: ["What is being tested", "Lately", "How long"])
  }

  @Test func aChangeSaysWhatItLacksAndWhoApproves() async throws {
    var harbor = try Harbor.lacking()
    try await check(
      "/changes/harbor/1", of: harbor,
      says: [
        "What it lacks", "1 more person must approve of it.", "Nobody has reported the check &#39;lint&#39;",
        "Where its time went so far", "missing an approval",
      ], not: ["approved by", "Checks elsewhere"])
    try harbor.say(.report(entry: 1, .approved(by: "ada")))
    let result = CheckResult(name: "lint", state: .failed, commit: Harbor.commit("pilot"), reporter: "linter")
    try harbor.say(.report(entry: 1, .checked(result, tree: nil)))
    try await check(
      "/changes/harbor/1", of: harbor,
      says: ["approved by", "Checks elsewhere", "by linter on", "The check &#39;lint&#39; of linter failed"],
      not: ["more person"])
  }

  @Test func aChangeTellsWhatIsSaidOnIt() async throws {
    var harbor = try Harbor.noted()
    try await check(
      "/changes/harbor/1", of: harbor,
      says: [
        "Said on the change", "#1 waits in the merge queue, as of", "It stands still.",
        "for the check &#39;lint&#39;, and nobody has begun it.", "written <time", "It is said on the change: #1 waits",
      ])
    harbor.isHeld = { effect, _ in if case .queue(.comment) = effect { true } else { false } }
    try harbor.say(.withdraw(entry: 1, reason: "second thoughts"))
    try await check(
      "/changes/harbor/1", of: harbor, says: ["#1 was withdrawn: second thoughts. (", "not written yet, and tried on"])
    try harbor.say(.exhausted(key: EffectKey("comment/1/2"), why: "git: allow that push"))
    try await check(
      "/changes/harbor/1", of: harbor, says: ["given up: git: allow that push"], not: ["not written yet"])
  }

  @Test func aNoteThatWasDroppedIsNotCalledWaiting() async throws {
    let harbor = try Harbor.floodedWithNotes()
    let waiting = "not written yet, and tried on"
    try await check(
      "/changes/harbor/1", of: harbor, says: ["Said on the change", "given up: later notes took its place"],
      not: [waiting])
    try await check(
      "/changes/harbor/2", of: harbor,
      says: ["#2 was withdrawn: it broke.", "given up: it was dropped before the forge had it"], not: [waiting])
    try await check("/changes/harbor/3", of: harbor, says: ["#3 was withdrawn: it broke.", waiting], not: ["given up"])
    try await withServer(harbor) { wire, _ in
      for (entry, why) in [(1, "later notes took its place"), (2, "it was dropped before the forge had it")] {
        let note = try await wire.send("GET", "/v1/changes/harbor/\(entry)").json()["note"] as? [String: Any]
        #expect(note?["state"] as? String == "abandoned" && note?["why"] as? String == why, "\(note ?? [:])")
      }
    }
  }

  @Test func whatWasSaidIsInTheAPI() async throws {
    try await withServer(try Harbor.noted()) { wire, _ in
      let queue = try await wire.send("GET", "/v1/queues/harbor").json()
      let entry = try #require((queue["entries"] as? [[String: Any]])?.first)
      let change = try await wire.send("GET", "/v1/changes/harbor/1").json()
      for note in [entry["note"], change["note"]].map({ $0 as? [String: Any] }) {
        let note = try #require(note)
        #expect(note["state"] as? String == "written" && note["writtenAtMs"] as? Int != nil)
        #expect((note["text"] as? String)?.contains("'lint', and nobody has begun it") == true)
      }
    }
  }

  @Test func aChangeTellsItsForecastThenWhereItsTimeWent() async throws {
    let harbor = try Harbor.lined()
    try await check(
      "/changes/harbor/6", of: harbor,
      says: ["hotfix", "Expected to land in about", "Where its time went so far", "wait-runningCI"])
    try await check(
      "/changes/harbor/1", of: harbor, says: ["quays", "Where its time went", "running CI"],
      not: ["so far", "Expected to land", "What it lacks"])
  }
}

@Suite struct QueueRouteTests {
  private func check(
    _ path: String, _ body: String, answers status: Int, saying words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await withServer { wire, _ in
      let answer = try await wire.send("POST", path, headers: authorized, body: body)
      #expect(answer.status == status, "\(answer.body)", sourceLocation: sourceLocation)
      #expect(answer.body.contains(words), "\(answer.body)", sourceLocation: sourceLocation)
    }
  }

  @Test func badInputSaysWhatToMend() async throws {
    try await check(
      "/v1/changes", #"{"branch":"pilot","priority":"hihg"}"#, answers: 400, saying: "did you mean 'high'?")
    try await check(
      "/v1/changes", #"{"branch":"tariff-rounding","after":[99]}"#, answers: 404, saying: "#99, which tariff-rounding")
    let change = "/v1/changes/harbor/6"
    try await check(
      "\(change)/checks", #"{"name":"lint","state":"pased"}"#, answers: 400, saying: "did you mean 'passed'?")
    try await check(
      "\(change)/checks", #"{"name":"lint","state":"passed","tree":"zz"}"#, answers: 400, saying: "no tree of git")
    try await check(
      "\(change)/checks", #"{"name":"lint","state":"passed","commit":"abcd"}"#, answers: 400,
      saying: "all of its digits")
    try await check("\(change)/checks", #"{"name":"","state":"passed"}"#, answers: 400, saying: "'name' is empty")
    try await check("\(change)/checks", #"{"state":"passed"}"#, answers: 400, saying: "'name' is missing")
    for (noun, body) in [
      ("approvals", "{}"), ("checks", #"{"name":"lint","state":"passed"}"#), ("targets", #"{"targets":["//quay"]}"#),
    ] {
      try await check("/v1/changes/harbor/99/\(noun)", body, answers: 404, saying: "#99 is not in the queue")
      try await check("/v1/changes/harbor/x/\(noun)", body, answers: 400, saying: "'x' is no entry")
      try await check("/v1/changes/harbour/6/\(noun)", body, answers: 404, saying: "did you mean harbor?")
    }
    try await check(
      "/v1/queues/harbor/hold", #"{"kind":"pausd","reason":"x"}"#, answers: 400, saying: "did you mean 'paused'?")
    try await check("/v1/queues/harbor/hold", #"{"kind":"paused","reason":" "}"#, answers: 400, saying: "name a reason")
    try await check("/v1/queues/harbor/resume", #"{"reason":"x"}"#, answers: 409, saying: "neither paused nor drained")
  }

  @Test func holdingAndResuming() async throws {
    try await withServer { wire, backend in
      func post(_ path: String, _ body: String) async throws -> Received {
        try await wire.send("POST", path, headers: authorized + [("Plimsoll-Actor", "ada")], body: body)
      }
      let held = try await post("/v1/queues/harbor/hold", #"{"kind":"draining","reason":"We close at noon"}"#)
      #expect(held.status == 200, "\(held.body)")
      #expect(await backend.asked?.lane == .protect)
      let hold = try await wire.send("GET", "/v1/queues/harbor").json()["hold"] as? [String: Any]
      #expect(hold?["kind"] as? String == "draining")
      #expect(hold?["actor"] as? String == "ada")
      let refused = try await post("/v1/changes", #"{"branch":"tariff-rounding"}"#)
      #expect(refused.status == 409 && refused.body.contains("ada drains it: We close at noon"), "\(refused.body)")
      let resumed = try await post("/v1/queues/harbor/resume", #"{"reason":"It was a drill"}"#)
      #expect(resumed.status == 200, "\(resumed.body)")
      #expect(try await wire.send("GET", "/v1/queues/harbor").json()["hold"] == nil)
      #expect(try await post("/v1/changes", #"{"branch":"tariff-rounding"}"#).status == 200)
    }
  }

  @Test func submittingWithPriorityTeamAndStack() async throws {
    try await withServer { wire, _ in
      let body = #"{"branch":"tariff-rounding","priority":"high","team":"quays","after":[7]}"#
      let answer = try await wire.send("POST", "/v1/changes", headers: authorized, body: body)
      #expect(answer.status == 200, "\(answer.body)")
      let change = try await wire.send("GET", "/v1/changes/harbor/8").json()
      #expect(change["priority"] as? String == "high")
      #expect(change["team"] as? String == "quays")
      #expect((change["standing"] as? [String: Any])?["unit"] as? [Int] == [7, 8])
    }
  }

  @Test func approvingCheckingAndTargeting() async throws {
    try await withServer(try .lacking()) { wire, _ in
      func post(_ noun: String, _ body: String, by actor: String = "ada") async throws -> Received {
        try await wire.send(
          "POST", "/v1/changes/harbor/1/\(noun)", headers: authorized + [("Plimsoll-Actor", actor)], body: body)
      }
      func change() async throws -> [String: Any] { try await wire.send("GET", "/v1/changes/harbor/1").json() }

      #expect((try await change()["missing"] as? [String])?.count == 2)
      #expect(try await post("approvals", "{}", by: "Grace Hopper").status == 403)
      #expect(try await post("approvals", "{}").status == 200)
      #expect(try await change()["approvals"] as? [String] == ["ada"])
      #expect(try await post("approvals", #"{"withdraw":true}"#).status == 200)
      #expect(try await change()["approvals"] as? [String] == [])
      #expect(try await post("approvals", "{}").status == 200)

      let old = String(repeating: "a", count: 40)
      let stale = try await post("checks", "{\"name\":\"lint\",\"state\":\"passed\",\"commit\":\"\(old)\"}")
      #expect(stale.status == 200, "\(stale.body)")
      #expect((try await change()["missing"] as? [String])?.first?.contains("aaaaaaaaaa only") ?? false)
      let passed = try await post("checks", #"{"name":"lint","state":"passed"}"#, by: "linter")
      #expect(passed.status == 200, "\(passed.body)")
      #expect(try await change()["missing"] as? [String] == [])
      let checks = try #require(try await change()["checks"] as? [[String: Any]])
      #expect(checks.map { $0["reporter"] as? String } == ["ada", "linter"])

      let targets = try await post("targets", #"{"targets":["//quay"]}"#)
      #expect(targets.status == 200, "\(targets.body)")
      #expect((try targets.json()["decided"] as? [String])?.isEmpty == false)
    }
  }

  @Test func theTokenIsAskedForEverywhere() async throws {
    try await withServer { wire, _ in
      for path in ["changes/harbor/6/approvals", "changes/harbor/6/checks", "changes/harbor/6/targets"]
        + ["queues/harbor/hold", "queues/harbor/resume"]
      {
        let answer = try await wire.send(
          "POST", "/v1/\(path)", headers: [("Content-Type", "application/json")], body: "{}")
        #expect(answer.status == 401, "\(path)")
      }
    }
  }

  @Test func waitsByDays() async throws {
    try await withServer(try .lined()) { wire, _ in
      let waits = try await wire.send("GET", "/v1/queues/harbor/waits?days=7").json()
      let groups = try #require(waits["groups"] as? [[String: Any]])
      #expect(groups.map { $0["group"] as? String } == ["all", "service harbor", "team quays", "team locks"])
      #expect(groups[0]["count"] as? Int == 3)
      let parts = try #require(groups[0]["parts"] as? [[String: Any]])
      #expect(parts.first?["cause"] as? String == "runningCI")
      let spans = try ["p50Ms", "p95Ms", "p99Ms"].map { try #require(groups[0][$0] as? Int) }
      #expect(spans == spans.sorted() && spans[0] >= 7_000, "\(spans)")
      #expect(try await wire.send("GET", "/v1/queues/harbor/waits?days=0").status == 400)
      #expect(try await wire.send("GET", "/v1/queues/harbr/waits").body.contains("did you mean harbor?"))
    }
  }
}
