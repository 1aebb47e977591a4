/// Requests of one deployment in one bin of time. Probe and health-check traffic is excluded.
package struct RequestCounts: Codable, Equatable, Sendable {
  /// Requests that ended, and requests found hanging (each counted once, when it crossed the threshold).
  package var requests: Int
  /// Of them: answered 5xx, or broken off by the server's side.
  package var errors: Int
  /// Of them: answered without error but later than the threshold, or hanging longer than it. Never also an error, so
  /// `errors + slow` is how many requests were hurt.
  package var slow: Int
  /// Of `slow`: still open, without any answer.
  package var hanging: Int
  /// Of `errors`: further ones of a client that had failed within the 10 s before, beyond what its share of the
  /// requests explains. One client's retries are one piece of evidence.
  package var repeats: Int
  package init(requests: Int = 0, errors: Int = 0, slow: Int = 0, hanging: Int = 0, repeats: Int = 0) {
    self.requests = requests
    self.errors = errors
    self.slow = slow
    self.hanging = hanging
    self.repeats = repeats
  }
  package static let zero = RequestCounts()
  package static func + (left: RequestCounts, right: RequestCounts) -> RequestCounts {
    RequestCounts(
      requests: left.requests + right.requests, errors: left.errors + right.errors, slow: left.slow + right.slow,
      hanging: left.hanging + right.hanging, repeats: left.repeats + right.repeats)
  }

  private enum CodingKeys: String, CodingKey { case requests, errors, slow, hanging, repeats }
  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    requests = try values.decode(Int.self, forKey: .requests)
    errors = try values.decode(Int.self, forKey: .errors)
    slow = try values.decode(Int.self, forKey: .slow)
    hanging = try values.decode(Int.self, forKey: .hanging)
    // Events of before it was told have none.
    repeats = try values.decodeIfPresent(Int.self, forKey: .repeats) ?? 0
  }
  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(requests, forKey: .requests)
    try values.encode(errors, forKey: .errors)
    try values.encode(slow, forKey: .slow)
    try values.encode(hanging, forKey: .hanging)
    if repeats != 0 { try values.encode(repeats, forKey: .repeats) }
  }
}

/// One deployment's share of a bin.
package struct ArmEvidence: Codable, Equatable, Sendable {
  package let deployment: DeploymentID
  package let counts: RequestCounts
  /// The first and last bad response (error or slow) inside this bin.
  package let firstBadAt: Instant?
  package let lastBadAt: Instant?
  /// The 99th percentile of response times in this bin, ms; nil without requests. For the picture, not for the judge.
  package let p99Ms: Double?
  package init(
    deployment: DeploymentID, counts: RequestCounts, firstBadAt: Instant? = nil, lastBadAt: Instant? = nil,
    p99Ms: Double? = nil
  ) {
    self.deployment = deployment
    self.counts = counts
    self.firstBadAt = firstBadAt
    self.lastBadAt = lastBadAt
    self.p99Ms = p99Ms
  }
}

/// Whether the evidence can be believed. *Silent* is not broken: no traffic is a fact.
package enum SourceHealth: Codable, Equatable, Sendable {
  case sound
  /// The stream was cut or disagrees with the router's own counters: one sentence.
  case broken(reason: String)
}

/// What the router saw in [from, to).
package struct EvidenceBin: Codable, Equatable, Sendable {
  package let from: Instant
  package let to: Instant
  /// Sorted by deployment; a deployment without traffic may be absent.
  package let arms: [ArmEvidence]
  package let source: SourceHealth
  package init(from: Instant, to: Instant, arms: [ArmEvidence], source: SourceHealth) {
    self.from = from
    self.to = to
    self.arms = arms
    self.source = source
  }
  package func counts(of deployment: DeploymentID) -> RequestCounts {
    arms.first { $0.deployment == deployment }?.counts ?? .zero
  }
}

/// Real responses, old and new told apart exactly, with no cooperation of the service.
package protocol Telemetry: Sendable {
  /// Bins of `width`, from now on, until the consuming task ends. A request is slow above `slowerThan`.
  func bins(service: ServiceName, environment: EnvironmentName, slowerThan: Span, width: Span)
    async throws(Outage) -> AsyncStream<EvidenceBin>
  /// What the past says of a deployment: totals over at most `window` before now.
  func history(of deployment: DeploymentID, slowerThan: Span, window: Span) async throws(Outage) -> RequestCounts
  /// The same as `history` in windows of `width`, oldest first: how bad requests crowd together. Empty when the source
  /// keeps no such history.
  func historyWindows(of deployment: DeploymentID, slowerThan: Span, window: Span, width: Span)
    async throws(Outage) -> [RequestCounts]
  /// Whom a deployment hurt since an instant (at most as far back as the history reaches).
  func harm(by deployment: DeploymentID, slowerThan: Span, since: Instant) async throws(Outage) -> Harm
}

extension Telemetry {
  /// A source that keeps no such history: `history` has the totals.
  package func historyWindows(of deployment: DeploymentID, slowerThan: Span, window: Span, width: Span)
    async throws(Outage) -> [RequestCounts]
  {
    []
  }
}

/// What bad responses did to people, as far as the router can know it.
package struct Harm: Codable, Equatable, Sendable {
  package let counts: RequestCounts
  package let firstBadAt: Instant?
  package let lastBadAt: Instant?
  /// Distinct (client address, minute) pairs with at least one bad response: user-minutes, where a client address is
  /// the best the router knows of a user.
  package let clientMinutes: Int
  package init(counts: RequestCounts, firstBadAt: Instant?, lastBadAt: Instant?, clientMinutes: Int) {
    self.counts = counts
    self.firstBadAt = firstBadAt
    self.lastBadAt = lastBadAt
    self.clientMinutes = clientMinutes
  }
}
