// Flags, where they are on, their ramps, and who has heard of a change. All instants are milliseconds since 1970 UTC.

/// `GET /v1/flags`
public struct FlagsView: Codable, Equatable, Sendable {
  /// Sorted by key.
  public var flags: [FlagRowView]
  /// How many match, on all pages.
  public var total: Int
  /// For `after`, to have the next page; nil on the last one.
  public var next: String?
  public init(flags: [FlagRowView], total: Int, next: String?) {
    self.flags = flags
    self.total = total
    self.next = next
  }
}

/// A flag in one line.
public struct FlagRowView: Codable, Equatable, Sendable {
  public var key: String
  public var owner: String
  /// `release`, `experiment`, `operational`, `kill-switch`, `permission`.
  public var type: String
  /// When it must be gone.
  public var expiresAtMs: Int64
  public var expired: Bool
  public var revision: Int
  /// When its definition changed last.
  public var changedAtMs: Int64
  /// Nil while it lives.
  public var archivedAtMs: Int64?
  /// In the order of promotion; one for each environment, also where it was never placed.
  public var environments: [FlagDotView]
  public init(
    key: String, owner: String, type: String, expiresAtMs: Int64, expired: Bool, revision: Int, changedAtMs: Int64,
    archivedAtMs: Int64?, environments: [FlagDotView]
  ) {
    self.key = key
    self.owner = owner
    self.type = type
    self.expiresAtMs = expiresAtMs
    self.expired = expired
    self.revision = revision
    self.changedAtMs = changedAtMs
    self.archivedAtMs = archivedAtMs
    self.environments = environments
  }
}

/// A flag in one environment, in a word.
public struct FlagDotView: Codable, Equatable, Sendable {
  public var environment: String
  /// `off`, `killed`, `on`, `sighting`, `placing`, `watching`, `asking`, `holding`, `stopping`, `stopped`, `rolledOut`.
  public var phase: String
  /// "on", "25 % get on".
  public var words: String
  public init(environment: String, phase: String, words: String) {
    self.environment = environment
    self.phase = phase
    self.words = words
  }
}

/// `GET /v1/flags/{key}`
public struct FlagView: Codable, Equatable, Sendable {
  public var key: String
  public var owner: String
  public var type: String
  public var expiresAtMs: Int64
  public var expired: Bool
  /// The newest one: what an edit names, in `If-Match` or `over`.
  public var revision: Int
  /// JSON text, letter by letter as it is served, without what the machine adds: state and ramp.
  public var definition: String
  /// In their order.
  public var variants: [String]
  public var prerequisites: [String]
  /// Flags that have this one as a prerequisite.
  public var dependents: [String]
  /// The attribute that tells subjects apart; `targetingKey` when nil.
  public var unit: String?
  public var service: String?
  /// Where it is kept in git: people may not edit it here.
  public var declaredIn: String?
  public var archived: FlagSignedView?
  /// In the order of promotion.
  public var environments: [FlagPlaceView]
  /// By time.
  public var scheduled: [FlagScheduledView]
  /// Newest first, at most 20; the ledger has them all.
  public var revisions: [FlagRevisionView]
  /// What folders in git declare and the flag may not become now.
  public var refused: [FlagRefusedView]
  /// What the world keeps failing at.
  public var trouble: String?
  public init(
    key: String, owner: String, type: String, expiresAtMs: Int64, expired: Bool, revision: Int, definition: String,
    variants: [String], prerequisites: [String], dependents: [String], unit: String?, service: String?,
    declaredIn: String?, archived: FlagSignedView?, environments: [FlagPlaceView], scheduled: [FlagScheduledView],
    revisions: [FlagRevisionView], refused: [FlagRefusedView], trouble: String?
  ) {
    self.refused = refused
    self.key = key
    self.owner = owner
    self.type = type
    self.expiresAtMs = expiresAtMs
    self.expired = expired
    self.revision = revision
    self.definition = definition
    self.variants = variants
    self.prerequisites = prerequisites
    self.dependents = dependents
    self.unit = unit
    self.service = service
    self.declaredIn = declaredIn
    self.archived = archived
    self.environments = environments
    self.scheduled = scheduled
    self.revisions = revisions
    self.trouble = trouble
  }
}

