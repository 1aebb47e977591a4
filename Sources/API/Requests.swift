// What the mutating calls of `/v1` accept. Instants are milliseconds since 1970-01-01T00:00:00Z (`…AtMs`), spans are
// milliseconds (`…Ms`), shares are numbers from 0 to 1.

/// `POST /v1/promotions/{service}/{commit}`
public struct PromoteRequest: Codable, Hashable, Sendable {
  /// The next one when left out.
  public var environment: String?
  /// Accept that the digest was condemned there. It does not put an older commit over a newer one.
  public var override: Bool?
  public var reason: String
  public init(environment: String? = nil, override: Bool? = nil, reason: String) {
    self.environment = environment
    self.override = override
    self.reason = reason
  }
}

/// `POST /v1/rollouts/{service}/{environment}/rollback`
public struct RollbackRequest: Codable, Hashable, Sendable {
  /// A digest, or its first characters; the version before when left out.
  public var to: String?
  /// `EnvironmentView.leaving` as the sender saw it: refused (409) when a rollback would leave something else by now.
  /// Left out, a request repeated after a lost answer may go back twice.
  public var from: String?
  public var reason: String
  public init(to: String? = nil, from: String? = nil, reason: String) {
    self.to = to
    self.from = from
    self.reason = reason
  }
}

/// `POST /v1/rollouts/{service}/{environment}/lift`
public struct LiftRequest: Codable, Hashable, Sendable {
  /// A condemned digest, or its first characters.
  public var digest: String
  public var reason: String
  public init(digest: String, reason: String) {
    self.digest = digest
    self.reason = reason
  }
}

/// `POST /v1/rollouts/{service}/{environment}/drill`
public struct DrillRequest: Codable, Hashable, Sendable {
  public var reason: String
  public init(reason: String) { self.reason = reason }
}

/// `POST /v1/rollouts/{service}/{environment}/approve`
public struct ApproveRequest: Codable, Hashable, Sendable {
  /// `RolloutView.id` as the sender saw it: refused (409) when another rollout runs.
  public var rollout: Int
  /// `RolloutView.step` as the sender saw it, from 0: refused (409) when the rollout stands elsewhere, so that a request
  /// repeated after a lost answer cannot approve the next step.
  public var step: Int
  public var reason: String
  public init(rollout: Int, step: Int, reason: String) {
    self.rollout = rollout
    self.step = step
    self.reason = reason
  }
}

/// `POST /v1/rollouts/{service}/{environment}/freeze`
public struct FreezeRequest: Codable, Hashable, Sendable {
  public var reason: String
  /// When it thaws by itself; by hand only when left out.
  public var untilMs: Int64?
  public init(reason: String, untilMs: Int64? = nil) {
    self.reason = reason
    self.untilMs = untilMs
  }
}

/// `POST /v1/rollouts/{service}/{environment}/thaw`
public struct ThawRequest: Codable, Hashable, Sendable {
  public var reason: String
  public init(reason: String) { self.reason = reason }
}

/// `POST /v1/rollouts/{service}/{environment}/floor`
public struct FloorRequest: Codable, Hashable, Sendable {
  /// A kept known-good digest, or its first characters: no rollback goes to an older version.
  public var digest: String
  public var reason: String
  public init(digest: String, reason: String) {
    self.digest = digest
    self.reason = reason
  }
}

/// The answer to a mutating call.
public struct Receipt: Codable, Equatable, Sendable {
  /// What was decided, in words: one sentence per event; empty when nothing had to change.
  public var decided: [String]
  /// Ledger positions of the events, rising.
  public var positions: [Int64]
  /// The queue entry of a submission.
  public var entry: Int?
  /// The rollout that a drill or an approval is about.
  public var rollout: Int?
  public init(decided: [String], positions: [Int64], entry: Int? = nil, rollout: Int? = nil) {
    self.decided = decided
    self.positions = positions
    self.entry = entry
    self.rollout = rollout
  }
}

/// Every answer that is not 2xx.
public struct Failure: Codable, Equatable, Error, Sendable {
  /// `malformed`, `unknown`, `notNow`, `forbidden`, `unauthorized`, `unavailable`, `tooLarge`.
  public var kind: String
  /// Subject, cause, next step.
  public var sentence: String
  public init(kind: String, sentence: String) {
    self.kind = kind
    self.sentence = sentence
  }
}
