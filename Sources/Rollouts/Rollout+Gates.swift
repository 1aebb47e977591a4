import Kernel

/// Steps that ask a person, and what the person says.
extension Rollout {
  /// Why a person is asked.
  package enum Gate: Codable, Equatable, Sendable {
    /// The step says so.
    case approval
    /// The time that it may wait for evidence is over; what is missing, in one sentence.
    case evidence(String)
  }

  /// A person lets a rollout go on.
  package struct Approval: Codable, Equatable, Sendable {
    package let rollout: RolloutID
    /// The step's index that the person saw: refused when the rollout is elsewhere by now.
    package let step: Int
    package let actor: String
    /// One line, at most `Rollout.reasonLimit` characters.
    package let reason: String
    package init(rollout: RolloutID, step: Int, actor: String, reason: String) {
      self.rollout = rollout
      self.step = step
      self.actor = actor
      self.reason = reason
    }
  }

  static func approve(_ approval: Approval, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let place = try configuredPlace(in: state)
    try checkReason(approval.reason, "An approval")
    let (course, index) = try open(approval, place, in: state)
    if let frozen = state.held(course) {
      throw Refusal(
        .notNow, "\(place) is frozen, so rollout \(course.id) goes no further (\(frozen.freeze.words)): thaw it first.")
    }
    let verdict = course.isJudged(at: index) ? course.note?.verdict : nil
    return [.approved(course.id, index: index, approval, verdict: verdict, at: turn.now)]
      + passed(course, index, verdict: verdict, in: state, turn)
  }

  /// The rollout and the step that wait, when they are those that the person saw.
  private static func open(
    _ approval: Approval, _ place: String, in state: State
  ) throws(Refusal) -> (course: Course, index: Int) {
    guard let course = state.live, let index = state.step else {
      let now =
        state.running.map { "rollout \($0.id) is not at a step" } ?? "no rollout runs"
      throw Refusal(
        .notNow, "Nothing in \(place) waits for an approval: \(now). See 'plimsoll rollout \(state.names)'.")
    }
    guard course.id == approval.rollout, index == approval.step else {
      throw Refusal(
        .notNow,
        "Step \(approval.step + 1) of rollout \(approval.rollout) does not wait in \(place): rollout \(course.id) is at "
          + "step \(index + 1), \(course.percent(at: index)) %. Approve that one, if it is meant.")
    }
    switch state.phase {
    case .watching, .gated, .finalWatch: return (course, index)
    case .idle, .sealing, .placing, .drilling, .stepping, .scaling, .finishing, .restoring, .reporting, .closing,
      .closed:
      throw Refusal(
        .notNow,
        "Step \(index + 1) of rollout \(course.id) in \(place) does not wait for an approval yet: its shares or "
          + "instances are not confirmed. Ask again when it is watched.")
    }
  }

  /// The time to wait for evidence is over, whatever came of it.
  static func asked(_ course: Course, _ index: Int, _ turn: TurnContext) -> [Event] {
    let missing =
      switch course.note?.verdict {
      case nil: "no evidence has come"
      case .good(let power)?: course.scarcity(of: power, at: index) ?? power.sentence
      case .notEnoughEvidence(let scarcity)?: scarcity.sentence
      case .sourceBroken(let reason)?: "the evidence cannot be believed: \(reason)"
      case .bad(let conviction)?: conviction.sentence
      }
    return [.gated(course.id, index: index, .evidence(missing), at: turn.now)]
  }

  // MARK: What follows a step

  /// A step that is good enough: a person is asked, where the step says so, else it is passed.
  static func good(
    _ course: Course, _ index: Int, verdict: Verdict?, in state: State, _ turn: TurnContext
  ) -> [Event] {
    if course.step(at: index)?.approval == true { return [.gated(course.id, index: index, .approval, at: turn.now)] }
    return passed(course, index, verdict: verdict, in: state, turn)
  }

  static func passed(
    _ course: Course, _ index: Int, verdict: Verdict?, in state: State, _ turn: TurnContext
  ) -> [Event] {
    let passed = Event.stepPassed(course.id, index: index, verdict: verdict)
    if index >= course.lastIndex {
      if course.percent(at: index) < 100 { return [passed, .finishing(course.id, at: turn.now)] }
      return [passed] + completed(course, at: turn.now, in: state)
    }
    guard course.limit(at: index + 1) == course.limit(at: index) else {
      return [passed, .scalingBegan(course.id, index: index + 1, readyBy: turn.now + course.policy.startLimit)]
    }
    return [passed, stepEntry(course, index + 1, turn)]
  }
}

extension Course {
  /// What keeps a good verdict from being good enough for a step, in one sentence; nil when nothing does.
  func scarcity(of power: Power, at index: Int) -> String? {
    guard let wanted = step(at: index)?.detect else { return nil }
    guard let seen = power.detectableRatio else {
      return "a worsening by \(Rollout.ratio(wanted)) would not have been seen yet, as this step asks for."
    }
    return seen <= wanted
      ? nil
      : "a worsening by \(Rollout.ratio(seen)) would have been seen, and this step asks for \(Rollout.ratio(wanted))."
  }
}
