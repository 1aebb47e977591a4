import Kernel

/// What a plan says before it is carried out, and when clients are waited for no longer.
package enum RampPlanning {
  /// Why a plan cannot be carried out, in one sentence; nil when it can.
  package static func fault(_ plan: RampPlan) -> String? {
    let percents = plan.policy.stages.map(\.percent)
    guard !percents.isEmpty, zip(percents, percents.dropFirst()).allSatisfy({ $0 < $1 }) else {
      return "A ramp needs stages that rise, such as 1, 5, 25, 100: give them so."
    }
    guard percents.count <= mostStages else {
      return "A ramp has at most \(mostStages) stages, and this one \(percents.count): leave some out."
    }
    let times: [Span] =
      plan.policy.stages.map(\.least) + [plan.patience, plan.settleLimit]
      + plan.policy.guardrails.compactMap(\.measure.time)
    guard times.allSatisfy({ $0 >= .zero }), plan.patience > .zero else {
      return "A ramp's times cannot be negative: give each stage the least time that it lasts."
    }
    guard times.allSatisfy({ $0 <= longest }) else {
      return "A ramp has a time of more than \(longestDays) days: give stages, patience and guardrails shorter ones."
    }
    let windows = plan.policy.guardrails.compactMap { guardrail in
      if case .conversion(let window) = guardrail.measure { window } else { nil }
    }
    guard windows.allSatisfy({ $0 <= ConversionWindow.longest }) else {
      let days = ConversionWindow.longestDays
      return "Conversions count within \(days) days at most: give their guardrails shorter times."
    }
    guard plan.policy.guardrails.allSatisfy({ $0.detect <= mostFactor }) else {
      return "A guardrail's factors are at most \(RampWords.number(mostFactor)), its limit a tenth below: give less."
    }
    let names = plan.policy.guardrails.map(\.name)
    guard Set(names).count == names.count else {
      return "Two guardrails of the ramp have one name: call them differently."
    }
    return nil
  }

  package static let mostStages = 20
  /// Of a ramp's times, and from now to a change to come. Times are added to instants: without an end, one would be
  /// beyond what an instant holds.
  package static let longest = Span.minutes(Double(longestDays) * 24 * 60)
  /// Flags live for 30 days as a rule, so a year is ample.
  package static let longestDays = 365
  /// A variant that does a thousand times the harm needs no statistics.
  package static let mostFactor = 1000.0

  /// What each stage will see.
  ///
  /// - Parameter traffic: what each guardrail usually sees; nil, or not there, where nothing is known.
  package static func forecasts(_ policy: RampPolicy, _ traffic: [UsualTraffic?]) -> [FeatureFlag.StageForecast] {
    policy.stages.indices.map { number in
      let stage = policy.stages[number]
      var sentences: [String] = []
      var holds: Span? = stage.least
      for index in policy.guardrails.indices {
        guard traffic.indices.contains(index), let usual = traffic[index] else {
          // At 100 % nothing needs to be seen.
          if stage.share < 1 { holds = nil }
          sentences.append("\(policy.guardrails[index].name): nothing is known of its usual traffic.")
          continue
        }
        let sight = StageSight(policy, guardrail: index, stage: number, traffic: usual)
        sentences.append(sight.sentence)
        holds = holds.flatMap { so in sight.holds.map { max(so, $0) } }
      }
      return FeatureFlag.StageForecast(percent: stage.percent, sentences: sentences, holds: holds)
    }
  }

  /// Whether clients are known to have a stage, or are waited for no longer.
  package static func isSettled(_ standing: FlagStanding, by limit: Instant, at now: Instant) -> Bool {
    (standing.isComplete && standing.all > 0) || now >= limit
  }

  static func question(_ course: FeatureFlag.Course) -> String {
    "Advance it without, or stop it: \(course.plan.variant) stays at \(RampWords.number(course.percent)) % until then."
  }
}
