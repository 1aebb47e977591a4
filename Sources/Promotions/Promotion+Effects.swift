import Kernel

extension Promotion {
  package enum Effect: WantedEffect {
    case build(service: ServiceName, repository: RepositoryName, commit: CommitID, step: BuildStep)
    case verifyProvenance(environment: EnvironmentName, digest: Digest, service: ServiceName, commit: CommitID)
    /// `attempt` counts how often the environment was asked: a check of an earlier deployment is another check.
    case check(
      environment: EnvironmentName, check: Check, attempt: Int, service: ServiceName, digest: Digest, commit: CommitID)
    case wake(at: Instant, key: EffectKey)

    package var key: EffectKey {
      switch self {
      case .build: buildKey
      case .verifyProvenance(let environment, _, _, _): provenanceKey(environment)
      case .check(let environment, let check, let attempt, _, _, _): checkKey(environment, check.name, attempt)
      case .wake(_, let key): key
      }
    }

    /// Nothing here may pass a rollback.
    package var lane: Lane {
      switch self {
      case .build, .verifyProvenance, .check, .wake: .progress
      }
    }

    package var retry: RetryBudget {
      switch self {
      case .build, .verifyProvenance, .check: .bounded
      case .wake: .persistent
      }
    }
  }

  package static let buildKey = EffectKey("build")
  package static func provenanceKey(_ environment: EnvironmentName) -> EffectKey {
    EffectKey("provenance/\(environment)")
  }
  package static func checkKey(_ environment: EnvironmentName, _ name: CheckName, _ attempt: Int) -> EffectKey {
    EffectKey("check/\(environment)/\(name)/\(attempt)")
  }
  package static func soakKey(_ environment: EnvironmentName) -> EffectKey { EffectKey("wake/soak/\(environment)") }

  /// At most one: a build is in one place at a time. A fitting stage wants nothing here, because migrations are the schema
  /// stream's work, and a requested or taken one neither, because rolling out is the delivery stream's.
  package static func effects(of state: State) -> [Effect] {
    switch state.phase {
    case .idle, .unbuilt, .buildHalted, .halted, .completed:
      return []
    case .building(let order):
      return [.build(service: order.service, repository: order.repository, commit: order.commit, step: order.build)]
    case .promoting(let course, let stage, let step):
      // Only after a ledger that lost events is there no such stage or check; that may not end the process.
      let order = course.order
      guard min(course.stages.count, order.stages.count) > stage else { return [] }
      let environment = course.stages[stage].environment
      switch step {
      case .verifying:
        return [
          .verifyProvenance(
            environment: environment, digest: course.digest, service: order.service, commit: order.commit)
        ]
      case .fitting, .requested, .taken:
        return []
      case .checking(let index):
        let checks = order.stages[stage].checks
        guard checks.indices.contains(index) else { return [] }
        return [
          .check(
            environment: environment, check: checks[index],
            attempt: course.stages[stage].attempts, service: order.service, digest: course.digest,
            commit: order.commit)
        ]
      case .soaking(let until):
        return [.wake(at: until, key: soakKey(environment))]
      }
    }
  }
}
