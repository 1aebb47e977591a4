import Kernel
import Testing

/// A runner under contract, and what may befall its runs.
protocol RunnerSite: Sendable {
  var runner: any Runner { get }
  var repository: RepositoryName { get }
  var commit: CommitID { get }
  /// What a run of this key is told to do.
  func command(_ behaviour: RunnerContract.Behaviour, key: String) -> String
  /// How often a command of the key began.
  func starts(of key: String) -> Int
  func isRunning(_ key: String) -> Bool
  /// Lets a waiting command of the key end well.
  func finish(_ key: String)
  /// Takes the machine, or the ground, from under a run.
  func lose(_ key: String) async throws
  /// No run can start until it is given back.
  func takeAway() throws
  func giveBack() throws
  func log(_ report: RunReport) throws -> String
}

/// What every `Runner` promises, in terms of the port alone: the machine leans on nothing more.
struct RunnerContract {
  /// What a command does, once it said "begun".
  enum Behaviour {
    case ends(code: Int)
    case dies(signal: Int)
    case waits
  }
  let site: any RunnerSite
  private var runner: any Runner { site.runner }

  private func order(_ key: String, _ behaviour: Behaviour, timeLimit: Span = .seconds(120)) -> RunOrder {
    RunOrder(
      key: key, command: site.command(behaviour, key: key), repository: site.repository, commit: site.commit,
      timeLimit: timeLimit)
  }

  private func begin(_ order: RunOrder) -> Task<Result<RunReport, Outage>, Never> {
    Task { [runner] in
      do throws(Outage) { return .success(try await runner.run(order)) } catch { return .failure(error) }
    }
  }

  func verdicts() async throws {
    for (key, behaviour, end) in [
      ("well", Behaviour.ends(code: 0), RunEnd.exited(code: 0)), ("three", .ends(code: 3), .exited(code: 3)),
      ("killed", .dies(signal: 9), .signalled(number: 9)),
    ] {
      let report = try await runner.run(order(key, behaviour))
      #expect(report.end == end)
      #expect(report.passed == (end == .exited(code: 0)))
      #expect(report.startedAt <= report.endedAt)
      #expect(try site.log(report).contains("begun"))
      #expect(report.logTail.contains("begun") && report.logTail.utf8.count <= 2048)
    }
    let late = try await runner.run(order("late", .waits, timeLimit: .seconds(0.3)))
    #expect(late.end == .timedOut)
    #expect(!site.isRunning("late"))
  }

  /// One key is one run, whoever asks, now or when it has ended.
  func joining() async throws {
    let shared = order("shared", .waits)
    let (first, second) = (begin(shared), begin(shared))
    await eventually("the command runs") { site.isRunning("shared") }
    site.finish("shared")
    let reports = try await [first.value.get(), second.value.get(), runner.run(shared)]
    #expect(reports[0] == reports[1] && reports[1] == reports[2])
    #expect(reports[0].passed)
    #expect(site.starts(of: "shared") == 1)
    #expect(try await runner.run(order("other", .ends(code: 0))).passed)
    #expect(site.starts(of: "other") == 1)
  }

  /// The reply is killed, the call is made again: the same as one call.
  func lostReplies() async throws {
    let shared = order("cut", .waits)
    let staying = begin(shared)
    await eventually("the command runs") { site.isRunning("cut") }
    for _ in 0..<4 {
      let cut = begin(shared)
      await Task.yield()
      cut.cancel()
    }
    site.finish("cut")
    #expect(try await staying.value.get().passed)
    #expect(try await runner.run(shared).passed)
    #expect(site.starts(of: "cut") == 1)
  }

  func cancelling() async throws {
    let slow = order("slow", .waits)
    let calling = begin(slow)
    await eventually("the command runs") { site.isRunning("slow") }
    calling.cancel()
    #expect(try await calling.value.get().end == .cancelled)
    #expect(!site.isRunning("slow"), "it has ended when the call returns")
    site.finish("slow")
    #expect(try await runner.run(slow).passed, "a run that was killed says nothing of the command")
    #expect(site.starts(of: "slow") == 2)
  }

  func releasing() async throws {
    await runner.release(key: "never")
    let slow = order("slow", .waits)
    let calling = begin(slow)
    await eventually("the command runs") { site.isRunning("slow") }
    await runner.release(key: "slow")
    #expect(!site.isRunning("slow"))
    #expect(try await calling.value.get().end == .cancelled)
    _ = try await runner.run(order("well", .ends(code: 0)))
    await runner.release(key: "well")
    await runner.release(key: "well")
  }

  /// What is not the command's doing is an outage, and leaves the key free.
  func outages() async throws {
    try site.takeAway()
    await #expect(throws: Outage.self) { try await runner.run(order("early", .ends(code: 1))) }
    #expect(site.starts(of: "early") == 0)
    try site.giveBack()
    #expect(try await runner.run(order("early", .ends(code: 1))).end == .exited(code: 1))

    let lost = begin(order("lost", .waits))
    await eventually("the command runs") { site.isRunning("lost") }
    try await site.lose("lost")
    guard case .failure(let outage) = await lost.value else { return #expect(Bool(false), "a lost run is no verdict") }
    #expect(outage.subject == "runner")
    #expect(!site.isRunning("lost"))
    site.finish("lost")
    #expect(try await runner.run(order("lost", .waits)).passed)
    #expect(site.starts(of: "lost") == 2)
  }

  func health() async throws {
    let idle = await runner.health()
    #expect(idle.running == 0 && idle.queued == 0 && idle.problem == nil)
    let slots = idle.slots ?? 3
    let busy = (0...slots).map { begin(order("busy-\($0)", .waits)) }
    await eventually("all are accepted") {
      let health = await runner.health()
      return health.running + health.queued == busy.count && (0..<slots).contains { site.isRunning("busy-\($0)") }
    }
    let health = await runner.health()
    #expect(health.running <= health.slots ?? .max)
    #expect(health.queued == busy.count - health.running)
    #expect(health.lastSeenAt >= idle.lastSeenAt)
    #expect(health.problem == nil)
    for number in 0...slots { site.finish("busy-\(number)") }
    for run in busy { #expect(try await run.value.get().passed) }
    try site.takeAway()
    #expect(await runner.health().problem != nil)
    try site.giveBack()
    let again = await runner.health()
    #expect(again.problem == nil && again.running == 0)
  }
}
