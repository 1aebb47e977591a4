import Kernel

extension MergeQueue {
  package enum EjectionReason: String, Codable, Sendable, CaseIterable {
    case conflict
    case testFailed
    case timedOut
    /// The test ended by a signal.
    case killed
    /// The trunk already contains the change.
    case alreadyLanded
    /// plimsoll.yaml no longer names the queue's branch.
    case queueRetired
  }

  /// A change that left the queue without landing: through its own doing, unless the queue itself went.
  package struct Ejection: Codable, Equatable, Sendable {
    package let entry: Int
    package let branch: BranchName
    package let head: CommitID
    package let author: String
    package let title: String
    package let reason: EjectionReason
    /// The failed test's output; nil when no test ran.
    package let log: Digest?
    /// For a person: what, why, and what to do next.
    package let sentence: String
    /// Entries ahead that were assumed when it failed and have landed since; empty when it failed on the trunk.
    package let against: [Int]
    package let at: Instant
    package init(
      entry: Int, branch: BranchName, head: CommitID, author: String, title: String, reason: EjectionReason,
      log: Digest?, sentence: String, against: [Int], at: Instant
    ) {
      self.entry = entry
      self.branch = branch
      self.head = head
      self.author = author
      self.title = title
      self.reason = reason
      self.log = log
      self.sentence = sentence
      self.against = against
      self.at = at
    }
  }

  /// `#1, #2 and #3`.
  static func list(_ entries: [Int]) -> String {
    let names = entries.map { "#\($0)" }
    guard let last = names.last, names.count > 1 else { return names.first ?? "" }
    return names.dropLast().joined(separator: ", ") + " and " + last
  }

  /// How a test ended, without its output.
  static func words(for end: RunEnd) -> String {
    switch end {
    case .exited(let code): "exited with \(code)"
    case .signalled(let number): "was killed by signal \(number)"
    case .timedOut: "ran out of time"
    case .cancelled: "was cancelled"
    }
  }
}

extension MergeQueue.Entry {
  /// The ejection that its verdict amounts to on `trunk`; nil while it is live.
  func ejection(from trunk: BranchName, at: Instant) -> MergeQueue.Ejection? {
    let name = "#\(id) (\(facts.branch))"
    switch phase {
    case .queued, .prepared, .passed:
      return nil
    case .conflicted(let conflict):
      let company =
        conflict.assumed.isEmpty
        ? "" : " with \(MergeQueue.list(conflict.assumed)) in it"
      let paths = conflict.paths.isEmpty ? conflict.detail : conflict.paths.joined(separator: ", ")
      return ejection(
        .conflict, log: nil, against: conflict.assumed, at: at,
        "\(name) does not merge onto \(trunk)\(company): \(MergeQueue.oneLine(paths)). "
          + "Rebase it onto \(trunk) and submit it again.")
    case .contained(let containment):
      return ejection(
        .alreadyLanded, log: nil, against: containment.assumed, at: at,
        "\(trunk) already contains \(name): nothing is left to land.")
    case .failed(let failed):
      let assumed = failed.candidate.assumed
      let company =
        assumed.isEmpty
        ? " on \(trunk)" : " together with \(MergeQueue.list(assumed)), which landed before it"
      return ejection(
        failed.end.ejectionReason, log: failed.log, against: assumed, at: at,
        "The test of \(name)\(company) \(failed.reason). Read the log, mend the change and submit it again.")
    }
  }

  /// The ejection of an entry whose queue plimsoll.yaml no longer names.
  func ejectionByRetirement(of policy: MergeQueue.Policy, isPushed: Bool, at: Instant) -> MergeQueue.Ejection {
    let push = isPushed ? " It was being pushed at that moment: look whether \(policy.trunk) has it." : ""
    return ejection(
      .queueRetired, log: nil, against: [], at: at,
      "#\(id) (\(facts.branch)) left with its queue: plimsoll.yaml no longer names \(policy.trunk) of "
        + "\(policy.repository).\(push) Add it again and submit the branch then.")
  }

  private func ejection(
    _ reason: MergeQueue.EjectionReason, log: Digest?, against: [Int], at: Instant, _ sentence: String
  ) -> MergeQueue.Ejection {
    MergeQueue.Ejection(
      entry: id, branch: facts.branch, head: facts.head, author: facts.author, title: facts.title, reason: reason,
      log: log, sentence: sentence, against: against, at: at)
  }
}

extension RunEnd {
  fileprivate var ejectionReason: MergeQueue.EjectionReason {
    switch self {
    case .exited, .cancelled: .testFailed
    case .signalled: .killed
    case .timedOut: .timedOut
    }
  }
}
