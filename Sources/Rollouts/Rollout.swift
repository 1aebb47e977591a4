import Kernel

/// A rollout's number within one (service, environment): 1 for the first, without gaps.
package typealias RolloutID = Int

/// Progressive delivery for one (service, environment): owns "newer wins", the running rollout, known-good and
/// condemned.
///
/// ```
///            offer            sealed            ready, baseline measured     routed
///   idle ───────────▶ sealing ──────▶ placing ─────────────────────▶ stepping ─────▶ watching
///    ▲  ▲                                │                             ▲  │ routed at    │
///    │  │                                │ not ready,                  │  ▼ 100 %        │ good
///    │  │ completed                      │ crash loop,                 │ finalWatch      │
///    │  └────────────────────────────────┼── other bytes ──────────────┼──┘  │           │
///    │                                   ▼                             └─────┼───────────┘
///    │ reported     reporting ◀────── restoring ◀────────────────────────────┴─ bad verdict, crash loop, operator
///    └──────────────────┘  restored (the router confirmed known-good's share)
///
///   any ── plimsoll.yaml no longer names the place ──▶ closing ── the router offers it no more ──▶ closed
///   closing, closed ── named again ──▶ idle, with the known-good and condemned versions that it had
/// ```
///
/// Two things make it safe. Wanted shares are a function of the state, so a condemned version cannot keep its share
/// by mistake; and a step or a restoration counts only when the router reported *exactly* the wanted shares.
package enum Rollout: Machine {
  package struct State: Codable, Equatable, Sendable {
    /// Nil until configured; then the policy of the *next* rollout. The running one keeps its own in `Course`.
    package var policy: Policy?
    package var phase: Phase
    /// Digests that completed here and were not condemned since, newest first: the first one serves, the others are
    /// what a person can roll back to. At most `Policy.keep`.
    package var knownGood: [KnownGood]
    /// Oldest first. Without a limit: forgetting one would let a bad digest return.
    package var condemned: [CondemnedDigest]
    /// The newest offer taken while another rollout was running.
    package var pending: Offer?
    /// The newest offer ever taken: an older one never overwrites it except by rollback.
    package var newest: Offer?
    /// The router's last confirmation; nil whenever the wanted shares changed since.
    package var routed: RoutedShares?
    /// What must stop running, oldest first.
    package var retiring: [Deployment]
    /// Oldest first; at most `Rollout.announcementLimit`.
    package var announcements: [PendingAnnouncement]
    /// Ended rollouts, newest first; at most `Rollout.historyLimit`.
    package var history: [RolloutSummary]
    package var nextRollout: RolloutID
    /// What the world keeps failing at; nil when all goes well.
    package var trouble: Trouble?

    package init() {
      policy = nil
      phase = .idle
      knownGood = []
      condemned = []
      pending = nil
      newest = nil
      routed = nil
      retiring = []
      announcements = []
      history = []
      nextRollout = 1
      trouble = nil
    }
  }

  // Indirect: a course is large, and a turn copies the state several times.
  package indirect enum Phase: Codable, Equatable, Sendable {
    /// Nothing moves; known-good, if any, serves.
    /// Leaves to: `sealing` (an offer was taken), `placing` (a person rolls back).
    case idle
    /// The offer's configuration is being sealed and hashed.
    /// Leaves to: `placing` (sealed), `sealing` (a newer offer), `idle` (that deployment already serves, or its
    /// digest or configuration is condemned).
    case sealing(Offer)
    /// Instances start, beside them the baseline is measured; known-good has all the traffic.
    /// Leaves to: `stepping` (ready with the right bytes, and the baseline measured), `restoring` (not ready in time,
    /// crash loop, other bytes, operator).
    case placing(Course)
    /// Shares are wanted and not yet confirmed by the router.
    /// Leaves to: `watching` (confirmed), `finalWatch` (confirmed, last step), `restoring` (condemned).
    case stepping(Course, index: Int)
    /// The canary has its share, and none of its instances ended, since the given instant.
    /// Leaves to: `stepping` (good for long enough), `restoring` (condemned). Stays without evidence.
    case watching(Course, index: Int, since: Instant)
    /// The canary has everything, and none of its instances ended, since the given instant; the old version runs warm,
    /// without traffic.
    /// Leaves to: `idle` or `sealing` (completed), `restoring` (condemned). Stays without evidence.
    case finalWatch(Course, since: Instant)
    /// Condemned: the canary's share is unwanted, and the router has not confirmed it yet.
    /// Leaves to: `reporting` (confirmed).
    case restoring(Course, Condemnation)
    /// Safe again; what the bad version did is being collected.
    /// Leaves to: `idle` or `sealing` (collected, or given up).
    case reporting(Course, Condemnation, restoredAt: Instant)
    /// plimsoll.yaml no longer names the place, and the router still may send requests to what runs.
    /// Leaves to: `closed` (the router confirmed), `idle` (named again).
    case closing(stopping: [Deployment])
    /// Retired: nothing is sent, what ran is being stopped, and what is known is kept.
    /// Leaves to: `idle` (named again).
    case closed
  }

  package static var initial: State { State() }

  /// Ended rollouts kept in the state for pages; the ledger has them all.
  package static let historyLimit = 20
  /// Announcements waiting at once; reaching it abandons the oldest, as an event.
  package static let announcementLimit = 50
  /// Between two notes of an unchanged kind of verdict: a restart loses at most so much of the test (design §2,
  /// "volume stays out of the log").
  package static let noteInterval = Span.seconds(15)
  /// A wake later than this was slept through: the process was down, not merely busy.
  package static let lateWake = Span.seconds(5)
  /// Ends noted of instances that start, per rollout: one that dies and comes back floods no ledger.
  package static let startEndsNoted = 10
  /// The longest reason in an event, in characters.
  package static let reasonLimit = 300
}

