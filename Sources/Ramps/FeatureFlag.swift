import Kernel

/// One flag: owns what it is, who gets which variant of it in each environment, and the guarded ramps there.
///
/// Each environment has a `Placement` with two axes. The *switch*: on or off; off is `DISABLED` for every client, and
/// what code does without the flag. The *ramp*:
///
/// ```
///          startRamp            traffic told        clients have it          good: next stage
///   still ──────────▶ sighting ─────────────▶ placing ─────────────▶ watching ──────┐
///     ▲                                          ▲  ▲──────────────────│─│──────────┘
///     │                                          │      resumed        │ │ last stage good
///     │                                       holding ◀── a person, ───┤ └───────────▶ rolledOut
///     │                                                  untrusted     │                  ▲
///     │                                       asking ◀── cannot see ───┘                  │
///     │                                          └── a person advances, or evidence came ─┘
///     │ switched on again      proved
///     └───────── stopped ◀──────────── stopping ◀── bad, a person, kill, switched off (from any phase of a ramp)
/// ```
///
/// Two things make it safe. What is served is a function of the state (`State.served(in:)`), so a variant that was
/// withdrawn cannot keep its share by mistake; and a withdrawal counts only when every client is known to have it, and
/// nobody was seen with the variant for a while. Until then the phase says who has not.
package enum FeatureFlag: Machine {
  package static var initial: State { State() }

  package struct State: Codable, Equatable, Sendable {
    /// Nil until created. Its name stays taken once it is archived.
    package var key: FlagKey?
    /// The newest first; the one in force is the first. At most `revisionLimit`; the ledger has them all.
    package var revisions: [Revision] = []
    /// Into which buckets subjects fall: made at creation and never changed.
    package var salt = ""
    /// Sorted by environment. Where none is, the flag is off.
    package var placements: [Placement] = []
    /// Changes to come, by time, then number.
    package var scheduled: [Scheduled] = []
    /// Flags that have this one as a prerequisite, sorted.
    package var dependents: [FlagKey] = []
    /// Where its definition is kept in git; nil when people edit it here.
    package var declared: DeclaredIn?
    /// What folders declare and may not have, one a folder, sorted by it: taken as soon as it may be.
    package var unmet: [UnmetDeclaration] = []
    /// Nil while it lives.
    package var archived: Signed?
    /// Counts ramps, of all environments: the next one's number.
    package var nextRamp = 1
    /// Counts scheduled changes: the next one's number.
    package var nextScheduled = 1
    /// Oldest first; at most `announcementLimit`.
    package var announcements: [Announced] = []
    /// What the world keeps failing at; nil when all goes well.
    package var trouble: Trouble?
    package init() {}
  }

  /// The flag in one environment.
  package struct Placement: Codable, Equatable, Sendable {
    package let environment: EnvironmentName
    package var isOn: Bool
    /// Members that stand here in the place of the definition's: `targeting`, `defaultVariant`.
    package var override: [FlagDefinition.Member] = []
    /// Who gets which variant where targeting chooses nothing.
    package var allocation: FlagAllocation = .none
    /// Rises with each change of the switch or of the allocation; 0 before the first.
    package var epoch = 0
    package var phase: Phase = .still
    /// What was withdrawn and is not yet known to have reached everybody; nil when nothing is.
    package var proof: Proof?
    /// The last kill here; nil when there was none, or it is on again.
    package var killed: Kill?
    package init(environment: EnvironmentName, isOn: Bool) {
      self.environment = environment
      self.isOn = isOn
    }
  }

  // Indirect: a course holds a judge's record, and a turn copies the state several times.
  package indirect enum Phase: Codable, Equatable, Sendable {
    /// No ramp. Leaves to: `sighting`.
    case still
    /// What each stage will be able to see is being worked out; nobody has the variant by this ramp yet.
    /// Leaves to: `placing`, `stopping`.
    case sighting(Course)
    /// The stage's share is in force, and clients may not know it yet. Leaves to: `watching` (all do, or the time for it
    /// is up), `asking`, `holding`, `stopping`.
    case placing(Course)
    /// Leaves to: `placing` (good: the next stage), `rolledOut` (good, the last stage), `asking`, `holding`, `stopping`.
    case watching(Course)
    /// This stage cannot see what is promised, and a person decides. The watch goes on.
    /// Leaves to: `placing`, `rolledOut` (advanced, or the evidence has come), `holding`, `stopping`.
    case asking(Course, Question)
    /// The share stays. The watch goes on, and a bad verdict stops it all the same.
    /// Leaves to: `placing`, `watching` (resumed, or believed again), `rolledOut`, `stopping`.
    case holding(Course, Hold)
    /// The variant is withdrawn; not everybody is known to have heard. Leaves to: `stopped`, `sighting`, `still`.
    case stopping(Ending)
    /// Leaves to: `sighting` (a new ramp), `still` (switched on again).
    case stopped(Ending)
    /// Everybody whom targeting leaves to it has the variant. Leaves to: `sighting` (of another variant).
    case rolledOut(Ending)
  }

  /// One ramp's way.
  package struct Course: Codable, Equatable, Sendable {
    /// Counts the flag's ramps.
    package let number: Int
    package let plan: RampPlan
    package let startedBy: Signed
    /// What was in force before it: what it goes back to, without the variant.
    package let before: FlagAllocation
    /// What each stage will see, as of the traffic when it began; empty until that is told.
    package var sights: [StageForecast] = []
    /// 0 for the first.
    package var stage = 0
    /// When the stage's share came into force.
    package var stageBegan: Instant
    /// When clients had it, or the time for it was up; nil until then.
    package var settled: Settling?
    /// What the judge said last that was noted; nil before the first note.
    package var note: Note?
    package init(number: Int, plan: RampPlan, startedBy: Signed, before: FlagAllocation) {
      self.number = number
      self.plan = plan
      self.startedBy = startedBy
      self.before = before
      stageBegan = startedBy.at
    }
    /// Of the stage, in percent of the units.
    package var percent: Double {
      plan.policy.stages.indices.contains(stage) ? plan.policy.stages[stage].percent : 0
    }
    package var isLast: Bool { stage >= plan.policy.stages.count - 1 }
  }

  package struct Settling: Codable, Equatable, Sendable {
    package let at: Instant
    /// Who had it then; nil when nobody could tell.
    package let standing: FlagStanding?
    package init(at: Instant, standing: FlagStanding?) {
      self.at = at
      self.standing = standing
    }
  }

  package struct Note: Codable, Equatable, Sendable {
    package let verdict: RampVerdict
    package let record: RampRecord
    package let at: Instant
    package init(verdict: RampVerdict, record: RampRecord, at: Instant) {
      self.verdict = verdict
      self.record = record
      self.at = at
    }
  }

  /// What a stage will see, before it begins.
  package struct StageForecast: Codable, Equatable, Sendable {
    package let percent: Double
    /// One for each guardrail.
    package let sentences: [String]
    /// Until it may pass if nothing is wrong; nil when what is promised cannot be seen.
    package let holds: Span?
    package init(percent: Double, sentences: [String], holds: Span?) {
      self.percent = percent
      self.sentences = sentences
      self.holds = holds
    }
  }

  /// Why a person is asked.
  package struct Question: Codable, Equatable, Sendable {
    package let why: String
    package let at: Instant
    package init(why: String, at: Instant) {
      self.why = why
      self.at = at
    }
  }

  package struct Hold: Codable, Equatable, Sendable {
    package enum Cause: Codable, Equatable, Sendable {
      case person(actor: String)
      /// Ends by itself when the evidence is believed again; a wrong sample only by beginning the stage anew.
      case untrusted(RampMistrust.Reason)
    }
    package let cause: Cause
    package let why: String
    package let at: Instant
    package init(cause: Cause, why: String, at: Instant) {
      self.cause = cause
      self.why = why
      self.at = at
    }
  }

  /// How a ramp ended.
  package struct Ending: Codable, Equatable, Sendable {
    package enum Cause: Codable, Equatable, Sendable {
      case bad(RampConviction)
      /// Stopped, killed or switched off by name.
      case person(actor: String)
      /// The evidence was good at the last stage, or a person advanced beyond it.
      case everybody(actor: String?)
    }
    package let course: Course
    package let cause: Cause
    /// One sentence.
    package let why: String
    package let at: Instant
    /// When nobody was left with the variant; nil while that is not known, and of who is rolled out.
    package var provedAt: Instant?
    package init(course: Course, cause: Cause, why: String, at: Instant, provedAt: Instant? = nil) {
      self.course = course
      self.cause = cause
      self.why = why
      self.at = at
      self.provedAt = provedAt
    }
  }

  /// Something was withdrawn, and who has heard of it.
  package struct Proof: Codable, Equatable, Sendable {
    package let epoch: Int
    /// Nil when the whole flag was switched off.
    package let variant: String?
    package let since: Instant
    /// As it was noted last; nil before the first word.
    package var standing: FlagStanding?
    /// When somebody was last seen with it; nil when nobody was since then.
    package var shownAt: Instant?
    /// When all clients were noted to have heard; nil while one has not. Who heard last says what it evaluated until
    /// then only later.
    package var heardAt: Instant?
    package init(epoch: Int, variant: String?, since: Instant) {
      self.epoch = epoch
      self.variant = variant
      self.since = since
    }
  }

  package struct Kill: Codable, Equatable, Sendable {
    package let by: Signed
    /// The version that made it necessary; it counts as a failed change. Nil when no deployment is to blame.
    package let attributed: Attribution?
    package init(by: Signed, attributed: Attribution?) {
      self.by = by
      self.attributed = attributed
    }
  }

  /// The deployment that a kill is blamed on.
  package struct Attribution: Codable, Equatable, Sendable {
    package let service: ServiceName
    package let digest: Digest
    package init(service: ServiceName, digest: Digest) {
      self.service = service
      self.digest = digest
    }
  }

  package struct Revision: Codable, Equatable, Sendable {
    /// 1 for the first, without gaps.
    package let number: Int
    package let definition: FlagDefinition
    package let by: Signed
    /// Of which older revision this is the text; nil for a new one.
    package let restored: Int?
    package init(number: Int, definition: FlagDefinition, by: Signed, restored: Int? = nil) {
      self.number = number
      self.definition = definition
      self.by = by
      self.restored = restored
    }
  }

  /// Who, why and when.
  package struct Signed: Codable, Equatable, Sendable {
    package let actor: String
    package let reason: String
    package let at: Instant
    package init(actor: String, reason: String, at: Instant) {
      self.actor = actor
      self.reason = reason
      self.at = at
    }
  }

  package struct DeclaredIn: Codable, Equatable, Sendable {
    /// The path in the repository.
    package let file: String
    package let commit: CommitID
    /// The folder's stream: of two folders that declare one key the first keeps it. Nil where no folder said so.
    package let folder: StreamID?
    package init(file: String, commit: CommitID, folder: StreamID? = nil) {
      self.file = file
      self.commit = commit
      self.folder = folder
    }
  }

  /// What a folder declares and the flag may not become now.
  package struct UnmetDeclaration: Codable, Equatable, Sendable {
    package let declaration: Declaration
    /// What stands against it, and what to do.
    package let why: String
    package let at: Instant
    package init(declaration: Declaration, why: String, at: Instant) {
      self.declaration = declaration
      self.why = why
      self.at = at
    }
  }

  /// A change that somebody asked for at a time to come.
  package struct Scheduled: Codable, Equatable, Sendable {
    package let number: Int
    package let at: Instant
    package let change: ScheduledChange
    package let by: Signed
    package init(number: Int, at: Instant, change: ScheduledChange, by: Signed) {
      self.number = number
      self.at = at
      self.change = change
      self.by = by
    }
  }

  /// An announcement that waits, and for whom.
  package struct Announced: Codable, Equatable, Sendable {
    package let announcement: Announcement
    /// Targets that have not got it, rising.
    package var targets: [Int]
    package init(announcement: Announcement, targets: [Int]) {
      self.announcement = announcement
      self.targets = targets
    }
    package var id: String { announcement.id }
  }

  /// Revisions kept in the state, to be restored; the ledger has them all.
  package static let revisionLimit = 20
  /// Announcements waiting at once; reaching it abandons the oldest, as an event.
  package static let announcementLimit = 50
  package static let scheduleLimit = 50
  package static let environmentLimit = 50
  /// Between two notes of an unchanged kind of verdict, and of who has not heard of a withdrawal: a restart loses at most
  /// so much of the test (design §2, "volume stays out of the log").
  package static let noteInterval = Span.seconds(30)
  /// Nobody may be seen with what was withdrawn for so long, from when the last client has heard, before it counts as
  /// gone: five times what a browser's batch
  /// of exposures waits at most.
  package static let proofQuiet = Span.seconds(10)
  /// The longest reason in an event, in characters.
  package static let reasonLimit = 300
}
