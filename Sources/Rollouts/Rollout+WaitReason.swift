import Kernel

extension Rollout {
  /// Why nothing moves on right now, in one sentence for a page; nil when nothing is wanted.
  package static func waitReason(_ state: State) -> String? {
    if let trouble = state.trouble, trouble.key.text.hasPrefix("seal/") || trouble.key.text.hasPrefix("run/") {
      return "The world keeps failing: \(trouble.why)."
    }
    if let held = heldReason(state) { return held }
    switch state.phase {
    case .idle:
      return state.pending == nil ? nil : "A version waits for this environment to be configured."
    case .closing: return "Closed: plimsoll.yaml no longer names it. Its traffic is being taken away."
    case .closed:
      let back =
        state.knownGood.first.map { "add it again, and \($0.deployment.commit.short) comes back" }
        ?? "nothing was known good here"
      let stopping = state.retiring.isEmpty ? "" : " What ran is being stopped."
      return "Closed: no longer in plimsoll.yaml; \(back).\(stopping)"
    case .sealing(let offer): return "The configuration of \(offer.commit.short) is being sealed."
    case .placing(let course): return placingReason(course)
    case .drilling(let course, let drill): return drillReason(course, drill)
    case .stepping(let course, let index):
      return "The router has not confirmed \(course.percent(at: index)) % for \(course.canary.commit.short) yet."
    case .scaling(let course, let index):
      return "Step \(index + 1) asks for \(course.limit(at: index).map { "\($0)" } ?? "all") instances of "
        + "\(course.canary.commit.short), which are not ready yet; they may take \(course.policy.startLimit.words)."
    case .watching(let course, let index, let since):
      let what = "\(course.canary.commit.short) is watched at \(course.percent(at: index)) %"
      return watchReason(course, index, what, since + course.minimum(at: index))
    case .gated(let course, let index, let gate, since: _): return gateReason(course, index, gate, state)
    case .finalWatch(let course, let since):
      let index = course.lastIndex
      let share = course.holdback == 0 ? "all traffic" : "\(course.percent(at: index)) % of the traffic"
      return watchReason(
        course, index, "\(course.canary.commit.short) has \(share) and is watched until it counts as known-good",
        since + course.minimum(at: index))
    case .finishing(let course):
      return "The router has not confirmed all traffic for \(course.canary.commit.short) yet; then it is known-good."
    case .restoring(let course, let condemnation):
      return "\(course.canary.commit.short) is being taken out of traffic: \(condemnation.sentence)"
    case .reporting(let course, _, restoredAt: _):
      return "Traffic is restored; what \(course.canary.commit.short) did is being collected for the report."
    }
  }

  private static func placingReason(_ course: Course) -> String {
    if course.endpoints == nil {
      let limit = course.policy.startLimit.words
      return "The instances of \(course.canary.commit.short) are not ready yet; they may take \(limit)."
    }
    return "The baseline of the serving version is being measured."
  }

  /// Nil where a freeze holds nothing that could move now.
  private static func heldReason(_ state: State) -> String? {
    guard let frozen = state.frozen, !state.isRetired else { return nil }
    let until = frozen.freeze.until == nil ? "until someone runs" : "until its time is up, or someone runs"
    let thaw = state.policy.map { "plimsoll thaw \($0.environment) --service \($0.service)" } ?? "plimsoll thaw"
    let words = "is frozen (\(frozen.freeze.words)) \(until) '\(thaw)'."
    guard let course = state.live else {
      guard case .idle = state.phase, state.policy != nil else { return nil }
      return state.pending.map { "\($0.commit.short) waits, because this place \(words)" }
    }
    guard state.held(course) != nil else { return nil }
    let why = words + behind(course, in: state)
    switch state.phase {
    case .watching, .gated, .finalWatch:
      let percent = course.percent(at: state.step ?? 0)
      return "\(course.canary.commit.short) stays at \(percent) %, because this place \(why)"
    case .placing where course.endpoints != nil && !course.needsBaseline, .drilling(_, .done), .scaling:
      return "Rollout \(course.id) goes no further, because this place \(why)"
    case .idle, .sealing, .placing, .drilling, .stepping, .finishing, .restoring, .reporting, .closing, .closed:
      return nil
    }
  }

