import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Rollouts
import Testing

@Suite("A batch of turns") struct BatchTests {
  @Test("all that waits is appended at once, and replies follow") func oneAppend() throws {
    let bench = try Bench.settled()
    let before = bench.ledger.appends.count
    for number in 1...3 { bench.ask(Facts.submission(number), of: Facts.queue) }
    let (replies, appended) = bench.engine.run(now: bench.now)
    #expect(replies.map(\.outcome.word) == ["accepted 1", "accepted 1", "accepted 1"])
    #expect(appended.count == 3)
    #expect(bench.ledger.appends.count == before + 1)
  }

  @Test("a refusal reaches who asked, and stops nobody else") func refusal() throws {
    let bench = try Bench.settled()
    let first = bench.ask(Facts.submission(1), of: Facts.queue)
    let again = bench.ask(Facts.submission(1), of: Facts.queue)
    let replies = bench.run()
    #expect(replies.first { $0.id == first }?.outcome.word == "accepted 1")
    #expect(replies.first { $0.id == again }?.outcome.word == "refused")
  }

  @Test("a request to a stream that does not exist brings none about") func phantom() throws {
    let bench = try Bench.settled()
    let streams = bench.engine.streams
    bench.ask(
      .build(.promote(Promotion.PromoteRequest(environment: nil, override: false, reason: ""))), of: Facts.build("9"))
    #expect(bench.run().map(\.outcome.word) == ["refused"])
    #expect(bench.engine.streams == streams)
  }

  @Test("protect goes first, and a flood of it leaves a share to progress") func lanes() throws {
    let bench = try Bench.settled()
    let asked = bench.ask(Facts.submission(1), of: Facts.queue)
    for number in 0..<400 {
      bench.post(.delivery(.lift(Facts.digest("\(number % 10)"), reason: "")), to: Facts.delivery, lane: .protect)
    }
    #expect(bench.engine.run(now: bench.now).replies.map(\.id) == [asked])

    var mailbox = Mailbox()
    let slow = Letter(to: Facts.queue, Facts.submission(1), cause: .pulse)
    mailbox.post(.letter(slow))
    mailbox.post(.letter(Letter(to: Facts.delivery, Facts.submission(1), cause: .pulse, lane: .protect)))
    guard case .letter(let first)? = mailbox.take() else {
      Issue.record("nothing waits")
      return
    }
    #expect(first.stream == Facts.delivery)
  }

  @Test("parcels put back keep their order") func putBack() {
    var mailbox = Mailbox()
    func letter(_ name: String) -> Parcel {
      .letter(Letter(to: StreamID(.queue, name), Facts.submission(1), cause: .pulse))
    }
    for name in ["a", "b", "c"] { mailbox.post(letter(name)) }
    let taken = [mailbox.take(), mailbox.take()].compactMap { $0 }
    mailbox.post(letter("d"))
    mailbox.putBack(taken)
    var order: [String] = []
    while case .letter(let letter)? = mailbox.take() { order.append(letter.stream.name) }
    #expect(order == ["a", "b", "c", "d"])
  }

  @Test("a topology whose policies contradict themselves is refused as a whole") func faultyTopology() throws {
    let bench = try Bench.settled()
    for topology in [Facts.topology(keep: 0), Facts.topology(slots: 0)] {
      bench.ask(.settings(.apply(topology)), of: .settings)
      #expect(bench.run().map(\.outcome.word) == ["refused"])
    }
  }

  @Test("a new topology configures again; the same one does not") func topologyChange() throws {
    let bench = try Bench.settled()
    #expect(bench.ledger.types(Facts.delivery) == ["delivery.configured"])
    bench.post(.settings(.apply(Facts.topology())), to: .settings)
    bench.run()
    #expect(bench.ledger.types(.settings).count == 1)
    bench.post(.settings(.apply(Facts.topology(slots: 3, keep: 5))), to: .settings)
    bench.run()
    #expect(bench.ledger.types(Facts.delivery) == ["delivery.configured", "delivery.configured"])
    #expect(bench.ledger.types(Facts.queue).filter { $0 == "queue.configured" }.count == 2)
    #expect(bench.engine.topology == Facts.topology(slots: 3, keep: 5))
  }
}