/// Who, why and when.
public struct FlagSignedView: Codable, Equatable, Sendable {
  public var actor: String
  public var reason: String
  public var atMs: Int64
  public init(actor: String, reason: String, atMs: Int64) {
    self.actor = actor
    self.reason = reason
    self.atMs = atMs
  }
}

public struct FlagRevisionView: Codable, Equatable, Sendable {
  public var number: Int
  public var by: FlagSignedView
  /// Of which older revision this is the text.
  public var restored: Int?
  /// Against the revision before; empty where that one is not kept any more.
  public var changes: [FlagChangeView]
  public init(number: Int, by: FlagSignedView, restored: Int?, changes: [FlagChangeView]) {
    self.number = number
    self.by = by
    self.restored = restored
    self.changes = changes
  }
}

/// One member of a definition that is another now.
public struct FlagChangeView: Codable, Equatable, Sendable {
  public var member: String
  /// JSON text; nil when it was not there.
  public var before: String?
  /// JSON text; nil when it is gone.
  public var after: String?
  public init(member: String, before: String?, after: String?) {
    self.member = member
    self.before = before
    self.after = after
  }
}

public struct FlagScheduledView: Codable, Equatable, Sendable {
  public var number: Int
  public var atMs: Int64
  public var environment: String
  /// "switch on", "ramp on through 1, 5, 25, 100 %".
  public var words: String
  public var by: FlagSignedView
  public init(number: Int, atMs: Int64, environment: String, words: String, by: FlagSignedView) {
    self.number = number
    self.atMs = atMs
    self.environment = environment
    self.words = words
    self.by = by
  }
}

/// A flag in one environment.
public struct FlagPlaceView: Codable, Equatable, Sendable {
  public var environment: String
  public var on: Bool
  /// As in `FlagDotView`.
  public var phase: String
  /// What is so now, in one or two sentences.
  public var sentence: String
  /// Rises with each change of the switch or of the shares; 0 before the first.
  public var epoch: Int
  /// JSON text of an object: members that stand here in the place of the definition's; nil when none do.
  public var override: String?
  /// Who gets what where targeting chooses nothing, by bucket.
  public var shares: [FlagShareView]
  /// The ramp that is under way, or the last one; nil when there was none.
  public var ramp: FlagRampView?
  /// What was withdrawn and is not yet known to have reached everybody.
  public var proof: FlagProofView?
  /// The last kill, until it is on again.
  public var killed: FlagKillView?
  public init(
    environment: String, on: Bool, phase: String, sentence: String, epoch: Int, override: String?,
    shares: [FlagShareView], ramp: FlagRampView?, proof: FlagProofView?, killed: FlagKillView?
  ) {
    self.environment = environment
    self.on = on
    self.phase = phase
    self.sentence = sentence
    self.epoch = epoch
    self.override = override
    self.shares = shares
    self.ramp = ramp
    self.proof = proof
    self.killed = killed
  }
}

/// A range of the 100,000 buckets.
public struct FlagShareView: Codable, Equatable, Sendable {
  public var variant: String
  /// The first bucket, and behind the last one.
  public var from: Int
  public var to: Int
  public init(variant: String, from: Int, to: Int) {
    self.variant = variant
    self.from = from
    self.to = to
  }
}

public struct FlagKillView: Codable, Equatable, Sendable {
  public var by: FlagSignedView
  /// The deployment that it is blamed on.
  public var service: String?
  public var digest: String?
  public init(by: FlagSignedView, service: String?, digest: String?) {
    self.by = by
    self.service = service
    self.digest = digest
  }
}

/// `GET /v1/flags/{key}/clients`, and of a withdrawal: who has heard.
public struct FlagProofView: Codable, Equatable, Sendable {
  public var environment: String
  public var epoch: Int
  /// "Off everywhere: 998 of 1,000 clients have it after 0.4 s; not 10.0.0.7 and 10.0.0.9."
  public var sentence: String
  /// What was withdrawn: a variant, or nil for the whole flag.
  public var variant: String?
  public var sinceMs: Int64?
  /// Whether everybody is known to have it.
  public var complete: Bool
  public var all: Int
  public var have: Int
  /// How it is known of those who have it: written to their stream, fetched by them, seen evaluating it.
  public var delivered: Int
  public var refetched: Int
  public var evaluated: Int
  /// Of those who have not got it the first, at most 20.
  public var lacking: [FlagClientView]
  /// When somebody was last seen with what was withdrawn.
  public var shownAtMs: Int64?
  public init(
    environment: String, epoch: Int, sentence: String, variant: String?, sinceMs: Int64?, complete: Bool, all: Int,
    have: Int, delivered: Int, refetched: Int, evaluated: Int, lacking: [FlagClientView], shownAtMs: Int64?
  ) {
    self.environment = environment
    self.epoch = epoch
    self.sentence = sentence
    self.variant = variant
    self.sinceMs = sinceMs
    self.complete = complete
    self.all = all
    self.have = have
    self.delivered = delivered
    self.refetched = refetched
    self.evaluated = evaluated
    self.lacking = lacking
    self.shownAtMs = shownAtMs
  }
}

