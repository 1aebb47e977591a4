import Kernel
import Statistics

/// All that is kept of one guardrail: of constant size, however long the ramp.
struct GuardrailRecord: Codable, Equatable, Sendable {
  var seen = SeenSeconds()
  var evidence = CohortTest.Evidence()
  /// As the running stage began: what counts when the stage's sample turns out not to be what it should.
  var trusted = CohortTest.Evidence()
  /// As the control's last event left it.
  private var heard = CohortTest.Evidence()
  /// Events of the control that should have come since, and when the first of those seconds was.
  private var missing = 0.0
  private var missingSince: Int64?

  var stage = StageCounts()
  private var pace = SharePace()
  private var control = ControlRate()
  private var crowding = Crowding()
  /// At 100 %.
  private(set) var after: AfterRamp?
  var lost = LostSeconds()
  /// When a second came last, by the judge's clock.
  var heardAt: Instant?

  /// A control without events is suspected when so many should have come: e^-7 is below one in a thousand.
  private static let enoughMissing = 7.0
  /// After so long its silence is taken for its word: an incident ended.
  private static let silencePatience: Int64 = 300

  /// Whether the control's events seem to have stopped coming: what the other cohort has meanwhile is no evidence.
  var isControlSilent: Bool { missing >= GuardrailRecord.enoughMissing }

  /// A new stage: its counts begin anew, the evidence goes on.
  mutating func begin(_ test: CohortTest, share: Double, guardrail: Guardrail) {
    stage = StageCounts()
    if isControlSilent { evidence = heard }
    missing = 0
    missingSince = nil
    if share >= 1, guardrail.direction == .more {
      let weight = test.handOverStage(&evidence)
      _ = test.handOverStage(&heard)
      after = AfterRamp(control, spread: crowding.spread, limit: guardrail.limit, weight: weight)
    } else {
      test.beginStage(&evidence)
      test.beginStage(&heard)
      after = nil
    }
    trusted = evidence
  }

  /// What the running stage told is not to be trusted, and is forgotten.
  mutating func forgetStage() {
    evidence = trusted
    heard = trusted
    missing = 0
    missingSince = nil
    after = nil
  }

  /// The e-value that may stop the ramp.
  func value(_ test: CohortTest) -> Double {
    test.value(isControlSilent ? heard : evidence) + (after.map { $0.value } ?? 0)
  }

  /// - Parameters:
  ///   - planned: of the treatment; a range while clients still learn of a stage.
  ///   - isCurrent: of the stage that runs.
  mutating func absorb(
    _ second: CohortSecond, planned: ClosedRange<Double>, isCurrent: Bool, test: CohortTest, guardrail: Guardrail
  ) {
    let label = second.second.wholeSeconds
    if planned.lowerBound >= 1 {
      after?.absorb(events: second.events.treatment, trials: second.trials.treatment, second: label)
      if isCurrent { stage.addLone(second) }
      return
    }
    switch guardrail.measure {
    case .conversion:
      // Units that are settled: the share is that of exactly these.
      let all = second.trials.all
      let share = all == 0 ? 0 : Double(second.trials.treatment) / Double(all)
      tell(second, share: share, isCurrent: isCurrent, test: test, guardrail: guardrail)
    case .errors, .latency:
      let share = max(planned.upperBound, pace.share(planned: planned.upperBound))
      pace.add(second.trials)
      guard !isOneSided(second.trials, share: planned.upperBound) else {
        lost.oneSided += 1
        return
      }
      crowding.add(second.events.control, second: label)
      listen(second, label: label)
      tell(second, share: share, isCurrent: isCurrent, test: test, guardrail: guardrail)
      if second.events.control > 0 { heard = evidence }
    }
  }

  private mutating func tell(
    _ second: CohortSecond, share: Double, isCurrent: Bool, test: CohortTest, guardrail: Guardrail
  ) {
    let divisor = divisor(guardrail)
    let events = Double(second.events.treatment) / divisor
    let all = Double(second.events.all) / divisor
    test.absorb(events: events, all: all, share: share, label: second.second.wholeSeconds, into: &evidence)
    if isCurrent { stage.add(second, share: share, divisor: divisor) }
  }