@Suite("When the ledger fails") struct LedgerFailureTests {
  @Test("requests are told, and nothing seen is lost") func outage() throws {
    let bench = try Bench.settled()
    bench.ledger.isFull = true
    bench.ask(Facts.submission(1), of: Facts.queue)
    bench.ask(Facts.submission(1), of: Facts.queue)
    bench.observe(.queue(.trunkObserved(Facts.commit("b"))), "watch-trunk", of: Facts.queue)
    let events = bench.ledger.all.count
    // The second was refused because of the first, which was not written: that refusal says nothing.
    #expect(bench.run().map(\.outcome.word) == ["unavailable", "unavailable"])
    #expect(bench.engine.outage == TestLedger.full)
    #expect(bench.ledger.all.count == events)
    let attempts = bench.ledger.attempts
    bench.run()
    #expect(bench.ledger.attempts == attempts, "the pause is kept")
    #expect(bench.engine.nextDue == bench.now + .seconds(1))
    bench.ledger.isFull = false
    bench.wait(.seconds(1))
    bench.run()
    #expect(bench.engine.outage == nil)
    #expect(bench.ledger.types(Facts.queue).last == "queue.trunkMoved")
    #expect(bench.ledger.types(Facts.build("b")) == ["build.begun"])
  }

  @Test("where nothing happens, it is found out that the ledger is well again") func quietOutage() throws {
    let bench = try Bench.settled()
    bench.ledger.isFull = true
    bench.ask(Facts.submission(1), of: Facts.queue)
    #expect(bench.run().map(\.outcome.word) == ["unavailable"])
    let cursor = bench.ledger.cursor
    // Nothing waits, and still the engine asks to be run again.
    #expect(!bench.engine.hasWork)
    for _ in 0..<3 {
      #expect(bench.engine.nextDue == bench.now + .seconds(1))
      bench.wait(.seconds(1))
      bench.run()
      #expect(bench.engine.outage == TestLedger.full)
    }
    bench.ledger.isFull = false
    bench.wait(.seconds(1))
    bench.run()
    #expect(bench.engine.outage == nil)
    #expect(bench.engine.nextDue == nil)
    #expect(bench.ledger.cursor >= cursor)
  }

  @Test("what waits behind an outage goes on as soon as the ledger is well, however much it is")
  func flood() throws {
    let bench = try Bench.settled()
    bench.ledger.isFull = true
    bench.ask(Facts.submission(1), of: Facts.queue)
    bench.run()
    // Requests that change nothing are decided without an append.
    let asked = (0..<700).map { _ in bench.ask(.settings(.apply(Facts.topology())), of: .settings) }
    bench.run()
    #expect(bench.engine.hasWork && bench.engine.isPausing)
    bench.ledger.isFull = false
    bench.wait(.seconds(1))
    var answered: [ReplyID] = []
    repeat {
      answered += bench.engine.run(now: bench.now).replies.map(\.id)
      #expect(!bench.engine.isPausing)
    } while bench.engine.hasWork
    #expect(answered == asked)
  }

  @Test("an effect whose result waits to be written is not started again") func noDoubleEffect() throws {
    let bench = try Bench.settled()
    let build = Facts.build("a")
    #expect(bench.dispatcher.starts(of: "build").count == 1)
    bench.ledger.isFull = true
    bench.observe(Facts.built, "build", of: build)
    bench.end("build", of: build)
    for _ in 0..<10 {
      bench.run()
      bench.engine.pulse(now: bench.now)
      bench.wait(.seconds(2))
    }
    #expect(bench.dispatcher.starts(of: "build").count == 1)
    bench.ledger.isFull = false
    bench.run()
    #expect(bench.ledger.types(build).first { $0 == "build.built" } != nil)
    #expect(bench.dispatcher.starts(of: "build").count == 1)
  }

  @Test("what dies during an outage is held up all the same") func standingEffectsInOutage() throws {
    let bench = try Bench.settled()
    bench.ledger.isFull = true
    bench.ask(Facts.submission(1), of: Facts.queue)
    bench.end("watch-trunk", of: Facts.queue)
    bench.run()
    bench.wait(.seconds(0.5))
    bench.run()
    #expect(bench.dispatcher.starts(of: "watch-trunk").count == 2)
    let due = try #require(bench.engine.nextDue ?? bench.now + .seconds(1))
    #expect(due > bench.now, "nothing is due in the past, or its owner would spin")
  }

