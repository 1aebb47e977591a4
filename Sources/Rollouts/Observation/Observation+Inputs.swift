import Kernel

extension Observation {
  /// Somebody says that a version is deployed now.
  package struct Telling: Codable, Equatable, Sendable {
    package let version: ObservedVersion
    /// When it was; nil for now.
    package let at: Instant?
    package let source: Source
    package init(_ version: ObservedVersion, at: Instant?, source: Source) {
      self.version = version
      self.at = at
      self.source = source
    }
  }

  /// A person says what the team did about a deployment.
  package struct Correction: Codable, Equatable, Sendable {
    /// Nil for the newest.
    package let deployment: ObservedID?
    package let did: Act
    package let actor: String
    /// One line, at most `Observation.reasonLimit` characters; may be empty.
    package let reason: String
    package init(deployment: ObservedID?, did: Act, actor: String, reason: String) {
      self.deployment = deployment
      self.did = did
      self.actor = actor
      self.reason = reason
    }
    package enum Act: Codable, Equatable, Sendable {
      case kept
      /// Nil for when the outcome was settled.
      case rolledBack(at: Instant?)
    }
  }

  package enum Input: Codable, Equatable, Sendable {
    /// Request. Applies to the next watch.
    case configure(Policy)
    /// plimsoll.yaml no longer names this place.
    case unconfigure
    /// Which versions serve; comes at changes and again now and then.
    case seen(VersionSighting)
    /// Request. Repeating it is free.
    case tell(Telling)
    /// The judge's verdict after a bin that ended at `at`.
    case judged(ObservedID, verdict: Verdict, checkpoint: JudgeCheckpoint, at: Instant)
    case woke(EffectKey)
    /// Request.
    case correct(Correction)
    case announced(id: String, target: Int)
    /// Only an announcement has a budget.
    case exhausted(EffectKey, why: String)
  }

  package static func exhausted(_ key: EffectKey, why: String) -> Input { .exhausted(key, why: why) }
}
