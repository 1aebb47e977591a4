import Kernel

extension ExposureBook {
  package mutating func came(_ exposure: Exposure, now: Instant) {
    tally.exposures += 1
    guard exposure.at.wholeSeconds <= now.wholeSeconds + SeenSeconds.ahead else {
      tally.ahead += 1
      return
    }
    guard now - exposure.at < ExposureBook.exposureLasts else {
      tally.late += 1
      return
    }
    if let trace = exposure.trace {
      traces.add(trace, RecentTraces.Trace(unit: exposure.unit, cohort: exposure.cohort))
    }
    guard let key = exposure.unit, let (epoch, isFirm) = allocation(of: exposure) else { return }
    let place: Int
    if let known = units.place(of: key) {
      guard see(exposure, epoch: epoch, isFirm: isFirm, at: known, now) else { return }
      place = known
    } else {
      place = add(exposure, key, epoch: epoch, now)
      if isFirm { settleIn(place, exposure, now) }
    }
    openWindow(place, exposure, epoch: epoch)
  }

  /// The epoch that gave out a variant, and whether that is known rather than likely. Nil before the first one.
  private func allocation(of exposure: Exposure) -> (epoch: Int, isFirm: Bool)? {
    guard let first = epochs.first else { return nil }
    if let version = exposure.version, epochs.contains(where: { $0.version != nil }) {
      guard let epoch = epochs.last(where: { $0.version.map { $0 <= version } ?? false }) else {
        return (first.number, false)
      }
      return (epoch.number, true)
    }
    guard let epoch = epochs.last(where: { $0.began <= exposure.at }) else { return nil }
    return (epoch.number, epoch.settled.map { $0 <= exposure.at } ?? false)
  }

  private mutating func add(_ exposure: Exposure, _ key: UInt64, epoch: Int, _ now: Instant) -> Int {
    let at = exposure.at.milliseconds
    let (place, evicted) = units.add(
      ExposedUnit(key: key, cohort: exposure.cohort, before: exposure.cohort, since: at, seen: at, epoch: epoch))
    if let evicted {
      tally.evicted += 1
      // Whoever is seen again after this may have been counted already.
      isSampleOver = true
      forgetWindow(of: evicted)
    }
    return place
  }

  /// Takes the exposure of a unit that is known. False when it is none of the unit's present.
  private mutating func see(
    _ exposure: Exposure, epoch: Int, isFirm: Bool, at place: Int, _ now: Instant
  ) -> Bool {
    var unit = units[place]
    let isOther = exposure.cohort != unit.cohort
    guard epoch >= unit.epoch else {
      if isOther { tally.outdated += 1 }
      return false
    }
    let isNewEpoch = epoch > unit.epoch
    // Both, where one of the two may be of an earlier allocation: the one that is sure, or else the newer.
    if isOther, !isNewEpoch {
      if isFirm, unit.isFirm {
        exclude(place)
        return false
      }
      guard isFirm || (!unit.isFirm && exposure.at.milliseconds >= unit.seen) else {
        tally.outdated += 1
        return false
      }
    }
    if isOther {
      unit.before = unit.cohort
      unit.since = exposure.at.milliseconds
      unit.cohort = exposure.cohort
    }
    if isNewEpoch {
      unit.epoch = epoch
      unit.isFirm = false
      unit.isInBoth = false
    }
    unit.seen = max(unit.seen, exposure.at.milliseconds)
    unit.isTouched = true
    let settlesIn = isFirm && !unit.isFirm
    units[place] = unit
    if settlesIn { settleIn(place, exposure, now) }
    return true
  }

  /// The unit's variant is known to be of this epoch from here on: it is one of the sample.
  private mutating func settleIn(_ place: Int, _ exposure: Exposure, _ now: Instant) {
    units[place].isFirm = true
    let unit = units[place]
    guard unit.epoch == epochs.last?.number else { return }
    tally.units[unit.cohort] += 1
    guard !isSampleOver else { return }
    _ = seconds.addUnit(
      unit.cohort, epoch: unit.epoch, second: exposure.at.wholeSeconds, now: now.wholeSeconds)
  }

  private mutating func exclude(_ place: Int) {
    guard !units[place].isInBoth else { return }
    forgetWindow(of: units[place])
    units[place].isInBoth = true
    units[place].windowSecond = .min
    if units[place].epoch == epochs.last?.number { tally.inBoth += 1 }
  }

  // MARK: Windows of conversions

  /// A unit is a trial once an epoch, and never while an earlier window of it is open: one conversion is one event.
  /// Whoever changes cohort meanwhile stays where it was when the window opened.
  private mutating func openWindow(_ place: Int, _ exposure: Exposure, epoch: Int) {
    let unit = units[place]
    let second = exposure.at.wholeSeconds
    guard unit.isFirm, !unit.isInBoth, unit.windowEpoch < epoch else { return }
    let longest = windows.lazy.compactMap { $0?.seconds }.max() ?? 0
    guard longest > 0, unit.windowSecond == .min || second - unit.windowSecond > longest else { return }
    units[place].windowEpoch = epoch
    units[place].windowSecond = second
    units[place].windowCohort = unit.cohort
    units[place].converted = 0
    let label = self.epoch(at: second) ?? epoch
    for index in windows.indices { windows[index]?.exposed(unit.cohort, second: second, epoch: label) }
  }

  private mutating func forgetWindow(of unit: ExposedUnit) {
    guard unit.windowSecond != .min else { return }
    for index in windows.indices {
      windows[index]?.forget(
        unit.windowCohort, exposedAt: unit.windowSecond, hadConverted: unit.converted & (1 << UInt8(index)) != 0)
    }
  }

  mutating func convert(_ pending: OpenSeconds.Pending) {
    let key = pending.unit ?? pending.trace.flatMap { traces[$0]?.unit }
    guard let key else {
      tally.withoutUnit += 1
      return
    }
    guard let place = units.place(of: key) else {
      tally.unknownUnits += 1
      return
    }
    guard !units[place].isInBoth else {
      tally.excluded += 1
      return
    }
    let unit = units[place]
    guard unit.windowSecond != .min else { return }
    let second = Instant(milliseconds: pending.at).wholeSeconds
    for index in windows.indices {
      let bit: UInt8 = 1 << UInt8(index)
      guard pending.events & bit != 0, unit.converted & bit == 0, let window = windows[index],
        window.holds(second, exposedAt: unit.windowSecond)
      else { continue }
      units[place].converted |= bit
      windows[index]?.converted(unit.windowCohort, exposedAt: unit.windowSecond)
    }
  }
}
