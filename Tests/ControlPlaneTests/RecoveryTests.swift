import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Rollouts
import Testing

@Suite("Coming back after a crash") struct RecoveryTests {
  @Test("what was committed and not routed is routed, once, wherever the crash came", arguments: 0..<8)
  func everyMoment(turns: Int) throws {
    var bench = Bench()
    try bench.engine.recover(now: bench.now)
    bench.post(.settings(.apply(Facts.topology())), to: .settings)
    for _ in 0..<turns { _ = bench.engine.run(now: bench.now) }
    bench = try bench.restarted()
    bench.post(.settings(.apply(Facts.topology())), to: .settings)
    bench.run()
    bench.observe(.queue(.trunkObserved(Facts.commit("a"))), "watch-trunk", of: Facts.queue)
    for _ in 0..<turns { _ = bench.engine.run(now: bench.now) }
    bench = try bench.restarted()
    bench.run()
    if turns == 0 {
      bench.observe(.queue(.trunkObserved(Facts.commit("a"))), "watch-trunk", of: Facts.queue)
      bench.run()
    }
    #expect(bench.ledger.types(.settings) == ["settings.applied"])
    #expect(bench.ledger.types(Facts.delivery) == ["delivery.configured"])
    #expect(bench.ledger.types(Facts.queue) == ["queue.configured", "queue.trunkMoved"])
    #expect(bench.ledger.types(Facts.build("a")) == ["build.begun"])
    bench = try bench.restarted()
    let events = bench.ledger.all.count
    bench.run()
    #expect(bench.ledger.all.count == events)
  }

  @Test("the cursor never passes an input that is not decided") func cursor() throws {
    let bench = Bench()
    try bench.engine.recover(now: bench.now)
    bench.post(.settings(.apply(Facts.topology())), to: .settings)
    _ = bench.engine.run(now: bench.now)
    #expect(bench.ledger.cursor == 0)
    _ = bench.engine.run(now: bench.now)
    #expect(bench.ledger.cursor == 1)
  }

  @Test("everything wanted is started, with a fence no lower") func restart() throws {
    let bench = try Bench.settled()
    let second = try bench.restarted()
    second.run()
    let wanted = ["build", "watch-trunk"]
    #expect(second.dispatcher.starts.map(\.key).sorted() == wanted)
    for key in wanted {
      let before = try #require(bench.dispatcher.starts(of: key).last?.fence)
      let after = try #require(second.dispatcher.starts(of: key).last?.fence)
      #expect(after >= before)
    }
  }

  @Test("a stream's clock never goes back") func clock() throws {
    var bench = try Bench.settled()
    bench = Bench(on: bench.ledger, now: Facts.start - .minutes(60))
    try bench.engine.recover(now: bench.now)
    bench.observe(.queue(.trunkObserved(Facts.commit("b"))), "watch-trunk", of: Facts.queue)
    bench.run()
    let instants = bench.ledger.all.filter { $0.stream == Facts.queue }.map(\.at)
    #expect(instants == instants.sorted())
    #expect(instants.count == 3)
  }

  @Test("a snapshot is at most 256 events behind, and a restart uses it") func snapshots() throws {
    let bench = try Bench.settled()
    for round in 0..<300 {
      bench.observe(.queue(.trunkObserved(Facts.commit(round % 2 == 0 ? "b" : "c"))), "watch-trunk", of: Facts.queue)
      _ = bench.engine.run(now: bench.now)
      let behind = bench.ledger.version(of: Facts.queue) - (bench.ledger.snapshots[Facts.queue]?.version ?? 0)
      try #require(behind < snapshotInterval)
    }
    bench.run()
    let snapshot = try #require(bench.ledger.snapshots[Facts.queue])
    #expect(snapshot.version == snapshotInterval)
    #expect(bench.ledger.all[Int(snapshot.position) - 1].version == snapshot.version)
    let second = try bench.restarted()
    #expect(second.engine.state(of: Facts.queue) == bench.engine.state(of: Facts.queue))
    #expect(second.engine.version(of: Facts.queue) == bench.engine.version(of: Facts.queue))
  }
}

@Suite("Wanted effects") struct EffectTests {
  private let watch = "watch-trunk"

  @Test("one that ends and is still wanted starts again, later each time") func backOff() throws {
    let bench = try Bench.settled()
    for pause in [0.2, 0.4, 0.8, 1.6, 3.2, 5, 5] {
      let before = bench.dispatcher.starts(of: watch).count
      bench.end(watch, of: Facts.queue)
      bench.run()
      let due = bench.now + .seconds(pause)
      #expect(bench.engine.nextDue == due)
      bench.wait(.seconds(pause) + Span(milliseconds: -1))
      bench.run()
      #expect(bench.dispatcher.starts(of: watch).count == before)
      bench.wait(Span(milliseconds: 1))
      bench.run()
      #expect(bench.dispatcher.starts(of: watch).count == before + 1)
    }
  }

