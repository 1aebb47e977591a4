/// Which paths a change touches, for lanes: two changes are apart only when both lists are complete and share nothing.
package struct ChangedPaths: Codable, Equatable, Sendable {
  /// Sorted, each once, from the repository's root with `/`. A rename is both of its names, a submodule is its own path.
  /// A path that is no UTF-8 has its bytes above 0x7f as `\ooo`, as git prints them.
  package let paths: [String]
  /// False when there were more than are listed; such a change may touch anything.
  package let isComplete: Bool

  /// The most paths listed. The 95th percentile of changes has 4 to 24 lanes (research/merge-queue.md §4.3); 2,000 paths
  /// are about 100 KB in an event, and a change that touches more meets nearly every lane.
  package static let limit = 2_000
  /// The most bytes listed: what 2,000 paths of 128 bytes take.
  package static let limitBytes = 256 << 10

  package init(paths: [String], isComplete: Bool) {
    self.paths = paths
    self.isComplete = isComplete
  }

  /// Sorts, drops repetitions, and keeps to the limits. O(n log n).
  package init(bounding all: [String]) {
    var kept: [String] = []
    var bytes = 0
    var isComplete = true
    for path in all.sorted() where path != kept.last {
      bytes += path.utf8.count
      guard kept.count < Self.limit, bytes <= Self.limitBytes else {
        isComplete = false
        break
      }
      kept.append(path)
    }
    self.init(paths: kept, isComplete: isComplete)
  }
}

/// How a branch's head came from an earlier one.
package enum HeadMove: String, Codable, Equatable, Sendable {
  /// It holds the earlier head, or is it.
  case advanced
  /// The earlier head holds it: someone went back.
  case rewound
  /// Neither holds the other: history was rewritten.
  case rewritten
}

/// A change as its forge shows it now; what a queued entry is held against.
package struct ChangeState: Codable, Equatable, Sendable {
  package let branch: BranchName
  /// Nil when the branch is gone.
  package let head: CommitID?
  /// The branch that it asks to land on; nil where the forge does not say, as plain git.
  package let target: BranchName?
  /// Closed or merged by someone else. Plain git has no such word: a branch is there or gone.
  package let isClosed: Bool
  /// Not yet meant to land.
  package let isDraft: Bool
  /// Sorted.
  package let labels: [String]
  /// Who approves of the head as it is, sorted; an approval that the forge dismissed with a push is not among them.
  /// Empty on plain git, which has none: there they come by Plimsoll's own API.
  package let approvals: [String]
  /// What others reported, on any commit; sorted by name, reporter and commit. Empty on plain git.
  package let checks: [CheckResult]

  package init(
    branch: BranchName, head: CommitID?, target: BranchName? = nil, isClosed: Bool = false, isDraft: Bool = false,
    labels: [String] = [], approvals: [String] = [], checks: [CheckResult] = []
  ) {
    self.branch = branch
    self.head = head
    self.target = target
    self.isClosed = isClosed
    self.isDraft = isDraft
    self.labels = labels
    self.approvals = approvals
    self.checks = checks
  }

  /// Why a change is not any more what was queued.
  package enum Drift: Codable, Equatable, Sendable {
    case gone
    case closed
    case draft
    case retargeted(to: BranchName)
    /// Pushed to, with or without force.
    case edited(to: CommitID)
  }

  /// The first reason, in the order above, that the change is not what was queued at `head` for `trunk`; nil while it is.
  package func drift(from head: CommitID, for trunk: BranchName) -> Drift? {
    guard let now = self.head else { return .gone }
    if isClosed { return .closed }
    if isDraft { return .draft }
    if let target, target != trunk { return .retargeted(to: target) }
    return now == head ? nil : .edited(to: now)
  }
}

extension ChangeState.Drift {
  /// Words that follow the branch's name: "topic was deleted".
  package var sentence: String {
    switch self {
    case .gone: "was deleted; push it again and submit it"
    case .closed: "was closed; open it again and submit it"
    case .draft: "was made a draft; mark it ready and submit it"
    case .retargeted(let target): "asks to land on \(target) now; submit it there"
    case .edited(let head): "was pushed to and is at \(head.short) now, which was not what was queued; submit it again"
    }
  }
}

