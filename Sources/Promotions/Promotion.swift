import Kernel

/// One landed commit of one service on its way through the environments: built once, and that one digest promoted.
///
/// ```
/// idle ─begun→ building ─built→ promoting ─passed (each stage)→ … ─→ completed
///                 │  │              │                                   │
///                 │  └exhausted→ buildHalted ←promote→ building         │
///                 └buildFailed→ unbuilt    └halted→ halted ←condemned───┘
///                                                     └promote→ promoting
///   building, buildHalted, promoting, halted, completed ─renewed→ the same way from its beginning, with its digest
/// ```
///
/// Inside `promoting`, a stage goes one way:
///
/// ```
/// verifying ─┬────────────────────────────────────┬─▶ requested ─▶ taken ─▶ checking ─▶ soaking
///            └─▶ fitting, where it has a database ┘
/// ```
///
/// The gate of a stage is provenance verified *for this environment*, the stages before it passed, and the word of the
/// database that it lives on there. Whether an environment takes the digest ("newer wins", condemned digests) is the
/// delivery stream's to say, and whether a database bears it the schema stream's; this machine only asks.
package enum Promotion: Machine {
  package static var initial: State { State(phase: .idle) }

  package struct State: Codable, Equatable, Sendable {
    package var phase: Phase
    package init(phase: Phase) { self.phase = phase }

    /// What was ordered; nil before `begun`.
    package var order: Order? {
      switch phase {
      case .idle: nil
      case .building(let order), .unbuilt(let order, _), .buildHalted(let order, _): order
      case .promoting(let course, _, _), .halted(let course, _), .completed(let course): course.order
      }
    }
    /// What was built and how far it came; nil until it is built.
    package var course: Course? {
      switch phase {
      case .idle, .building, .unbuilt, .buildHalted: nil
      case .promoting(let course, _, _), .halted(let course, _), .completed(let course): course
      }
    }
    /// Whether nothing more happens by itself.
    package var isAtRest: Bool {
      switch phase {
      case .idle, .unbuilt, .buildHalted, .halted, .completed: true
      case .building, .promoting: false
      }
    }
  }

  package enum Phase: Codable, Equatable, Sendable {
    /// Leaves to: building.
    case idle
    /// Leaves to: promoting (completed when there is no stage), unbuilt, buildHalted.
    case building(Order)
    /// The build ran and failed. Leaves to: nothing; a fix is another commit.
    case unbuilt(Order, BuildFailure)
    /// The build could not be run. Leaves to: building (a person promotes again), promoting or unbuilt (a late report).
    case buildHalted(Order, reason: String)
    /// `stage` is an index into the order's stages. Leaves to: promoting, halted, completed.
    case promoting(Course, stage: Int, Step)
    /// Leaves to: promoting (a person promotes, or it is renewed).
    case halted(Course, reason: String)
    /// Leaves to: halted (condemned afterwards, or found not reproducible), promoting (renewed).
    case completed(Course)
  }

  /// Where a stage is.
  package enum Step: Codable, Equatable, Sendable {
    /// The gate. Leaves to: fitting (where the stage has a database), requested; rejected provenance halts.
    case verifying
    /// The database was asked whether it bears the version, and applies the version's migrations first.
    /// Leaves to: requested; a refusal halts.
    case fitting
    /// The environment was asked. Leaves to: taken, checking, soaking; superseded and condemned halt.
    case requested
    /// The environment rolls it out. Leaves to: checking, soaking; superseded and condemned halt.
    case taken
    /// The check of this index runs. Leaves to: the next check, soaking, the next stage; a failed check halts.
    case checking(Int)
    /// Leaves to: the next stage.
    case soaking(until: Instant)
  }

  package struct BuildFailure: Codable, Equatable, Sendable {
    package let reason: String
    package let log: Digest?
    package init(reason: String, log: Digest?) {
      self.reason = reason
      self.log = log
    }
  }

  /// The one digest and how far it came.
  package struct Course: Codable, Equatable, Sendable {
    package let order: Order
    package let build: BuildResult
    /// One entry per stage of the order, in its order.
    package var stages: [StageProgress]
    /// Why the digest may not be used any more (the build is not reproducible); nil while it may.
    package var distrust: String?
    package init(order: Order, build: BuildResult) {
      self.order = order
      self.build = build
      stages = order.stages.map { StageProgress(environment: $0.environment) }
    }
    package var digest: Digest { build.artifact.digest }
    /// The first stage that has not passed; nil when all have.
    package var next: Int? { stages.firstIndex { $0.passedAt == nil } }
    package func index(of environment: EnvironmentName) -> Int? {
      stages.firstIndex { $0.environment == environment }
    }
  }

  /// What is remembered of a stage; instants are of the last attempt.
  package struct StageProgress: Codable, Equatable, Sendable {
    package let environment: EnvironmentName
    /// How often the environment was asked to take it.
    package var attempts = 0
    /// Whether a person accepted that the digest was condemned here.
    package var override = false
    /// Who built it, once provenance was verified for this environment in this attempt.
    package var builder: String?
    /// When its database let it in, in this attempt; nil where there is none.
    package var grantedAt: Instant?
    package var requestedAt: Instant?
    package var takenAt: Instant?
    package var servedAt: Instant?
    /// Results of this attempt, in the order in which they ran.
    package var checks: [CheckResult] = []
    package var soakUntil: Instant?
    package var passedAt: Instant?
    package var setback: Setback?
    package init(environment: EnvironmentName) { self.environment = environment }
  }

  package struct CheckResult: Codable, Equatable, Sendable {
    package let name: CheckName
    package let report: CheckReport
    package init(name: CheckName, report: CheckReport) {
      self.name = name
      self.report = report
    }
  }

  /// Why a stage did not pass.
  package enum Setback: Codable, Equatable, Sendable {
    case provenanceRejected(reason: String)
    case schemaRefused(reason: String)
    case superseded(by: CommitID)
    case condemned(reason: String)
    case checkFailed(name: CheckName, reason: String)
    package var sentence: String {
      switch self {
      case .provenanceRejected(let reason): "its provenance was rejected: \(reason)"
      case .schemaRefused(let reason): "its database refused it: \(reason.withoutStop)"
      case .superseded(let commit): "it was superseded by \(commit.short)"
      case .condemned(let reason): "it was condemned: \(reason)"
      case .checkFailed(let name, let reason): "check \(name) failed: \(reason)"
      }
    }
    package var isCondemnation: Bool {
      switch self {
      case .condemned: true
      case .provenanceRejected, .schemaRefused, .superseded, .checkFailed: false
      }
    }
  }
}
