import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Rollouts
import Testing

@testable import Runtime

@Suite("An effect is one task that ends once, or is cancelled", .timeLimit(.minutes(2)))
struct EffectTests {
  @Test("cancelling an effect cancels its task, and no end is posted")
  func cancel() async throws {
    let bench = try Bench()
    bench.runner.run.now(.untilCancelled(then: Facts.report(.cancelled)))
    bench.start(Facts.test, of: Facts.queue)
    try await eventually("the command runs") { !bench.runner.run.asked.isEmpty }
    #expect(bench.runner.run.answered == 0)

    bench.cancel(Facts.test, of: Facts.queue)
    try await eventually("the command is killed") { bench.runner.run.answered == 1 }
    await bench.performer.stopAll()
    #expect(bench.posted.ends.isEmpty)
    #expect(bench.posted.inputs.isEmpty)
  }

  @Test("cancelling under another fence is about another task")
  func fenced() async throws {
    let bench = try Bench()
    let gate = Gate()
    bench.runner.run.now(.after(gate, Facts.report(.exited(code: 0))))
    bench.start(Facts.test, of: Facts.queue)
    bench.performer.cancel(Facts.test.key, of: Facts.queue, fence: Fence(4))
    gate.open()
    try await eventually("it ends") { bench.posted.ends.count == 1 }
    #expect(bench.posted.inputs.count == 1)
  }

  @Test("an effect that throws posts one end with the failure, and nothing else")
  func failure() async throws {
    let bench = try Bench()
    let full = Outage("disk", "it is full; free some space")
    bench.runner.run.now(.fails(full))
    try await bench.carryOut(Facts.test, of: Facts.queue)
    await bench.performer.stopAll()
    #expect(
      bench.posted.ends == [.init(key: Facts.test.key, fence: Bench.fence, lane: .progress, failure: full)])
    #expect(bench.posted.inputs.isEmpty)
  }

  // The engine may start an effect again, under the same fence, as soon as it was told of its end.
  @Test("an effect started again from its own end can still be cancelled")
  func again() async throws {
    let bench = try Bench()
    bench.runner.run.now(
      .gives(Facts.report(.exited(code: 0))), .untilCancelled(then: Facts.report(.cancelled)))
    bench.performer.attach { [posted = bench.posted, unowned bench] parcel in
      posted.take(parcel)
      guard case .ended = parcel, posted.ends.count == 1 else { return }
      bench.start(Facts.test, of: Facts.queue)
      while bench.runner.run.asked.count < 2 { await Task.yield() }
    } tell: { _ in
    }
    bench.start(Facts.test, of: Facts.queue)
    try await eventually("it runs again") { bench.runner.run.asked.count == 2 }
    // Time for the first task to be quite over.
    for number in 0..<20 {
      try await bench.carryOut(
        .delivery(.wake(at: Facts.start, EffectKey("wake/step/1/\(number)"))), of: Facts.delivery)
    }
    bench.cancel(Facts.test, of: Facts.queue)
    try await eventually("the second run is killed") { bench.runner.run.answered == 2 }
    await bench.performer.stopAll()
    #expect(bench.posted.ends.count { $0.key == Facts.test.key } == 1)
  }

  @Test("a timer whose time has passed rings at once", arguments: [Facts.start, Instant.now - Span.seconds(1)])
  func wake(at instant: Instant) async throws {
    let bench = try Bench()
    let key = EffectKey("wake/soak/production")
    try await bench.carryOut(.build(.wake(at: instant, key: key)), of: Facts.build)
    try await bench.carryOut(.delivery(.wake(at: instant, key)), of: Facts.delivery)
    #expect(bench.posted.inputs == [.build(.woke(key: key)), .delivery(.woke(key))])
    #expect(bench.posted.ends.map(\.failure) == [nil, nil])
  }

  @Test("a cancelled timer never rings")
  func unwoken() async throws {
    let bench = try Bench()
    bench.start(.delivery(.wake(at: .now + .minutes(60), EffectKey("wake/step/1/0"))), of: Facts.delivery)
    await bench.performer.stopAll()
    #expect(bench.posted.inputs.isEmpty)
    #expect(bench.posted.ends.isEmpty)
  }
}

