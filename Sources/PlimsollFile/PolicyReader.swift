import Kernel
import Rollouts
import Yams

/// Makes the rollout policy of one service in one environment of what the file says, and says what contradicts itself.
struct PolicyReader {
  let reading: Reading
  /// "services.harbor in production".
  let subject: String
  /// Of the service, for what stands nowhere else.
  let keyNode: Node
  let draft: RolloutDraft
  /// Only the last environment has users to judge by; before it, checks judge, so nothing waits for traffic there.
  let isLast: Bool

  /// Enough to tell a worse version from a bad hour (issue "Rollouts that judge well": "kept as a 5 % holdback").
  static let standardHoldback = 5
  static let stepMinimum = Span.seconds(60)
  static let finalWatch = Span.minutes(5)
  static let startLimit = Span.minutes(2)

  var judged: Bool { draft.judged ?? isLast }
  private var strategy: Rollout.Strategy { draft.plan?.strategy ?? (judged ? .canary : .allAtOnce) }

  /// - Parameter instances: that the service has there.
  func policy(
    _ service: ServiceName, _ environment: EnvironmentName, _ judge: JudgePolicy, instances: Int, announceTargets: Int,
    objectives: [Objective], database: DatabaseName?
  ) -> Rollout.Policy {
    let steps = steps
    let policy = Rollout.Policy(
      service: service, environment: environment, strategy: strategy, steps: steps,
      stepMinimum: draft.stepMinimum ?? (judged ? Self.stepMinimum : .zero),
      finalWatch: draft.finalWatch ?? (judged ? Self.finalWatch : .zero), holdback: holdback(steps),
      preview: draft.preview?.value, drill: draft.drill ?? false, judged: judged, judge: judge,
      scarcity: draft.scarcity ?? .hold, startLimit: draft.startLimit ?? Self.startLimit,
      crashLimit: draft.crashLimit ?? Rollout.Policy.defaultCrashLimit, keep: draft.keep ?? Rollout.Policy.defaultKeep,
      announceTargets: announceTargets, objectives: objectives, database: database)
    warn(policy, instances: instances)
    if let fault = policy.fault { reading.fail(draft.plan?.node ?? keyNode, "\(subject): \(fault)") }
    return policy
  }

  /// Nil where nothing is judged.
  var history: PlimsollFile.BaselineHistory? {
    guard let history = draft.history else { return nil }
    guard judged else {
      reading.warn(history.node, "\(subject): nothing is judged here, so 'baseline.prometheus' has no effect")
      return nil
    }
    return history.value
  }

  private var steps: [Rollout.Step] {
    if let steps = draft.plan?.steps { return steps.map(\.value) }
    switch strategy {
    case .canary, .allAtOnce: return strategy.defaultSteps
    // Without a preview nothing reaches the version before it has all: there is nothing to wait for.
    case .blueGreen: return [Rollout.Step(0, minimum: draft.preview == nil ? .zero : nil), Rollout.Step(100)]
    }
  }

  /// The percent that the old version keeps through the final watch.
  private func holdback(_ steps: [Rollout.Step]) -> Int {
    let before = steps.dropLast().last?.percent ?? 0
    guard let stated = draft.holdback, stated.value > 0 else {
      guard draft.holdback == nil, judged, strategy == .canary else { return 0 }
      return max(min(Self.standardHoldback, 100 - before - 1), 0)
    }
    let percent = stated.value
    guard strategy == .canary else {
      let words = "a holdback of \(percent)% leaves requests with the old version"
      let why =
        strategy == .blueGreen
        ? "blue-green moves all of them together" : "all-at-once has no version beside the new one"
      reading.fail(stated.node, "\(subject): \(words), and \(why); write 'holdback: 0' or 'strategy: canary'")
      return 0
    }
    guard judged else {
      reading.fail(
        stated.node,
        "\(subject): a holdback of \(percent)% is there to compare with, and nothing is judged here; "
          + "write 'holdback: 0' or 'judged: true'")
      return 0
    }
    guard before < 100 - percent else {
      reading.fail(
        stated.node,
        "\(subject): a holdback of \(percent)% leaves \(100 - percent)% for the last step, which is no more than the "
          + "\(before)% of the step before; give less")
      return 0
    }
    return percent
  }

  // MARK: What is legal and probably not meant

  private func warn(_ policy: Rollout.Policy, instances: Int) {
    for step in draft.plan?.steps ?? [] {
      if let wanted = step.value.instances, wanted >= instances {
        let all = instances == 1 ? "1 instance, which is" : "\(instances) instances, which are"
        reading.warn(
          step.node,
          "\(subject): the step of \(step.value.percent)% asks for \(wanted) of \(all) all; it starts them all")
      }
      if step.value.detect != nil, !judged {
        reading.warn(step.node, "\(subject): nothing is judged here, so 'detect' has no effect")
      }
    }
    if let preview = draft.preview, policy.steps.count == 1 {
      reading.warn(
        preview.node, "\(subject): a preview needs a step before 100%, and there is none; set 'strategy: blue-green'")
    }
    if policy.drill, policy.steps.first(where: { $0.percent > 0 })?.percent == 100 {
      reading.warn(
        draft.plan?.node ?? keyNode,
        "\(subject): the drill moves all traffic to the new version and back, as there is no smaller share; "
          + "begin with a share such as 10%")
    }
  }

  func warn(blindIn sight: RampSight) {
    for (index, step) in sight.steps.enumerated() where step.isBlind {
      let steps = draft.plan?.steps
      let node = steps.map { $0[index].node } ?? draft.plan?.node ?? keyNode
      reading.warn(
        node,
        "\(subject): step \(index + 1), \(step.sentence.dropLast()); 'plimsoll rollout plan' computes steps that see")
    }
  }
}
