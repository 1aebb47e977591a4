import ControlPlane
import Foundation
import Kernel
import Testing

@testable import Server

@Suite struct PageTests {
  @Test func everyPageSaysWhatItIsFor() async throws {
    try await withServer { wire, backend in
      func check(_ path: String, _ words: [String]) async throws {
        let page = try await wire.send("GET", path)
        #expect(page.status == 200, "\(path)")
        #expect(page.headers["content-security-policy"]?.hasPrefix("default-src") ?? false, "\(path)")
        for word in words { #expect(page.body.contains(word), "\(path) lacks \(word)") }
        #expect(!page.body.contains("<script>alert"), "\(path)")
      }
      let digest = Harbor.digest("artifact of \(Harbor.commit("first"))")
      try await check("/", ["What is where", "production", "watching at 10 %", "#7", "Skip to the content"])
      try await check("/changes/harbor/2", ["Cache the tide table", "Grace Hopper", "halted", "test of build 2"])
      try await check("/changes/harbor/3", ["ejected", "test_tariff_of_the_new_berth", "/logs/sha256:"])
      try await check("/artifacts/\(digest)", ["in-toto.io/Statement/v1", "harbor in production", "kept to return to"])
      try await check(
        "/rollouts/harbor/production/3",
        ["rolled back", "requests hurt", "first bad", "restored", "threshold", "<svg", "The chain of times"])
      try await check("/rollouts/harbor/production/3.svg", ["<style>", "detected, decided"])
      try await check(
        "/rollouts/harbor/production/4", ["running", "is watched at 10 %", "<svg", "worsening is seen in about"])
      try await check("/services/harbor/production", ["Condemned here", "logic", "Where one can go back to"])
      try await check("/ledger", ["newest first", "payload", "Older"])
      try await check("/ledger?stream=queue:harbor/main", ["all streams", "#7"])
      try await check("/measures", ["Change failure rate", "elite", "/ledger?before="])
      try await check("/logs/\(Harbor.digest("log"))", ["Ran 12 tests"])
    }
  }

  @Test func aTitleIsNeverMarkup() async throws {
    try await withServer { wire, _ in
      for path in ["/", "/changes/harbor/5", "/ledger", "/ledger?stream=queue:harbor/main"] {
        let page = try await wire.send("GET", path)
        #expect(page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; "), "\(path)")
        #expect(!page.body.contains("<script>alert"), "\(path)")
      }
      let echoed = try await wire.send("GET", "/services/%3Cscript%3Ealert(1)/production")
      #expect(echoed.status == 404)
      #expect(echoed.body.contains("&lt;script&gt;"))
    }
  }

  @Test func whatExistsIsNotCalledMissing() async throws {
    try await withServer { wire, _ in
      let page = try await wire.send("GET", "/")
      for words in ["No service is configured", "Nothing moves", "Nobody waits", "Troubles", ".."] {
        #expect(!page.body.contains(words), "\(words)")
      }
    }
  }

  @Test func anEmptyPlimsollSaysWhatToDoNext() async throws {
    try await withServer(Harbor()) { wire, _ in
      let page = try await wire.send("GET", "/")
      #expect(page.body.contains("plimsoll submit BRANCH"))
      #expect(try await wire.send("GET", "/ledger").body.contains("plimsoll submit BRANCH"))
      #expect(try await wire.send("GET", "/services/harbor/staging").body.contains("plimsoll submit BRANCH"))
      #expect(try await wire.send("GET", "/measures").body.contains("not measured"))
    }
  }

  @Test func whatLeftTheFileIsShownAsClosed() async throws {
    var harbor = Harbor()
    try harbor.open()
    harbor.topology = Topology()
    try harbor.tell(.settings, .settings(.apply(Topology())))
    try harbor.settle()
    try await withServer(harbor) { wire, _ in
      let first = try await wire.send("GET", "/")
      for words in ["closed", "no longer in plimsoll.yaml", "The queue is closed"] {
        #expect(first.body.contains(words), "\(words)")
      }
      let place = try await wire.send("GET", "/services/harbor/production")
      #expect(place.status == 200 && place.body.contains("no longer in plimsoll.yaml"))
      #expect(!place.body.contains("serves all traffic"))
      #expect(try await wire.send("GET", "/v1/queues/harbor").body.contains("The queue is closed"))
      #expect(try await wire.send("GET", "/services/harbour/production").status == 404)
      let overview = try await wire.send("GET", "/v1/overview").json()
      let service = try #require((overview["services"] as? [[String: Any]])?.first)
      #expect(service["name"] as? String == "harbor" && service["repository"] == nil)
    }
  }

  @Test func assetsComeFromTheBinary() async throws {
    try await withServer(Harbor()) { wire, _ in
      for (path, type) in [
        ("style.css", "text/css"), ("plimsoll.js", "text/javascript"), ("mark.svg", "image/svg+xml"),
      ] {
        let asset = try await wire.send("GET", "/assets/\(path)")
        #expect(asset.status == 200)
        #expect(asset.headers["content-type"]?.hasPrefix(type) ?? false)
        #expect(asset.headers["x-content-type-options"] == "nosniff")
      }
    }
  }
}

@Suite struct ReadingTests {
  private func check(_ path: String, answers status: Int, saying words: String) async throws {
    try await withServer { wire, _ in
      let answer = try await wire.send("GET", path)
      #expect(answer.status == status, "\(path): \(answer.body)")
      #expect(answer.body.contains(words), "\(path): \(answer.body)")
    }
  }

