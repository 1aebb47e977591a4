import ControlPlane
import Kernel
import Synchronization
import Testing

@testable import MergeQueues
@testable import Runtime

@Suite("The engine's host answers everyone once", .timeLimit(.minutes(2)))
struct EngineHostTests {
  private let ledger = LockedLedger()
  private let bench: Bench
  private let notices = Notices()
  private let host: EngineHost<LockedLedger>

  init() throws {
    bench = try Bench()
    host = EngineHost(store: ledger, performer: bench.performer, checksInvariants: true, tell: notices.take)
  }

  private func ask(_ input: StreamInput, of stream: StreamID) async -> Outcome {
    await host.request(input, to: stream, actor: "ada", id: "r1")
  }
  /// Running, with one queue that waits to see its trunk.
  private func open(capacity: Int = 10) async throws {
    try await host.start()
    _ = await ask(.settings(.apply(Facts.topology(capacity: capacity))), of: .settings)
    try await eventually("the queue is configured") { await host.state(of: Facts.queue) != nil }
  }
  private func stop() async {
    await host.stop()
    #expect(await host.streams.isEmpty)
  }

  @Test("a request is accepted with its events, recorded under its asker's name, and routed on")
  func accepted() async throws {
    try await host.start()
    guard case .accepted(let events) = await ask(.settings(.apply(Facts.topology())), of: .settings) else {
      Issue.record("the topology was not accepted")
      return
    }
    #expect(events.map(\.event) == [.settings(.applied(Facts.topology()))])
    #expect(events.map(\.actor) == ["ada"])
    #expect(events.map(\.cause) == [.request(id: "r1")])
    #expect(await host.topology == Facts.topology())
    try await eventually("the queue is configured") { await host.state(of: Facts.queue) != nil }
    #expect(await host.streams == [Facts.queue, .settings])
    #expect(await host.states(.queue).map(\.stream) == [Facts.queue])
    #expect(ledger.types == ["settings.applied", "queue.configured"])
    #expect(await ask(.settings(.apply(Facts.topology())), of: .settings).word == "accepted 0")
    await stop()
  }

  @Test("what someone else changed is told at once and shown for a while, a bounded number of times")
  func alterations() async throws {
    try await host.start()
    let old = HostNotice.altered(Facts.delivery, sentence: "long ago", at: .now - .minutes(61))
    let new = (0..<30).map { HostNotice.altered(Facts.delivery, sentence: "change \($0)", at: .now) }
    await bench.performer.notice(old)
    #expect(await host.alterations.isEmpty, "an hour later it is news no more")
    for notice in new { await bench.performer.notice(notice) }
    #expect(notices.all == [old] + new)
    #expect(await host.alterations == new.suffix(20))
    await stop()
  }

  @Test("a request that may not be is refused, and leaves no trace")
  func refused() async throws {
    try await host.start()
    guard case .refused(let refusal) = await ask(Facts.submission(1), of: Facts.queue) else {
      Issue.record("a queue that nobody configured took a change")
      return
    }
    #expect(refusal.kind == .notNow)
    #expect(ledger.types == [])
    await stop()
  }

  @Test("requests that come while the disk is busy share appends, and each is answered once")
  func shared() async throws {
    let count = 200
    try await open(capacity: count + 1)
    let before = ledger.attempts
    ledger.hold()
    let asking = Count()
    let outcomes = try await withThrowingTaskGroup(of: Outcome.self) { group in
      group.addTask { await ask(Facts.submission(0), of: Facts.queue) }
      try await eventually("the disk is busy") { ledger.attempts == before + 1 }
      for number in 1...count {
        group.addTask {
          asking.one()
          return await ask(Facts.submission(number), of: Facts.queue)
        }
      }
      try await eventually("all have asked") { asking.sum == count }
      ledger.letGo()
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.map(\.word) == Array(repeating: "accepted 1", count: count + 1))
    #expect(Set(outcomes.flatMap(\.positions)).count == count + 1, "everyone has an event of their own")
    // All but the last few were waiting when the disk came back.
    #expect(ledger.attempts - before < count / 4)
    await stop()
  }

