import ControlPlane
import Kernel
import Rollouts
import Testing

@testable import Runtime

@Suite("Deployments are sealed, run and retired", .timeLimit(.minutes(2)))
struct PlacementTests {
  let deployment = Facts.deployment("b")

  @Test("what was sealed is what runs: the variables and the way to run them")
  func sealed() async throws {
    let bench = try Bench()
    let offer = Rollout.Offer(
      digest: deployment.digest, commit: deployment.commit, ordinal: 4, title: "Change", author: "ada",
      landedAt: Facts.start, override: false)
    bench.sealer.lose()
    try await bench.carryOut(
      .delivery(.seal(offer, service: Facts.harbor, environment: Facts.production)), of: Facts.delivery)
    #expect(
      bench.posted.inputs == [
        .delivery(.sealed(ordinal: 4, configuration: Facts.digest("0"), sealedConfiguration: Facts.digest("1")))
      ])
    try await bench.place(deployment, ports: 1)
    #expect(
      bench.platform.orders == [
        .init(
          deployment: deployment.id, specification: ScriptedCatalog.specification, limit: nil,
          configuration: ScriptedCatalog.variables, fence: Bench.fence)
      ])
    await bench.performer.stopAll()
  }

  @Test("a snapshot that does not say how to run is the effect's failure")
  func unsealed() async throws {
    let bench = try Bench()
    bench.sealer.lose()
    try await bench.carryOut(.delivery(.run(deployment, limit: nil)), of: Facts.delivery)
    #expect(bench.posted.ends.map(\.failure?.subject) == ["sealer"])
    #expect(bench.platform.orders.isEmpty)
  }

  @Test("readiness and ends are observed, with the digest measured on the platform")
  func reports() async throws {
    let bench = try Bench()
    try await bench.place(deployment, ports: 1, 2)
    await bench.platform.say(
      .ended(instance: 1, end: .exited(code: 3), inRow: 2, logTail: "oh", at: Facts.start), of: deployment)
    #expect(
      bench.posted.inputs == [
        .delivery(.ready(deployment.id, digest: deployment.digest, endpoints: 2)),
        .delivery(
          .instanceEnded(deployment.id, instance: 1, end: .exited(code: 3), inRow: 2, at: Facts.start)),
      ])
    await bench.performer.stopAll()
    #expect(bench.posted.ends.isEmpty, "it is kept running until it is cancelled")
  }

  @Test("a limit reaches the platform, and what is ready within it is told with it")
  func limited() async throws {
    let bench = try Bench()
    try await bench.place(deployment, limit: 1, ports: 1)
    #expect(bench.platform.orders.map(\.limit) == [1])
    #expect(
      bench.posted.inputs == [.delivery(.ready(deployment.id, digest: deployment.digest, endpoints: 1, limit: 1))])
    await bench.performer.stopAll()
  }

  @Test("a release folder that someone changed is told to people, and to the machine by what was found in it")
  func altered() async throws {
    let bench = try Bench()
    try await bench.place(deployment, ports: 1, 2)
    await bench.platform.say(.altered(digest: nil, sentence: "someone put a socket there"), of: deployment)
    await bench.platform.say(.altered(digest: Facts.digest("e"), sentence: "someone changed it"), of: deployment)
    #expect(
      bench.posted.inputs.dropFirst() == [
        .delivery(.ready(deployment.id, digest: Facts.digest("e"), endpoints: 2))
      ])
    let told = bench.noticed.all.map(\.description)
    #expect(
      told == ["someone put a socket there", "someone changed it"].map { "delivery:harbor/production: \($0)." })
    await bench.performer.stopAll()
  }

  @Test("a drill's requests are counted once, from when the version had its share")
  func served() async throws {
    let bench = try Bench()
    let counts = RequestCounts(requests: 40, errors: 1)
    bench.telemetry.harm.now(.gives(Harm(counts: counts, firstBadAt: nil, lastBadAt: nil, clientMinutes: 1)))
    let rollout: RolloutID = 7
    try await bench.carryOut(
      .delivery(.countServed(rollout, deployment.id, since: Facts.start, slowerThan: .seconds(1))),
      of: Facts.delivery)
    #expect(bench.posted.inputs == [.delivery(.served(rollout, counts))])
    #expect(bench.telemetry.harm.asked == [Facts.start])
  }

  @Test("what is retired has no endpoints any more")
  func retired() async throws {
    let bench = try Bench()
    try await bench.place(deployment, ports: 1)
    let share = [TrafficShare(deployment.id, percent: 100)]
    #expect(await bench.performer.board.routes(for: share).map(\.endpoints.count) == [1])
    try await bench.carryOut(.delivery(.retire(deployment)), of: Facts.delivery)
    #expect(bench.posted.inputs.last == .delivery(.retired(deployment.id)))
    #expect(await bench.performer.board.routes(for: share).map(\.endpoints.count) == [0])
    await bench.performer.stopAll()
  }

  @Test("a place that left plimsoll.yaml is closed at the router, and that is told")
  func closed() async throws {
    let bench = try Bench()
    try await bench.carryOut(
      .delivery(.close(service: deployment.service, environment: deployment.environment)), of: Facts.delivery)
    #expect(bench.router.close.asked == [Bench.fence])
    guard case .delivery(.closed)? = bench.posted.inputs.last else {
      Issue.record("told was \(bench.posted.inputs)")
      return
    }
  }
}