public struct FlagClientView: Codable, Equatable, Sendable {
  public var client: String
  public var seenAtMs: Int64
  public init(client: String, seenAtMs: Int64) {
    self.client = client
    self.seenAtMs = seenAtMs
  }
}

/// One ramp's way.
public struct FlagRampView: Codable, Equatable, Sendable {
  /// Counts the flag's ramps, of all environments.
  public var number: Int
  public var environment: String
  public var variant: String
  /// `running`, `stopping`, `stopped`, `rolledOut`.
  public var outcome: String
  /// From 0.
  public var stage: Int
  /// What units get the variant now, in percent.
  public var percent: Double
  public var stages: [FlagStageView]
  public var guardrails: [FlagGuardrailView]
  public var service: String?
  public var by: FlagSignedView
  public var stageBeganAtMs: Int64
  /// When clients had the stage's share, or were not waited for any longer.
  public var settledAtMs: Int64?
  /// What the judge said last.
  public var verdict: FlagVerdictView?
  /// Why a person is asked.
  public var question: String?
  /// Why it is held.
  public var hold: String?
  /// What of its evidence a person should look at, a sentence each; nil where nothing is remarkable.
  public var remarks: [String]?
  public var ending: FlagEndingView?
  public init(
    number: Int, environment: String, variant: String, outcome: String, stage: Int, percent: Double,
    stages: [FlagStageView], guardrails: [FlagGuardrailView], service: String?, by: FlagSignedView,
    stageBeganAtMs: Int64, settledAtMs: Int64?, verdict: FlagVerdictView?, question: String?, hold: String?,
    remarks: [String]? = nil, ending: FlagEndingView?
  ) {
    self.number = number
    self.environment = environment
    self.variant = variant
    self.outcome = outcome
    self.stage = stage
    self.percent = percent
    self.stages = stages
    self.guardrails = guardrails
    self.service = service
    self.by = by
    self.stageBeganAtMs = stageBeganAtMs
    self.settledAtMs = settledAtMs
    self.verdict = verdict
    self.question = question
    self.hold = hold
    self.remarks = remarks
    self.ending = ending
  }
}

/// A stage of a ramp, and what it will be able to see.
public struct FlagStageView: Codable, Equatable, Sendable {
  /// Of the units.
  public var percent: Double
  public var leastMs: Int64
  /// One for each guardrail; empty before the traffic is known.
  public var sees: [String]
  /// Until it may pass if nothing is wrong; nil when what is promised cannot be seen, or nothing is known.
  public var holdsMs: Int64?
  /// `passed`, `now`, `next`, `notReached`.
  public var standing: String
  public init(percent: Double, leastMs: Int64, sees: [String], holdsMs: Int64?, standing: String) {
    self.percent = percent
    self.leastMs = leastMs
    self.sees = sees
    self.holdsMs = holdsMs
    self.standing = standing
  }
}

public struct FlagGuardrailView: Codable, Equatable, Sendable {
  public var name: String
  /// "a request that failed", "a request slower than 500 ms".
  public var measure: String
  /// Worse up to this factor is no evidence.
  public var limit: Double
  /// What a stage must have been able to see before it passes.
  public var detect: Double
  /// What was seen of it in the running stage, in one sentence; nil before the first note.
  public var seen: String?
  public init(name: String, measure: String, limit: Double, detect: Double, seen: String?) {
    self.name = name
    self.measure = measure
    self.limit = limit
    self.detect = detect
    self.seen = seen
  }
}

