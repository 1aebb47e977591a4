import Kernel

extension FeatureFlag {
  /// Those down to `undeclare` are requests and may be refused; everything else is an observation: true, maybe late or
  /// repeated.
  package enum Input: Codable, Equatable, Sendable {
    case create(Creation)
    case edit(Edit)
    /// Makes the definition of an older revision the newest one.
    case restore(revision: Int, Signature)
    /// Its definition is what a commit of the repository says; makes the flag if there is none. Repeating it is free. What
    /// may not be so is recorded and tried again: nobody waits for the answer.
    case declare(Declaration)
    /// The folder holds it no more; people may edit it again, or another folder's declaration is taken.
    case undeclare(commit: CommitID, folder: StreamID? = nil)
    /// Switches it in an environment, or says what differs there.
    case place(PlaceRequest)
    case schedule(ScheduleRequest)
    case unschedule(number: Int, Signature)
    case startRamp(RampPlan, Signature)
    /// On to the next stage, whatever the evidence says; at the last one it is rolled out.
    case advance(EnvironmentName, Signature)
    case hold(EnvironmentName, Signature)
    /// Goes on; a stage whose sample was wrong begins anew.
    case resume(EnvironmentName, Signature)
    /// Withdraws the variant; the flag stays on.
    case stopRamp(EnvironmentName, Signature)
    /// Off, at once. Sent in the protect lane.
    case kill(KillRequest)
    case archive(Signature)

    /// Another flag has this one as a prerequisite now.
    case claimed(by: FlagKey)
    case unclaimed(by: FlagKey)
    /// What guardrails usually see, in the policy's order; nil where nothing is known.
    case trafficTold(EnvironmentName, ramp: Int, [UsualTraffic?])
    /// Who has the epoch by now.
    case acknowledged(EnvironmentName, epoch: Int, FlagStanding, at: Instant)
    /// The judge's verdict now. It comes after **every** batch of evidence, changed or not: a stage passes only on a
    /// verdict that arrives, so that a watch that fell silent can never advance a ramp.
    case judged(EnvironmentName, epoch: Int, RampVerdict, RampRecord, at: Instant)
    /// Who has heard of a withdrawal, and when somebody was last seen with what was withdrawn.
    case proofTold(EnvironmentName, epoch: Int, FlagStanding, shownAt: Instant?, at: Instant)
    case woke(EffectKey)
    case announced(id: String, target: Int)
    case exhausted(EffectKey, why: String)
  }

  /// Who asks and why; the turn adds the time.
  package struct Signature: Codable, Equatable, Sendable {
    package let actor: String
    /// One line, at most `reasonLimit` characters.
    package let reason: String
    package init(actor: String, reason: String) {
      self.actor = actor
      self.reason = reason
    }
  }

  package struct Creation: Codable, Equatable, Sendable {
    package let key: FlagKey
    package let definition: FlagDefinition
    /// Where it is placed at once, and whether on. Each environment once.
    package let environments: [Switch]
    package let by: Signature
    package init(key: FlagKey, definition: FlagDefinition, environments: [Switch], by: Signature) {
      self.key = key
      self.definition = definition
      self.environments = environments
      self.by = by
    }
  }

  package struct Switch: Codable, Equatable, Sendable {
    package let environment: EnvironmentName
    package let isOn: Bool
    package init(environment: EnvironmentName, isOn: Bool) {
      self.environment = environment
      self.isOn = isOn
    }
  }

  package struct Edit: Codable, Equatable, Sendable {
    package let definition: FlagDefinition
    /// The revision that the sender saw: refused when there is a newer one, so that of two who edit neither loses what
    /// the other wrote.
    package let over: Int
    package let by: Signature
    package init(definition: FlagDefinition, over: Int, by: Signature) {
      self.definition = definition
      self.over = over
      self.by = by
    }
  }

