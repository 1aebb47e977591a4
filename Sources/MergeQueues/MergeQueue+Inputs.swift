import Kernel

extension MergeQueue {
  package enum Input: Codable, Equatable, Sendable {
    // Requests.
    case configure(Policy)
    case submit(Submission)
    case withdraw(entry: Int, reason: String)

    // Observations.
    /// plimsoll.yaml no longer names the branch.
    case retire
    /// These services are new on the branch, or go another way from now on: they want what the trunk holds.
    case recall(services: [ServiceName])
    /// The trunk's head, read by `watchTrunk`.
    case trunkObserved(CommitID)
    /// `recipe` is that of the effect that observed.
    case prepared(entry: Int, base: CommitID, outcome: CandidateOutcome, recipe: Int)
    case tested(entry: Int, commit: CommitID, report: TestReport)
    case landed(entry: Int, commit: CommitID)
    /// The push was refused because the trunk was elsewhere, at `trunk`.
    case landingRefused(entry: Int, commit: CommitID, trunk: CommitID)
    case exhausted(key: EffectKey, why: String)
  }

  /// A change asking to land.
  package struct Submission: Codable, Equatable, Sendable {
    package let branch: BranchName
    package let head: CommitID
    package let author: String
    package let title: String
    package init(branch: BranchName, head: CommitID, author: String, title: String) {
      self.branch = branch
      self.head = head
      self.author = author
      self.title = title
    }
  }

  /// How the test of a candidate ended.
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
