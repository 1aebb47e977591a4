import Kernel

extension RampConviction {
  /// How much worse, by which bounds.
  struct Harm: Equatable {
    let ratio: Double?
    let lower: Double?
    let upper: Double?
  }
}

/// What the judge of a ramp says.
enum RampSentences {
  static func words(_ guardrail: Guardrail, _ cohorts: StageCounts) -> String {
    func part(_ events: Int, _ trials: Int) -> String {
      let share = trials > 0 ? " (\(RampWords.percent(Double(events) / Double(trials))))" : ""
      return RampWords.of(events, trials) + share
    }
    let verb =
      switch guardrail.measure {
      case .errors: "failed"
      case .latency: "were too slow"
      case .conversion: "converted"
      }
    let beside =
      cohorts.trials.control > 0 ? " beside \(part(cohorts.events.control, cohorts.trials.control))" : ""
    return "\(part(cohorts.events.treatment, cohorts.trials.treatment)) \(verb)\(beside)"
  }

  static func conviction(
    _ guardrail: Guardrail, _ stage: StageCounts, _ harm: RampConviction.Harm, percent: Double, seconds: Int64?
  ) -> String {
    let times = harm.ratio.map { ", about \(RampWords.times($0)) as bad" } ?? ""
    let bounds =
      switch (harm.lower, harm.upper) {
      case (let low?, let high?): " (\(RampWords.times(low)) to \(RampWords.times(high)))"
      case (let low?, nil): " (at least \(RampWords.times(low)))"
      case (nil, _): ""
      }
    let since = seconds.map { "; \(RampWords.about(.seconds(Double($0)))) after it seems to have begun" } ?? ""
    return "\(guardrail.name) at \(RampWords.number(percent)) %: \(words(guardrail, stage))\(times)\(bounds)\(since)."
  }

  static func lack(
    _ guardrail: Guardrail, _ stage: StageCounts, worst: Double?, isPowerful: Bool, forecast: Span?
  ) -> String {
    let detect = RampWords.times(guardrail.detect)
    guard stage.events.control > 0 else {
      return stage.trials.all == 0
        ? "\(guardrail.name): nothing has come yet."
        : "\(guardrail.name): \(words(guardrail, stage)); without events of the control nothing is told from chance."
    }
    let when = forecast.map { ", in about \(RampWords.about($0)) at this pace" } ?? ""
    guard isPowerful else { return "\(guardrail.name): \(detect) would not have been seen yet\(when)." }
    let most = worst.map { "up to \(RampWords.times($0))" } ?? "no worsening"
    return worst == nil
      ? "\(guardrail.name): \(words(guardrail, stage)); \(most) is excluded."
      : "\(guardrail.name): \(words(guardrail, stage)); \(most) is not excluded, and \(detect) must be."
  }

  static func sampleRatio(_ units: Cohorts, share: Double) -> String {
    """
    \(RampWords.of(units.treatment, units.all)) units got the variant where \(RampWords.percent(share)) should: the \
    cohorts are not what they are taken for. What this stage shows is not used; find out who is missing, then begin it \
    anew.
    """
  }

  static func controlSilent(_ name: String) -> String {
    """
    \(name): nothing is told of the control any more, where events were usual. Until they come again, or for five \
    minutes, what the variant has is not used; look at the source.
    """
  }

  static func silent(_ name: String, for span: Span) -> String {
    "\(name): nothing has been told for \(RampWords.about(span)); the stage holds. Look at the source."
  }
}
