import Kernel
import MergeQueues
import Testing

@testable import PlimsollFile

/// The one window of `queue: { freezes: [{ pairs }] }`.
private func freeze(_ pairs: String) throws -> FreezeWindow {
  let windows = try freezes("[{ \(pairs) }]")
  try #require(windows.count == 1)
  return try #require(windows.first)
}

private func freezes(_ list: String) throws -> [FreezeWindow] {
  try #require(parse(file(then: "queue: { freezes: \(list) }")).topology.queues.first).freezes.windows
}

/// The one problem of `queue: { freezes: [{ pairs }] }`, whose window begins in column 20 of line 9 and its pairs in 22.
private func check(_ pairs: String, says expected: String, _ location: SourceLocation = #_sourceLocation) {
  check(file(then: "queue: { freezes: [{ \(pairs) }] }"), "plimsoll.yaml:9:\(expected)", location)
}

/// 2026-12-20T08:00:00Z, by `date -u -d 2026-12-20T08:00:00Z +%s`.
private let eight = Instant(milliseconds: 1_797_753_600_000)

private func inWeek(
  _ days: [FreezeWindow.Weekday] = FreezeWindow.Weekday.allCases, _ from: Int = 0, _ to: Int = 1440, offset: Int = 0
) -> FreezeWindow.Period {
  .weekly(days: days, fromMinute: from, toMinute: to, offsetMinutes: offset)
}

@Suite("queue.freezes") struct FreezesTests {
  @Test("dated windows, in any zone") func dated() throws {
    let year = try freeze("from: 2026-12-20T08:00:00Z, to: 2027-01-04T08:00:00Z, reason: year's end")
    #expect(year.period == .dated(from: eight, to: eight + .minutes(15 * 24 * 60)))
    #expect(year.reason == "year's end" && year.exception == .hotfix)
    let hour = try freeze("from: 2026-12-20T09:00:00+01:00, to: 2026-12-20T03:30-05:30, reason: sale, hotfixes: false")
    #expect(hour.period == .dated(from: eight, to: eight + .minutes(60)))
    #expect(hour.exception == .none)
    #expect(hour.covers(eight) && !hour.covers(eight + .minutes(60)), "its end is not in it")
  }

  @Test(
    "weekly windows",
    arguments: [
      ("days: [friday]", inWeek([.friday])),
      ("days: [fri]", inWeek([.friday])),
      ("days: [Sat, SUN, sunday, tues]", inWeek([.tuesday, .saturday, .sunday])),
      ("between: 16:00-24:00", inWeek(FreezeWindow.Weekday.allCases, 960, 1440)),
      ("between: 9:05-17:30", inWeek(FreezeWindow.Weekday.allCases, 545, 1050)),
      ("days: [friday], between: 16:00-08:00", inWeek([.friday], 960, 480)),
      ("between: 12:00-12:00", inWeek(FreezeWindow.Weekday.allCases, 720, 720)),
      ("days: [mon], offset: +01:00", inWeek([.monday], offset: 60)),
      ("days: [mon], offset: '-03:30'", inWeek([.monday], offset: -210)),
      ("days: [mon], offset: +14:00", inWeek([.monday], offset: 840)),
      ("days: [mon], offset: -12:00", inWeek([.monday], offset: -720)),
    ]) func weekly(pairs: String, expected: FreezeWindow.Period) throws
  {
    let window = try freeze("\(pairs), reason: nobody is there")
    #expect(window.period == expected)
    try window.validate()
  }

  @Test("a window past midnight holds the next morning, by the clock of its offset") func pastMidnight() throws {
    // The 20th of December 2026 is a Sunday; 08:00 UTC is 09:00 there.
    let night = try freeze("days: [saturday], between: 16:00-09:30, offset: +01:00, reason: weekend")
    #expect(night.covers(eight))
    #expect(!night.covers(eight + .minutes(30)))
    #expect(!night.covers(eight + .minutes(8 * 60)), "Sunday evening")
  }

  @Test("several windows keep their order; none is no freeze") func several() throws {
    let two = try freezes("[{ days: [fri], reason: b }, { days: [mon], reason: a }]")
    #expect(two.map(\.reason) == ["b", "a"])
    #expect(try freezes("[]") == [])
  }

