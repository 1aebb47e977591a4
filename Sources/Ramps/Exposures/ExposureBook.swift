import Kernel

/// Turns exposures and outcomes of one ramp into what its judge absorbs, second by second.
///
/// An outcome is in the cohort of the unit's last exposure, found by unit or by trace, unless it tells its variant
/// itself. Outcomes may come before the exposure they belong to: a second is joined when it is whole, `settle` after its
/// end. A conversion counts for the exposure with which its unit entered the epoch, when the guardrail's window is over.
/// What is dropped for want of room, or of a key, is dropped without regard to its cohort, so it costs power and is
/// never harm; `tally` counts it.
///
/// Bounded: `capacity` units (64 bytes each and as much for finding them), `RecentTraces.capacity` traces,
/// `OpenSeconds.mostPending` outcomes, a counter for each second of a conversion's window.
package struct ExposureBook: Sendable {
  struct Epoch: Sendable {
    let number: Int
    /// The first version of the definitions that gives units out so.
    var version: Int?
    let began: Instant
    var settled: Instant?
  }

  package let measures: [GuardedMeasure]
  package let settle: Span
  package internal(set) var tally = EvidenceTally()

  /// Oldest first, at most `RampJudge.keptEpochs`.
  var epochs: [Epoch] = []
  var units: ExposedUnits
  var traces = RecentTraces()
  var seconds: OpenSeconds
  /// One a guardrail; nil for those that count outcomes.
  var windows: [ConversionWindow?]
  var memories: [UnitMemory]
  /// Units cannot be told from those that were counted and forgotten: they are no sample any more.
  var isSampleOver = false
  /// When each guardrail last had a trial, in seconds since 1970.
  var heard: [Int64]
  private var closedAt: Instant?

  /// 100,000 units are whom 1,000 requests/s come from, where each asks every hundred seconds.
  package static let defaultCapacity = 262_144
  /// An exposure says who a unit is for so long: a session, as web analytics count them.
  package static let exposureLasts = Span.minutes(30)
  /// Seconds without requests are told for so long after the last; then silence is silence.
  static let aliveSeconds: Int64 = 30
  /// Nobody closes seconds for so long without a reason; conversions that were missed meanwhile are not made up.
  static let jump = Span.minutes(1)

  /// - Parameters:
  ///   - measures: of the ramp's policy, in its order; those after the first `RampPolicy.mostGuardrails` are dropped.
  ///   - settle: how long a second waits for sources to tell of it.
  package init(
    _ measures: [GuardedMeasure], settle: Span = SecondBuffer.defaultSettle, capacity: Int = defaultCapacity
  ) {
    self.measures = Array(measures.prefix(RampPolicy.mostGuardrails))
    self.settle = settle
    units = ExposedUnits(capacity: capacity)
    seconds = OpenSeconds(guardrails: self.measures.count)
    windows = self.measures.map {
      if case .conversion(let within) = $0.guardrail.measure { ConversionWindow(within) } else { nil }
    }
    memories = self.measures.map { _ in UnitMemory() }
    heard = self.measures.map { _ in .min }
  }

  // MARK: Stages

  /// An allocation comes into force.
  ///
  /// - Parameters:
  ///   - epoch: above every earlier one; told again, it only brings a version that was not known before.
  ///   - version: of the definitions, where exposures tell theirs.
  ///   - isResumed: units of this epoch were counted by a book that is gone: the sample is not told again.
  package mutating func begin(epoch: Int, version: Int?, at began: Instant, isResumed: Bool = false) {
    if let version, let index = epochs.firstIndex(where: { $0.number == epoch }), epochs[index].version == nil {
      epochs[index].version = version
    }
    guard epoch > epochs.last?.number ?? .min else { return }
    epochs.append(Epoch(number: epoch, version: version, began: began, settled: nil))
    if epochs.count > RampJudge.keptEpochs { epochs.removeFirst() }
    tally.units = .zero
    tally.inBoth = 0
    isSampleOver = isResumed
  }

  /// Every client has learnt of the epoch, or as good as.
  package mutating func settle(epoch: Int, at now: Instant) {
    guard let index = epochs.firstIndex(where: { $0.number == epoch }), epochs[index].settled == nil else { return }
    epochs[index].settled = now
  }

  // MARK: Telling

  package mutating func came(_ outcome: Outcome, now: Instant) {
    tally.outcomes += 1
    var trials: UInt8 = 0
    var events: UInt8 = 0
    for (index, measure) in measures.enumerated() where measure.event == nil || measure.event == outcome.event {
      let isEvent: Bool?
      switch measure.guardrail.measure {
      case .errors: isEvent = outcome.isFailure
      case .latency(let limit): isEvent = outcome.duration.map { $0 > limit }
      case .conversion: isEvent = nil
      }
      guard let isEvent else { continue }
      trials |= 1 << UInt8(index)
      if isEvent { events |= 1 << UInt8(index) }
    }
    guard trials != 0 else { return }
    wait(
      OpenSeconds.Pending(
        unit: outcome.unit, trace: outcome.trace, cohort: outcome.cohort, trials: trials, events: events,
        isConversion: false, at: outcome.at.milliseconds),
      now)
  }

  package mutating func came(_ conversion: Conversion, now: Instant) {
    tally.conversions += 1
    var events: UInt8 = 0
    for (index, measure) in measures.enumerated()
    where windows[index] != nil
      && (measure.event == nil || conversion.event == nil || measure.event == conversion.event)
    {
      events |= 1 << UInt8(index)
    }
    guard events != 0 else { return }
    let pending = OpenSeconds.Pending(
      unit: conversion.unit, trace: conversion.trace, cohort: nil, trials: 0, events: events, isConversion: true,
      at: conversion.at.milliseconds)
    // A late conversion still counts for as long as its window is open.
    guard seconds.isClosed(conversion.at.wholeSeconds) else { return wait(pending, now) }
    convert(pending)
  }

  package mutating func came(_ counts: CountedOutcomes, now: Instant) {
    guard counts.trials > 0, counts.events >= 0, counts.events <= counts.trials else { return }
    tally.outcomes += counts.trials
    for (index, measure) in measures.enumerated() where measure.event == nil || measure.event == counts.event {
      switch (measure.guardrail.measure, counts.kind) {
      case (.errors, .failed): break
      case (.latency(let limit), .slower(let than)) where limit == than: break
      case (.errors, .slower), (.latency, _), (.conversion, _): continue
      }
      guard measure.guardrail.counting == .requests else {
        tally.withoutUnit += counts.trials
        continue
      }
      var cohorts = OpenSeconds.CohortCounts()
      cohorts.trials[counts.cohort] = counts.trials
      cohorts.events[counts.cohort] = counts.events
      let admission = seconds.add(
        cohorts, guardrail: index, second: counts.at.wholeSeconds, now: now.wholeSeconds)
      note(admission, counts.trials)
    }
  }

  private mutating func wait(_ pending: OpenSeconds.Pending, _ now: Instant) {
    let second = Instant(milliseconds: pending.at).wholeSeconds
    note(seconds.add(pending, second: second, now: now.wholeSeconds), 1)
  }

  private mutating func note(_ admission: OpenSeconds.Admission, _ count: Int) {
    switch admission {
    case .open: break
    case .late: tally.late += count
    case .ahead: tally.ahead += count
    case .full: tally.overflowed += count
    }
  }

  // MARK: Seconds

  /// What became whole by now: each second once, in order.
  package mutating func close(now: Instant) -> RampSeconds {
    if let closedAt {
      if now < closedAt - .seconds(Double(SeenSeconds.ahead)) {
        jumped()
        seconds.setBack(to: now.wholeSeconds)
        units.setBack(to: now.milliseconds)
        heard = heard.map { min($0, now.wholeSeconds) }
      } else if now - closedAt > ExposureBook.jump {
        jumped()
      }
    }
    closedAt = now
    let through = (now - settle).wholeSeconds - 1
    var whole = RampSeconds()
    let before = seconds.closedThrough
    var next = max(before, through - Int64(SecondBuffer.mostOpen)) + 1
    for open in seconds.close(through: through) {
      while next < open.second {
        tellNothing(of: next, in: &whole)
        next += 1
      }
      tell(open, in: &whole)
      next = open.second + 1
    }
    while next <= through {
      tellNothing(of: next, in: &whole)
      next += 1
    }
    tellWindows(through: through, in: &whole)
    return whole
  }

  /// Windows were open while nobody looked: they are dropped, of both cohorts.
  private mutating func jumped() {
    tally.jumps += 1
    units.forgetWindows()
    for index in windows.indices { windows[index]?.forgetAll() }
  }
}
