import ControlPlane
import Foundation
import Kernel
import MergeQueues
import Synchronization
import Testing

@testable import Server

@Suite("Requests that are repeated") struct RepeatedRequestTests {
  private static let lift = "/v1/rollouts/harbor/production/lift"
  private static let rollback = "/v1/rollouts/harbor/production/rollback"

  private func named(_ name: String) -> [(String, String)] { authorized + [("Plimsoll-Request", name)] }

  /// Sent twice under one name: the second call changes nothing and is answered as the first.
  private func check(
    _ method: String, _ path: String, _ body: String, saying words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await withServer { wire, backend in
      let first = try await wire.send(method, path, headers: named("k-1"), body: body)
      #expect(first.status == 200, "\(first.body)", sourceLocation: sourceLocation)
      #expect(first.body.contains(words), "\(first.body)", sourceLocation: sourceLocation)
      let head = await backend.head()
      let second = try await wire.send(method, path, headers: named("k-1"), body: body)
      #expect(second.status == 200, sourceLocation: sourceLocation)
      #expect(second.body == first.body, sourceLocation: sourceLocation)
      #expect(await backend.head() == head, sourceLocation: sourceLocation)
    }
  }

  @Test func aNameIsAnsweredOnce() async throws {
    try await check("POST", "/v1/changes", #"{"branch":"tariff-rounding"}"#, saying: #""entry":8"#)
    try await check("DELETE", "/v1/changes/harbor/5", #"{"reason":"not yet"}"#, saying: "#5 was withdrawn")
    try await check("POST", Self.rollback, #"{"reason":"odd tides"}"#, saying: "was condemned")
    try await withServer { wire, backend in
      let digest = try #require(await Self.condemned(backend))
      let body = "{\"digest\":\"\(digest)\",\"reason\":\"it was the load test\"}"
      // Lifted, it can no longer be named; a repeated request names it all the same.
      let first = try await wire.send("POST", Self.lift, headers: named("k-1"), body: body)
      #expect(first.status == 200, "\(first.body)")
      #expect(try await wire.send("POST", Self.lift, headers: named("k-1"), body: body).body == first.body)
      #expect(try await wire.send("POST", Self.lift, headers: named("k-2"), body: body).status == 404)
    }
  }

  private static func condemned(_ backend: ScriptedBackend) async -> Substring? {
    guard case .delivery(let state)? = await backend.state(of: Harbor.inProduction) else { return nil }
    return state.condemned.first?.digest.hex.prefix(9)
  }

  @Test func anAnswerThatWasLostIsFoundInTheLedger() async throws {
    try await withServer { wire, backend in
      let body = #"{"branch":"tariff-rounding"}"#
      await backend.setLosesAnswers(true)
      #expect(try await wire.send("POST", "/v1/changes", headers: named("k-1"), body: body).status == 503)
      await backend.setLosesAnswers(false)
      let again = try await wire.send("POST", "/v1/changes", headers: named("k-1"), body: body)
      #expect(again.status == 200, "\(again.body)")
      #expect(try again.json()["entry"] as? Int == 8)
    }
  }

  @Test func aRefusedRequestIsDecidedAnew() async throws {
    try await withServer { wire, _ in
      let early = try await wire.send(
        "POST", "/v1/changes", headers: named("k-1"), body: #"{"branch":"tariff-roundin"}"#)
      #expect(early.status == 404)
      let mended = try await wire.send(
        "POST", "/v1/changes", headers: named("k-1"), body: #"{"branch":"tariff-rounding"}"#)
      #expect(mended.status == 200, "\(mended.body)")
    }
  }

  @Test func aNameBelongsToOneRequest() async throws {
    try await withServer { wire, backend in
      _ = try await wire.send("POST", Self.rollback, headers: named("k-1"), body: #"{"reason":"odd tides"}"#)
      let head = await backend.head()
      for (path, body) in [
        (Self.rollback, #"{"reason":"odder tides"}"#), (Self.lift, #"{"digest":"abcd","reason":"odd tides"}"#),
        ("/v1/changes", #"{"branch":"tariff-rounding"}"#),
      ] {
        let other = try await wire.send("POST", path, headers: named("k-1"), body: body)
        #expect(other.status == 400)
        #expect(other.body.contains("The name 'k-1' was given to another request before"), "\(other.body)")
      }
      #expect(await backend.head() == head)
    }
  }

  // MARK: Without HTTP

  private func submit(_ branch: String, _ name: String, to backend: ScriptedBackend) async throws
    -> RecentRequests.Events
  {
    let branch = Harbor.parsed(BranchName(rawValue: branch))
    let submission = MergeQueue.Submission(
      branch: branch, head: Harbor.commit("\(branch)"), author: "Ada Lovelace", title: "A berth")
    let outcome = await backend.request(
      .queue(.submit(submission)), to: Harbor.queue, actor: "ada", id: name, lane: .progress)
    switch outcome {
    case .accepted(let events): return events
    case .refused(let refusal): throw refusal
    case .unavailable(let outage): throw outage
    }
  }

  @Test func callsAtTheSameTimeAreOne() async throws {
    let backend = ScriptedBackend(try Harbor.rich())
    let requests = RecentRequests(backend: backend)
    let positions = try await withThrowingTaskGroup(of: [Position].self) { group in
      for _ in 0..<16 {
        group.addTask {
          try await requests.events(of: "k-1", to: Harbor.queue, call: 1) {
            try await submit("crane", "k-1", to: backend)
          }.map(\.position)
        }
      }
      return try await group.reduce(into: Set<[Position]>()) { $0.insert($1) }
    }
    #expect(positions.count == 1)
    #expect(positions.first?.isEmpty == false)
  }

  @Test func aRestartForgetsNothingAndTheOldestAreForgotten() async throws {
    let backend = ScriptedBackend(try Harbor.rich())
    var answers: [RecentRequests.Events] = []
    for name in ["k-1", "k-2", "k-3"] { answers.append(try await submit("branch-\(name)", name, to: backend)) }
    /// Whether a server that starts now knows the name; nil events are decided.
    func known(_ name: String, limit: Int = 1000, reach: Position = 1000, to stream: StreamID = Harbor.queue)
      async throws -> [Position]
    {
      try await RecentRequests(backend: backend, limit: limit, reach: reach)
        .events(of: name, to: stream, call: 1) { [] }.map(\.position)
    }
    for (name, answer) in zip(["k-1", "k-2", "k-3"], answers) {
      #expect(try await known(name) == answer.map(\.position), "\(name)")
    }
    #expect(try await known("k-4") == [])
    #expect(try await known("k-1", limit: 2) == [], "only two are kept")
    #expect(try await known("k-2", limit: 2) == answers[1].map(\.position))
    let last = Position(answers[2].count)
    #expect(try await known("k-2", reach: last) == [], "not read so far back")
    #expect(try await known("k-3", reach: last) == answers[2].map(\.position))
    await #expect(throws: Refusal.self) { try await known("k-1", to: Harbor.inProduction) }
  }
}

@Suite("Rolling back what the sender saw") struct RollbackFromTests {
  /// `from` is made of what the environment's page calls `leaving`.
  private func check(
    _ from: @Sendable (String) -> String, answers status: Int, saying words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await withServer { wire, _ in
      let place = try await wire.send("GET", "/v1/services/harbor/production").json()
      let leaving = try #require(place["leaving"] as? String, sourceLocation: sourceLocation)
      let body = "{\"from\":\"\(from(leaving))\",\"reason\":\"odd tides\"}"
      let answer = try await wire.send(
        "POST", "/v1/rollouts/harbor/production/rollback", headers: authorized, body: body)
      #expect(answer.status == status, "\(answer.body)", sourceLocation: sourceLocation)
      #expect(answer.body.contains(words), "\(answer.body)", sourceLocation: sourceLocation)
    }
  }

  @Test func onlyWhatWasSeenIsLeft() async throws {
    try await check({ $0 }, answers: 200, saying: "was condemned")
    try await check({ String($0.reversed()) }, answers: 400, saying: "shows as 'leaving'")
    try await check(
      { $0.replacing(/\.[0-9a-f]{8}$/, with: ".00000000") }, answers: 409,
      saying: "Nothing was rolled back: rollout 4 to ")
  }
}
