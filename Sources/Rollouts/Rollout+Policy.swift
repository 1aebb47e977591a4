import Kernel

extension Rollout {
  /// How one service is delivered to one environment.
  package struct Policy: Codable, Equatable, Sendable {
    package let service: ServiceName
    package let environment: EnvironmentName
    /// The plan. Shares rise, or stay with more instances; the last one is 100.
    package let steps: [Step]
    /// The least time at one step, counted from the router's confirmation.
    package let stepMinimum: Span
    /// The watch after 100 %, with the old version still warm.
    package let finalWatch: Span
    /// False where there is no traffic to judge: checks do it there, and steps pass by time.
    package let judged: Bool
    package let judge: JudgePolicy
    package let scarcity: WhenScarce
    /// From the start to all instances ready.
    package let startLimit: Span
    /// Ends of one instance without a stable run between, at which a canary is condemned.
    package let crashLimit: Int
    /// Known-good versions kept, the serving one included.
    package let keep: Int
    /// Where announcements go: targets 0 ..< announceTargets of `plimsoll.yaml`.
    package let announceTargets: Int
    // Nil is the default of each, and is not written: events of before there was one have none.
    private let statedStrategy: Strategy?
    private let statedHoldback: Int?
    private let statedDrill: Bool?
    private let statedObjectives: [Objective]?
    /// Who reaches the canary whatever its share.
    package let preview: PreviewMatch?
    /// What the service lives on here: it is told what runs and is kept, and says what may not come back.
    package let database: DatabaseName?

    package var strategy: Strategy { statedStrategy ?? .canary }
    /// Percent that the old version keeps through the final watch of a judged canary, 0 to 49.
    package var holdback: Int { statedHoldback ?? 0 }
    /// Every rollout moves requests to the canary and back before its first step.
    package var drill: Bool { statedDrill ?? false }
    /// Whose error budgets close this place to new versions when they are spent; each name once.
    package var objectives: [Objective] { statedObjectives ?? [] }

    /// Issue "the spine": "Steps (default 10, 50, 100 %)".
    package static let defaultSteps = Strategy.canary.defaultSteps
    /// With half or more the old version would not be held back, but serve.
    package static let holdbacks = 0...49
    /// Three ends in a row are no accident; two can be (a port race, one bad host).
    package static let defaultCrashLimit = 3
    /// The serving version, the one before, and one more in case that one is bad too.
    package static let defaultKeep = 3

    package init(
      service: ServiceName, environment: EnvironmentName, strategy: Strategy = .canary,
      steps: [Step] = Policy.defaultSteps, stepMinimum: Span, finalWatch: Span, holdback: Int = 0,
      preview: PreviewMatch? = nil, drill: Bool = false, judged: Bool, judge: JudgePolicy, scarcity: WhenScarce,
      startLimit: Span, crashLimit: Int = Policy.defaultCrashLimit, keep: Int = Policy.defaultKeep,
      announceTargets: Int, objectives: [Objective] = [], database: DatabaseName? = nil
    ) {
      self.service = service
      self.environment = environment
      self.steps = steps
      self.stepMinimum = stepMinimum
      self.finalWatch = finalWatch
      self.judged = judged
      self.judge = judge
      self.scarcity = scarcity
      self.startLimit = startLimit
      self.crashLimit = crashLimit
      self.keep = keep
      self.announceTargets = announceTargets
      statedStrategy = strategy == .canary ? nil : strategy
      statedHoldback = holdback == 0 ? nil : holdback
      statedDrill = drill ? drill : nil
      statedObjectives = objectives.isEmpty ? nil : objectives
      self.preview = preview
      self.database = database
    }

    private enum CodingKeys: String, CodingKey {
      case service, environment, steps, stepMinimum, finalWatch, judged, judge, scarcity, startLimit, crashLimit, keep
      case announceTargets, preview, database
      case statedStrategy = "strategy"
      case statedHoldback = "holdback"
      case statedDrill = "drill"
      case statedObjectives = "objectives"
    }

    /// What is wrong with it, in one sentence; nil when nothing is.
    package var fault: String? {
      let place = "The rollout policy of \(service) in \(environment)"
      if let fault = planFault { return "\(place) \(fault)." }
      guard Policy.holdbacks.contains(holdback) else {
        return "\(place) holds back \(holdback) %: give \(Policy.holdbacks.lowerBound) to "
          + "\(Policy.holdbacks.upperBound)."
      }
      guard crashLimit >= 1 else { return "\(place) has crashLimit \(crashLimit): give 1 or more." }
      guard keep >= 1 else { return "\(place) has keep \(keep): give 1 or more." }
      guard announceTargets >= 0 else { return "\(place) has \(announceTargets) announce targets: give 0 or more." }
      guard stepMinimum >= .zero, finalWatch >= .zero, startLimit > .zero else {
        return "\(place) has a negative time or no start limit: give times of 0 or more, and a start limit above 0."
      }
      for (index, objective) in objectives.enumerated() {
        guard objective.target > 0, 1 > objective.target, objective.window > .zero else {
          return "\(place) has the objective \(objective.name) with a target of \(objective.target): give a share "
            + "above 0 and below 1, and a window above 0."
        }
        if objectives[..<index].contains(where: { $0.name == objective.name }) {
          return "\(place) names the objective \(objective.name) twice: name each once."
        }
      }
      switch scarcity {
      case .advance(let after), .ask(let after):
        if after < .zero { return "\(place) waits for evidence for a negative time: give 0 or more." }
      case .hold: break
      }
      return nil
    }

    private var planFault: String? {
      let rises = zip(steps, steps.dropFirst()).allSatisfy { $0.rises(to: $1) }
      guard rises, steps.last?.percent == 100, steps.allSatisfy({ (0...100).contains($0.percent) }) else {
        return "has the steps \(steps.map(\.description).joined(separator: "; ")): give percentages of 0 to 100 that "
          + "rise, or stay with more instances, and end with 100"
      }
      if steps.last?.instances != nil { return "limits the instances of its last step: leave that out" }
      if steps.last?.minimum != nil { return "gives its last step a time: that is the final watch" }
      if steps.contains(where: { $0.instances.map { $0 < 1 } ?? false }) {
        return "has a step without instances: give 1 or more, or leave it out for all"
      }
      if steps.contains(where: { $0.minimum.map { $0 < .zero } ?? false }) {
        return "has a step of a negative time: give 0 or more"
      }
      // A worsening by less than 1 is none.
      if steps.contains(where: { $0.detect.map { !($0 > 1) } ?? false }) {
        return "has a step that is to detect a worsening by 1 or less: give more than 1"
      }
      return nil
    }
  }

  /// What a rollout does while the judge says *not enough evidence*.
  package enum WhenScarce: Codable, Equatable, Sendable {
    /// Stay at the step until there is evidence or a person decides.
    case hold
    /// Go on when a step lasted that long without a bad verdict (and at least the step's minimum).
    case advance(after: Span)
    /// Ask a person when a step lasted that long (and at least its minimum) without evidence enough to pass.
    case ask(after: Span)
  }
}

extension Rollout.Step {
  /// Instances are never fewer at a later step: nothing that serves is stopped. Several previews may follow each other.
  fileprivate func rises(to next: Rollout.Step) -> Bool {
    let (now, then) = (instances ?? .max, next.instances ?? .max)
    if percent < next.percent || next.percent == 0 { return percent <= next.percent && now <= then }
    return percent == next.percent && now < then
  }
}