/// One running rollout: what started it, the policy that it keeps, and what is known so far.
package struct Course: Codable, Equatable, Sendable {
  package let start: Rollout.RolloutStart
  /// As it was at the start: a change applies to the next rollout.
  package let policy: Rollout.Policy
  package var readyBy: Instant
  /// How often the start limit was given anew.
  package var extensions: Int
  /// Nil until measured.
  package var baseline: Baseline?
  /// Nil until placed.
  package var endpoints: Int?
  /// When the first share was wanted for the canary; nil while no request can have reached it.
  package var exposedSince: Instant?
  package var note: EvidenceNote?
  /// Canary instances that ended at this step; before the first, since the start.
  package var endsNoted: Int

  package init(start: Rollout.RolloutStart, policy: Rollout.Policy) {
    self.start = start
    self.policy = policy
    readyBy = start.at + policy.startLimit
    extensions = 0
    baseline = nil
    endpoints = nil
    exposedSince = nil
    note = nil
    endsNoted = 0
  }

  package var id: RolloutID { start.id }
  package var canary: Deployment { start.deployment }
  /// A rollback goes to a version that was judged when it was new.
  package var isJudged: Bool { policy.judged && start.kind == .forward }
  /// So many ends at one step condemn the canary even when its instances ran stably between them: once for each
  /// instance, and `crashLimit` of one. Nil until all are ready: starting, only ends in a row count.
  package var endsLimit: Int? { endpoints.map { max($0, 1) + policy.crashLimit - 1 } }
  package var needsBaseline: Bool { isJudged && start.knownGood != nil && baseline == nil }
  /// The canary's share at a step, 1 to 100; 0 outside of the steps.
  package func percent(at index: Int) -> Int { start.steps.indices.contains(index) ? start.steps[index] : 0 }
}

/// The last verdict noted, and the integers that resume its test.
package struct EvidenceNote: Codable, Equatable, Sendable {
  package let verdict: Verdict
  package let checkpoint: JudgeCheckpoint
  package let at: Instant
  package init(verdict: Verdict, checkpoint: JudgeCheckpoint, at: Instant) {
    self.verdict = verdict
    self.checkpoint = checkpoint
    self.at = at
  }
}

/// Shares that the router confirmed.
package struct RoutedShares: Codable, Equatable, Sendable {
  /// Sorted by deployment.
  package let shares: [TrafficShare]
  package let at: Instant
  package init(shares: [TrafficShare], at: Instant) {
    self.shares = shares
    self.at = at
  }
}

/// An effect that the world keeps failing.
package struct Trouble: Codable, Equatable, Sendable {
  package let key: EffectKey
  package let why: String
  package init(key: EffectKey, why: String) {
    self.key = key
    self.why = why
  }
}
