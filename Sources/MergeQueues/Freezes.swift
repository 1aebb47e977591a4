import Kernel

/// A time in which nothing lands, from `plimsoll.yaml`.
package struct FreezeWindow: Codable, Equatable, Sendable {
  package let period: Period
  /// For a person: "the sale is on".
  package let reason: String
  package let exception: Exception

  package enum Period: Codable, Equatable, Sendable {
    /// `to` is not in it.
    case dated(from: Instant, to: Instant)
    /// On each of `days`, from `fromMinute` of the day until before `toMinute`; 0 is midnight, 1,440 the next. When the
    /// end is not after the beginning, it is on the next day. Clocks are `offsetMinutes` ahead of UTC, summer and winter
    /// alike: no table of time zones is at hand.
    case weekly(days: [Weekday], fromMinute: Int, toMinute: Int, offsetMinutes: Int)
  }

  package enum Exception: String, Codable, Sendable {
    case none
    /// Entries of the hotfix lane land.
    case hotfix
  }

  /// Days as people number them (ISO 8601): Monday is 1.
  package enum Weekday: Int, Codable, CaseIterable, Comparable, Sendable {
    case monday = 1
    case tuesday, wednesday, thursday, friday, saturday, sunday
    package static func < (left: Weekday, right: Weekday) -> Bool { left.rawValue < right.rawValue }
    package var name: String {
      switch self {
      case .monday: "Monday"
      case .tuesday: "Tuesday"
      case .wednesday: "Wednesday"
      case .thursday: "Thursday"
      case .friday: "Friday"
      case .saturday: "Saturday"
      case .sunday: "Sunday"
      }
    }
  }

  package init(period: Period, reason: String, exception: Exception = .hotfix) {
    self.period = period
    self.reason = reason
    self.exception = exception
  }

  static let minutesADay = 1_440
  /// Kiribati is 14 hours ahead of UTC, Baker Island 12 behind.
  package static let offsets = -720...840

  /// - Throws: `Refusal.malformed` for a window that cannot be.
  package func validate() throws(Refusal) {
    guard reason.contains(where: { !$0.isWhitespace }) else {
      throw Refusal(.malformed, "A freeze window has no reason; say why nothing lands then.")
    }
    switch period {
    case .dated(let from, let to):
      guard from < to else {
        throw Refusal(.malformed, "The freeze window '\(reason)' ends before it begins; swap its ends.")
      }
    case .weekly(let days, let from, let to, let offset):
      guard !days.isEmpty else {
        throw Refusal(.malformed, "The freeze window '\(reason)' is on no day; name its days.")
      }
      guard (0..<Self.minutesADay).contains(from), (0...Self.minutesADay).contains(to) else {
        throw Refusal(
          .malformed, "The freeze window '\(reason)' has minutes outside of a day; give 00:00 to 24:00.")
      }
      guard Self.offsets.contains(offset) else {
        throw Refusal(
          .malformed, "The freeze window '\(reason)' is \(offset) minutes from UTC; give -12:00 to +14:00.")
      }
    }
  }

  package func covers(_ instant: Instant) -> Bool {
    switch period {
    case .dated(let from, let to): return from <= instant && instant < to
    case .weekly(let days, let from, let to, let offset):
      let local = LocalMinute(instant, offset)
      // Since its own beginning, or since that of the day before when it goes past midnight.
      let begunToday = days.contains(local.weekday) && local.ofDay >= from
      if to > from { return begunToday && local.ofDay < to }
      return begunToday || (days.contains(local.dayBefore) && local.ofDay < to)
    }
  }

  /// Instants after `start` and at most `end` at which it begins or ends, in any order.
  fileprivate func edges(after start: Instant, through end: Instant) -> [Instant] {
    switch period {
    case .dated(let from, let to): return [from, to].filter { start < $0 && $0 <= end }
    case .weekly(let days, let from, let to, let offset):
      let first = LocalMinute(start, offset).day - 1
      let last = LocalMinute(end, offset).day
      guard first <= last else { return [] }
      return (first...last).filter { days.contains(LocalMinute.weekday(of: $0)) }.flatMap { day in
        [from, to > from ? to : to + Self.minutesADay].map { LocalMinute.instant(day: day, minute: $0, offset) }
      }.filter { start < $0 && $0 <= end }
    }
  }
}

