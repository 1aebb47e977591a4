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
    /// An entry that it stands on left without landing.
    case predecessorLeft
    /// It waited longer than `Policy.longestWait`.
    case waitedTooLong
    /// A required database does not let its migrations pass.
    case migrationRefused

    /// Whether its own test says so.
    package var isGuilty: Bool {
      switch self {
      case .testFailed, .timedOut, .killed: true
      case .conflict, .alreadyLanded, .queueRetired, .predecessorLeft, .waitedTooLong, .migrationRefused: false
      }
    }
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
    /// Entries that were built with it when it failed and have landed since; empty when it failed on the trunk.
    package let against: [Int]
    package let at: Instant
    /// What a database says of its migrations; nil unless it left because of that.
    package let report: Digest?
    /// Nil in histories of before that was counted.
    package let stay: Stay?
    package var isGuilty: Bool { reason.isGuilty }

    package init(
      entry: Int, branch: BranchName, head: CommitID, author: String, title: String, reason: EjectionReason,
      log: Digest?, sentence: String, against: [Int], at: Instant, report: Digest? = nil, stay: Stay? = nil
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
      self.report = report
      self.stay = stay
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

/// What a run or a merge says of an entry, as an ejection with its words.
extension MergeQueue.Entry {
  private var name: String { "#\(id) (\(facts.branch))" }

  /// It does not merge onto the trunk, which holds all that it clashed with by now.
  func ejection(by clash: MergeQueue.Clash, from trunk: BranchName, at: Instant) -> MergeQueue.Ejection {
    switch clash.kind {
    case .conflict(let paths, let detail):
      let company = clash.against.isEmpty ? "" : " with \(MergeQueue.list(clash.against)) in it"
      let what = paths.isEmpty ? detail : paths.joined(separator: ", ")
      return ejection(
        .conflict, log: nil, against: clash.against, at: at,
        "\(name) does not merge onto \(trunk)\(company): \(MergeQueue.oneLine(what)). "
          + "Rebase it onto \(trunk) and submit it again.")
    case .containment:
      return ejection(
        .alreadyLanded, log: nil, against: clash.against, at: at,
        "\(trunk) already contains \(name): nothing is left to land.")
    }
  }

  /// - Parameters:
  ///   - run: the red run that says so.
  ///   - landed: members of its build that landed before it.
  ///   - runs: red runs that speak against it.
  func ejection(
    by run: MergeQueue.Run, after landed: [Int], runs: Int, probability: Double, from trunk: BranchName, at: Instant
  ) -> MergeQueue.Ejection {
    let company =
      landed.isEmpty ? " on \(trunk)" : " together with \(MergeQueue.list(landed)), which landed before it"
    let again = runs > 1 ? " (in \(runs) runs)" : ""
    return ejection(
      run.end.ejectionReason, log: run.log, against: landed, at: at,
      "The test of \(name)\(company) \(run.reason)\(again). Read the log, mend the change and submit it again.")
  }

  /// A database does not let its migrations pass.
  func ejection(by noted: MergeQueue.NotedReview, at: Instant) -> MergeQueue.Ejection {
    ejection(
      .migrationRefused, log: nil, against: [], at: at, report: noted.review.report,
      "The migrations of \(name) \(noted.review.words(at: noted.place)). Mend them and submit it again.")
  }

  func ejectionByPredecessor(_ parent: Int, fate: String, at: Instant) -> MergeQueue.Ejection {
    ejection(
      .predecessorLeft, log: nil, against: [], at: at,
      "\(name) stands on #\(parent), which left without landing. Submit it again when \(fate) has been mended.")
  }

  func ejectionByWaiting(_ span: Span, reason: String, at: Instant) -> MergeQueue.Ejection {
    ejection(
      .waitedTooLong, log: nil, against: [], at: at,
      "\(name) waited longer than \(span.seconds / 60) minutes. \(reason) Submit it again when that is over.")
  }

  /// The ejection of an entry whose queue plimsoll.yaml no longer names.
  func ejectionByRetirement(of policy: MergeQueue.Policy, isPushed: Bool, at: Instant) -> MergeQueue.Ejection {
    let push = isPushed ? " It was being pushed at that moment: look whether \(policy.trunk) has it." : ""
    return ejection(
      .queueRetired, log: nil, against: [], at: at,
      "\(name) left with its queue: plimsoll.yaml no longer names \(policy.trunk) of "
        + "\(policy.repository).\(push) Add it again and submit the branch then.")
  }

  private func ejection(
    _ reason: MergeQueue.EjectionReason, log: Digest?, against: [Int], at: Instant, report: Digest? = nil,
    _ sentence: String
  ) -> MergeQueue.Ejection {
    MergeQueue.Ejection(
      entry: id, branch: facts.branch, head: facts.head, author: facts.author, title: facts.title, reason: reason,
      log: log, sentence: sentence, against: against, at: at, report: report, stay: MergeQueue.Stay(of: self, at: at))
  }
}

extension SchemaReview {
  /// After "the migrations": what is wrong with them there, and why.
  package func words(at place: String) -> String {
    let what =
      switch fit {
      case .breaks: "would break what lives on \(place)"
      case .hazard: "are a danger to \(place)"
      case .unknown: "cannot be judged on \(place)"
      case .compatible: "are refused by \(place)"
      }
    let reason = why.hasSuffix(".") ? String(why.dropLast()) : why
    return reason.isEmpty ? what : "\(what): \(reason)"
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
