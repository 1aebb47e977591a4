import ControlPlane
import Kernel
import Rollouts
import Testing

@testable import Runtime

@Suite("Routing keeps the router at the wanted shares", .timeLimit(.minutes(2)))
struct RouteTests {
  let old = Facts.deployment("a")
  let new = Facts.deployment("b")

  private func routes(_ port: Int) -> [RoutedDeployment] {
    [RoutedDeployment(old.id, percent: 100, endpoints: [Endpoint(instance: 0, port: port)])]
  }
  private func routings(_ bench: Bench) -> Int {
    bench.posted.inputs.count {
      $0 == .delivery(.routed(Facts.routing([(old, 100)]), at: ScriptedRouter.appliedAt))
    }
  }

  @Test("receivers with endpoints are routed to, under the fence, and the confirmation is observed")
  func applies() async throws {
    let bench = try Bench()
    try await bench.place(old, ports: 1)
    let effect = Facts.route((old, 100))
    bench.start(effect, of: Facts.delivery)
    try await eventually("routed is observed") { routings(bench) > 0 }
    #expect(bench.router.apply.asked.first == .init(routes: routes(1), fence: Bench.fence))
    let letter = try #require(bench.posted.letters.last { $0.input.kind == .delivery })
    #expect(letter.stream == Facts.delivery)
    #expect(letter.cause == .observed(effect: effect.key))
    #expect(letter.lane == .protect)
    await bench.performer.stopAll()
    #expect(bench.posted.ends.isEmpty, "a route stands until it is cancelled")
  }

  @Test("what happens to other services' instances routes nothing again")
  func others() async throws {
    let bench = try Bench()
    try await bench.place(old, ports: 1)
    let began = ContinuousClock.now
    bench.start(Facts.route((old, 100)), of: Facts.delivery)
    try await eventually("routed is observed") { routings(bench) > 0 }
    try await bench.place(new, ports: 1)
    try await bench.place(new, ports: 2)
    try await bench.place(old, ports: 2)
    try await eventually("its own instances are routed to") {
      bench.router.apply.asked.last?.routes == routes(2)
    }
    // The end of the patience alone may bring about one more.
    let patience = Duration.milliseconds(Performer.adoptionPatience.milliseconds)
    #expect(bench.router.apply.asked.count == 2 || ContinuousClock.now - began > patience)
    await bench.performer.stopAll()
  }

  @Test("endpoints that went and came back are a change: whoever read in between reads again")
  func thereAndBack() async throws {
    let board = EndpointBoard()
    let mine = [Endpoint(instance: 0, port: 1)]
    await board.set(mine, for: old.id)
    var changes = await board.changes(of: [old.id]).makeAsyncIterator()
    await changes.next()
    await board.set([], for: old.id)
    await board.set(mine, for: old.id)
    await board.set(mine, for: new.id)
    #expect(await changes.next() != nil)
  }

  @Test("a route without any endpoint leaves the router alone for the patience, then empties it and says nothing")
  func patience() async throws {
    let bench = try Bench()
    let began = ContinuousClock.now
    bench.start(Facts.route((old, 100)), of: Facts.delivery)
    try await eventually("the router is asked") { !bench.router.apply.asked.isEmpty }
    let patience = Duration.milliseconds(Performer.adoptionPatience.milliseconds)
    // The performer reads a clock of whole milliseconds.
    #expect(bench.router.apply.askedAt[0] - began > patience - .milliseconds(50))
    #expect(bench.router.apply.asked[0].routes == [RoutedDeployment(old.id, percent: 100, endpoints: [])])
    #expect(routings(bench) == 0, "nobody receives, so the shares are not true")

    try await bench.place(old, ports: 1)
    try await eventually("routed is observed") { routings(bench) > 0 }
    #expect(bench.router.apply.asked.last?.routes == routes(1))
    await bench.performer.stopAll()
  }

  @Test("a receiver that is known to have no instance is not waited for: the others lose their shares at once")
  func knownToHaveNone() async throws {
    let bench = try Bench()
    try await bench.place(old, ports: 1)
    try await bench.place(new, ports: 2)
    await bench.platform.say(.endpoints([]), of: old)
    let began = ContinuousClock.now
    bench.start(Facts.route((old, 100), (new, 0)), of: Facts.delivery)
    try await eventually("the router is asked") { !bench.router.apply.asked.isEmpty }
    #expect(bench.router.apply.askedAt[0] - began < .milliseconds(Performer.adoptionPatience.milliseconds))
    #expect(bench.router.apply.asked[0].routes.map(\.percent) == [100, 0])
    #expect(!bench.posted.inputs.contains { if case .delivery(.routed) = $0 { true } else { false } })
    await bench.performer.stopAll()
  }

  @Test("an instance that ended tells nothing of the others: they may not have been found yet")
  func endedFirst() async throws {
    let bench = try Bench()
    bench.start(.delivery(.run(old, limit: nil)), of: Facts.delivery)
    try await eventually("it is supervised") { bench.platform.supervises(old) }
    let began = ContinuousClock.now
    bench.start(Facts.route((old, 100), (new, 0)), of: Facts.delivery)
    await bench.platform.say(
      .ended(instance: 0, end: .exited(code: 1), inRow: 1, logTail: "", at: Facts.start), of: old)
    try await eventually("the router is asked") { !bench.router.apply.asked.isEmpty }
    // The performer reads a clock of whole milliseconds.
    let patience = Duration.milliseconds(Performer.adoptionPatience.milliseconds) - .milliseconds(50)
    #expect(bench.router.apply.askedAt[0] - began > patience)
    await bench.performer.stopAll()
  }

