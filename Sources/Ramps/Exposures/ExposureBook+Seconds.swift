import Kernel

extension ExposureBook {
  /// The newest epoch that began before the second's end: in the second of a change either share is possible, and the
  /// judge takes it so for the newer one.
  func epoch(at second: Int64) -> Int? {
    epochs.last { $0.began.milliseconds < (second + 1) * 1000 }?.number
  }

  /// Joins a whole second.
  mutating func tell(_ open: OpenSeconds.Open, in whole: inout RampSeconds) {
    if open.units.all > 0 {
      whole.units.append(
        RampSeconds.Units(
          second: Instant(milliseconds: open.second * 1000), epoch: open.unitsEpoch, units: open.units))
    }
    var counts = open.counted
    for pending in open.pending {
      if pending.isConversion { convert(pending) } else { join(pending, into: &counts) }
    }
    guard let epoch = epoch(at: open.second) else { return }
    for index in measures.indices where windows[index] == nil {
      if counts[index].trials.all > 0 { heard[index] = max(heard[index], open.second) }
      tell(index, open.second, epoch, counts[index], in: &whole)
    }
  }

  /// A second of which nothing was told: no traffic, for as long as the source was heard of lately.
  mutating func tellNothing(of second: Int64, in whole: inout RampSeconds) {
    guard let epoch = epoch(at: second) else { return }
    for index in measures.indices where windows[index] == nil {
      tell(index, second, epoch, OpenSeconds.CohortCounts(), in: &whole)
    }
  }

  private func tell(
    _ index: Int, _ second: Int64, _ epoch: Int, _ counts: OpenSeconds.CohortCounts, in whole: inout RampSeconds
  ) {
    // `heard` is `Int64.min` at first: no difference is formed with it.
    guard heard[index] >= second - ExposureBook.aliveSeconds else { return }
    whole.told.append(
      RampSeconds.Told(
        guardrail: index,
        counts: CohortSecond(
          second: Instant(milliseconds: second * 1000), epoch: epoch, trials: counts.trials, events: counts.events)))
  }

  mutating func tellWindows(through: Int64, in whole: inout RampSeconds) {
    for index in windows.indices {
      guard let closed = windows[index]?.close(through: through) else { continue }
      for cell in closed {
        whole.told.append(
          RampSeconds.Told(
            guardrail: index,
            counts: CohortSecond(
              second: Instant(milliseconds: cell.second * 1000), epoch: cell.epoch, trials: cell.trials,
              events: cell.events)))
      }
    }
  }

  /// Adds an outcome to the counts of its cohort, if it has one.
  private mutating func join(_ pending: OpenSeconds.Pending, into counts: inout [OpenSeconds.CohortCounts]) {
    let trace = pending.trace.flatMap { traces[$0] }
    let key = pending.unit ?? trace?.unit
    let known = key.flatMap { units.place(of: $0) }.map { units[$0] }
    if let known, known.isInBoth {
      tally.excluded += 1
      return
    }
    guard let cohort = pending.cohort ?? known.flatMap({ cohort(of: $0, at: pending.at) }) ?? trace?.cohort else {
      if key == nil && trace == nil { tally.withoutUnit += 1 } else { tally.unknownUnits += 1 }
      return
    }
    var isJoined = false
    for index in measures.indices {
      let bit: UInt8 = 1 << UInt8(index)
      guard pending.trials & bit != 0 else { continue }
      // One unit's ten failures are not ten units': without its key they cannot be told apart.
      guard key != nil || measures[index].guardrail.counting == .requests else { continue }
      isJoined = true
      counts[index].trials[cohort] += 1
      guard pending.events & bit != 0, isCounted(key, index, at: pending.at) else { continue }
      counts[index].events[cohort] += 1
    }
    if isJoined { tally.joined += 1 } else { tally.withoutUnit += 1 }
  }

  /// Nil when nobody knows what the unit was given then.
  private func cohort(of unit: ExposedUnit, at milliseconds: Int64) -> Cohort? {
    guard milliseconds - unit.seen < ExposureBook.exposureLasts.milliseconds else { return nil }
    return milliseconds < unit.since ? unit.before : unit.cohort
  }

  private mutating func isCounted(_ key: UInt64?, _ index: Int, at milliseconds: Int64) -> Bool {
    switch measures[index].guardrail.counting {
    case .requests: true
    case .units: key.map { memories[index].counts($0, at: Instant(milliseconds: milliseconds)) } ?? false
    }
  }
}