public struct FlagVerdictView: Codable, Equatable, Sendable {
  /// `good`, `bad`, `undecided`, `untrusted`.
  public var kind: String
  public var sentence: String
  public var atMs: Int64
  /// Of a bad one, or of what would be said if the evidence were believed.
  public var conviction: FlagConvictionView?
  public init(kind: String, sentence: String, atMs: Int64, conviction: FlagConvictionView?) {
    self.kind = kind
    self.sentence = sentence
    self.atMs = atMs
    self.conviction = conviction
  }
}

/// What convicted a variant, with what is needed to check it.
public struct FlagConvictionView: Codable, Equatable, Sendable {
  public var guardrail: String
  public var percent: Double
  /// Of the stage in which it was decided: requests or units with the variant and beside it, and what befell them.
  public var trials: Int
  public var events: Int
  public var controlTrials: Int
  public var controlEvents: Int
  /// Times as bad; nil where it cannot be told. Bounds of the 95 % confidence sequence, nil where open.
  public var ratio: Double?
  public var lower: Double?
  public var upper: Double?
  /// The coin, and what it had to become.
  public var evidence: Double
  public var threshold: Double
  /// When it probably began.
  public var sinceMs: Int64?
  public var decidedAtMs: Int64
  public var sentence: String
  public init(
    guardrail: String, percent: Double, trials: Int, events: Int, controlTrials: Int, controlEvents: Int,
    ratio: Double?, lower: Double?, upper: Double?, evidence: Double, threshold: Double, sinceMs: Int64?,
    decidedAtMs: Int64, sentence: String
  ) {
    self.guardrail = guardrail
    self.percent = percent
    self.trials = trials
    self.events = events
    self.controlTrials = controlTrials
    self.controlEvents = controlEvents
    self.ratio = ratio
    self.lower = lower
    self.upper = upper
    self.evidence = evidence
    self.threshold = threshold
    self.sinceMs = sinceMs
    self.decidedAtMs = decidedAtMs
    self.sentence = sentence
  }
}

public struct FlagEndingView: Codable, Equatable, Sendable {
  /// `bad`, `person`, `everybody`.
  public var cause: String
  public var actor: String?
  public var why: String
  public var atMs: Int64
  /// When nobody was left with the variant.
  public var provedAtMs: Int64?
  public var conviction: FlagConvictionView?
  public init(
    cause: String, actor: String?, why: String, atMs: Int64, provedAtMs: Int64?, conviction: FlagConvictionView?
  ) {
    self.cause = cause
    self.actor = actor
    self.why = why
    self.atMs = atMs
    self.provedAtMs = provedAtMs
    self.conviction = conviction
  }
}

/// `GET /v1/flags/{key}/history`
public struct FlagHistoryView: Codable, Equatable, Sendable {
  /// Newest first.
  public var events: [FlagEventView]
  /// For `before`, to have older ones; nil on the last page.
  public var next: Int64?
  public init(events: [FlagEventView], next: Int64?) {
    self.events = events
    self.next = next
  }
}

public struct FlagEventView: Codable, Equatable, Sendable {
  /// In the ledger, and of the flag's stream.
  public var position: Int64
  public var version: Int64
  public var atMs: Int64
  public var type: String
  public var actor: String
  /// Why; nil where nobody gave one.
  public var reason: String?
  public var environment: String?
  public var sentence: String
  /// Of a new revision, by member.
  public var changes: [FlagChangeView]
  public init(
    position: Int64, version: Int64, atMs: Int64, type: String, actor: String, reason: String?, environment: String?,
    sentence: String, changes: [FlagChangeView]
  ) {
    self.position = position
    self.version = version
    self.atMs = atMs
    self.type = type
    self.actor = actor
    self.reason = reason
    self.environment = environment
    self.sentence = sentence
    self.changes = changes
  }
}

/// `GET /v1/flags/{key}/evaluate`
public struct FlagEvaluationView: Codable, Equatable, Sendable {
  public var environment: String
  /// Nil for the caller's default.
  public var variant: String?
  /// JSON text; nil for the caller's default.
  public var value: String?
  /// As OpenFeature writes it.
  public var reason: String
  public var errorCode: String?
  /// One sentence.
  public var why: String
  public init(
    environment: String, variant: String?, value: String?, reason: String, errorCode: String?, why: String
  ) {
    self.environment = environment
    self.variant = variant
    self.value = value
    self.reason = reason
    self.errorCode = errorCode
    self.why = why
  }
}
