import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Rollouts
import Testing

/// What the engine and all machines together make of a plimsoll.yaml that changed, and of a trunk that went back.
@Suite("What leaves plimsoll.yaml, what comes to it, and a trunk forced back") struct LeavingTests {
  private let crane = Facts.parsed(ServiceName(rawValue: "crane"))
  private let verified = StreamInput.build(
    .provenanceFound(environment: Facts.production, finding: .verified(builder: "plimsoll")))

  private func apply(_ topology: Topology, to bench: Bench) {
    bench.post(.settings(.apply(topology)), to: .settings)
    bench.run()
  }

  /// `a` serves production.
  private func delivered() throws -> Bench {
    let bench = try Bench.settled()
    deliver("a", on: bench)
    return bench
  }

  /// Built, verified, offered, sealed, ready, routed and watched: known-good.
  private func deliver(_ letter: String, on bench: Bench) {
    let build = Facts.build(letter)
    bench.observe(Facts.built(letter), "build", of: build)
    bench.run()
    bench.observe(verified, "provenance/production", of: build)
    bench.run()
    rollOut(on: bench)
  }

  private func rollOut(on bench: Bench) { bench.rollOut() }

  private func wanted(_ bench: Bench, _ stream: StreamID) -> [String] {
    bench.engine.state(of: stream).map { Turn.effects(of: $0).map(\.key.text) } ?? []
  }
  private func delivery(_ bench: Bench) throws -> Rollout.State {
    guard case .delivery(let state)? = bench.engine.state(of: Facts.delivery) else {
      throw Outage("test", "no delivery")
    }
    return state
  }
  private func promotion(_ letter: String, _ bench: Bench) throws -> Promotion.State {
    guard case .build(let state)? = bench.engine.state(of: Facts.build(letter)) else {
      throw Outage("test", "no build")
    }
    return state
  }

  @Test("a product that leaves wants nothing any more, once it is cleaned up") func everything() throws {
    let bench = try delivered()
    bench.post(Facts.submission(1), to: Facts.queue)
    bench.run()
    apply(Topology(), to: bench)
    #expect(bench.ledger.types(.settings) == ["settings.applied", "settings.applied", "settings.left"])
    #expect(bench.ledger.types(Facts.queue).suffix(2) == ["queue.retired", "queue.ejected"])
    #expect(wanted(bench, Facts.queue).isEmpty)
    #expect(wanted(bench, Facts.delivery) == ["close"])
    rollOut(on: bench)
    #expect(try delivery(bench).phase == .closed)
    #expect(bench.engine.isAtRest)
    let restarted = try bench.restarted()
    apply(Topology(), to: restarted)
    #expect(restarted.ledger.all.count == bench.ledger.all.count, "told once")
  }

  @Test("what comes back serves again what it served, and its trunk is sent once more") func back() throws {
    let bench = try delivered()
    let served = try #require(try delivery(bench).knownGood.first)
    apply(Topology(), to: bench)
    rollOut(on: bench)
    apply(Facts.topology(), to: bench)
    #expect(wanted(bench, Facts.delivery).first?.hasPrefix("route/\(served.deployment.id)=100@") == true)
    bench.observe(.queue(.trunkObserved(Facts.commit("a"))), "watch-trunk", of: Facts.queue)
    bench.run()
    #expect(bench.ledger.types(Facts.build("a")).last == "build.renewed")
    bench.observe(verified, "provenance/production", of: Facts.build("a"))
    bench.run()
    rollOut(on: bench)
    #expect(bench.ledger.types(Facts.delivery).contains("delivery.confirmed"))
    #expect(try promotion("a", bench).isAtRest)
    guard case .completed = try promotion("a", bench).phase else {
      Issue.record("it is \(try promotion("a", bench).phase)")
      return
    }
  }

  @Test("a ledger from before knew nothing of leaving: the next start tells those who left then") func healed() throws {
    let bench = try delivered()
    // As an older Plimsoll recorded it: the new topology, and nothing of who is not in it.
    let old = NewEvent<StreamEvent>(
      stream: .settings, version: 2, at: bench.now, cause: .pulse, actor: "plimsoll",
      event: .settings(.applied(Topology())))
    _ = try bench.ledger.append([old], routedThrough: nil)
    let next = try bench.restarted()
    apply(Topology(), to: next)
    #expect(next.ledger.types(.settings).last == "settings.left")
    #expect(wanted(next, Facts.delivery) == ["close"])
  }

  @Test("promotions on their way to what left halt with the reason") func promotions() throws {
    let bench = try Bench.settled()
    bench.observe(Facts.built, "build", of: Facts.build("a"))
    bench.run()
    apply(Topology(), to: bench)
    bench.observe(verified, "provenance/production", of: Facts.build("a"))
    bench.run()
    #expect(bench.ledger.types(Facts.delivery).last == "delivery.refusedUnconfigured")
    guard case .halted(_, let reason) = try promotion("a", bench).phase else {
      Issue.record("it is \(try promotion("a", bench).phase)")
      return
    }
    #expect(reason.hasPrefix("plimsoll.yaml no longer names production for harbor"))
  }

  @Test("a service that comes to a known trunk is built from it at once, and nobody else") func newcomer() throws {
    let bench = try delivered()
    apply(Facts.topology(services: [crane, Facts.harbor]), to: bench)
    #expect(bench.ledger.types(.settings).last == "settings.joined")
    #expect(bench.ledger.types(.build(crane, Facts.commit("a"))) == ["build.begun"])
    #expect(!bench.ledger.types(Facts.build("a")).contains("build.renewed"))
  }

  @Test("an environment that is added or goes sends the trunk's digest the new way, without a build") func newWay()
    throws
  {
    let bench = try delivered()
    apply(Facts.topology(environments: [Facts.staging, Facts.production]), to: bench)
    #expect(bench.ledger.types(Facts.build("a")).last == "build.renewed")
    #expect(wanted(bench, Facts.build("a")) == ["provenance/staging"])
    apply(Facts.topology(slots: 1), to: bench)
    #expect(bench.ledger.types(.delivery(Facts.harbor, Facts.staging)).last == "delivery.unconfigured")
    #expect(wanted(bench, Facts.build("a")) == ["provenance/production"])
    let events = bench.ledger.all.count
    apply(Facts.topology(slots: 2), to: bench)
    #expect(
      bench.ledger.all.count == events + 2, "other settings send nothing: \(bench.ledger.types(Facts.build("a")))")
  }

  @Test("a trunk forced back is delivered again, with the digest that was built then") func forcedBack() throws {
    let bench = try delivered()
    let first = try delivery(bench).knownGood.first?.deployment
    bench.observe(.queue(.trunkObserved(Facts.commit("b"))), "watch-trunk", of: Facts.queue)
    bench.run()
    deliver("b", on: bench)
    #expect(try delivery(bench).knownGood.first?.deployment.commit == Facts.commit("b"))
    bench.observe(.queue(.trunkObserved(Facts.commit("a"))), "watch-trunk", of: Facts.queue)
    bench.run()
    bench.observe(verified, "provenance/production", of: Facts.build("a"))
    bench.run()
    rollOut(on: bench)
    #expect(try delivery(bench).knownGood.first?.deployment == first)
    guard case .completed = try promotion("a", bench).phase else {
      Issue.record("it is \(try promotion("a", bench).phase)")
      return
    }
    #expect(bench.ledger.types(Facts.build("a")).filter { $0 == "build.built" }.count == 1)
  }
}
