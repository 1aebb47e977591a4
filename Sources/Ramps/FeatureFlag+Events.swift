import Kernel

extension FeatureFlag {
  package enum Event: DomainEvent {
    case created(FlagKey, Revision, salt: String, environments: [Switch], declared: DeclaredIn?)
    /// The definition is another. `Wiring` tells the flags that became prerequisites, or are none any more.
    case revised(Revision, claims: [FlagKey], releases: [FlagKey])
    /// Nil: people may edit it again.
    case declared(DeclaredIn?)
    case placed(EnvironmentName, isOn: Bool, override: [FlagDefinition.Member], epoch: Int, by: Signed)
    case scheduled(Scheduled)
    case unscheduled(number: Int, by: Signed)
    /// Its time has come; what it changed follows.
    case fellDue(number: Int, at: Instant)
    /// Its time has come and it may not be done.
    case dueRefused(number: Int, why: String, at: Instant)
    case rampStarted(RampPlan, number: Int, by: Signed)
    /// What each stage will see.
    case sighted(EnvironmentName, ramp: Int, [StageForecast])
    case stageBegan(EnvironmentName, StageBegin)
    /// Clients have the stage, or are not waited for any longer.
    case settled(EnvironmentName, epoch: Int, Settling)
    /// The kind of verdict changed, or the periodic checkpoint.
    case evidenceNoted(EnvironmentName, epoch: Int, Note)
    case asked(EnvironmentName, ramp: Int, Question)
    case held(EnvironmentName, ramp: Int, Hold)
    /// Nil: the evidence is believed again.
    case resumed(EnvironmentName, ramp: Int, by: Signed?, at: Instant)
    /// Bad, or a person: the variant is withdrawn.
    case rampStopped(EnvironmentName, RampStop)
    case rolledOut(EnvironmentName, ramp: Int, why: String, by: Signed?, at: Instant)
    /// Off, in this environment.
    case killed(EnvironmentName, Kill, epoch: Int, announceTargets: Int)
    /// Who has not heard yet, or was still seen with it.
    case proofNoted(EnvironmentName, epoch: Int, FlagStanding, shownAt: Instant?, at: Instant)
    /// Every client has been known to have it for `proofQuiet`, and nobody was seen with it meanwhile.
    case proved(EnvironmentName, epoch: Int, FlagStanding, at: Instant)
    /// `Wiring` tells its prerequisites.
    case archived(Signed, releases: [FlagKey])
    case claimed(by: FlagKey)
    case unclaimed(by: FlagKey)
    case announced(id: String, target: Int)
    case announcementAbandoned(id: String, target: Int, why: String)
    case troubled(EffectKey, why: String)
    /// Recorded where nobody waits for an answer. `Wiring` tells the folder.
    case declarationRefused(UnmetDeclaration)
    /// What was refused is so by now. `Wiring` tells the folder.
    case declarationMet(folder: StreamID?)
    /// The folder does not ask for it any more.
    case declarationDropped(folder: StreamID?)

    package var name: String {
      switch self {
      case .created: "created"
      case .revised: "revised"
      case .declared: "declared"
      case .placed: "placed"
      case .scheduled: "scheduled"
      case .unscheduled: "unscheduled"
      case .fellDue: "fellDue"
      case .dueRefused: "dueRefused"
      case .rampStarted: "rampStarted"
      case .sighted: "sighted"
      case .stageBegan: "stageBegan"
      case .settled: "settled"
      case .evidenceNoted: "evidenceNoted"
      case .asked: "asked"
      case .held: "held"
      case .resumed: "resumed"
      case .rampStopped: "rampStopped"
      case .rolledOut: "rolledOut"
      case .killed: "killed"
      case .proofNoted: "proofNoted"
      case .proved: "proved"
      case .archived: "archived"
      case .claimed: "claimed"
      case .unclaimed: "unclaimed"
      case .announced: "announced"
      case .announcementAbandoned: "announcementAbandoned"
      case .troubled: "troubled"
      case .declarationRefused: "declarationRefused"
      case .declarationMet: "declarationMet"
      case .declarationDropped: "declarationDropped"
      }
    }
  }

  /// A stage's share comes into force.
  package struct StageBegin: Codable, Equatable, Sendable {
    package let ramp: Int
    package let stage: Int
    package let percent: Double
    package let epoch: Int
    package let allocation: FlagAllocation
    /// What the evidence said of the stage before; nil at the first one, and where a person went on.
    package let passed: String?
    /// Nil when the evidence passed it.
    package let by: Signed?
    package let at: Instant
    package init(
      ramp: Int, stage: Int, percent: Double, epoch: Int, allocation: FlagAllocation, passed: String?, by: Signed?,
      at: Instant
    ) {
      self.ramp = ramp
      self.stage = stage
      self.percent = percent
      self.epoch = epoch
      self.allocation = allocation
      self.passed = passed
      self.by = by
      self.at = at
    }
  }

  package struct RampStop: Codable, Equatable, Sendable {
    package let ramp: Int
    package let variant: String
    package let cause: Ending.Cause
    /// One sentence.
    package let why: String
    /// What is in force from now on.
    package let allocation: FlagAllocation
    package let epoch: Int
    /// Whose behaviour it changed; nil where none is named.
    package let service: ServiceName?
    package let at: Instant
    package init(
      ramp: Int, variant: String, cause: Ending.Cause, why: String, allocation: FlagAllocation, epoch: Int,
      service: ServiceName?, at: Instant
    ) {
      self.ramp = ramp
      self.variant = variant
      self.cause = cause
      self.why = why
      self.allocation = allocation
      self.epoch = epoch
      self.service = service
      self.at = at
    }
  }
}
