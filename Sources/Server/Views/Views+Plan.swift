import API
import Kernel
import Rollouts

/// A rollout's plan, and what holds it.
extension Views {
  /// - Parameter policy: the one that it began with; nil when it is not known any more.
  static func plan(_ start: Rollout.RolloutStart, _ policy: Rollout.Policy?) -> [StepView] {
    start.steps.enumerated().map { index, step in
      let isLast = index == start.steps.count - 1
      // Only forward rollouts wait at their steps.
      let own = start.kind == .forward ? policy : nil
      let minimum = isLast ? own?.finalWatch ?? .zero : step.minimum ?? own?.stepMinimum ?? .zero
      return StepView(
        percent: step.percent, instances: step.instances, minimumMs: minimum.milliseconds, detect: step.detect,
        approval: step.approval,
        words: words(step, minimum, keeping: isLast ? holdback(start, policy) : 0, preview: own?.preview))
    }
  }

  private static func words(
    _ step: Rollout.Step, _ minimum: Span, keeping holdback: Int, preview: PreviewMatch?
  ) -> String {
    var parts: [String] = []
    if step.percent == 0 {
      parts.append(preview == nil ? "0 %: ready, without traffic" : "0 %: preview requests only")
    } else if holdback > 0 {
      parts.append("\(100 - holdback) %, the old version keeps \(holdback) % to compare with")
    } else {
      parts.append("\(step.percent) %")
    }
    if let instances = step.instances { parts[0] += " on \(Words.count(instances, "instance"))" }
    if minimum > .zero { parts.append("at least \(minimum.words)") }
    if let detect = step.detect { parts.append("until a \(Words.decimal(detect))x worsening would have been seen") }
    let ends = (holdback > 0 ? ", then 100 %" : "") + (step.approval ? ", then a person is asked" : "")
    return parts.joined(separator: ", ") + ends
  }

  /// Percent that the old version keeps through this rollout's bake.
  static func holdback(_ start: Rollout.RolloutStart, _ policy: Rollout.Policy?) -> Int {
    policy.map { Course(start: start, policy: $0).holdback } ?? 0
  }

  /// How sure a verdict can be; nil where nothing is judged.
  static func guarantee(_ course: Course) -> String? {
    guard course.isJudged else { return nil }
    switch course.comparison {
    case .beside:
      return "Old and new version are compared at the same moments, so what hurts both is not held against the new one."
    case .before:
      return "Nothing serves beside the new version, so it is compared with the last ten minutes alone: when the usual "
        + "rate has risen by more than \(Words.decimal(course.policy.judge.tolerance))x since, that is held against it."
    case .none: return "Nothing served here before, so fixed limits alone judge: the weakest comparison."
    }
  }

  static func preview(_ match: PreviewMatch) -> String {
    switch match {
    case .header(let name, let value): "the header '\(name): \(value)'"
    case .cookie(let name, let value): "the cookie '\(name)=\(value)'"
    }
  }

  static func gate(_ state: Rollout.State) -> GateView? {
    guard case .gated(let course, let index, let gate, let since) = state.phase else { return nil }
    let kind =
      switch gate {
      case .approval: "approval"
      case .evidence: "evidence"
      }
    return GateView(
      rollout: course.id, step: index, kind: kind, sentence: Rollout.waitReason(state) ?? "A person is asked.",
      sinceMs: since.milliseconds)
  }

  static func freeze(_ frozen: Rollout.Frozen) -> FreezeView {
    FreezeView(
      reason: frozen.freeze.reason, actor: frozen.freeze.actor, untilMs: frozen.freeze.until?.milliseconds,
      sinceMs: frozen.since.milliseconds)
  }

  static func floor(_ floor: Rollout.Floor) -> FloorView {
    FloorView(digest: floor.digest.rawValue, reason: floor.reason, actor: floor.actor)
  }

  static func drill(_ report: Drill.Report, of rollout: Chronicle.RolloutRecord, at: Instant) -> DrillView {
    DrillView(
      rollout: rollout.start.id, percent: report.percent, thereMs: report.there.milliseconds,
      heldMs: report.held.milliseconds, backMs: report.back.milliseconds, counts: report.counts.map(counts),
      atMs: at.milliseconds, sentence: report.sentence)
  }

  /// Nil unless it is judged now and no verdict can be given.
  static func inconclusive(
    _ course: Course, _ record: Chronicle.RolloutRecord, _ origin: EvidenceOrigin
  ) -> InconclusiveView? {
    guard course.isJudged, course.exposedSince != nil else { return nil }
    let since = record.verdictSince ?? course.note?.at ?? course.exposedSince ?? course.start.at
    switch course.note?.verdict {
    case .good, .bad: return nil
    case nil:
      return InconclusiveView(
        verdict: "notEnoughEvidence", missing: "No evidence has come yet.", source: origin.words,
        sinceMs: (course.exposedSince ?? course.start.at).milliseconds)
    case .notEnoughEvidence(let scarcity):
      return InconclusiveView(
        verdict: "notEnoughEvidence", missing: scarcity.sentence, source: origin.words, sinceMs: since.milliseconds)
    case .sourceBroken(let reason):
      // The reason names the source.
      return InconclusiveView(
        verdict: "sourceBroken", missing: Words.sentence(reason), source: nil, sinceMs: since.milliseconds)
    }
  }

  static func caveats(_ record: Chronicle.RolloutRecord, _ found: [String]) -> [String] {
    found.map(Words.sentence) + (record.baseline?.origin.map { ["The baseline: \(Words.sentence($0))"] } ?? [])
  }

  /// One for each objective that is watched, also before the first look.
  static func budgets(_ state: Rollout.State) -> [BudgetView] {
    (state.policy?.objectives ?? []).map { objective in
      let standing = state.budget?.standings.first { $0.objective == objective.name }
      return BudgetView(
        objective: objective.name, title: objective.title, target: objective.target,
        windowMs: objective.window.milliseconds, gate: standing?.gate.rawValue ?? BudgetStanding.Gate.open.rawValue,
        sinceMs: standing?.since?.milliseconds, left: standing?.left,
        sentence: standing?.sentence.map(Words.sentence),
        inconclusive: standing?.missing.map { missing in
          InconclusiveView(
            verdict: "notEnoughEvidence", missing: Words.sentence(missing.reason), source: "Prometheus",
            sinceMs: missing.since.milliseconds)
        }, passedBy: standing?.isClosed == true ? state.budget?.passedBy : nil)
    }
  }
}
