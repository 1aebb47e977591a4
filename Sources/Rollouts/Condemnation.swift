import Kernel

/// What kind of fault made a version leave, so that people look in the right place first.
package enum CauseClass: String, Codable, CaseIterable, Sendable {
  /// It does not start, ends again and again, runs out of memory, or does not run the bytes that were built.
  case infrastructure
  /// It answers wrongly.
  case logic
  /// It answers too slowly, too few, or at too high a cost.
  case performance
  /// A person decided.
  case `operator`

  package init(_ rule: Rule) {
    switch rule {
    case .errorRate, .ceiling, .check: self = .logic
    case .latency, .throughput, .processor: self = .performance
    case .memory: self = .infrastructure
    }
  }

  /// What keeps the next one from coming so far; nil when a person decided. The article, on causes of rollbacks: each
  /// category has a different fix.
  package var remedy: String? {
    switch self {
    case .infrastructure:
      "Start and load it under production's limits in a check before production: this points to too little resource "
        + "testing."
    case .logic: "Add a test that asks what failed here: this points to a gap in test coverage."
    case .performance: "Add a load test as a check before production: this points to missing load testing."
    case .operator: nil
    }
  }
}

/// The decision that a version must leave this environment.
package struct Condemnation: Codable, Equatable, Sendable {
  package enum Scope: String, Codable, Sendable {
    /// The digest, whatever its configuration.
    case digest
    /// Only the digest with this configuration: the version returned to has the same digest, so the configuration is
    /// at fault.
    case configuration
  }
  package let rollout: RolloutID
  package let deployment: Deployment
  package let scope: Scope
  package let cause: CauseClass
  /// A `Rule`, or `failed readiness`, `crash loop`, `out of memory`, `other bytes`, `operator`.
  package let rule: String
  package let sentence: String
  /// Nil unless traffic convicted it.
  package let conviction: Conviction?
  package let decidedAt: Instant
  package init(
    rollout: RolloutID, deployment: Deployment, scope: Scope, cause: CauseClass, rule: String, sentence: String,
    conviction: Conviction?, decidedAt: Instant
  ) {
    self.rollout = rollout
    self.deployment = deployment
    self.scope = scope
    self.cause = cause
    self.rule = rule
    self.sentence = sentence
    self.conviction = conviction
    self.decidedAt = decidedAt
  }
}

/// What may not come back without an override.
package struct CondemnedDigest: Codable, Equatable, Sendable {
  package let digest: Digest
  /// Nil for every configuration.
  package let configuration: Digest?
  package let cause: CauseClass
  package let sentence: String
  package let rollout: RolloutID
  package let at: Instant
  package init(_ condemnation: Condemnation) {
    digest = condemnation.deployment.digest
    configuration = condemnation.scope == .digest ? nil : condemnation.deployment.configuration
    cause = condemnation.cause
    sentence = condemnation.sentence
    rollout = condemnation.rollout
    at = condemnation.decidedAt
  }
  package func covers(_ deployment: Deployment) -> Bool {
    digest == deployment.digest && (configuration == nil || configuration == deployment.configuration)
  }
}
