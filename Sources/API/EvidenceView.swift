/// `GET /v1/rollouts/{service}/{environment}/{id}/evidence`: what the judge saw and thought.
public struct EvidenceView: Codable, Equatable, Sendable {
  public var rollout: Int
  public var canary: String
  /// Nil for a first deployment.
  public var control: String?
  /// A request is slow above this.
  public var slowerThanMs: Int64
  /// Oldest first.
  public var points: [EvidencePointView]
  public init(
    rollout: Int, canary: String, control: String?, slowerThanMs: Int64, points: [EvidencePointView]
  ) {
    self.rollout = rollout
    self.canary = canary
    self.control = control
    self.slowerThanMs = slowerThanMs
    self.points = points
  }
}

/// What both did since the point before, and where the tests stood then.
public struct EvidencePointView: Codable, Equatable, Sendable {
  public var atMs: Int64
  public var canary: CountsView
  public var control: CountsView
  public var tests: [TestView]
  public init(atMs: Int64, canary: CountsView, control: CountsView, tests: [TestView]) {
    self.atMs = atMs
    self.canary = canary
    self.control = control
    self.tests = tests
  }
}

/// `errors` and `slow` do not overlap.
public struct CountsView: Codable, Equatable, Sendable {
  public var requests: Int
  public var errors: Int
  public var slow: Int
  public init(requests: Int, errors: Int, slow: Int) {
    self.requests = requests
    self.errors = errors
    self.slow = slow
  }
}

/// One rule's sequential test.
public struct TestView: Codable, Equatable, Sendable {
  /// `errorRate`, `latency`, `ceiling`.
  public var rule: String
  /// Natural logarithm of the e-value.
  public var logEvidence: Double
  /// The rule convicts at `logEvidence >= threshold`.
  public var threshold: Double
  public init(rule: String, logEvidence: Double, threshold: Double) {
    self.rule = rule
    self.logEvidence = logEvidence
    self.threshold = threshold
  }
}