/// What someone else's CI says of a commit.
package struct CheckResult: Codable, Equatable, Sendable {
  package enum State: String, Codable, Sendable, CaseIterable {
    case pending, passed, failed
  }
  package let name: String
  package let state: State
  /// The commit that was checked; not always one that is still wanted.
  package let commit: CommitID
  /// Who says so, as the forge names it (an application, a user): two reporters may use one name.
  package let reporter: String
  package init(name: String, state: State, commit: CommitID, reporter: String) {
    self.name = name
    self.state = state
    self.commit = commit
    self.reporter = reporter
  }
}

/// What all reports under one name come to, for one commit.
package enum CheckStanding: Codable, Equatable, Sendable {
  /// Nobody reported on this commit; `elsewhere` are the commits that somebody did report on, sorted.
  case missing(elsewhere: [CommitID])
  case pending(reporters: [String])
  case passed
  /// Sorted reporters. One that failed outweighs any that passed: a second check of the name cannot hide the first.
  case failed(reporters: [String])
}

extension [CheckResult] {
  /// What they say of the check `name` at `commit`. Reports on other commits count for nothing, however green.
  ///
  /// - Parameter reporter: whose word alone counts; nil lets everybody's count who uses the name, and then all must pass.
  ///   Of several reports of one reporter the last listed counts: it is that reporter's later word.
  /// Whether its standing is `passed`, for those who ask it of thousands. O(n²), without a copy.
  package func hasPassed(_ name: String, at commit: CommitID) -> Bool {
    var isKnown = false
    for (index, result) in enumerated() where result.name == name && result.commit == commit {
      let isOutdone = self[(index + 1)...].contains {
        $0.name == name && $0.commit == commit && $0.reporter == result.reporter
      }
      if isOutdone { continue }
      if result.state != .passed { return false }
      isKnown = true
    }
    return isKnown
  }

  package func standing(of name: String, at commit: CommitID, from reporter: String? = nil) -> CheckStanding {
    let named = filter { $0.name == name && (reporter == nil || $0.reporter == reporter) }
    var latest: [CheckResult] = []
    for result in named where result.commit == commit {
      latest.removeAll { $0.reporter == result.reporter }
      latest.append(result)
    }
    func reporters(_ state: CheckResult.State) -> [String] {
      latest.filter { $0.state == state }.map(\.reporter).sorted()
    }
    let (failed, pending) = (reporters(.failed), reporters(.pending))
    if !failed.isEmpty { return .failed(reporters: failed) }
    if !pending.isEmpty { return .pending(reporters: pending) }
    guard latest.isEmpty else { return .passed }
    var elsewhere: [CommitID] = []
    for commit in named.map(\.commit).sorted() where commit != elsewhere.last { elsewhere.append(commit) }
    return .missing(elsewhere: elsewhere)
  }
}

extension CheckStanding {
  /// One sentence about the check `name`; nil when it passed.
  package func sentence(of name: String, at commit: CommitID) -> String? {
    switch self {
    case .passed: nil
    case .missing(let elsewhere):
      elsewhere.isEmpty
        ? "nobody has reported the check '\(name)' on \(commit.short)"
        : "the check '\(name)' is reported on \(elsewhere[0].short) only, which is not wanted any more; it is awaited on "
          + commit.short
    case .pending(let reporters): "the check '\(name)' of \(Self.list(reporters)) has not ended"
    case .failed(let reporters): "the check '\(name)' of \(Self.list(reporters)) failed on \(commit.short)"
    }
  }

  private static func list(_ names: [String]) -> String { names.joined(separator: " and ") }
}

/// What Plimsoll says of a change on the change itself: where it stands, or what holds it up.
package struct ChangeNote: Codable, Equatable, Sendable {
  package let branch: BranchName
  /// The head that was queued; the note stays with it when the branch moves on.
  package let head: CommitID
  /// A few lines for people, at most `limit` characters.
  package let text: String
  /// When this became so: the only date that a note has.
  package let at: Instant
  package let fence: Fence

  /// The most characters of a note: a screen.
  package static let limit = 2_000

  /// - Parameter text: cut to `limit` characters, without white space at its ends.
  package init(branch: BranchName, head: CommitID, text: String, at: Instant, fence: Fence) {
    self.branch = branch
    self.head = head
    var kept = text.prefix(Self.limit)
    while kept.last?.isWhitespace == true { kept.removeLast() }
    self.text = String(kept.drop { $0.isWhitespace })
    self.at = at
    self.fence = fence
  }
}