  @Test("a stream that cannot be read loses no letter") func unreadable() throws {
    let bench = Bench()
    try bench.engine.recover(now: bench.now)
    bench.ledger.unreadable = [Facts.delivery]
    bench.post(.settings(.apply(Facts.topology())), to: .settings)
    bench.run()
    #expect(bench.ledger.types(Facts.delivery).isEmpty)
    #expect(bench.ledger.cursor < 1)
    bench.ledger.unreadable = []
    bench.wait(.seconds(1))
    bench.run()
    #expect(bench.ledger.types(Facts.delivery) == ["delivery.configured"])
  }

  @Test("the loser of a race decides again") func conflict() throws {
    let bench = try Bench.settled()
    let version = bench.ledger.version(of: Facts.queue)
    bench.ledger.intruder = [
      NewEvent(
        stream: Facts.queue, version: version + 1, at: bench.now, cause: .pulse, actor: "other",
        event: .queue(.trunkMoved(from: Facts.commit("a"), to: Facts.commit("b"), at: bench.now)))
    ]
    bench.observe(.queue(.trunkObserved(Facts.commit("d"))), "watch-trunk", of: Facts.queue)
    bench.run()
    let moved = bench.ledger.all.suffix(from: Int(version)).compactMap { event -> CommitID? in
      guard case .queue(.trunkMoved(_, let to, _)) = event.event else { return nil }
      return to
    }
    #expect(moved.suffix(2) == [Facts.commit("b"), Facts.commit("d")])
    // What the other wrote is routed too.
    #expect(bench.ledger.types(Facts.build("b")) == ["build.begun"])
    #expect(bench.ledger.types(Facts.build("d")) == ["build.begun"])
  }

  @Test("a write that took place and was reported lost is followed, once") func ambiguousWrite() throws {
    let bench = try Bench.settled()
    bench.ledger.losesNextReply = true
    bench.observe(.queue(.trunkObserved(Facts.commit("b"))), "watch-trunk", of: Facts.queue)
    bench.run()
    bench.wait(.seconds(1))
    bench.run()
    bench.wait(.seconds(1))
    bench.ask(.settings(.apply(Facts.topology(slots: 4))), of: .settings)
    bench.run()
    #expect(bench.ledger.types(Facts.build("b")) == ["build.begun"])
    #expect(bench.ledger.types(Facts.queue).filter { $0 == "queue.trunkMoved" }.count == 2)
    #expect(bench.ledger.cursor > 0)
  }

  @Test("such a write is also found when another stream writes next") func gap() throws {
    let bench = try Bench.settled()
    bench.ledger.losesNextReply = true
    bench.ask(.settings(.apply(Facts.topology(keep: 5))), of: .settings)
    #expect(bench.run().map(\.outcome.word) == ["unavailable"])
    #expect(bench.engine.topology == Facts.topology())
    bench.wait(.seconds(1))
    bench.observe(.queue(.trunkObserved(Facts.commit("b"))), "watch-trunk", of: Facts.queue)
    bench.run()
    #expect(bench.engine.topology == Facts.topology(keep: 5))
    #expect(bench.ledger.types(Facts.delivery) == ["delivery.configured", "delivery.configured"])
    #expect(bench.ledger.types(Facts.build("b")) == ["build.begun"])
  }

  @Test("who loses every race pauses, as in an outage") func lostLedger() throws {
    let bench = try Bench.settled()
    bench.observe(.queue(.trunkObserved(Facts.commit("d"))), "watch-trunk", of: Facts.queue)
    let attempts = bench.ledger.attempts
    for _ in 0..<50 {
      let version = bench.ledger.version(of: Facts.queue)
      bench.ledger.intruder = [
        NewEvent(
          stream: Facts.queue, version: version + 1, at: bench.now, cause: .pulse, actor: "other",
          event: .queue(.trunkMoved(from: nil, to: Facts.commit("b"), at: bench.now)))
      ]
      _ = bench.engine.run(now: bench.now)
    }
    #expect(bench.ledger.attempts - attempts == Engine<TestLedger, Recorder>.conflictLimit)
    #expect(bench.engine.nextDue == bench.now + .seconds(1))
  }
}