  @Test(
    "windows that cannot be",
    arguments: [
      ("days: [friday]", "20: queue.freezes: a window needs a 'reason'; it is told to who waits"),
      ("days: [friday], reason: ' '", "46: queue.freezes.reason: expected a text, found nothing"),
      ("reason: x", "20: queue.freezes: expected either 'from' and 'to', or 'days' and 'between'"),
      ("reason: x, offset: +01:00", "20: queue.freezes: expected either 'from' and 'to', or 'days' and 'between'"),
      (
        "from: 2026-12-20T08:00:00Z, to: 2026-12-21T08:00:00Z, days: [fri], reason: x",
        "20: queue.freezes: expected either 'from' and 'to', or 'days' and 'between'"
      ),
      (
        "from: 2026-12-20T08:00:00Z, to: 2026-12-21T08:00:00Z, offset: +01:00, reason: x",
        "20: queue.freezes: expected either 'from' and 'to', or 'days' and 'between'"
      ),
      ("from: 2026-12-20T08:00:00Z, reason: x", "20: queue.freezes: a dated window needs both 'from' and 'to'"),
      (
        "from: 2026-12-20T08:00:00Z, to: 2026-12-20T08:00:00Z, reason: x",
        "20: queue.freezes: The freeze window 'x' ends before it begins; swap its ends."
      ),
      (
        "from: 2026-12-20T09:30:00+01:00, to: 2026-12-20T08:00:00Z, reason: x",
        "20: queue.freezes: The freeze window 'x' ends before it begins; swap its ends."
      ),
      (
        "days: [fryday], reason: x",
        "29: queue.freezes.days: expected a day such as friday, found 'fryday'; did you mean 'fri"
      ),
      ("days: [mon, t], reason: x", "34: queue.freezes.days: expected a day such as friday, found 't'"),
      ("days: [], reason: x", "28: queue.freezes.days: expected at least one day such as friday, found none"),
      ("days: friday, reason: x", "28: queue.freezes.days: expected a list, found 'friday'"),
      ("days: [fri], hotfixes: some, reason: x", "45: queue.freezes.hotfixes: expected true or false, found 'some'"),
      ("dyas: [fri], between: 1:00-2:00, reason: x", "22: queue.freezes: unknown key 'dyas'; did you mean 'days'?"),
    ]) func wrong(pairs: String, expected: String)
  { check(pairs, says: expected) }

  @Test(
    "instants that do not exist",
    arguments: [
      "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-12-20T24:00:00Z", "2026-12-20T08:60:00Z",
      "2026-12-20T08:00:00", "2026-12-20", "2026-12-20T08:00:00Zulu", "2026-12-20T08:00:00+99:00",
      "2026-12-20 08:00:00Z", "tomorrow", "Z", "+01:00",
    ]) func noInstants(text: String)
  {
    check(
      "from: '\(text)', to: 2027-01-04T08:00:00Z, reason: x",
      says: "28: queue.freezes.from: expected a time such as 2026-12-20T08:00:00Z or 2026-12-20T09:00:00+01:00, found '"
    )
  }

  @Test(
    "times of the day that do not exist",
    arguments: [
      "16:00", "16-08", "24:00-08:00", "16:00-24:01", "16:60-17:00", "+4:00-8:00", "016:00-17:00", "1:2-3:4", "a-b",
    ])
  func noTimes(text: String) {
    check(
      "between: '\(text)', reason: x", says: "31: queue.freezes.between: expected times such as 16:00-08:00, found '")
  }

  @Test("offsets that no clock has", arguments: ["1", "01:00", "+1", "+14:01", "-12:01", "CET", "+-1:00"])
  func noOffsets(text: String) {
    check(
      "days: [fri], offset: '\(text)', reason: x",
      says: "43: queue.freezes.offset: expected hours from UTC such as +01:00, from -12:00 to +14:00, found '")
  }

  @Test("no more windows than a queue looks at") func many() {
    let windows = Array(repeating: "{ days: [fri], reason: x }", count: Freezes.windowLimit + 1)
    check(
      file(then: "queue: { freezes: [\(windows.joined(separator: ", "))] }"),
      "plimsoll.yaml:9:19: queue.freezes: The queue has 65 freeze windows; keep the next 64.")
  }
}
