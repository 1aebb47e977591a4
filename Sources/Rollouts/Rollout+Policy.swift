import Kernel

extension Rollout {
  /// How one service is delivered to one environment.
  package struct Policy: Codable, Equatable, Sendable {
    package let service: ServiceName
    package let environment: EnvironmentName
    /// The canary's shares in percent, strictly rising, the last one 100.
    package let steps: [Int]
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

    /// Issue "the spine": "Steps (default 10, 50, 100 %)".
    package static let defaultSteps = [10, 50, 100]
    /// Three ends in a row are no accident; two can be (a port race, one bad host).
    package static let defaultCrashLimit = 3
    /// The serving version, the one before, and one more in case that one is bad too.
    package static let defaultKeep = 3

    package init(
      service: ServiceName, environment: EnvironmentName, steps: [Int] = Policy.defaultSteps, stepMinimum: Span,
      finalWatch: Span, judged: Bool, judge: JudgePolicy, scarcity: WhenScarce, startLimit: Span,
      crashLimit: Int = Policy.defaultCrashLimit, keep: Int = Policy.defaultKeep, announceTargets: Int
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
    }

    /// What is wrong with it, in one sentence; nil when nothing is.
    package var fault: String? {
      let place = "The rollout policy of \(service) in \(environment)"
      let rises = zip(steps, steps.dropFirst()).allSatisfy { $0 < $1 }
      guard rises, steps.last == 100, steps.allSatisfy({ (1...100).contains($0) }) else {
        return "\(place) has the steps \(steps): give percentages of 1 to 100 that rise and end with 100."
      }
      guard crashLimit >= 1 else { return "\(place) has crashLimit \(crashLimit): give 1 or more." }
      guard keep >= 1 else { return "\(place) has keep \(keep): give 1 or more." }
      guard announceTargets >= 0 else { return "\(place) has \(announceTargets) announce targets: give 0 or more." }
      guard stepMinimum >= .zero, finalWatch >= .zero, startLimit > .zero else {
        return "\(place) has a negative time or no start limit: give times of 0 or more, and a start limit above 0."
      }
      if case .advance(let after) = scarcity, after < .zero {
        return "\(place) advances without evidence after a negative time: give 0 or more."
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
  }
}
