import Kernel

/// What people ask of a queue.
extension MergeQueue {
  static func configure(
    _ policy: Policy, replacing old: Policy, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    guard policy != old else { return [] }
    try policy.validate()
    guard policy.repository == old.repository, policy.trunk == old.trunk else {
      throw Refusal(
        .malformed,
        "This is the queue of \(old.repository)/\(old.trunk), not of \(policy.repository)/\(policy.trunk); "
          + "each branch has a queue of its own.")
    }
    return settled(
      [.configured(policy)] + reviewsAsked(under: policy, replacing: old, in: state, at: turn.now), in: state, turn)
  }

  static func submit(
    _ submission: Submission, under policy: Policy, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    let branch = submission.branch
    guard branch != policy.trunk else {
      throw Refusal(.malformed, "\(branch) is the trunk itself; submit the branch that shall land on it.")
    }
    let old = state.entries.first { $0.facts.branch == branch }
    if let old, old.facts.head == submission.head {
      let place = state.place(of: old.id) ?? 1
      throw Refusal(
        .notNow, "\(branch) at \(submission.head.short) is already queued as #\(old.id), in place \(place).")
    }
    if let hold = state.hold, hold.kind == .draining {
      throw Refusal(
        .notNow,
        "The queue of \(policy.trunk) takes nothing new, because \(hold.by) drains it: \(hold.reason). "
          + "Wait until somebody resumes it.")
    }
    try checkDependencies(of: submission, replacing: old?.id, in: state)
    var causes: [Event] = []
    if let old {
      try refuseWhileLanding(old.id, in: state)
      let reason = "replaced by #\(state.nextEntry), which is \(branch) at \(submission.head.short)"
      causes.append(withdrawal(of: old, reason: reason, at: turn.now))
    } else if state.entries.count >= policy.capacity {
      throw Refusal(
        .notNow,
        "The queue of \(policy.trunk) is full with \(state.entries.count) entries; wait for one to leave, "
          + "or raise its capacity in plimsoll.yaml.")
    }
    causes.append(
      .submitted(
        EntryFacts(
          id: state.nextEntry, branch: branch, head: submission.head, author: oneLine(submission.author),
          title: oneLine(submission.title), submittedAt: turn.now, priority: submission.priority,
          team: submission.team.map(oneLine), after: submission.after.sorted())))
    return settled(causes, in: state, turn)
  }

  private static func checkDependencies(
    of submission: Submission, replacing old: Int?, in state: State
  ) throws(Refusal) {
    guard submission.after.count <= dependencyLimit else {
      throw Refusal(
        .malformed,
        "\(submission.branch) stands on \(submission.after.count) entries, of which \(dependencyLimit) are allowed; "
          + "name only those directly below it.")
    }
    for parent in submission.after {
      guard parent != old else {
        throw Refusal(.malformed, "\(submission.branch) cannot stand on #\(parent), which it replaces.")
      }
      if state.entries.contains(parent) { continue }
      let fate = state.finished.last { $0.facts.id == parent }
      if case .landed? = fate?.outcome { continue }
      throw Refusal(
        .unknown,
        "#\(parent), which \(submission.branch) stands on, is not in the queue. "
          + (fate?.sentence ?? "Submit it first."))
    }
  }

  static func withdraw(
    _ id: Int, reason: String, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    guard let entry = state.entry(id) else { throw unknown(id, in: state) }
    try refuseWhileLanding(id, in: state)
    let line = oneLine(reason)
    let event = withdrawal(of: entry, reason: line.isEmpty ? "no reason given" : line, at: turn.now)
    return settled([event], in: state, turn)
  }

  private static func unknown(_ id: Int, in state: State) -> Refusal {
    let fate = state.finished.last { $0.facts.id == id }?.sentence
    return Refusal(.unknown, "#\(id) is not in the queue. " + (fate ?? "List the queue to see the entries in it."))
  }

  /// A push under way cannot be called back: withdrawing it would tell a lie. One that keeps failing may go.
  private static func refuseWhileLanding(_ id: Int, in state: State) throws(Refusal) {
    guard isLanding(id, in: state), let push = state.push else { return }
    if state.troubles.contains(where: { $0.key == EffectKey("land/\(push.tip)") }) { return }
    throw Refusal(.notNow, "#\(id) is landing at this moment; wait until it has landed.")
  }

  static func hold(
    _ kind: Hold.Kind, reason: String, by: String, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    let line = oneLine(reason)
    guard !line.isEmpty else {
      throw Refusal(.malformed, "Whoever looks at a held queue wants to know why; name a reason.")
    }
    let hold = Hold(kind: kind, reason: line, by: oneLine(by), since: turn.now)
    if let old = state.hold, (old.kind, old.reason, old.by) == (hold.kind, hold.reason, hold.by) { return [] }
    return settled([.held(hold)], in: state, turn)
  }

  static func resume(
    reason: String, by: String, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    guard state.hold != nil else { throw Refusal(.notNow, "The queue is neither paused nor drained; it goes on.") }
    return settled([.resumed(reason: oneLine(reason), by: oneLine(by), at: turn.now)], in: state, turn)
  }

  static func report(
    _ report: Report, of id: Int, under policy: Policy, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    guard let entry = state.entry(id) else { throw unknown(id, in: state) }
    var (approvals, checks) = (entry.approvals, entry.checks)
    var events: [Event] = []
    switch report {
    case .approved(let person):
      guard person != entry.facts.author else {
        throw Refusal(.forbidden, "\(person) wrote #\(id); somebody else has to approve of it.")
      }
      if !approvals.contains(person) { approvals = (approvals + [person]).sorted() }
    case .approvalWithdrawn(let person):
      approvals.removeAll { $0 == person }
    case .affects(let targets):
      let isKnown = entry.targets == targets.sorted()
      if isKnown { return [] }
      events.append(
        .targetsReported(entry: id, targets: Array(targets.sorted().prefix(Lanes.limit + 1)), at: turn.now))
      // With barriers the paths decide too: the report asks for another look at them.
      if !policy.wantsSurvey {
        let lanes = policy.lanes.lanes(of: nil, reported: targets)
        events.append(.surveyed(entry: id, lanes: lanes, at: turn.now))
      }
      return settled(events, in: state, turn)
    case .checked(let result, let tree):
      // The later word of a reporter on a commit takes the place of the earlier.
      checks.removeAll { ($0.name, $0.reporter, $0.commit) == (result.name, result.reporter, result.commit) }
      checks.append(result)
      if let tree, result.state == .passed, result.name == policy.reusedCheck,
        !state.evidence.contains(where: { $0.tree == tree })
      {
        let source = PassedTree.Source.check(name: result.name, reporter: result.reporter, commit: result.commit)
        events.append(.treePassed(PassedTree(tree: tree, source: source, at: turn.now)))
      }
    }
    guard approvals.count <= reportLimit else {
      throw Refusal(.notNow, "#\(id) has \(reportLimit) approvals already; that is enough.")
    }
    checks = Array(checks.suffix(reportLimit))
    if (approvals, checks) != (entry.approvals, entry.checks) {
      events.append(.reported(entry: id, approvals: approvals, checks: checks, at: turn.now))
    }
    return events.isEmpty ? [] : settled(events, in: state, turn)
  }
}