  /// What a rollout that a budget halted keeps waiting, an override too.
  private static func behind(_ course: Course, in state: State) -> String {
    guard state.freeze?.actor == budgetActor else { return "" }
    return " To bring in a fix before that, run 'plimsoll rollback \(state.names)' first: "
      + "until rollout \(course.id) is over, an override waits behind it."
  }

  private static func drillReason(_ course: Course, _ drill: Drill) -> String {
    let canary = course.canary.commit.short
    switch drill {
    case .there: return "The router has not confirmed \(course.drillPercent) % for \(canary) yet, as the drill wants."
    case .held: return "The drill leaves \(course.drillPercent) % of the traffic with \(canary) for \(drillSpan.words)."
    case .back: return "The router has not confirmed the way back from \(canary) yet, as the drill wants."
    case .counting: return "Traffic is back; what \(canary) answered during the drill is being counted."
    case .done(let report): return "The drill is over: \(report.sentence)"
    }
  }

  private static func gateReason(_ course: Course, _ index: Int, _ gate: Gate, _ state: State) -> String {
    let step = "step \(index + 1) of rollout \(course.id), \(course.percent(at: index)) %,"
    let next = "run 'plimsoll rollout approve \(state.names)' or 'plimsoll rollback \(state.names)'"
    switch gate {
    case .approval:
      let nothing = course.isJudged && !course.isJudged(at: index) ? "; its traffic was not judged" : ""
      return "A person must approve \(step) before it goes on\(nothing): \(next)."
    case .evidence(let missing):
      return "A person is asked about \(step) because the evidence does not suffice: \(next). \(missing.asSentence)"
    }
  }

  private static func watchReason(_ course: Course, _ index: Int, _ what: String, _ ends: Instant) -> String {
    guard course.isJudged else { return "\(what) until its time is up; traffic is not judged here." }
    guard course.isJudged(at: index) else {
      let reach = course.preview == nil ? "no request" : "only preview requests"
      return "\(what) until its time is up: \(reach) can reach it, so nothing is judged."
    }
    guard let note = course.note else { return "\(what): no evidence has come yet." }
    switch note.verdict {
    case .good(let power):
      if let scarcity = course.scarcity(of: power, at: index) { return scarceReason(course, what, scarcity) }
      return note.at < ends ? "\(what) until its minimum time is up: \(power.sentence)" : "\(what): \(power.sentence)"
    case .bad(let conviction): return "\(what): \(conviction.sentence)"
    case .notEnoughEvidence(let scarcity): return scarceReason(course, what, scarcity.sentence)
    case .sourceBroken(let reason): return "\(what) and holds, because the evidence cannot be believed: \(reason)"
    }
  }

  private static func scarceReason(_ course: Course, _ what: String, _ missing: String) -> String {
    switch course.policy.scarcity {
    case .hold: "\(what) and holds until there is evidence: \(missing)"
    case .advance(let after): "\(what), and goes on without evidence after \(after.words): \(missing)"
    case .ask(let after): "\(what), and asks a person after \(after.words): \(missing)"
    }
  }
}

extension Rollout.State {
  /// "harbor production", as commands take it.
  var names: String { policy.map { "\($0.service) \($0.environment)" } ?? "" }

  /// For a refusal: what the place is doing.
  var phaseWords: String {
    switch phase {
    case .idle: "nothing moves"
    case .sealing: "a configuration is being sealed"
    case .placing: "instances start"
    case .drilling: "a drill is under way"
    case .stepping, .scaling, .watching, .gated, .finalWatch, .finishing: "a rollout is under way"
    case .restoring, .reporting: "a version is being rolled back"
    case .closing, .closed: "it is closed"
    }
  }
}

extension String {
  /// With a capital and a full stop.
  fileprivate var asSentence: String {
    let whole = prefix(1).uppercased() + dropFirst()
    return whole.hasSuffix(".") ? whole : whole + "."
  }
}
