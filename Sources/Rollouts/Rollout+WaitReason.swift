import Kernel

extension Rollout {
  /// Why nothing moves on right now, in one sentence for a page; nil when nothing is wanted.
  package static func waitReason(_ state: State) -> String? {
    if let trouble = state.trouble, trouble.key.text.hasPrefix("seal/") || trouble.key.text.hasPrefix("run/") {
      return "The world keeps failing: \(trouble.why)."
    }
    switch state.phase {
    case .idle:
      return state.pending == nil ? nil : "A version waits for this environment to be configured."
    case .closing: return "Retired: plimsoll.yaml no longer names it. Its traffic is being taken away."
    case .closed:
      let back =
        state.knownGood.first.map { "add it again, and \($0.deployment.commit.short) comes back" }
        ?? "nothing was known good here"
      let stopping = state.retiring.isEmpty ? "" : " What ran is being stopped."
      return "Retired: no longer in plimsoll.yaml; \(back).\(stopping)"
    case .sealing(let offer): return "The configuration of \(offer.commit.short) is being sealed."
    case .placing(let course): return placingReason(course)
    case .stepping(let course, let index):
      return "The router has not confirmed \(course.percent(at: index)) % for \(course.canary.commit.short) yet."
    case .watching(let course, let index, let since):
      let ends = since + course.policy.stepMinimum
      return watchReason(course, "\(course.canary.commit.short) is watched at \(course.percent(at: index)) %", ends)
    case .finalWatch(let course, let since):
      let ends = since + course.policy.finalWatch
      return watchReason(
        course, "\(course.canary.commit.short) has all traffic and is watched until it counts as known-good", ends)
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

  private static func watchReason(_ course: Course, _ what: String, _ ends: Instant) -> String {
    guard course.isJudged else { return "\(what) until its time is up; traffic is not judged here." }
    guard let note = course.note else { return "\(what): no evidence has come yet." }
    switch note.verdict {
    case .good(let power):
      return note.at < ends ? "\(what) until its minimum time is up: \(power.sentence)" : "\(what): \(power.sentence)"
    case .bad(let conviction): return "\(what): \(conviction.sentence)"
    case .notEnoughEvidence(let scarcity):
      switch course.policy.scarcity {
      case .hold: return "\(what) and holds until there is evidence: \(scarcity.sentence)"
      case .advance(let after):
        return "\(what), and goes on without evidence after \(after.words): \(scarcity.sentence)"
      }
    case .sourceBroken(let reason): return "\(what) and holds, because the evidence cannot be believed: \(reason)"
    }
  }
}
