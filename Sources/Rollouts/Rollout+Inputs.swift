import Kernel

extension Rollout {
  /// An artifact that a promotion wants in this environment.
  package struct Offer: Codable, Equatable, Sendable {
    package let digest: Digest
    package let commit: CommitID
    /// The ledger position of the change's landing: newer is larger.
    package let ordinal: Int64
    package let title: String
    package let author: String
    package let landedAt: Instant
    /// Takes a condemned digest all the same, and lifts its condemnation.
    package let override: Bool
    package init(
      digest: Digest, commit: CommitID, ordinal: Int64, title: String, author: String, landedAt: Instant,
      override: Bool
    ) {
      self.digest = digest
      self.commit = commit
      self.ordinal = ordinal
      self.title = title
      self.author = author
      self.landedAt = landedAt
      self.override = override
    }
    /// The same digest for the same landing, asked again.
    func isSame(as other: Offer) -> Bool { ordinal == other.ordinal && digest == other.digest }
  }

  /// What the bad version did, from the first request that could reach it until traffic was restored.
  package struct Aftermath: Codable, Equatable, Sendable {
    package let firstBadAt: Instant?
    package let lastBadAt: Instant?
    package let canary: RequestCounts
    package let control: RequestCounts
    /// Distinct clients times minutes in which they met a bad response.
    package let clientMinutesHurt: Int
    /// The blob with the series per second and the statistic's path.
    package let evidence: Digest
    package init(
      firstBadAt: Instant?, lastBadAt: Instant?, canary: RequestCounts, control: RequestCounts,
      clientMinutesHurt: Int, evidence: Digest
    ) {
      self.firstBadAt = firstBadAt
      self.lastBadAt = lastBadAt
      self.canary = canary
      self.control = control
      self.clientMinutesHurt = clientMinutesHurt
      self.evidence = evidence
    }
  }

  /// A person wants to go back.
  package struct RollBackRequest: Codable, Equatable, Sendable {
    /// A kept known-good; nil for the one before.
    package let to: Digest?
    /// What the sender saw, `State.leaving`: refused when a rollback would leave something else by now, so that a
    /// request repeated after a lost answer cannot go back twice. Nil leaves whatever is there.
    package let from: DeploymentID?
    /// One line, at most `Rollout.reasonLimit` characters.
    package let reason: String
    package let actor: String
    package init(to: Digest?, from: DeploymentID? = nil, reason: String, actor: String) {
      self.to = to
      self.from = from
      self.reason = reason
      self.actor = actor
    }
  }

  package enum Input: Codable, Equatable, Sendable {
    /// Request. Applies to the next rollout. Refused when the policy contradicts itself or names another place.
    case configure(Policy)
    /// Routed from a promotion; answered by an event, never refused by throwing.
    case offer(Offer)
    case sealed(ordinal: Int64, configuration: Digest, sealedConfiguration: Digest)
    case baselineMeasured(RolloutID, Baseline)
    /// All instances within the limit of that `run` are ready; `digest` was measured from the release folder.
    case ready(DeploymentID, digest: Digest, endpoints: Int, limit: Int? = nil)
    /// `inRow` counts ends of that instance without a stable run between.
    case instanceEnded(DeploymentID, instance: Int, end: InstanceEnd, inRow: Int, at: Instant)
    /// The router confirmed this. Comes again after the router lost its state.
    case routed(Routing, at: Instant)
    /// The judge's verdict now. It must come after **every** bin, changed or not: a step passes only on a verdict that
    /// arrives when its time is up, so that a watch that fell silent can never advance a rollout.
    case judged(RolloutID, verdict: Verdict, checkpoint: JudgeCheckpoint, at: Instant)
    case aftermath(RolloutID, Aftermath)
    case woke(EffectKey)
    case retired(DeploymentID)
    case announced(id: String, target: Int)
    /// Request.
    case rollBack(RollBackRequest)
    /// Request: forget a condemnation.
    case lift(Digest, reason: String)
    /// Request: go on from this step.
    case approve(Approval)
    /// Request: hold offers and steps.
    case freeze(Freeze)
    /// Request.
    case thaw(actor: String, reason: String)
    /// Request: move requests to another version and back. Idle, to the one that a rollback would return to; of a
    /// rollout that is being placed, before its first step.
    case drill(actor: String, reason: String)
    /// What the canary answered during the drill.
    case served(RolloutID, RequestCounts)
    /// Request: no rollback goes to an older version any more.
    case setFloor(Floor)
    /// A look at the error budgets: one reading for each objective of that number (`ErrorBudget`).
    case budgetLooked(number: Int, [BudgetReading], at: Instant)
    /// Kept versions that the database's schema would fail now: all of them, in the place of those before.
    case schemaBars([SchemaBar])
    /// plimsoll.yaml no longer names this place.
    case unconfigure
    /// The router does not offer the service here any more.
    case closed(at: Instant)
    case exhausted(EffectKey, why: String)
  }

  package static func exhausted(_ key: EffectKey, why: String) -> Input { .exhausted(key, why: why) }
}