  package struct Declaration: Codable, Equatable, Sendable {
    package let key: FlagKey
    package let definition: FlagDefinition
    package let file: String
    /// In the file; nil when it is not known.
    package let line: Int?
    package let commit: CommitID
    /// The stream of the folder that says so.
    package let folder: StreamID?
    /// The commit's author.
    package let author: String
    /// Where it is placed if it is new.
    package let environments: [Switch]
    package init(
      key: FlagKey, definition: FlagDefinition, file: String, line: Int? = nil, commit: CommitID,
      folder: StreamID? = nil, author: String, environments: [Switch] = []
    ) {
      self.key = key
      self.definition = definition
      self.file = file
      self.line = line
      self.commit = commit
      self.folder = folder
      self.author = author
      self.environments = environments
    }
    /// "flags/checkout.json:12".
    package var place: String { line.map { "\(file):\($0)" } ?? file }
  }

  package struct PlaceRequest: Codable, Equatable, Sendable {
    package let environment: EnvironmentName
    /// Nil leaves the switch as it is. Off withdraws a ramp that is under way.
    package let isOn: Bool?
    /// Nil leaves it as it is; empty takes it away. Only `targeting` and `defaultVariant`.
    package let override: [FlagDefinition.Member]?
    package let by: Signature
    package init(environment: EnvironmentName, isOn: Bool?, override: [FlagDefinition.Member]? = nil, by: Signature) {
      self.environment = environment
      self.isOn = isOn
      self.override = override
      self.by = by
    }
    package static let overridable = ["defaultVariant", "targeting"]
  }

  package enum ScheduledChange: Codable, Equatable, Sendable {
    case place(EnvironmentName, isOn: Bool)
    case ramp(RampPlan)

    package var environment: EnvironmentName {
      switch self {
      case .place(let environment, isOn: _): environment
      case .ramp(let plan): plan.environment
      }
    }
  }

  package struct ScheduleRequest: Codable, Equatable, Sendable {
    package let at: Instant
    package let change: ScheduledChange
    package let by: Signature
    package init(at: Instant, change: ScheduledChange, by: Signature) {
      self.at = at
      self.change = change
      self.by = by
    }
  }

  package struct KillRequest: Codable, Equatable, Sendable {
    /// Nil for all of them.
    package let environment: EnvironmentName?
    package let attributed: Attribution?
    /// How many receivers plimsoll.yaml names for announcements.
    package let announceTargets: Int
    package let by: Signature
    package init(environment: EnvironmentName?, attributed: Attribution? = nil, announceTargets: Int = 0, by: Signature)
    {
      self.environment = environment
      self.attributed = attributed
      self.announceTargets = announceTargets
      self.by = by
    }
  }

  package static func exhausted(_ key: EffectKey, why: String) -> Input { .exhausted(key, why: why) }
}

/// A guarded ramp of one variant in one environment.
package struct RampPlan: Codable, Equatable, Sendable {
  package let environment: EnvironmentName
  package let variant: String
  package let policy: RampPolicy
  /// A stage that has not seen what is promised after so long asks a person.
  package let patience: Span
  /// Clients that have not heard of a stage after so long are not waited for.
  package let settleLimit: Span
  /// Whose requests are the evidence; nil for all that name the flag.
  package let service: ServiceName?
  /// How many receivers plimsoll.yaml names for announcements.
  package let announceTargets: Int

  package static let defaultPatience = Span.minutes(60)
  /// Polling clients of OFREP and Unleash ask every 15 to 30 s by default.
  package static let defaultSettleLimit = Span.seconds(45)

  package init(
    environment: EnvironmentName, variant: String, policy: RampPolicy, patience: Span = defaultPatience,
    settleLimit: Span = defaultSettleLimit, service: ServiceName? = nil, announceTargets: Int = 0
  ) {
    self.environment = environment
    self.variant = variant
    self.policy = policy
    self.patience = patience
    self.settleLimit = settleLimit
    self.service = service
    self.announceTargets = announceTargets
  }
}