/// All freeze windows of a queue.
package struct Freezes: Codable, Equatable, Sendable {
  /// In the order of the configuration; where several hold, the first is named.
  package let windows: [FreezeWindow]
  /// Windows of one queue: a release calendar of a year, weekly ones aside.
  package static let windowLimit = 64

  package init(_ windows: [FreezeWindow] = []) { self.windows = windows }

  /// - Throws: `Refusal.malformed` for a window that cannot be, or too many.
  package func validate() throws(Refusal) {
    guard windows.count <= Self.windowLimit else {
      throw Refusal(
        .malformed, "The queue has \(windows.count) freeze windows; keep the next \(Self.windowLimit).")
    }
    for window in windows { try window.validate() }
  }

  /// The window that holds an entry at `now`; nil when it may land.
  package func hold(at now: Instant, isHotfix: Bool = false) -> FreezeWindow? {
    windows.first { $0.covers(now) && !(isHotfix && $0.exception == .hotfix) }
  }

  /// When what `hold` says changes next, for hotfixes or for others; nil when it never does.
  package func nextChange(after now: Instant) -> Instant? {
    func standing(_ at: Instant) -> [FreezeWindow?] { [hold(at: at), hold(at: at, isHotfix: true)] }
    let standingNow = standing(now)
    // What is weekly repeats, so that a week after now, and after each dated edge, everything has been seen.
    let dated = windows.flatMap { window -> [Instant] in
      if case .dated(let from, let to) = window.period { return [from, to].filter { now < $0 } }
      return []
    }
    let edges = ([now] + dated).flatMap { start in
      windows.flatMap { $0.edges(after: start, through: start + Self.week) }
    }
    return (edges + dated).sorted().first { standing($0) != standingNow }
  }

  /// When an entry that is held at `now` may land, as far as windows say; nil when it is not held, or always will be.
  package func thaw(after now: Instant, isHotfix: Bool = false) -> Instant? {
    guard hold(at: now, isHotfix: isHotfix) != nil else { return nil }
    var at = now
    // Each change of the standing is an edge of a window; a week of weekly ones and all dated ones is enough.
    for _ in 0..<(16 * windows.count + 2) {
      guard let next = nextChange(after: at) else { return nil }
      if hold(at: next, isHotfix: isHotfix) == nil { return next }
      at = next
    }
    return nil
  }

  /// A day more, for windows past midnight.
  private static let week = Span.minutes(Double(8 * FreezeWindow.minutesADay))
}

/// Days and minutes on a clock that is some minutes ahead of UTC.
private struct LocalMinute {
  /// Since 1970-01-01.
  let day: Int
  /// 0 to 1,439.
  let ofDay: Int

  init(_ instant: Instant, _ offset: Int) {
    let (minutes, seconds) = instant.milliseconds.quotientAndRemainder(dividingBy: 60_000)
    let local = Int(seconds < 0 ? minutes - 1 : minutes) + offset
    let (days, rest) = local.quotientAndRemainder(dividingBy: FreezeWindow.minutesADay)
    day = rest < 0 ? days - 1 : days
    ofDay = rest < 0 ? rest + FreezeWindow.minutesADay : rest
  }

  var weekday: FreezeWindow.Weekday { Self.weekday(of: day) }
  var dayBefore: FreezeWindow.Weekday { Self.weekday(of: day - 1) }

  /// 1970-01-01 was a Thursday.
  static func weekday(of day: Int) -> FreezeWindow.Weekday {
    let index = ((day + 3) % 7 + 7) % 7
    return FreezeWindow.Weekday.allCases[index]
  }

  static func instant(day: Int, minute: Int, _ offset: Int) -> Instant {
    Instant(milliseconds: Int64(day * FreezeWindow.minutesADay + minute - offset) * 60_000)
  }
}
