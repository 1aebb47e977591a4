import Kernel

/// A rollout's number within one (service, environment): 1 for the first, without gaps.
package typealias RolloutID = Int

/// Progressive delivery for one (service, environment): owns "newer wins", the running rollout, known-good and
/// condemned.
///
/// ```
///            offer            sealed           ready, baseline measured       routed
///   idle ───────────▶ sealing ──────▶ placing ───────────────────────▶ stepping ─────▶ watching ◀──▶ gated
///    ▲  ▲                               │  │ with a drill                ▲ ▲   │ last      │ passed     │ approved
///    │  │                               │  └──▶ drilling ────────────────┘ │   │ step      │ (more      │
///    │  │ completed                     │           │        ready         │   ▼           ▼ instances) │
///    │  ├───────────────────────────────┼───────────┼──── scaling ─────────┴─ finalWatch ◀──▶ gated ◀──┘
///    │  │  finishing ◀─ with a holdback ┼───────────┼───────────────────────────┘
///    │  └──────┘                        ▼           ▼
///    │ reported     reporting ◀────── restoring ◀── bad verdict, crash loop, not ready, other bytes, operator
///    └──────────────────┘  restored (the router confirmed known-good's share)
///
///   frozen ── offers wait and no further step begins; whatever restores goes on ── thawed, or its time is up
///      (by a person, or by an error budget that is spent, `ErrorBudget`)
///   any ── plimsoll.yaml no longer names the place ──▶ closing ── the router offers it no more ──▶ closed
///   closing, closed ── named again ──▶ idle, with the known-good and condemned versions that it had
/// ```
///
/// A strategy is nothing but a plan of steps (`Step`), so the rules of safety exist once for all of them.
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
    /// How often what the router is to send has changed.
    package var routings: Int
    /// What must stop running, oldest first.
    package var retiring: [Deployment]
    /// Oldest first; at most `Rollout.announcementLimit`.
    package var announcements: [PendingAnnouncement]
    /// Ended rollouts, newest first; at most `Rollout.historyLimit`.
    package var history: [RolloutSummary]
    package var nextRollout: RolloutID
    /// What the world keeps failing at; nil when all goes well.
    package var trouble: Trouble?
    /// Nil while nothing is held.
    package var frozen: Frozen?
    /// No rollback goes to an older version; none is kept either.
    package var raisedFloor: RaisedFloor?
    /// Nil where no objective was ever watched.
    package var budget: ErrorBudget?
    /// What was said last of the versions held here; nil where nothing was.
    package var saidVersions: [HeldVersion]?
    // Nil for none, and not written: states of before there was one have none.
    private var notedBars: [SchemaBar]?

    /// Kept versions that the schema would fail: no rollback goes there.
    package var bars: [SchemaBar] {
      get { notedBars ?? [] }
      set { notedBars = newValue.isEmpty ? nil : newValue }
    }

    package init() {
      policy = nil
      phase = .idle
      knownGood = []
      condemned = []
      pending = nil
      newest = nil
      routed = nil
      routings = 0
      retiring = []
      announcements = []
      history = []
      nextRollout = 1
      trouble = nil
      frozen = nil
      raisedFloor = nil
      budget = nil
      saidVersions = nil
      notedBars = nil
    }
  }

  // Indirect: a course is large, and a turn copies the state several times.
  package indirect enum Phase: Codable, Equatable, Sendable {
    /// Nothing moves; known-good, if any, serves.
    /// Leaves to: `sealing` (an offer was taken), `placing` (a person rolls back, or orders a drill).
    case idle
    /// The offer's configuration is being sealed and hashed.
    /// Leaves to: `placing` (sealed), `sealing` (a newer offer), `idle` (that deployment already serves, or its
    /// digest or configuration is condemned; or a freeze began).
    case sealing(Offer)
    /// Instances start, beside them the baseline is measured; known-good has all the traffic.
    /// Leaves to: `stepping` or `drilling` (ready with the right bytes, and the baseline measured), `restoring` (not
    /// ready in time, crash loop, other bytes, operator), `placing` or `idle` (the schema would fail the target by now: a
    /// rollback goes to another, or stays; a drill gives way).
    case placing(Course)
    /// Requests are moved to the canary and back, to know that it works and how long it takes.
    /// Leaves to: `stepping` (of a rollout), `idle` (a drill of its own), `restoring` (condemned).
    case drilling(Course, Drill)
    /// Shares are wanted and not yet confirmed by the router.
    /// Leaves to: `watching` (confirmed), `finalWatch` (confirmed, last step), `restoring` (condemned).
    case stepping(Course, index: Int)
    /// The step at `index` wants more instances than run; shares are those of the step before, and the watch goes on.
    /// Leaves to: `stepping` (ready), `restoring` (condemned, or not ready in time).
    case scaling(Course, index: Int)
    /// The canary has its share, and none of its instances ended, since the given instant.
    /// Leaves to: `stepping`, `scaling` (good for long enough, or approved), `gated` (a person is asked), `restoring`
    /// (condemned). Stays without evidence.
    case watching(Course, index: Int, since: Instant)
    /// A person is asked, since the given instant; the watch goes on.
    /// Leaves to: `stepping`, `scaling`, `finishing`, `idle` (approved, or for want of evidence only and it has come),
    /// `watching`, `finalWatch` (an instance ended), `restoring` (condemned).
    case gated(Course, index: Int, Gate, since: Instant)
    /// The canary has all but the holdback, and none of its instances ended, since the given instant; the old version
    /// runs warm, with no more than that.
    /// Leaves to: `idle` or `sealing` (completed), `finishing` (good, with a holdback), `gated`, `restoring`
    /// (condemned). Stays without evidence.
    case finalWatch(Course, since: Instant)
    /// The holdback's share moves too.
    /// Leaves to: `idle` or `sealing` (completed), `restoring` (condemned).
    case finishing(Course)
    /// Condemned: the canary's share is unwanted, and the router has not confirmed it yet.
    /// Leaves to: `reporting` (confirmed).
    case restoring(Course, Condemnation)
    /// Safe again; what the bad version did is being collected.
    /// Leaves to: `idle` or `sealing` (collected, or given up).
    case reporting(Course, Condemnation, restoredAt: Instant)
    /// plimsoll.yaml no longer names the place, and the router still may send requests to what runs.
    /// Leaves to: `closed` (the router confirmed), `idle` (named again).
    case closing(stopping: [Deployment])
    /// Closed: nothing is sent, what ran is being stopped, and what is known is kept.
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
  /// How long a drill leaves requests with the canary: some tens of requests at ten a second, and people who watch see
  /// it happen.
  package static let drillSpan = Span.seconds(5)
  /// The share that a drill moves where the plan has none that leaves the old version some: the default plan's first.
  package static let drillPercent = 10
  /// The longest reason in an event, in characters.
  package static let reasonLimit = 300
}