  @Test("one receiver still starting does not hold up the shares of the other, but nothing is confirmed")
  func half() async throws {
    let bench = try Bench()
    try await bench.place(old, ports: 1)
    let began = ContinuousClock.now
    bench.start(Facts.route((old, 90), (new, 10)), of: Facts.delivery)
    try await eventually("the router is asked") { !bench.router.apply.asked.isEmpty }
    #expect(bench.router.apply.askedAt[0] - began < .milliseconds(Performer.adoptionPatience.milliseconds))
    #expect(!bench.posted.inputs.contains { if case .delivery(.routed) = $0 { true } else { false } })

    try await bench.place(new, ports: 2)
    let routing = Facts.routing([(old, 90), (new, 10)])
    try await eventually("routed is observed") {
      bench.posted.inputs.contains(.delivery(.routed(routing, at: ScriptedRouter.appliedAt)))
    }
    await bench.performer.stopAll()
  }

  @Test("a receiver that never comes keeps the shares from being confirmed for a while, not for ever")
  func neverComing() async throws {
    let bench = try Bench()
    try await bench.place(new, ports: 2)
    let began = ContinuousClock.now
    bench.start(Facts.route((old, 90), (new, 10)), of: Facts.delivery)
    let confirmed = StreamInput.delivery(
      .routed(Facts.routing([(old, 90), (new, 10)]), at: ScriptedRouter.appliedAt))
    try await eventually("routed is observed", within: .seconds(30)) { bench.posted.inputs.contains(confirmed) }
    let patience = Performer.adoptionPatience + Performer.confirmationPatience
    #expect(ContinuousClock.now - began >= .milliseconds(patience.milliseconds))
    await bench.performer.stopAll()
  }

  // Three times each: the end of the patience alone can bring about one.
  @Test("a router that lost its state is told again")
  func loss() async throws {
    let bench = try Bench()
    let losses = [Gate(), Gate(), Gate()]
    bench.router.loss.now(
      .after(losses[0], .gone), .after(losses[1], .gone), .after(losses[2], .gone), .untilCancelled(then: .gone))
    try await bench.place(old, ports: 1)
    bench.start(Facts.route((old, 100)), of: Facts.delivery)
    try await eventually("routed is observed") { routings(bench) > 0 }
    for loss in losses {
      let before = routings(bench)
      loss.open()
      try await eventually("routed is observed again") { routings(bench) > before }
    }
    await bench.performer.stopAll()
  }

  @Test("a router that someone changed is told again, and people are told of it")
  func altered() async throws {
    let bench = try Bench()
    let change = Gate()
    bench.router.loss.now(.after(change, .altered("someone moved a weight")), .untilCancelled(then: .gone))
    try await bench.place(old, ports: 1)
    bench.start(Facts.route((old, 100)), of: Facts.delivery)
    try await eventually("routed is observed") { routings(bench) > 0 }
    let before = routings(bench)
    change.open()
    try await eventually("routed is observed again") { routings(bench) > before }
    #expect(
      bench.noticed.all.map(\.description) == [
        "delivery:harbor/production: someone moved a weight. It is put right."
      ])
    await bench.performer.stopAll()
  }

  @Test("a preview reaches the router, and is confirmed only once its version has an endpoint")
  func preview() async throws {
    let bench = try Bench()
    let preview = PreviewRoute(.header(name: "X-Version", value: "next"), to: new.id)
    let routing = Facts.routing([(old, 100), (new, 0)], preview: preview)
    let confirmed = StreamInput.delivery(.routed(routing, at: ScriptedRouter.appliedAt))
    try await bench.place(old, ports: 1)
    bench.start(Facts.route((old, 100), (new, 0), preview: preview), of: Facts.delivery)
    try await eventually("the router is asked") { !bench.router.apply.asked.isEmpty }
    #expect(bench.router.apply.asked[0].preview == preview)
    #expect(!bench.posted.inputs.contains(confirmed))
    try await bench.place(new, ports: 2)
    try await eventually("routed is observed") { bench.posted.inputs.contains(confirmed) }
    await bench.performer.stopAll()
  }

  @Test("changed endpoints reach the router")
  func endpoints() async throws {
    let bench = try Bench()
    try await bench.place(old, ports: 1)
    bench.start(Facts.route((old, 100)), of: Facts.delivery)
    for port in 2...4 {
      await bench.platform.say(.endpoints([Endpoint(instance: 0, port: port)]), of: old)
      try await eventually("port \(port) is routed to") {
        bench.router.apply.asked.last?.routes == routes(port)
      }
    }
    await bench.performer.stopAll()
  }

  @Test("a stale route ends quietly")
  func stale() async throws {
    let bench = try Bench()
    bench.router.apply.now(.gives(.stale))
    try await bench.place(old, ports: 1)
    let effect = Facts.route((old, 100))
    try await bench.carryOut(effect, of: Facts.delivery)
    #expect(bench.posted.ends == [.init(key: effect.key, fence: Bench.fence, lane: .protect, failure: nil)])
    #expect(routings(bench) == 0)
    await bench.performer.stopAll()
  }

  @Test("a router that is away is the effect's failure")
  func outage() async throws {
    let bench = try Bench()
    let away = Outage("router", "it does not answer")
    bench.router.apply.now(.fails(away))
    try await bench.place(old, ports: 1)
    try await bench.carryOut(Facts.route((old, 100)), of: Facts.delivery)
    #expect(bench.posted.ends.map(\.failure) == [away])
    await bench.performer.stopAll()
  }
}
