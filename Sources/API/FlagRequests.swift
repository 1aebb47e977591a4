// What the mutating calls of `/v1/flags` accept. `POST /v1/flags` and `…/edit` take a definition's own JSON beside
// `key`, `reason`, `environments` and `over`; openapi.yaml describes it.

/// `POST /v1/flags/{key}/restore`
public struct FlagRestoreRequest: Codable, Hashable, Sendable {
  public var revision: Int
  public var reason: String
  public init(revision: Int, reason: String) {
    self.revision = revision
    self.reason = reason
  }
}

/// `POST /v1/flags/{key}/place`
public struct FlagPlaceRequest: Codable, Hashable, Sendable {
  public var environment: String
  /// Left out, the switch stays as it is. Off withdraws a ramp that is under way.
  public var on: Bool?
  /// JSON text of an object with `targeting`, `defaultVariant` or both, which stand there instead of the definition's;
  /// `{}` takes an override away. Left out, it stays as it is.
  public var override: String?
  public var reason: String
  public init(environment: String, on: Bool? = nil, override: String? = nil, reason: String) {
    self.environment = environment
    self.on = on
    self.override = override
    self.reason = reason
  }
}

/// `POST /v1/flags/{key}/ramp`, and a ramp in a schedule.
public struct FlagRampRequest: Codable, Hashable, Sendable {
  public var environment: String
  public var variant: String
  /// In percent of the units, rising; 1, 5, 25, 100 when left out.
  public var stages: [Double]?
  /// How long a stage lasts at least; ten minutes when left out.
  public var leastMs: Int64?
  /// Errors and latency when left out.
  public var guardrails: [FlagGuardrailRequest]?
  /// After so long a stage that has not seen what is promised asks a person; an hour when left out.
  public var patienceMs: Int64?
  /// Whose requests are the evidence; the definition's service, or all that name the flag, when left out.
  public var service: String?
  public var reason: String
  public init(
    environment: String, variant: String, stages: [Double]? = nil, leastMs: Int64? = nil,
    guardrails: [FlagGuardrailRequest]? = nil, patienceMs: Int64? = nil, service: String? = nil, reason: String
  ) {
    self.environment = environment
    self.variant = variant
    self.stages = stages
    self.leastMs = leastMs
    self.guardrails = guardrails
    self.patienceMs = patienceMs
    self.service = service
    self.reason = reason
  }
}

public struct FlagGuardrailRequest: Codable, Hashable, Sendable {
  /// What the measure is called when left out.
  public var name: String?
  /// `errors`, `latency`, `conversion`.
  public var measure: String
  /// Of `latency`: what counts as slow; half a second when left out.
  public var slowerThanMs: Int64?
  /// Of `conversion`: how long after it was exposed a unit counts; two minutes when left out.
  public var withinMs: Int64?
  /// Worse up to this factor is no evidence; 1 when left out.
  public var limit: Double?
  /// What a stage must be able to see before it passes; 2 when left out.
  public var detect: Double?
  /// Whether one unit's events are known as such: `units`, or `requests`; `units` when left out.
  public var counting: String?
  public init(
    name: String? = nil, measure: String, slowerThanMs: Int64? = nil, withinMs: Int64? = nil, limit: Double? = nil,
    detect: Double? = nil, counting: String? = nil
  ) {
    self.name = name
    self.measure = measure
    self.slowerThanMs = slowerThanMs
    self.withinMs = withinMs
    self.limit = limit
    self.detect = detect
    self.counting = counting
  }
}

/// `POST /v1/flags/{key}/schedule`: `on`, or else `ramp`.
public struct FlagScheduleRequest: Codable, Hashable, Sendable {
  public var atMs: Int64
  /// Where to switch; a ramp names its own.
  public var environment: String?
  public var on: Bool?
  public var ramp: FlagRampRequest?
  public var reason: String
  public init(
    atMs: Int64, environment: String? = nil, on: Bool? = nil, ramp: FlagRampRequest? = nil, reason: String
  ) {
    self.atMs = atMs
    self.environment = environment
    self.on = on
    self.ramp = ramp
    self.reason = reason
  }
}

/// `POST /v1/flags/{key}/unschedule`
public struct FlagUnscheduleRequest: Codable, Hashable, Sendable {
  public var number: Int
  public var reason: String
  public init(number: Int, reason: String) {
    self.number = number
    self.reason = reason
  }
}

/// `POST /v1/flags/{key}/advance`, `…/hold`, `…/resume`, `…/stop`
public struct FlagStageRequest: Codable, Hashable, Sendable {
  public var environment: String
  /// `FlagRampView.stage` as the sender saw it, from 0: refused (409) when the ramp stands elsewhere, so that a request
  /// repeated after a lost answer cannot advance two stages. Only `advance` needs it.
  public var stage: Int?
  public var reason: String
  public init(environment: String, stage: Int? = nil, reason: String) {
    self.environment = environment
    self.stage = stage
    self.reason = reason
  }
}

/// `POST /v1/flags/{key}/kill`
public struct FlagKillRequest: Codable, Hashable, Sendable {
  /// All of them when left out.
  public var environment: String?
  /// The deployment that made it necessary, as service and digest (or its first digits); it counts as a failed change.
  public var service: String?
  public var attributed: String?
  public var reason: String
  public init(environment: String? = nil, service: String? = nil, attributed: String? = nil, reason: String) {
    self.environment = environment
    self.service = service
    self.attributed = attributed
    self.reason = reason
  }
}

/// `POST /v1/flags/{key}/archive`
public struct FlagArchiveRequest: Codable, Hashable, Sendable {
  public var reason: String
  public init(reason: String) { self.reason = reason }
}

/// The answer to a mutating call of a flag.
public struct FlagReceipt: Codable, Equatable, Sendable {
  public var key: String
  /// The newest revision, for the next edit.
  public var revision: Int
  /// What was decided: one sentence per event; empty when nothing had to change.
  public var decided: [String]
  /// Ledger positions of the events, rising.
  public var positions: [Int64]
  /// What was filled in or left out, a sentence each.
  public var notes: [String]
  /// Of a ramp: what each stage will see; empty for other calls.
  public var stages: [FlagStageView]
  public init(
    key: String, revision: Int, decided: [String], positions: [Int64], notes: [String] = [],
    stages: [FlagStageView] = []
  ) {
    self.key = key
    self.revision = revision
    self.decided = decided
    self.positions = positions
    self.notes = notes
    self.stages = stages
  }
}
