import Kernel

extension Observation {
  /// Who said that a version is deployed.
  package enum Source: String, Codable, Sendable {
    /// It showed itself on a metrics page.
    case label
    case webhook
    case person
  }

  /// A deployment that something else made.
  package struct Deployed: Codable, Equatable, Sendable {
    package let id: ObservedID
    package let version: ObservedVersion
    /// Who served until then.
    package let previous: ObservedVersion
    package let at: Instant
    package let source: Source
    package init(id: ObservedID, version: ObservedVersion, previous: ObservedVersion, at: Instant, source: Source) {
      self.id = id
      self.version = version
      self.previous = previous
      self.at = at
      self.source = source
    }
  }

  /// A watch's end.
  package struct Settlement: Codable, Equatable, Sendable {
    package let deployment: ObservedID
    package let judgement: Judgement
    package let team: TeamAct
    /// Who serves from now on.
    package let serving: ObservedVersion
    package let at: Instant
    package init(
      deployment: ObservedID, judgement: Judgement, team: TeamAct, serving: ObservedVersion, at: Instant
    ) {
      self.deployment = deployment
      self.judgement = judgement
      self.team = team
      self.serving = serving
      self.at = at
    }
  }

  package enum Event: DomainEvent {
    case configured(Policy)
    /// This version serves, and there is none before it to judge it against.
    case found(ObservedVersion, at: Instant)
    /// Versions that serve now, sorted: one came or went.
    case versionsSeen([ObservedVersion], at: Instant)
    case deployed(Deployed)
    /// The kind of verdict changed, or the periodic checkpoint.
    case evidenceNoted(ObservedID, verdict: Verdict, checkpoint: JudgeCheckpoint, at: Instant)
    /// A rollout of Plimsoll's would have gone back now.
    case wouldHaveRolledBack(ObservedID, Conviction)
    /// The team went back to the version before, while it was judged or any time later.
    case wentBack(ObservedID, to: ObservedVersion, source: Source, at: Instant)
    case settled(Settlement)
    case corrected(ObservedID, TeamAct, by: Correction, at: Instant)
    /// `abandoned` was being judged; nothing comes of it.
    case unconfigured(abandoned: ObservedID?, at: Instant)
    case announced(id: String, target: Int)
    case announcementAbandoned(id: String, target: Int, why: String)

    package var name: String {
      switch self {
      case .configured: "configured"
      case .found: "found"
      case .versionsSeen: "versionsSeen"
      case .deployed: "deployed"
      case .evidenceNoted: "evidenceNoted"
      case .wouldHaveRolledBack: "wouldHaveRolledBack"
      case .wentBack: "wentBack"
      case .settled: "settled"
      case .corrected: "corrected"
      case .unconfigured: "unconfigured"
      case .announced: "announced"
      case .announcementAbandoned: "announcementAbandoned"
      }
    }
  }
}