  @Test func unknownNamesGetTheNearest() async throws {
    try await check("/v1/services/harbr/production", answers: 404, saying: "did you mean harbor?")
    try await check("/v1/services/harbor/prodution", answers: 404, saying: "did you mean production?")
    try await check("/v1/rollouts/harbor/production/99", answers: 404, saying: "the newest is 4")
    try await check("/v1/changes/harbor/99", answers: 404, saying: "the newest is #7")
    try await check("/v1/artifacts/00000000", answers: 404, saying: "the newest are")
    try await check("/v1/promotions/harbor/zz", answers: 400, saying: "hexadecimal")
    try await check("/v1/logs/abc", answers: 400, saying: "no digest")
    try await check("/v1/logs/\(Harbor.digest("other"))", answers: 404, saying: "There is no log")
    try await check("/v1/measures?days=0", answers: 400, saying: "'days'")
    try await check("/v1/events?stream=queue:harbor/mian", answers: 404, saying: "queue:harbor/main")
    try await check("/v1/nothing", answers: 404, saying: "openapi.yaml")
  }

  @Test func logsArePlainText() async throws {
    try await withServer { wire, backend in
      let digest = Harbor.digest("evil")
      await backend.setLog(Array("<script>alert(1)</script>".utf8), at: digest)
      let raw = try await wire.send("GET", "/v1/logs/\(digest)")
      #expect(raw.headers["content-type"] == "text/plain; charset=utf-8")
      #expect(raw.headers["x-content-type-options"] == "nosniff")
      let page = try await wire.send("GET", "/logs/\(digest)")
      #expect(page.body.contains("&lt;script&gt;"))
    }
  }

  @Test func healthTellsAnOutage() async throws {
    try await withServer { wire, backend in
      #expect(try await wire.send("GET", "/v1/health").status == 200)
      await backend.setOutage(Outage("disk", "is full: free some space"))
      let ill = try await wire.send("GET", "/v1/health")
      #expect(ill.status == 503)
      #expect(ill.body.contains("is full"))
    }
  }

  /// What happened is safe and goes on, so whoever watches the status is not alarmed, and whoever reads is told.
  @Test func unsignedEventsAreToldAndTheServerIsWell() async throws {
    try await withServer { wire, backend in
      await backend.setCheckpointFailure(Outage("disk", "checkpoints.jsonl cannot be opened: free it"))
      let health = try await wire.send("GET", "/v1/health")
      #expect(health.status == 200)
      #expect(health.body.contains("cannot be signed") && health.body.contains("checkpoints.jsonl cannot be opened"))
      for place in ["/", "/v1/overview"] {
        #expect(try await wire.send("GET", place).body.contains("checkpoints.jsonl cannot be opened"), "\(place)")
      }
    }
  }

  @Test func eventsArePagedWithoutGapOrRepetition() async throws {
    try await withServer { wire, backend in
      var seen: [Int] = []
      var next = 0
      while true {
        let page = try await wire.send("GET", "/v1/events?after=\(next)&limit=50").json()
        let events = try #require(page["events"] as? [[String: Any]])
        if events.isEmpty { break }
        seen += events.compactMap { $0["position"] as? Int }
        next = try #require(page["next"] as? Int)
      }
      #expect(seen == Array(1...Int(await backend.head())))
    }
  }
}

@Suite struct EventFeedTests {
  private func ids(_ text: String) -> [Int] {
    text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("id: ") }.compactMap { Int($0.dropFirst(4)) }
  }

  @Test func resumesFromTheLedgerAndGoesOnLive() async throws {
    try await withServer { wire, backend in
      let head = Int(await backend.head())
      let from = head - 5
      let reading = Task {
        try await wire.send("GET", "/v1/events/live", headers: [("Last-Event-ID", "\(from)")]) {
          $0.contains("id: \(head + 6)\n")
        }
      }
      // More at once than the script's own buffer holds: the feed must see the gap and read the ledger.
      try await eventually { await backend.listening > 0 }
      for number in 1...6 {
        try await backend.tell(
          Harbor.queue,
          .queue(
            .submit(
              .init(
                branch: Harbor.parsed(BranchName(rawValue: "late-\(number)")), head: Harbor.commit("late-\(number)"),
                author: "Ada", title: "Late"))))
      }
      let answer = try await reading.value
      #expect(answer.headers["content-type"] == "text/event-stream")
      #expect(Array(ids(answer.body).prefix(11)) == Array((from + 1)...(head + 6)))
    }
  }

  @Test func beatsWhenNothingHappens() async throws {
    try await withServer(heartbeat: .milliseconds(20)) { wire, _ in
      let answer = try await wire.send("GET", "/v1/events/live") { $0.contains(": still here") }
      #expect(answer.body.contains(": still here"))
      #expect(ids(answer.body).isEmpty)
    }
  }

  @Test func refusesAnIdThatIsNone() async throws {
    try await withServer { wire, _ in
      let answer = try await wire.send("GET", "/v1/events/live", headers: [("Last-Event-ID", "x")])
      #expect(answer.status == 400)
    }
  }

  @Test func endsWhenTheServerStops() async throws {
    let harbor = try Harbor.rich()
    let reading = Mailslot()
    try await withServer(harbor) { wire, backend in
      reading.put(Task { try await wire.send("GET", "/v1/events/live?after=0") })
      try await eventually { await backend.listening > 0 }
    }
    let answer = try await #require(reading.take()).value
    #expect(ids(answer.body).count == harbor.events.count)
  }

  @Test func aTakenPortIsSaid() async throws {
    try await withServer(Harbor()) { wire, _ in
      let second = try makeApplication(
        backend: ScriptedBackend(Harbor()), token: "t", host: "127.0.0.1", port: wire.port, logger: .init(label: "t"))
      await #expect(throws: Outage.self) { try await second.run() }
      await #expect(throws: Outage.self) { _ = try await second.port() }
    }
  }
}
