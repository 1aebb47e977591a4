import Kernel

extension Rollout {
  package enum Kind: String, Codable, Sendable {
    /// A newer artifact, step by step.
    case forward
    /// Back to a kept known-good, at once.
    case rollback
    /// To a kept known-good and back again, to know that one can.
    case drill
  }

  package struct RolloutStart: Codable, Equatable, Sendable {
    package let id: RolloutID
    package let kind: Kind
    package let offer: Offer
    package let deployment: Deployment
    /// Who serves until then; nil for a first deployment.
    package let knownGood: Deployment?
    /// The plan; of a drill the one share that it moves.
    package let steps: [Step]
    /// Only of a rollback or a drill: who asked and why, in one sentence.
    package let reason: String?
    package let at: Instant
    package init(
      id: RolloutID, kind: Kind, offer: Offer, deployment: Deployment, knownGood: Deployment?, steps: [Step],
      reason: String? = nil, at: Instant
    ) {
      self.id = id
      self.kind = kind
      self.offer = offer
      self.deployment = deployment
      self.knownGood = knownGood
      self.steps = steps
      self.reason = reason
      self.at = at
    }
  }

  /// What the place held when plimsoll.yaml stopped naming it.
  package struct Unconfiguration: Codable, Equatable, Sendable {
    /// The rollout that ends here, neither completed nor condemned by this; nil when none ran.
    package let rollout: RolloutID?
    /// Whose promotions may be waiting for this place: offered, running, or serving and still checked. Each once.
    package let commits: [CommitID]
    package let at: Instant
    package init(rollout: RolloutID?, commits: [CommitID], at: Instant) {
      self.rollout = rollout
      self.commits = commits
      self.at = at
    }
  }

  package enum Event: DomainEvent {
    case configured(Policy)
    case offered(Offer)
    /// A newer one was taken; by its commit.
    case superseded(Offer, by: CommitID)
    case refusedCondemned(Offer)
    /// The offered deployment already serves, as known-good: nothing to do, the promotion may go on.
    case confirmed(Offer, deployment: Deployment, at: Instant)
    case started(RolloutStart)
    /// The start limit passed while nobody watched (Plimsoll was down): the canary gets it once more.
    case startExtended(RolloutID, until: Instant)
    case baselineMeasured(RolloutID, Baseline)
    /// All instances are ready and run the very bytes.
    case placed(RolloutID, digest: Digest, endpoints: Int)
    /// The shares of this step are wanted from now on.
    case stepEntered(RolloutID, index: Int, percent: Int, at: Instant)
    case routed(shares: [TrafficShare], at: Instant)
    /// The kind of verdict changed, or the periodic checkpoint.
    case evidenceNoted(RolloutID, verdict: Verdict, checkpoint: JudgeCheckpoint, at: Instant)
    /// `verdict` is nil where traffic is not judged.
    case stepPassed(RolloutID, index: Int, verdict: Verdict?)
    case condemned(Condemnation)
    /// The router confirmed that the condemned version gets nothing; `to` is nil when nobody else could serve.
    case restored(RolloutID, to: Deployment?, at: Instant)
    case reported(RollbackReport)
    /// The deployment is known-good now.
    case completed(RolloutID, deployment: Deployment, at: Instant)
    case retired(DeploymentID)
    case lifted(Digest, reason: String)
    case instanceEnded(DeploymentID, end: InstanceEnd, inRow: Int, at: Instant)
    case announced(id: String, target: Int)
    case announcementAbandoned(id: String, target: Int, why: String)
    case troubled(EffectKey, why: String)
    /// plimsoll.yaml no longer names this place: traffic first, then what runs, is taken away.
    case unconfigured(Unconfiguration)
    /// The router offers the service here no more: what ran may be stopped.
    case closed(at: Instant)
    /// Offered to a place that plimsoll.yaml does not name.
    case refusedUnconfigured(Offer)
    /// A person is asked whether the rollout goes on from this step.
    case gated(RolloutID, index: Int, Gate, at: Instant)
    /// A person lets it go on; `verdict` is what the evidence said then.
    case approved(RolloutID, index: Int, Approval, verdict: Verdict?, at: Instant)
    /// This step wants more instances than run.
    case scalingBegan(RolloutID, index: Int, readyBy: Instant)
    case scaled(RolloutID, index: Int, endpoints: Int)
    /// The watch is over; what the old version kept moves too.
    case finishing(RolloutID, at: Instant)
    /// A person wants the rollout that is being placed to drill first.
    case drillOrdered(RolloutID, actor: String, at: Instant)
    /// The drill goes on to this.
    case drillMoved(RolloutID, Drill, at: Instant)
    case drilled(RolloutID, Drill.Report, at: Instant)
    /// A drill of its own gave way to something more urgent.
    case drillAbandoned(RolloutID, why: String, at: Instant)
    case frozen(Freeze, at: Instant)
    /// By time, the actor is "plimsoll".
    case thawed(actor: String, reason: String, at: Instant)
    /// `ordinal` is that of the named version's offer.
    case floorRaised(Floor, ordinal: Int64, at: Instant)
    /// How the error budgets stand, one for each objective: a gate closed or opened, evidence went or came, or the
    /// periodic note.
    case budgetNoted([BudgetStanding], at: Instant)
    /// What the world kept failing at goes well again.
    case troubleEnded(EffectKey)
    /// What runs here or is kept is another than was said last; only where the service has a database.
    case versionsHeld([HeldVersion])
    /// Kept versions that are no targets from now on, and no others.
    case barsNoted([SchemaBar])
    /// The schema would fail its target by now, and nothing was sent there yet; what serves goes on.
    case rollbackAbandoned(RolloutID, why: String, at: Instant)

    package var name: String {
      switch self {
      case .configured: "configured"
      case .offered: "offered"
      case .superseded: "superseded"
      case .refusedCondemned: "refusedCondemned"
      case .confirmed: "confirmed"
      case .started: "started"
      case .startExtended: "startExtended"
      case .baselineMeasured: "baselineMeasured"
      case .placed: "placed"
      case .stepEntered: "stepEntered"
      case .routed: "routed"
      case .evidenceNoted: "evidenceNoted"
      case .stepPassed: "stepPassed"
      case .condemned: "condemned"
      case .restored: "restored"
      case .reported: "reported"
      case .completed: "completed"
      case .retired: "retired"
      case .lifted: "lifted"
      case .instanceEnded: "instanceEnded"
      case .announced: "announced"
      case .announcementAbandoned: "announcementAbandoned"
      case .troubled: "troubled"
      case .unconfigured: "unconfigured"
      case .closed: "closed"
      case .refusedUnconfigured: "refusedUnconfigured"
      case .gated: "gated"
      case .approved: "approved"
      case .scalingBegan: "scalingBegan"
      case .scaled: "scaled"
      case .finishing: "finishing"
      case .drillOrdered: "drillOrdered"
      case .drillMoved: "drillMoved"
      case .drilled: "drilled"
      case .drillAbandoned: "drillAbandoned"
      case .frozen: "frozen"
      case .thawed: "thawed"
      case .floorRaised: "floorRaised"
      case .budgetNoted: "budgetNoted"
      case .troubleEnded: "troubleEnded"
      case .versionsHeld: "versionsHeld"
      case .barsNoted: "barsNoted"
      case .rollbackAbandoned: "rollbackAbandoned"
      }
    }
  }
}
