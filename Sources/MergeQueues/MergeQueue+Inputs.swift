import Kernel

extension MergeQueue {
  package enum Input: Codable, Equatable, Sendable {
    // Requests.
    case configure(Policy)
    case submit(Submission)
    case withdraw(entry: Int, reason: String)
    case hold(Hold.Kind, reason: String, by: String)
    case resume(reason: String, by: String)
    /// Somebody approves of a change, or a check of it ended elsewhere.
    case report(entry: Int, Report)

    // Observations.
    /// plimsoll.yaml no longer names the branch.
    case retire
    /// These services are new on the branch, or go another way from now on: they want what the trunk holds. Without
    /// services, whoever else follows the trunk asks where it is.
    case recall(services: [ServiceName])
    /// The trunk's head, read by `watchTrunk`.
    case trunkObserved(CommitID)
    /// The entry's branch as the forge shows it.
    case changeObserved(entry: Int, ChangeState)
    /// What the entry's change touches.
    case surveyed(entry: Int, paths: ChangedPaths)
    /// Time has passed.
    case ticked
    /// What the database of that name ("production/orders") says of the migrations that this head brings.
    case schemaReviewed(entry: Int, head: CommitID, place: String, verdict: SchemaReview)
    /// How the runner is.
    case runnerObserved(RunnerHealth)
    /// What somebody else's move of the trunk changed.
    case traced(from: CommitID, to: CommitID, how: HeadMove, paths: ChangedPaths)
    /// The note of this number is on its change.
    case commented(note: Int)
    /// What the planner proposes for the state of this version.
    case planned(Plan, version: Int)
    /// `recipe` is that of the effect that observed.
    case prepared(entry: Int, base: CommitID, outcome: CandidateOutcome, recipe: Int)
    case tested(build: Int, run: Int, commit: CommitID, report: TestReport)
    case landed(build: Int, commit: CommitID)
    /// The push was refused because the trunk was elsewhere, at `trunk`.
    case landingRefused(build: Int, commit: CommitID, trunk: CommitID)
    case exhausted(key: EffectKey, why: String)
  }

  /// A change asking to land.
  package struct Submission: Codable, Equatable, Sendable {
    package let branch: BranchName
    package let head: CommitID
    package let author: String
    package let title: String
    package let priority: Priority
    package let team: String?
    /// Entries in line that it stands on.
    package let after: [Int]
    package init(
      branch: BranchName, head: CommitID, author: String, title: String, priority: Priority = .normal,
      team: String? = nil, after: [Int] = []
    ) {
      self.branch = branch
      self.head = head
      self.author = author
      self.title = title
      self.priority = priority
      self.team = team
      self.after = after
    }
  }

  /// What people and other CI say of an entry.
  package enum Report: Codable, Equatable, Sendable {
    case approved(by: String)
    case approvalWithdrawn(by: String)
    /// `tree` is what the checked commit holds, where somebody looked.
    case checked(CheckResult, tree: TreeID?)
    /// Build targets or packages that the change affects, for lanes that are reported.
    case affects([String])
  }

  /// How a run of a build ended.
  package struct TestReport: Codable, Equatable, Sendable {
    package let end: RunEnd
    package let log: Digest
    /// The last line of the output.
    package let summary: String
    package let startedAt: Instant
    package let endedAt: Instant
    /// That of the effect that observed: which command ran.
    package let recipe: Int
    package init(end: RunEnd, log: Digest, summary: String, startedAt: Instant, endedAt: Instant, recipe: Int) {
      self.end = end
      self.log = log
      self.summary = summary
      self.startedAt = startedAt
      self.endedAt = endedAt
      self.recipe = recipe
    }
  }

  package static func exhausted(_ key: EffectKey, why: String) -> Input { .exhausted(key: key, why: why) }
}
