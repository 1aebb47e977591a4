/// `POST /v1/changes`
public struct SubmitRequest: Codable, Hashable, Sendable {
  public var branch: String
  /// May be left out when there is one repository.
  public var repository: String?
  /// `hotfix`, `high`, `normal` (when left out) or `low`.
  public var priority: String?
  /// Whose change it is, for the measures.
  public var team: String?
  /// Entries in line that it stands on: they land together, these first.
  public var after: [Int]?
  public init(
    branch: String, repository: String? = nil, priority: String? = nil, team: String? = nil, after: [Int]? = nil
  ) {
    self.branch = branch
    self.repository = repository
    self.priority = priority
    self.team = team
    self.after = after
  }
}

/// `DELETE /v1/changes/{repository}/{entry}`
public struct WithdrawRequest: Codable, Hashable, Sendable {
  public var reason: String
  public init(reason: String) { self.reason = reason }
}

/// `POST /v1/changes/{repository}/{entry}/approvals`: the actor approves of the change as it was submitted.
public struct ApprovalRequest: Codable, Hashable, Sendable {
  /// True takes an approval back.
  public var withdraw: Bool?
  public init(withdraw: Bool? = nil) { self.withdraw = withdraw }
}

/// `POST /v1/changes/{repository}/{entry}/checks`: a check of the change ended, or began, elsewhere.
public struct CheckRequest: Codable, Hashable, Sendable {
  public var name: String
  /// `pending`, `passed`, `failed`.
  public var state: String
  /// The commit that was checked; the entry's head when left out.
  public var commit: String?
  /// Who checked; the actor when left out. Two reporters may use one name, and then both must pass.
  public var reporter: String?
  /// The tree that was checked, so that an equal one needs no second run; left out when it is not known.
  public var tree: String?
  public init(name: String, state: String, commit: String? = nil, reporter: String? = nil, tree: String? = nil) {
    self.name = name
    self.state = state
    self.commit = commit
    self.reporter = reporter
    self.tree = tree
  }
}

/// `POST /v1/changes/{repository}/{entry}/targets`: what the change affects, for lanes that are reported.
public struct TargetsRequest: Codable, Hashable, Sendable {
  public var targets: [String]
  public init(targets: [String]) { self.targets = targets }
}

/// `POST /v1/queues/{repository}/hold`
public struct HoldRequest: Codable, Hashable, Sendable {
  /// `paused`: nothing new is built or landed. `draining`: nothing new is taken, those in line land.
  public var kind: String
  public var reason: String
  public init(kind: String, reason: String) {
    self.kind = kind
    self.reason = reason
  }
}

/// `POST /v1/queues/{repository}/resume`
public struct ResumeRequest: Codable, Hashable, Sendable {
  public var reason: String
  public init(reason: String) { self.reason = reason }
}
