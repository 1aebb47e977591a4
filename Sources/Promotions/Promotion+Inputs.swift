import Kernel

extension Promotion {
  /// `promote` is a request and may be refused; everything else is an observation: true, maybe late or repeated.
  package enum Input: Codable, Equatable, Sendable {
    /// The commit became the trunk. One that was there before is sent again when its ordinal is newer.
    case begin(Order)
    case built(BuildResult)
    case buildFailed(reason: String, log: Digest?)
    case provenanceFound(environment: EnvironmentName, finding: ProvenanceFinding)
    /// The environment's database bears the version; its migrations are applied.
    case schemaGranted(environment: EnvironmentName)
    case schemaRefused(environment: EnvironmentName, reason: String)
    /// What it was refused for is known better by now.
    case schemaReconsidered(environment: EnvironmentName)
    /// The delivery stream started the rollout.
    case taken(environment: EnvironmentName)
    /// The delivery stream prefers a newer commit to what has a lower ordinal than `below`.
    case superseded(environment: EnvironmentName, by: CommitID, below: Int64)
    /// plimsoll.yaml no longer names the environment for this service.
    case withdrawn(environment: EnvironmentName)
    case condemned(environment: EnvironmentName, reason: String)
    /// The rollout reached all traffic and was found good; `digest` is what runs, measured.
    case served(environment: EnvironmentName, digest: Digest, at: Instant)
    case checked(environment: EnvironmentName, name: CheckName, report: CheckReport)
    case woke(key: EffectKey)
    case promote(PromoteRequest)
    case exhausted(key: EffectKey, why: String)
  }

  /// A landed commit and the way that lies before it.
  package struct Order: Codable, Equatable, Sendable {
    package let service: ServiceName
    package let repository: RepositoryName
    package let commit: CommitID
    /// The ledger position at which it became the trunk, last: newer is larger.
    package let ordinal: Int64
    package let title: String
    package let author: String
    package let landedAt: Instant
    package let build: BuildStep
    /// In the order of promotion; environments are distinct.
    package let stages: [Stage]
    package init(
      service: ServiceName, repository: RepositoryName, commit: CommitID, ordinal: Int64, title: String,
      author: String, landedAt: Instant, build: BuildStep, stages: [Stage]
    ) {
      self.service = service
      self.repository = repository
      self.commit = commit
      self.ordinal = ordinal
      self.title = title
      self.author = author
      self.landedAt = landedAt
      self.build = build
      self.stages = stages
    }
    /// The same change, wanted again by `newer`; its build stays as it is, since it may be running or done.
    func renewed(by newer: Order) -> Order {
      Order(
        service: service, repository: repository, commit: commit, ordinal: newer.ordinal, title: title, author: author,
        landedAt: newer.landedAt, build: build, stages: newer.stages)
    }
    /// For sentences: `harbor 0123456789`.
    package var subject: String { "\(service) \(commit.short)" }
  }

  package struct BuildStep: Codable, Equatable, Sendable {
    package let command: String
    /// The folder, relative to the checkout, whose files become the artifact.
    package let output: String
    package let timeLimit: Span
    package init(command: String, output: String, timeLimit: Span) {
      self.command = command
      self.output = output
      self.timeLimit = timeLimit
    }
  }

  package struct Stage: Codable, Equatable, Sendable {
    package let environment: EnvironmentName
    /// Run one after another; names are distinct within a stage.
    package let checks: [Check]
    /// How long it must serve, after its checks passed, before the next stage; zero for none.
    package let soak: Span
    /// What it lives on there and asks first; nil for nothing. Not written when nil.
    package let database: DatabaseName?
    package init(environment: EnvironmentName, checks: [Check], soak: Span, database: DatabaseName? = nil) {
      self.environment = environment
      self.checks = checks
      self.soak = soak
      self.database = database
    }
  }

  package struct Check: Codable, Equatable, Sendable {
    package let name: CheckName
    package let command: String
    package let timeLimit: Span
    package init(name: CheckName, command: String, timeLimit: Span) {
      self.name = name
      self.command = command
      self.timeLimit = timeLimit
    }
  }

  package struct BuildResult: Codable, Equatable, Sendable {
    package let artifact: StoredArtifact
    package let log: Digest
    package let startedAt: Instant
    package let endedAt: Instant
    package init(artifact: StoredArtifact, log: Digest, startedAt: Instant, endedAt: Instant) {
      self.artifact = artifact
      self.log = log
      self.startedAt = startedAt
      self.endedAt = endedAt
    }
  }

  package struct CheckReport: Codable, Equatable, Sendable {
    package let passed: Bool
    /// One line; empty when it passed.
    package let reason: String
    package let log: Digest
    package let startedAt: Instant
    package let endedAt: Instant
    package init(passed: Bool, reason: String, log: Digest, startedAt: Instant, endedAt: Instant) {
      self.passed = passed
      self.reason = reason
      self.log = log
      self.startedAt = startedAt
      self.endedAt = endedAt
    }
  }

  package struct PromoteRequest: Codable, Equatable, Sendable {
    /// nil means the next one that has not passed.
    package let environment: EnvironmentName?
    /// Accepts that the digest was condemned there. It does not put an older commit over a newer one.
    package let override: Bool
    package let reason: String
    package init(environment: EnvironmentName?, override: Bool, reason: String) {
      self.environment = environment
      self.override = override
      self.reason = reason
    }
  }

  package static func exhausted(_ key: EffectKey, why: String) -> Input { .exhausted(key: key, why: why) }
}
