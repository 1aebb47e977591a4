import Kernel
import RealModule
import Statistics

/// Turns evidence of two cohorts into a verdict, second by second, from a ramp's first stage to the watch at 100 %.
///
/// Each guardrail has an anytime-valid test (`CohortTest`), and the ramp is stopped when the mean of their e-values
/// reaches 1/`RampPolicy.budget`: looking every second costs nothing, and the chance holds for the whole ramp. Whoever
/// gets the variant is compared with who does not at the same second, so waves, incidents of both and changes of stage
/// are no evidence. Beyond the mathematics:
///
/// - **Telemetry that fails is never harm.** Seconds that do not come add nothing; a second without a control adds
///   nothing; what the treatment has while the control's events stopped coming adds nothing.
/// - **A wrong sample is not harm either.** Units that come with other shares than planned (`SampleRatioTest`) make the
///   stage's evidence void; the stage holds until it is begun anew.
/// - **Late trouble counts.** A fault may begin at any second.
/// - Repeated seconds change nothing; *bad* is final.
///
/// A value: its record is of constant size, about four kilobytes a guardrail.
package struct RampJudge: Equatable, Sendable {
  package let policy: RampPolicy
  package private(set) var record: RampRecord
  private let tests: [CohortTest]

  /// Of the bounds that are shown and that let a stage pass: the usual 95 %, at all times at once.
  package static let confidence = 0.95
  /// Seconds without requests are told too; a minute of which nothing is told is an outage.
  package static let silence = Span.minutes(1)
  /// Evidence of an earlier allocation comes as late as conversions do; that of older ones is lost.
  static let keptEpochs = 8

  /// - Parameter resuming: the record of a judge of the same policy.
  package init(_ policy: RampPolicy, resuming record: RampRecord? = nil) {
    self.policy = policy
    tests = policy.guardrails.map { CohortTest($0.direction, limit: $0.limit) }
    var record = record ?? RampRecord()
    while record.guardrails.count < policy.guardrails.count { record.guardrails.append(GuardrailRecord()) }
    self.record = record
  }

  // MARK: Stages

  /// A stage begins: units are given out anew, under a new epoch.
  ///
  /// - Parameters:
  ///   - epoch: above every earlier one; otherwise nothing happens.
  ///   - percent: of the units that get the variant, 0 to 100.
  package mutating func begin(epoch: Int, percent: Double, at now: Instant) {
    guard epoch > record.epoch?.number ?? .min else { return }
    if record.sample.isAlarmed {
      record.epochs[record.epochs.count - 1].isVoid = true
      for index in record.guardrails.indices { record.guardrails[index].forgetStage() }
    }
    let share = min(max(percent, 0), 100) / 100
    record.epochs.append(
      RampRecord.Epoch(number: epoch, share: share, before: record.epoch?.share ?? 0, began: now, settled: nil))
    if record.epochs.count > RampJudge.keptEpochs { record.epochs.removeFirst() }
    record.sample = RampRecord.Sample()
    for index in tests.indices {
      record.guardrails[index].begin(tests[index], share: share, guardrail: policy.guardrails[index])
    }
  }

  /// Every client has learnt of the epoch, or as good as: from here on shares are as planned.
  package mutating func settle(epoch: Int, at now: Instant) {
    guard let index = record.epochs.firstIndex(where: { $0.number == epoch }), record.epochs[index].settled == nil
    else { return }
    record.epochs[index].settled = now
  }

  // MARK: Evidence

  /// - Parameters:
  ///   - index: of the guardrail in the policy.
  ///   - now: of the clock that stamps seconds.
  package mutating func absorb(_ second: CohortSecond, for index: Int, now: Instant) {
    guard tests.indices.contains(index) else { return }
    guard second.isSound, let epoch = record.epochs.first(where: { $0.number == second.epoch }) else {
      record.guardrails[index].lost.unsound += 1
      return
    }
    switch record.guardrails[index].seen.admit(second.second.wholeSeconds, now: now.wholeSeconds) {
    case .new: break
    case .repeated:
      record.guardrails[index].lost.repeated += 1
      return
    case .late:
      record.guardrails[index].lost.late += 1
      return
    case .fromTheFuture:
      record.guardrails[index].lost.fromTheFuture += 1
      return
    }
    record.guardrails[index].heardAt = now
    guard record.conviction == nil, !epoch.isVoid else { return }
    let isCurrent = epoch.number == record.epoch?.number
    record.guardrails[index].absorb(
      second, planned: epoch.planned(at: second.second), isCurrent: isCurrent, test: tests[index],
      guardrail: policy.guardrails[index])
    // Only events of the treatment, or of the control where they are good, raise the evidence.
    guard !record.sample.isAlarmed, second.events.all > 0 else { return }
    record.conviction = suspicion(at: second.second)
  }

  /// Units that got a variant for the first time in an epoch.
  package mutating func absorb(units: Cohorts, epoch: Int, second: Instant, now: Instant) {
    guard units.treatment >= 0, units.control >= 0, let current = record.epoch, current.number == epoch,
      let settled = current.settled, second >= settled, current.share > 0, current.share < 1,
      record.sample.seen.admit(second.wholeSeconds, now: now.wholeSeconds) == .new
    else { return }
    record.sample.units = record.sample.units + units
    let told = SampleRatioTest.logEvidence(
      first: record.sample.units.treatment, other: record.sample.units.control, share: current.share)
    if told >= SampleRatioTest.alarm { record.sample.isAlarmed = true }
  }

  /// Whether units came with other shares than planned in the running epoch.
  package var isSampleAlarmed: Bool { record.sample.isAlarmed }

  // MARK: Verdict

  /// The mean of the guardrails' e-values: 1/`RampPolicy.budget` stops the ramp.
  package var eValue: Double {
    zip(tests, record.guardrails).reduce(0) { $0 + policy.weight * $1.1.value($1.0) }
  }

  package func verdict(at now: Instant) -> RampVerdict {
    if let conviction = record.conviction { return .bad(conviction) }
    guard let epoch = record.epoch else {
      return .undecided(StageLack(guardrail: nil, forecast: nil, sentence: "No stage has begun."))
    }
    if let mistrust = mistrust(epoch, at: now) { return .untrusted(mistrust) }
    let left = Span(
      milliseconds: leastTime(epoch).milliseconds - (now - (epoch.settled ?? epoch.began)).milliseconds)
    let lacks = tests.indices.compactMap { lack(of: $0, epoch) }
    if let worst = lacks.max(by: { ($0.forecast ?? .forever) < ($1.forecast ?? .forever) }) {
      return .undecided(StageLack(guardrail: worst.guardrail, forecast: worst.forecast, sentence: worst.sentence))
    }
    guard left <= .zero else {
      return .undecided(
        StageLack(
          guardrail: nil, forecast: left,
          sentence: "Nothing speaks against it; the stage lasts \(RampWords.about(left)) more."))
    }
    return .good(StagePower(sentence: power(epoch)))
  }

  private func leastTime(_ epoch: RampRecord.Epoch) -> Span {
    policy.stages.first { $0.share >= epoch.share }?.least ?? policy.stages.last?.least ?? .zero
  }

  private func mistrust(_ epoch: RampRecord.Epoch, at now: Instant) -> RampMistrust? {
    if record.sample.isAlarmed {
      return RampMistrust(
        reason: .sampleRatio, suspicion: suspicion(at: now),
        sentence: RampSentences.sampleRatio(record.sample.units, share: epoch.share))
    }
    if let index = tests.indices.first(where: { record.guardrails[$0].isControlSilent }) {
      return RampMistrust(
        reason: .controlSilent, suspicion: nil, sentence: RampSentences.controlSilent(policy.guardrails[index].name))
    }
    for (guardrail, kept) in zip(policy.guardrails, record.guardrails) {
      let silence = now - max(kept.heardAt ?? epoch.began, epoch.began)
      guard silence >= guardrail.patience, epoch.share < 1 || guardrail.direction == .more else { continue }
      return RampMistrust(
        reason: .telemetry, suspicion: nil, sentence: RampSentences.silent(guardrail.name, for: silence))
    }
    return nil
  }

  private func lack(of index: Int, _ epoch: RampRecord.Epoch) -> StageLack? {
    let guardrail = policy.guardrails[index]
    let record = record.guardrails[index]
    if epoch.share >= 1 { return lackAfterRamp(of: index, guardrail, record) }
    let stretch = CohortTest.Stretch(usual: record.stage.usual, other: record.stage.other)
    let test = tests[index]
    let start = test.stageWeight(record.evidence)
    let isPowerful =
      test.logEvidence(of: guardrail.detect, after: stretch, for: .p95, start: start) >= policy.threshold
    let worst = worst(index)
    if isPowerful, let worst, worst <= guardrail.detect { return nil }
    // A conversion's seconds come when its window is over.
    let folds = test.folds(
      of: stretch, toSee: guardrail.detect, for: .p95, start: start, threshold: policy.threshold)
    let forecast = folds.flatMap { folds -> Span? in
      guard record.stage.seconds > 0, folds > 1 else { return nil }
      return .seconds(min((folds - 1) * Double(record.stage.seconds), Span.forever.seconds))
    }
    return StageLack(
      guardrail: index, forecast: forecast,
      sentence: RampSentences.lack(guardrail, record.stage, worst: worst, isPowerful: isPowerful, forecast: forecast))
  }

  /// At 100 % nothing but the time and traffic to be judged at all is asked for.
  private func lackAfterRamp(of index: Int, _ guardrail: Guardrail, _ record: GuardrailRecord) -> StageLack? {
    guard guardrail.direction == .more, record.stage.trials.treatment == 0 else { return nil }
    return StageLack(
      guardrail: index, forecast: nil, sentence: "\(guardrail.name): no traffic has come at 100 % yet.")
  }

  private func power(_ epoch: RampRecord.Epoch) -> String {
    guard epoch.share < 1 else {
      return "Nothing spoke against it at 100 %, beside the rates of the minutes before."
    }
    let seen = zip(policy.guardrails, tests.indices).map { guardrail, index in
      let most = worst(index).map { RampWords.times($0) } ?? "unknown"
      return "\(guardrail.name): at most \(most), where \(RampWords.times(guardrail.detect)) would have been seen"
    }
    return seen.joined(separator: "; ") + "."
  }

  /// The harm that is not excluded in this stage, in times; nil when none is.
  private func worst(_ index: Int) -> Double? {
    let (lower, upper) = record.guardrails[index].stage.bounds.bounds(confidence: RampJudge.confidence)
    return policy.guardrails[index].direction == .more ? upper : lower.map { 1 / $0 }
  }

  // MARK: Conviction

  private func suspicion(at second: Instant) -> RampConviction? {
    guard let epoch = record.epoch, eValue * policy.budget >= 1 else { return nil }
    let values = zip(tests, record.guardrails).map { $1.value($0) }
    guard let index = values.indices.max(by: { values[$0] < values[$1] }) else { return nil }
    let guardrail = policy.guardrails[index]
    let kept = record.guardrails[index]
    let (low, high) = kept.stage.bounds.bounds(confidence: RampJudge.confidence)
    let likeliest = kept.after?.ratio ?? kept.stage.bounds.likeliest
    let isMore = guardrail.direction == .more
    let harm = RampConviction.Harm(
      ratio: isMore ? likeliest : likeliest.map { 1 / $0 }, lower: isMore ? low : high.map { 1 / $0 },
      upper: isMore ? high : low.map { 1 / $0 })
    let since = kept.after?.events ?? 0 > 0 ? nil : tests[index].since(kept.evidence)
    return RampConviction(
      guardrail: index, name: guardrail.name, percent: epoch.share * 100, epoch: epoch.number,
      trials: kept.stage.trials, events: kept.stage.events, ratio: harm.ratio, lower: harm.lower, upper: harm.upper,
      logEvidence: Double.log(eValue), threshold: -Double.log(policy.budget),
      since: since.map { Instant(milliseconds: $0 * 1000) }, decidedAt: second,
      sentence: RampSentences.conviction(
        guardrail, kept.stage, harm, percent: epoch.share * 100, seconds: since.map { second.wholeSeconds - $0 + 1 }))
  }
}

extension Span {
  /// Thirty years: "never" without overflow.
  fileprivate static let forever = Span.seconds(1e9)
}