  @Test("a long run forgives a standing effect its failures") func stableRun() throws {
    let bench = try Bench.settled()
    for _ in 0..<10 {
      bench.wait(.seconds(6))
      bench.end(watch, of: Facts.queue)
      bench.run()
      #expect(bench.engine.nextDue == bench.now + .seconds(0.2))
      bench.wait(.seconds(0.2))
      bench.run()
    }
  }

  @Test("a clock that is set back delays nothing") func clockSetBack() throws {
    let bench = try Bench.settled()
    bench.end(watch, of: Facts.queue)
    bench.run()
    bench.wait(.minutes(-60))
    bench.run()
    #expect(bench.dispatcher.starts(of: watch).count == 2)
  }

  @Test("a spent budget is told to the machine, with the reason, and again only when it is spent again")
  func exhausted() throws {
    let bench = try Bench.settled()
    let build = Facts.build("a")
    var told: [Int] = []
    for attempt in 1...5 {
      bench.end("build", of: build, failure: Outage("runner", "no room is left"))
      bench.run()
      bench.wait(.seconds(30))
      bench.run()
      if bench.ledger.types(build).contains("build.halted") { told.append(attempt) }
    }
    #expect(told == [5])
    let reason = bench.ledger.all.compactMap { event -> String? in
      guard case .build(.halted(let reason)) = event.event else { return nil }
      return reason
    }
    #expect(reason.count == 1 && reason.first?.contains("no room is left") == true)
  }

  @Test("one that is no longer wanted is cancelled with its own fence") func cancelled() throws {
    let bench = try Bench.settled()
    bench.ask(Facts.submission(1), of: Facts.queue)
    bench.run()
    let plan = try #require(bench.dispatcher.starts.last { $0.key.hasPrefix("plan/") })
    bench.ask(.queue(.withdraw(entry: 1, reason: "no")), of: Facts.queue)
    bench.run()
    #expect(bench.dispatcher.cancels.contains(plan))
  }

  @Test("the end of an earlier run means nothing") func lateEnd() throws {
    let bench = try Bench.settled()
    bench.engine.post(
      .ended(stream: Facts.queue, key: EffectKey(watch), fence: Fence(0), lane: .progress, failure: nil))
    bench.run()
    #expect(bench.engine.nextDue == nil)
  }
}

@Suite("Quarantine") struct QuarantineTests {
  @Test("an input of another kind is refused, and every other stream goes on") func otherKind() throws {
    let bench = try Bench.settled()
    let wrong = bench.ask(Facts.submission(1), of: Facts.delivery)
    let right = bench.ask(Facts.submission(1), of: Facts.queue)
    let replies = bench.run()
    #expect(replies.first { $0.id == wrong }?.outcome.word == "refused")
    #expect(replies.first { $0.id == right }?.outcome.word == "accepted 1")
  }

  @Test("a broken stream stops alone, and what was meant for it waits for mended code", arguments: [false, true])
  func brokenStream(isKnown: Bool) throws {
    let first = try Bench.settled()
    let recorded = try #require(first.ledger.all.last { $0.stream == Facts.delivery })
    guard case .delivery(let sound)? = first.engine.state(of: Facts.delivery) else {
      Issue.record("the environment has no state")
      return
    }
    var broken = sound
    let stranger = DeploymentID(Facts.harbor, Facts.production, Facts.digest("1"), configuration: Facts.digest("2"))
    broken.routed = RoutedShares(shares: [TrafficShare(stranger, percent: 100)], at: Facts.start)
    func remember(_ state: Rollout.State) throws {
      try first.ledger.save(
        Snapshot(
          stream: Facts.delivery, version: recorded.version, position: recorded.position, at: recorded.at,
          state: .delivery(state)))
    }
    try remember(broken)
    let second = try first.restarted()
    // Found out by a request, or by the routed input itself.
    if isKnown {
      second.ask(.delivery(.configure(Facts.rollout(Facts.production, keep: 9))), of: Facts.delivery)
      #expect(second.run().map(\.outcome.word) == ["refused"])
    }
    second.post(.settings(.apply(Facts.topology(slots: 4, keep: 5))), to: .settings)
    second.run()
    #expect(second.engine.quarantined.keys.sorted() == [Facts.delivery])
    #expect(second.ledger.types(Facts.delivery).count == 1)
    #expect(second.ledger.types(Facts.queue).filter { $0 == "queue.configured" }.count == 2)
    let asked = second.ask(.delivery(.configure(Facts.rollout(Facts.production))), of: Facts.delivery)
    second.ask(Facts.submission(1), of: Facts.queue)
    let replies = second.run()
    #expect(replies.first { $0.id == asked }?.outcome.word == "refused")
    #expect(replies.map(\.outcome.word).contains("accepted 1"))

    try remember(sound)
    let third = try second.restarted()
    third.run()
    #expect(third.engine.quarantined.isEmpty)
    #expect(third.ledger.types(Facts.delivery) == ["delivery.configured", "delivery.configured"])
    #expect(third.ledger.types(Facts.queue).filter { $0 == "queue.configured" }.count == 2)
  }
}