@Suite("Runs become observations", .timeLimit(.minutes(2)))
struct RunTests {
  private func observed(
    _ effect: StreamEffect, of stream: StreamID, running report: RunReport, _ prepare: (Bench) -> Void = { _ in }
  ) async throws -> (bench: Bench, inputs: [StreamInput]) {
    let bench = try Bench()
    bench.runner.run.now(.gives(report))
    prepare(bench)
    try await bench.carryOut(effect, of: stream)
    #expect(bench.posted.ends.map(\.failure) == [nil])
    try await eventually("the run's folders are removed") {
      bench.runner.release.asked == bench.runner.run.asked.map(\.key)
    }
    return (bench, bench.posted.inputs)
  }

  @Test("a test's verdict goes to the queue with its last line and its recipe", arguments: [0, 3])
  func test(code: Int) async throws {
    let (bench, inputs) = try await observed(
      Facts.test, of: Facts.queue, running: Facts.report(.exited(code: code), tail: "one\n12 tests, 1 wrong\n \n"))
    #expect(
      inputs == [
        .queue(
          .tested(
            build: 3, run: 1, commit: Facts.commit("c"),
            report: MergeQueue.TestReport(
              end: .exited(code: code), log: Facts.digest("f"), summary: "12 tests, 1 wrong", startedAt: Facts.start,
              endedAt: Facts.start + .seconds(2), recipe: 7)))
      ])
    let order = try #require(bench.runner.run.asked.first)
    #expect(order.command == "./test" && order.commit == Facts.commit("c") && order.repository == Facts.repository)
    #expect(order.key.contains("/\(Bench.fence.position)"), "a run that a crash left behind must not be joined")
  }

  @Test("a run that was cancelled says nothing of the commit", arguments: [Facts.test, Facts.buildIt, Facts.check])
  func cancelled(_ effect: StreamEffect) async throws {
    let (_, inputs) = try await observed(effect, of: Facts.build, running: Facts.report(.cancelled))
    #expect(inputs.isEmpty)
  }

  @Test("a build that passed is packed, and the digest goes to its promotion")
  func build() async throws {
    let artifact = StoredArtifact(digest: Facts.digest("d"), provenance: Facts.digest("e"), files: 1, bytes: 1)
    let (bench, inputs) = try await observed(
      Facts.buildIt, of: Facts.build, running: Facts.report(.exited(code: 0), output: "/checkout/dist")
    ) { $0.artifacts.pack.now(.gives(artifact)) }
    #expect(
      inputs == [
        .build(
          .built(
            Promotion.BuildResult(
              artifact: artifact, log: Facts.digest("f"), startedAt: Facts.start, endedAt: Facts.start + .seconds(2))))
      ])
    #expect(bench.runner.run.asked.map(\.output) == ["dist"])
    let facts = BuildFacts(
      service: Facts.harbor, repository: Facts.repository, commit: Facts.commit("c"), command: "./build",
      startedAt: Facts.start, endedAt: Facts.start + .seconds(2))
    #expect(bench.artifacts.pack.asked == [.init(folder: "/checkout/dist", facts: facts)])
  }

  struct FailingBuild: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let report: RunReport
    let packing: Script<ScriptedArtifactStore.Packing, StoredArtifact>.Reply
    let reason: String
  }
  private static let unpacked = Script<ScriptedArtifactStore.Packing, StoredArtifact>.Reply.fails(
    Outage("script", "nothing should be packed"))

  @Test(
    "a build that brought nothing forth fails, in words",
    arguments: [
      FailingBuild(
        testDescription: "it passed and wrote nothing", report: Facts.report(.exited(code: 0)), packing: unpacked,
        reason: "the build passed but wrote nothing into 'dist'"),
      FailingBuild(
        testDescription: "it failed", report: Facts.report(.exited(code: 2), tail: "no rule to make target"),
        packing: unpacked, reason: "exit code 2: no rule to make target"),
      FailingBuild(
        testDescription: "it was killed", report: Facts.report(.signalled(number: 9)), packing: unpacked,
        reason: "killed by signal 9"),
      FailingBuild(
        testDescription: "it took too long", report: Facts.report(.timedOut, tail: "linking"), packing: unpacked,
        reason: "not finished after 300.0 s: linking"),
      FailingBuild(
        testDescription: "it is not reproducible", report: Facts.report(.exited(code: 0), output: "/checkout/dist"),
        packing: .fails(Refusal(.notNow, "harbor was built as another digest before: not reproducible")),
        reason: "harbor was built as another digest before: not reproducible"),
      FailingBuild(
        testDescription: "its last line is very long",
        report: Facts.report(.exited(code: 1), tail: String(repeating: "x", count: 2000)), packing: unpacked,
        reason: "exit code 1: " + String(repeating: "x", count: 287)),
    ])
  func buildFails(_ failing: FailingBuild) async throws {
    let (_, inputs) = try await observed(Facts.buildIt, of: Facts.build, running: failing.report) {
      $0.artifacts.pack.now(failing.packing)
    }
    #expect(inputs == [.build(.buildFailed(reason: failing.reason, log: Facts.digest("f")))])
  }

  @Test("an artifact store that is away is the world's fault, not the build's")
  func packingOutage() async throws {
    let bench = try Bench()
    let full = Outage("disk", "it is full; free some space")
    bench.runner.run.now(.gives(Facts.report(.exited(code: 0), output: "/checkout/dist")))
    bench.artifacts.pack.now(.fails(full))
    try await bench.carryOut(Facts.buildIt, of: Facts.build)
    #expect(bench.posted.ends.map(\.failure) == [full])
    #expect(bench.posted.inputs.isEmpty)
  }

  @Test("a check runs in the commit's checkout and reaches the service through the router", arguments: [0, 1])
  func check(code: Int) async throws {
    let (bench, inputs) = try await observed(
      Facts.check, of: Facts.build, running: Facts.report(.exited(code: code), tail: "GET / was 404"))
    let order = try #require(bench.runner.run.asked.first)
    #expect(order.command == "./smoke" && order.commit == Facts.commit("c") && order.repository == Facts.repository)
    #expect(
      order.environment == [
        EnvironmentVariable(name: "PLIMSOLL_COMMIT", value: Facts.commit("c").rawValue),
        EnvironmentVariable(name: "PLIMSOLL_DIGEST", value: Facts.digest("d").rawValue),
        EnvironmentVariable(name: "PLIMSOLL_ENVIRONMENT", value: "production"),
        EnvironmentVariable(name: "PLIMSOLL_SERVICE", value: "harbor"),
        EnvironmentVariable(name: "PLIMSOLL_URL", value: "http://127.0.0.1:8080"),
      ])
    #expect(
      inputs == [
        .build(
          .checked(
            environment: Facts.production, name: Facts.parsed(CheckName(rawValue: "smoke")),
            report: Promotion.CheckReport(
              passed: code == 0, reason: code == 0 ? "" : "exit code 1: GET / was 404", log: Facts.digest("f"),
              startedAt: Facts.start, endedAt: Facts.start + .seconds(2))))
      ])
  }

  @Test("a check waits while its service has no address")
  func checkWithoutAddress() async throws {
    let bench = try Bench()
    bench.router.port.now(.gives(nil))
    try await bench.carryOut(Facts.check, of: Facts.build)
    #expect(bench.posted.ends.map(\.failure?.subject) == ["router"])
    #expect(bench.runner.run.asked.isEmpty)
    #expect(bench.posted.inputs.isEmpty)
  }
}
