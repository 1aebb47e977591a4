import ControlPlane
import Kernel
import Rollouts

extension Performer {
  /// Instances are looked at once a second: ten looks make a guard's window.
  static let usageInterval = Span.seconds(1)

  /// Which instances take requests now, sorted by deployment and instance; for sources that ask each of them.
  package func ready(of service: ServiceName, in environment: EnvironmentName) async
    -> [(deployment: DeploymentID, endpoint: Endpoint)]
  {
    await board.ready(of: service, in: environment)
  }

  /// One long effect: evidence through the pure judge. The machine hears of every bin and records few of them.
  func watch(_ order: Rollout.WatchOrder, _ errand: Errand) async throws(Outage) {
    guard let (service, environment) = Wiring.place(of: errand.stream) else { return }
    await evidence.begin(
      EvidenceSeries(
        stream: errand.stream, rollout: order.rollout, canary: order.canary, control: order.control,
        slowerThan: order.policy.slowerThan))
    var judge = WatchJudge(
      policy: order.policy, baseline: order.baseline, canary: order.canary, control: order.control,
      resuming: order.checkpoint)
    var flushedAt = Instant(milliseconds: 0)
    let bins = try await ports.telemetry.bins(
      service: service, environment: environment, slowerThan: order.policy.slowerThan, width: Self.binWidth)
    let inbox = WatchInbox()
    let observers = observers(order, errand, inbox)
    defer { for observer in observers { observer.cancel() } }
    for await bin in bins {
      if Task.isCancelled { break }
      tell(&judge, order, errand.stream, inbox)
      let verdict = judge.absorb(bin)
      let now = Instant.now
      await errand.observe(
        .delivery(.judged(order.rollout, verdict: verdict, checkpoint: judge.checkpoint, at: now)))
      if now - flushedAt >= Self.evidenceInterval {
        await evidence.append(judge.path, to: errand.stream, rollout: order.rollout, now: now)
        flushedAt = now
      }
    }
    await evidence.append(judge.path, to: errand.stream, rollout: order.rollout, now: .now)
    await evidence.close(errand.stream, rollout: order.rollout, now: .now)
    if !Task.isCancelled { throw Outage("telemetry", "the evidence stream of \(errand.stream) ended; it is reopened") }
  }

  /// What came beside the bins since the last one.
  private func tell(
    _ judge: inout WatchJudge, _ order: Rollout.WatchOrder, _ stream: StreamID, _ inbox: WatchInbox
  ) {
    judge.routed(guardBoard.shares(of: stream, canary: order.canary, control: order.control))
    for reading in inbox.takeAll() {
      switch reading {
      case .usage(let usages, let at):
        judge.measured(usages, limit: guardBoard.memoryLimit(of: order.canary), at: at)
      case .answer(let check, let answer, let at): judge.answered(check, answer, at: at)
      }
    }
  }

  /// One task for the instances' usage and one for each check.
  private func observers(
    _ order: Rollout.WatchOrder, _ errand: Errand, _ inbox: WatchInbox
  ) -> [Task<Void, Never>] {
    guard let policy = order.policy.guards else { return [] }
    var observers = policy.checks.map { check in
      Task {
        while !Task.isCancelled {
          let began = Instant.now
          let answer = await self.answer(of: check, order.canary, errand)
          // A check that was broken off says nothing.
          if Task.isCancelled { return }
          inbox.put(.answer(check.name, answer, at: .now))
          await sleep(until: began + check.every)
        }
      }
    }
    if policy.rules.contains(.memory) || policy.rules.contains(.processor) {
      let deployments = [order.canary] + (order.control.map { [$0] } ?? [])
      observers.append(
        Task {
          while !Task.isCancelled {
            let began = Instant.now
            let usages = await self.ports.platform.usage(of: deployments)
            // Without figures too: with the memory limit the judge knows which guards are blind.
            inbox.put(.usage(usages, at: .now))
            await sleep(until: began + Self.usageInterval)
          }
        })
    }
    return observers
  }

  private func answer(of check: WatchCheck, _ canary: DeploymentID, _ errand: Errand) async -> CheckAnswer {
    switch check.question {
    case .query(let query): return CheckAnswer(await ports.queries.outcome(of: query), of: query)
    case .command(let command, let timeLimit):
      guard let deployment = guardBoard.deployment(canary) else { return .unknown("the new version is not placed yet") }
      do throws(Outage) {
        let report = try await run(check.name, command, timeLimit, deployment, errand)
        return CheckAnswer(report.end, logTail: report.logTail, timeLimit: timeLimit)
      } catch {
        return .unknown(error.description)
      }
    }
  }

  /// The same surroundings as a check before promotion has. Each asking is a run of its own.
  private func run(
    _ name: CheckName, _ command: String, _ timeLimit: Span, _ deployment: Deployment, _ errand: Errand
  ) async throws(Outage) -> RunReport {
    guard let port = await ports.router.port(of: deployment.service, in: deployment.environment) else {
      throw Outage("router", "\(deployment.service) has no address in \(deployment.environment) yet; the check waits")
    }
    let key = "\(errand.runKey)/\(name)/\(Instant.now.milliseconds)"
    let order = RunOrder(
      key: key, command: command, repository: try ports.catalog.repository(of: deployment.service),
      commit: deployment.commit, timeLimit: timeLimit,
      environment: [
        EnvironmentVariable(name: "PLIMSOLL_COMMIT", value: deployment.commit.rawValue),
        EnvironmentVariable(name: "PLIMSOLL_DIGEST", value: deployment.digest.rawValue),
        EnvironmentVariable(name: "PLIMSOLL_ENVIRONMENT", value: deployment.environment.rawValue),
        EnvironmentVariable(name: "PLIMSOLL_SERVICE", value: deployment.service.rawValue),
        EnvironmentVariable(name: "PLIMSOLL_URL", value: "http://127.0.0.1:\(port)"),
      ])
    let report = try await ports.runner.run(order)
    await ports.runner.release(key: key)
    return report
  }
}