  func divisor(_ guardrail: Guardrail) -> Double {
    switch (guardrail.counting, guardrail.measure) {
    case (.units, _), (_, .conversion): 1
    case (.requests, .errors), (.requests, .latency): crowding.divisor
    }
  }

  /// A second in which the control should have had trials and has none is half of one.
  private func isOneSided(_ trials: Cohorts, share: Double) -> Bool {
    trials.control == 0
      && Double(trials.treatment) * (1 - share) / max(share, 1e-9) >= GuardrailRecord.enoughMissing
  }

  /// Whether the control's events still come. What was counted while they did not is dropped: it only ever spoke
  /// against the treatment, so dropping it lowers the e-value.
  private mutating func listen(_ second: CohortSecond, label: Int64) {
    if second.events.control > 0 {
      if isControlSilent { evidence = heard }
      missing = 0
      missingSince = nil
      control.add(second)
      return
    }
    missing += control.rate * Double(second.trials.control)
    if missingSince == nil { missingSince = label }
    guard isControlSilent else {
      control.add(second)
      return
    }
    if let missingSince, label - missingSince >= GuardrailRecord.silencePatience {
      evidence = heard
      missing = 0
      self.missingSince = nil
      control = ControlRate()
    }
  }
}

/// One stage of one guardrail.
struct StageCounts: Codable, Equatable, Sendable {
  var bounds = RatioBounds()
  var trials = Cohorts.zero
  var events = Cohorts.zero
  /// Events that the treatment would have had if it were like the control, and the control's: as they were evidence.
  var usual = 0.0
  var other = 0.0
  /// Seconds that came.
  var seconds = 0

  mutating func add(_ second: CohortSecond, share: Double, divisor: Double) {
    addLone(second)
    guard share > 0, share < 1 else { return }
    bounds.absorb(
      events: Double(second.events.treatment) / divisor, all: Double(second.events.all) / divisor, share: share)
    let beside = Double(second.events.control) / divisor
    usual += beside * share / (1 - share)
    other += beside
  }

  mutating func addLone(_ second: CohortSecond) {
    trials = trials + second.trials
    events = events + second.events
    seconds += 1
  }
}

/// The treatment's share of the trials lately, known before the next second comes.
///
/// Beside the planned share, of which units are the sum and requests only on average: a few busy units, or a control
/// half of which is not told of, make it more. The larger of the two is what the treatment may have of the events.
struct SharePace: Codable, Equatable, Sendable {
  private var treatment = 0.0
  private var all = 0.0

  /// A second ten seconds ago weighs half: a source that loses a cohort is followed within seconds.
  private static let halfLife = 10.0
  /// As if so many trials of the treatment had come at the planned share: at 1 % of 1,000 requests/s chance moves the
  /// share by a tenth then, and what it costs is three hundredths of the evidence.
  private static let prior = 20.0
  private static let fade = 0.933  // 2^(-1/10)

  func share(planned: Double) -> Double {
    guard planned > 0 else { return 0 }
    return (treatment + SharePace.prior) / (all + SharePace.prior / planned)
  }

  mutating func add(_ trials: Cohorts) {
    treatment = treatment * SharePace.fade + Double(trials.treatment)
    all = all * SharePace.fade + Double(trials.all)
  }
}

/// The control's rate over the last minutes.
struct ControlRate: Codable, Equatable, Sendable {
  private(set) var events = 0.0
  private(set) var trials = 0.0
  /// 2^(-1/300): a second five minutes ago weighs half.
  private static let fade = 0.99769
  /// A rate from fewer events is none.
  private static let leastEvents = 5.0

  var rate: Double { events >= ControlRate.leastEvents && trials > 0 ? events / trials : 0 }

  mutating func add(_ second: CohortSecond) {
    events = events * ControlRate.fade + Double(second.events.control)
    trials = trials * ControlRate.fade + Double(second.trials.control)
  }
}

/// Seconds that told nothing, by reason; they are shown, and none of them is evidence.
package struct LostSeconds: Codable, Equatable, Sendable {
  /// More than a minute behind the newest.
  package var late = 0
  /// Told before.
  package var repeated = 0
  /// Ahead of the clock.
  package var fromTheFuture = 0
  /// Counts below zero, more events than trials, an unknown epoch.
  package var unsound = 0
  /// Without the control where it should have been.
  package var oneSided = 0
  package init() {}
}