  @Test("stopping answers those who wait, and later askers are told")
  func stopping() async throws {
    try await open()
    ledger.fill()
    #expect(await ask(Facts.submission(1), of: Facts.queue).word == "unavailable")
    // The engine pauses now: whoever asks waits.
    let asking = Count()
    let outcomes = await withTaskGroup(of: Outcome.self) { group in
      for number in 2...9 {
        group.addTask {
          asking.one()
          return await ask(Facts.submission(number), of: Facts.queue)
        }
      }
      try? await eventually("all have asked") { asking.sum == 8 }
      await host.stop()
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.map(\.word) == Array(repeating: "unavailable", count: 8))
    #expect(await ask(Facts.submission(10), of: Facts.queue).word == "unavailable")
    #expect(ledger.types == ["settings.applied", "queue.configured"])
  }

  @Test("stopping cancels the effects and ends the subscriptions")
  func stopsEffects() async throws {
    let events = await host.subscribe()
    try await open()
    try await eventually("the trunk is watched") { !bench.forge.head.asked.isEmpty }
    #expect(bench.forge.head.answered == 0)
    await stop()
    #expect(bench.forge.head.answered == 1)
    var seen: [String] = []
    for await event in events { seen.append(event.event.type) }
    #expect(seen == ["settings.applied", "queue.configured"])
  }

  @Test("a ledger that refuses writes makes requests unavailable; when it is well again, so are they")
  func outage() async throws {
    try await open()
    ledger.fill()
    guard case .unavailable(let outage) = await ask(Facts.submission(1), of: Facts.queue) else {
      Issue.record("a full disk took a change")
      return
    }
    #expect(outage == LockedLedger.full)
    #expect(await host.outage == LockedLedger.full)
    #expect(ledger.types.count == 2)

    ledger.free()
    #expect(await ask(Facts.submission(1), of: Facts.queue).word == "accepted 1")
    #expect(await host.outage == nil)
    await stop()
  }

  @Test("an outage is told once and ends by itself, although nobody asks for anything")
  func quietOutage() async throws {
    try await open()
    ledger.fill()
    let before = ledger.attempts
    #expect(await ask(Facts.submission(1), of: Facts.queue).word == "unavailable")
    try await eventually("the ledger is tried again") { ledger.attempts >= before + 3 }
    #expect(await host.outage == LockedLedger.full)
    #expect(notices.all == [.ledgerAway(LockedLedger.full)])
    ledger.free()
    try await eventually("the ledger is well") { await host.outage == nil }
    #expect(notices.all == [.ledgerAway(LockedLedger.full), .ledgerBack])
    #expect(ledger.types.count == 2)
    await stop()
  }

