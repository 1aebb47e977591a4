import Kernel

/// A deployment's number at one observed place: 1 for the first, without gaps.
package typealias ObservedID = Int

/// Judges what something else deploys to one (service, environment), and keeps score against what the team did. It
/// wants only to look: no effect of it changes anything.
///
/// ```
///             a version is seen or told       another one
///   unseen ──────────────────────────▶ serving ─────────▶ watching ─┐ a third one
///                                         ▲                │  ▲     │
///                                         │                │  └─────┘
///                                         └────────────────┘
///                                the bake is over; the team went back
///
///   any ── plimsoll.yaml no longer names the place ──▶ closed ── named again ──▶ unseen
/// ```
package enum Observation: Machine {
  package struct State: Codable, Equatable, Sendable {
    /// Nil until configured; then the policy of the *next* watch.
    package var policy: Policy?
    package var phase: Phase
    /// Versions that served when last something changed, sorted. Empty where versions are only reported.
    package var present: [ObservedVersion]
    /// What came of deployments, newest first; at most `Observation.recordLimit`.
    package var records: [Record]
    /// The score of those that are no longer among `records`.
    package var dropped: Score
    package var nextDeployment: ObservedID
    /// Oldest first; at most `Observation.announcementLimit`.
    package var announcements: [PendingAnnouncement]

    package init() {
      policy = nil
      phase = .unseen
      present = []
      records = []
      dropped = Score()
      nextDeployment = 1
      announcements = []
    }

    /// Of every deployment whose outcome is known.
    package var score: Score { records.reduce(into: dropped) { $0.add($1) } }
    /// The deployment that is being judged now.
    package var watch: Watch? { if case .watching(let watch) = phase { watch } else { nil } }
    /// Nil before any version was seen or told.
    package var serving: ObservedVersion? {
      switch phase {
      case .unseen, .closed: nil
      case .serving(let version, since: _): version
      case .watching(let watch): watch.deployed.version
      }
    }
  }

  // Indirect: a watch holds a checkpoint, and a turn copies the state several times.
  package indirect enum Phase: Codable, Equatable, Sendable {
    /// No version was seen or told yet.
    /// Leaves to: `serving` (one is), `closed`.
    case unseen
    /// One version serves, as far as is known; nothing is judged.
    /// Leaves to: `watching` (another one), `serving` (the team went back after all), `closed`.
    case serving(ObservedVersion, since: Instant)
    /// A newer version is judged, beside or after the one before.
    /// Leaves to: `serving` (the bake is over, or the team went back), `watching` (a third version), `closed`.
    case watching(Watch)
    /// plimsoll.yaml no longer names the place; the score is kept.
    /// Leaves to: `unseen` (named again).
    case closed
  }

  package static var initial: State { State() }

  /// Outcomes kept in the state, and what a person may still correct; the ledger has them all.
  package static let recordLimit = 100
  /// Between two notes of an unchanged kind of verdict. Less often than in a rollout: nothing waits for it.
  package static let noteInterval = Span.minutes(1)
  /// Evidence comes once a second; a bake that ended so long ago and was not settled by evidence has none.
  package static let settlePatience = Span.seconds(30)
  /// How long ago a deployment may be told to have been: evidence of before is not remembered for longer.
  package static let oldestTelling = Span.minutes(10)
  /// Clocks of who tells and of this machine may differ by so much.
  package static let clockSkew = Span.seconds(30)
  /// Announcements waiting at once; reaching it abandons the oldest, as an event.
  package static let announcementLimit = 20
  /// The longest reason in an event, in characters.
  package static let reasonLimit = 300
}

/// One deployment under watch.
package struct Watch: Codable, Equatable, Sendable {
  package let deployed: Observation.Deployed
  /// As it was at the start: a change applies to the next watch.
  package let policy: Observation.Policy
  package var note: EvidenceNote?
  /// Since when the verdict has been of the noted kind.
  package var kindSince: Instant?
  /// The first bad verdict: when a rollout of Plimsoll's would have gone back.
  package var conviction: Conviction?

  package init(_ deployed: Observation.Deployed, policy: Observation.Policy) {
    self.deployed = deployed
    self.policy = policy
    note = nil
    kindSince = nil
    conviction = nil
  }
  package var id: ObservedID { deployed.id }
  package var endsAt: Instant { deployed.at + policy.bake }
}
