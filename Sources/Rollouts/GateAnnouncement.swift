import Kernel

/// What people are told when a rollout waits for one of them: once for each gate, and not any more once it is open.
extension Rollout.State {
  /// Of the gate at which the rollout stands; nil when nobody is asked.
  var gateAnnouncement: Announcement? {
    guard case .gated(let course, let index, let gate, let since) = phase else { return nil }
    let version = course.canary
    let place = "\(version.service) in \(version.environment)"
    let step = "step \(index + 1) of rollout \(course.id), \(course.percent(at: index)) %"
    let evidence = course.isJudged(at: index) ? course.note?.verdict.words : "this step is not judged"
    return Announcement(
      id: "\(version.service)/\(version.environment)/\(course.id)/gate-\(index + 1)-\(gate.word)", kind: "gate",
      service: version.service, environment: version.environment,
      headline: "\(place) waits for a person: may \(version.commit.short) go on from \(course.percent(at: index)) %?",
      reason: gate.sentence(of: step),
      facts: [
        Announcement.Fact("new version", "\(version.commit.short) (\(version.digest.short))"),
        Announcement.Fact("evidence", evidence ?? "none has come"),
        Announcement.Fact("to let it go on", "plimsoll rollout approve \(names) --reason TEXT"),
        Announcement.Fact("to take it back", "plimsoll rollback \(names) --reason TEXT"),
      ],
      path: "/rollouts/\(version.service)/\(version.environment)/\(course.id)", at: since)
  }

  /// After each event, for what stands until it is over: a gate, a budget's freeze. A gate's name does not hold the
  /// instant: an instance that ended closes a gate, which may then ask anew.
  mutating func announce(_ now: Announcement?, insteadOf before: Announcement?) {
    guard now?.id != before?.id else { return }
    // Nobody needs to hear of a gate that is open, or of a freeze that thawed.
    if let before { announcements.removeAll { $0.id == before.id } }
    let targets = policy?.announceTargets ?? 0
    if let now, targets > 0 {
      announcements.append(PendingAnnouncement(announcement: now, targets: Array(0..<targets)))
    }
  }
}

extension Rollout.Gate {
  fileprivate var word: String {
    switch self {
    case .approval: "approval"
    case .evidence: "evidence"
    }
  }

  fileprivate func sentence(of step: String) -> String {
    switch self {
    case .approval: "plimsoll.yaml asks for an approval at \(step); its time and its evidence are through."
    case .evidence(let missing): "The time to wait for evidence is over at \(step): \(missing)"
    }
  }
}

extension Verdict {
  /// What it says, in one sentence.
  fileprivate var words: String {
    switch self {
    case .good(let power): power.sentence
    case .bad(let conviction): conviction.sentence
    case .notEnoughEvidence(let scarcity): scarcity.sentence
    case .sourceBroken(let reason): "it cannot be believed: \(reason)"
    }
  }
}
