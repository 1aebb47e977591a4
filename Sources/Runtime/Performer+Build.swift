import ControlPlane
import Kernel
import Promotions

extension Performer {
  func perform(_ effect: Promotion.Effect, _ errand: Errand) async throws(Outage) {
    switch effect {
    case .build(let service, let repository, let commit, let step):
      try await build(service, repository, commit, step, errand)
    case .verifyProvenance(let environment, let digest, let service, let commit):
      let finding = try await ports.artifacts.verify(digest, service: service, commit: commit)
      await errand.observe(.build(.provenanceFound(environment: environment, finding: finding)))
    case .check(let environment, let check, _, let service, let digest, let commit):
      try await run(check, of: service, in: environment, digest, commit, errand)
    case .wake(let instant, let key):
      await sleep(until: instant)
      if !Task.isCancelled { await errand.observe(.build(.woke(key: key))) }
    }
  }

  private func build(
    _ service: ServiceName, _ repository: RepositoryName, _ commit: CommitID, _ step: Promotion.BuildStep,
    _ errand: Errand
  ) async throws(Outage) {
    let report = try await ports.runner.run(
      RunOrder(
        key: errand.runKey, command: step.command, repository: repository, commit: commit, timeLimit: step.timeLimit,
        output: step.output))
    defer { Task { [ports] in await ports.runner.release(key: errand.runKey) } }
    if report.end == .cancelled { return }
    guard report.passed else {
      await errand.observe(.build(.buildFailed(reason: report.reason(timeLimit: step.timeLimit), log: report.log)))
      return
    }
    guard let folder = report.outputFolder else {
      await errand.observe(
        .build(.buildFailed(reason: "the build passed but wrote nothing into '\(step.output)'", log: report.log)))
      return
    }
    let facts = BuildFacts(
      service: service, repository: repository, commit: commit, command: step.command, startedAt: report.startedAt,
      endedAt: report.endedAt)
    do {
      let artifact = try await ports.artifacts.pack(folder: folder, facts: facts)
      await errand.observe(
        .build(
          .built(
            Promotion.BuildResult(
              artifact: artifact, log: report.log, startedAt: report.startedAt, endedAt: report.endedAt))))
    } catch let refusal as Refusal {
      await errand.observe(.build(.buildFailed(reason: refusal.sentence, log: report.log)))
    } catch let outage as Outage {
      throw outage
    } catch {
      throw Outage("artifact store", "could not pack \(folder)", sources: ["\(error)"])
    }
  }

  /// A check runs in a clean checkout of the commit and sees the environment as a user would: through the router.
  private func run(
    _ check: Promotion.Check, of service: ServiceName, in environment: EnvironmentName, _ digest: Digest,
    _ commit: CommitID, _ errand: Errand
  ) async throws(Outage) {
    guard let port = await ports.router.port(of: service, in: environment) else {
      throw Outage("router", "\(service) has no address in \(environment) yet; the check waits")
    }
    let report = try await ports.runner.run(
      RunOrder(
        key: errand.runKey, command: check.command, repository: try ports.catalog.repository(of: service),
        commit: commit, timeLimit: check.timeLimit,
        environment: [
          EnvironmentVariable(name: "PLIMSOLL_COMMIT", value: commit.rawValue),
          EnvironmentVariable(name: "PLIMSOLL_DIGEST", value: digest.rawValue),
          EnvironmentVariable(name: "PLIMSOLL_ENVIRONMENT", value: environment.rawValue),
          EnvironmentVariable(name: "PLIMSOLL_SERVICE", value: service.rawValue),
          EnvironmentVariable(name: "PLIMSOLL_URL", value: "http://127.0.0.1:\(port)"),
        ]))
    await ports.runner.release(key: errand.runKey)
    if report.end == .cancelled { return }
    await errand.observe(
      .build(
        .checked(
          environment: environment, name: check.name,
          report: Promotion.CheckReport(
            passed: report.passed, reason: report.passed ? "" : report.reason(timeLimit: check.timeLimit),
            log: report.log, startedAt: report.startedAt, endedAt: report.endedAt))))
  }
}