  // Eight batches: were each to wait for the pulse or an alarm, they would take more than half a minute.
  @Test("more than a batch holds is decided at once when the ledger is well again")
  func flood() async throws {
    // An effect that waits for its next attempt must not hold up the letters.
    let away = Outage("git", "the repository does not answer")
    bench.forge.head.now(.fails(away), .fails(away), .fails(away), .fails(away), .fails(away), .fails(away))
    try await open()
    ledger.fill()
    #expect(await ask(Facts.submission(1), of: Facts.queue).word == "unavailable")
    ledger.free()
    let began = ContinuousClock.now
    let outcomes = await withTaskGroup(of: Outcome.self) { group in
      for _ in 0..<2000 { group.addTask { await ask(.settings(.apply(Facts.topology())), of: .settings) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.map(\.word) == Array(repeating: "accepted 0", count: 2000))
    #expect(ContinuousClock.now - began < .seconds(15))
    #expect(await host.outage == nil)
    await stop()
  }

  @Test("a quarantine is told once, with stream, violation and next step; all else goes on")
  func quarantine() async throws {
    try await open()
    guard case .queue(var state)? = await host.state(of: Facts.queue) else {
      Issue.record("the queue has no state")
      return
    }
    await stop()
    ledger.reopen()
    state.proof = MergeQueue.LandingProof(
      landed: Facts.commit("d"), previousTrunk: Facts.commit("a"), tested: nil)
    let recorded = try #require(try ledger.events(of: Facts.queue, after: 0, limit: 10).last)
    try ledger.save(
      Snapshot(
        stream: Facts.queue, version: recorded.version, position: recorded.position, at: recorded.at,
        state: .queue(state)))
    let next = try Bench()
    let notices = Notices()
    let broken = EngineHost(
      store: ledger, performer: next.performer, checksInvariants: true, tell: notices.take)
    try await broken.start()
    for number in 1...3 {
      let outcome = await broken.request(Facts.submission(number), to: Facts.queue, actor: "ada", id: "r\(number)")
      #expect(outcome.word == "refused")
    }
    let reason = "the trunk advanced to \(Facts.commit("d").short), whose test had not passed"
    #expect(await broken.quarantined == [Facts.queue: reason])
    #expect(notices.all == [.quarantined(Facts.queue, reason: reason)])
    let words = try #require(notices.all.first).description
    for part in ["\(Facts.queue)", reason, "Keep a copy of the data folder"] { #expect(words.contains(part)) }
    let other = await broken.request(
      .settings(.apply(Facts.topology(capacity: 3))), to: .settings, actor: "ada", id: "r9")
    #expect(other.word == "accepted 1")
    await broken.stop()
  }

  @Test("each subscriber gets every event, in the ledger's order")
  func subscribers() async throws {
    let streams = [await host.subscribe(), await host.subscribe()]
    try await open(capacity: 20)
    for number in 1...18 { _ = await ask(Facts.submission(number), of: Facts.queue) }
    for stream in streams {
      var positions: [Position] = []
      for await event in stream {
        positions.append(event.position)
        if positions.count == 20 { break }
      }
      #expect(positions == Array(1...20))
    }
    await stop()
  }

  // Pauses of 0.2, 0.4 and 0.8 s: by the pulse alone they would take three times five seconds.
  @Test("an effect that failed is started again when its pause is over")
  func alarms() async throws {
    let away = Outage("git", "the repository does not answer")
    bench.forge.head.now(
      .fails(away), .fails(away), .fails(away), .gives(Facts.commit("a")), .untilCancelled(then: Facts.commit("a")))
    try await open()
    let opened = ContinuousClock.now
    try await eventually("the failure is told") { await host.failing.map(\.outage) == [away] }
    try await eventually("the trunk is seen") { ledger.types.contains("queue.trunkMoved") }
    #expect(ContinuousClock.now - opened < .seconds(10))
    await stop()
  }

  @Test("another host on the same ledger goes on where the last one stopped")
  func restart() async throws {
    try await open()
    _ = await ask(Facts.submission(1), of: Facts.queue)
    let state = await host.state(of: Facts.queue)
    await stop()

    ledger.reopen()
    let next = try Bench()
    let another = EngineHost(store: ledger, performer: next.performer, checksInvariants: true) { _ in }
    try await another.start()
    #expect(await another.state(of: Facts.queue) == state)
    #expect(await another.version(of: Facts.queue) == 2)
    #expect(await another.topology == Facts.topology())
    try await eventually("the trunk is watched again") { !next.forge.head.asked.isEmpty }
    await another.stop()
  }
}

/// What a host told.
private final class Notices: Sendable {
  private let told = Mutex<[HostNotice]>([])
  var all: [HostNotice] { told.withLock { $0 } }
  @Sendable func take(_ notice: HostNotice) { told.withLock { $0.append(notice) } }
}

@Suite("An outage's spell") struct OutageSpellTests {
  private static let full = Outage("disk", "it is full", sources: ["try 1"])
  private static let again = Outage("disk", "it is full", sources: ["try 2"])
  private static let gone = Outage("disk", "it is gone")

  @Test(
    "it is told when it begins, when it becomes another, and when it ends",
    arguments: [
      ("well all the time", [nil, nil], [nil, nil]),
      ("told once", [full, full, again], [.began(full), nil, nil]),
      ("told that it ended, once", [full, nil, nil], [.began(full), .ended, nil]),
      ("told of the other", [full, gone, nil], [.began(full), .began(gone), .ended]),
      ("told of the next one", [full, nil, full], [.began(full), .ended, .began(full)]),
    ] as [(String, [Outage?], [OutageSpell.News?])])
  func told(_ what: String, _ looks: [Outage?], _ news: [OutageSpell.News?]) {
    var spell = OutageSpell()
    #expect(looks.map { spell.look($0) } == news, "\(what)")
  }
}

extension Outcome {
  /// For expectations: `accepted 1`, `refused`, `unavailable`.
  var word: String {
    switch self {
    case .accepted(let events): "accepted \(events.count)"
    case .refused: "refused"
    case .unavailable: "unavailable"
    }
  }
  var positions: [Position] {
    switch self {
    case .accepted(let events): events.map(\.position)
    case .refused, .unavailable: []
    }
  }
}
