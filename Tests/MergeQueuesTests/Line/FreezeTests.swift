import Foundation
import Kernel
import Statistics
import Testing

@testable import MergeQueues

@Suite("Freezes") struct FreezeTests {
  /// 2024-01-01 was a Monday.
  static let monday = Instant(milliseconds: 1_704_067_200_000)
  static func at(_ day: Int, _ hour: Int, _ minute: Int = 0) -> Instant {
    monday + .minutes(Double(day * 1_440 + hour * 60 + minute))
  }
  static let weekend = FreezeWindow(
    period: .weekly(days: [.friday], fromMinute: 16 * 60, toMinute: 24 * 60, offsetMinutes: 0), reason: "Friday")
  static let saturday = FreezeWindow(
    period: .weekly(days: [.saturday, .sunday], fromMinute: 0, toMinute: 1_440, offsetMinutes: 0), reason: "weekend",
    exception: .none)
  static let night = FreezeWindow(
    period: .weekly(days: [.monday], fromMinute: 22 * 60, toMinute: 6 * 60, offsetMinutes: 120), reason: "night")
  static let sale = FreezeWindow(period: .dated(from: at(1, 0), to: at(3, 0)), reason: "the sale is on")

  @Test("hold from their beginning to before their end")
  func edges() {
    func check(
      _ window: FreezeWindow, _ instant: Instant, _ expected: Bool, _ location: SourceLocation = #_sourceLocation
    ) {
      #expect(window.covers(instant) == expected, sourceLocation: location)
    }
    check(Self.sale, Self.at(0, 23, 59), false)
    check(Self.sale, Self.at(1, 0), true)
    check(Self.sale, Self.at(3, 0), false)
    check(Self.weekend, Self.at(4, 15, 59), false)
    check(Self.weekend, Self.at(4, 16), true)
    check(Self.weekend, Self.at(4, 23, 59), true)
    check(Self.weekend, Self.at(5, 0), false)
    check(Self.weekend, Self.at(4 - 70, 17), true)
    // Two hours ahead of UTC: from 20:00 to 04:00 there.
    check(Self.night, Self.at(0, 19, 59), false)
    check(Self.night, Self.at(0, 20), true)
    check(Self.night, Self.at(1, 3, 59), true)
    check(Self.night, Self.at(1, 4), false)
    check(Self.night, Self.at(2, 1), false)
    let longAgo = Instant(milliseconds: -1)
    check(
      FreezeWindow(period: .weekly(days: [.wednesday], fromMinute: 0, toMinute: 0, offsetMinutes: 0), reason: "a"),
      longAgo, true)
  }

  @Test("hotfixes pass where the window says so")
  func hotfix() {
    let freezes = Freezes([Self.weekend, Self.saturday])
    #expect(freezes.hold(at: Self.at(4, 17))?.reason == "Friday")
    #expect(freezes.hold(at: Self.at(4, 17), isHotfix: true) == nil)
    #expect(freezes.hold(at: Self.at(5, 17), isHotfix: true)?.reason == "weekend")
    #expect(freezes.hold(at: Self.at(3, 17)) == nil)
  }

  @Test("say when they thaw, over windows that touch")
  func thaw() {
    let freezes = Freezes([Self.weekend, Self.saturday, Self.sale])
    #expect(freezes.thaw(after: Self.at(4, 17)) == Self.at(7, 0))
    #expect(freezes.thaw(after: Self.at(2, 17)) == Self.at(3, 0))
    #expect(freezes.thaw(after: Self.at(3, 17)) == nil)
    #expect(freezes.nextChange(after: Self.at(3, 17)) == Self.at(4, 16))
    // The reason changes at midnight, and whom it holds.
    #expect(freezes.nextChange(after: Self.at(4, 17)) == Self.at(5, 0))
    let always = FreezeWindow(
      period: .weekly(days: FreezeWindow.Weekday.allCases, fromMinute: 0, toMinute: 0, offsetMinutes: 0),
      reason: "closed")
    #expect(Freezes([always]).nextChange(after: Self.monday) == nil)
    #expect(Freezes([always]).thaw(after: Self.monday) == nil)
    #expect(Freezes().nextChange(after: Self.monday) == nil)
  }

  @Test("the next change is the first minute that differs", arguments: 1...60 as ClosedRange<UInt64>)
  func nextChange(seed: UInt64) {
    var chance = Chance(seed: seed)
    func roll(_ count: Int) -> Int { Int(chance.uniform() * Double(count)) }
    let windows = (0..<(1 + roll(3))).map { number -> FreezeWindow in
      let exception: FreezeWindow.Exception = roll(2) == 0 ? .none : .hotfix
      if roll(3) == 0 {
        let from = Self.monday + .minutes(Double(roll(9_000)))
        return FreezeWindow(
          period: .dated(from: from, to: from + .minutes(Double(1 + roll(3_000)))), reason: "\(number)",
          exception: exception)
      }
      let days = FreezeWindow.Weekday.allCases.filter { _ in roll(3) == 0 } + [.tuesday]
      return FreezeWindow(
        period: .weekly(days: days, fromMinute: roll(1_440), toMinute: roll(1_441), offsetMinutes: roll(27) * 60 - 720),
        reason: "\(number)", exception: exception)
    }
    let freezes = Freezes(windows)
    func standing(_ at: Instant) -> [String?] {
      [freezes.hold(at: at)?.reason, freezes.hold(at: at, isHotfix: true)?.reason]
    }
    let now = Self.monday + .minutes(Double(roll(10_080)))
    let first = (1...(21 * 1_440)).lazy.map { now + .minutes(Double($0)) }.first { standing($0) != standing(now) }
    #expect(freezes.nextChange(after: now) == first)
  }

  @Test("windows that cannot be are refused")
  func validation() {
    func check(
      _ period: FreezeWindow.Period, reason: String = "a", _ why: String, _ location: SourceLocation = #_sourceLocation
    ) {
      #expect(sourceLocation: location) {
        try Freezes([FreezeWindow(period: period, reason: reason)]).validate()
      } throws: {
        ($0 as? Refusal)?.sentence.contains(why) ?? false
      }
    }
    check(.dated(from: Self.at(1, 0), to: Self.at(1, 0)), "ends before")
    check(.dated(from: Self.at(1, 0), to: Self.at(2, 0)), reason: " ", "no reason")
    check(.weekly(days: [], fromMinute: 0, toMinute: 1, offsetMinutes: 0), "no day")
    check(.weekly(days: [.monday], fromMinute: 1_440, toMinute: 1, offsetMinutes: 0), "outside of a day")
    check(.weekly(days: [.monday], fromMinute: 0, toMinute: 1, offsetMinutes: 900), "900 minutes")
    #expect(throws: Refusal.self) { try Freezes(Array(repeating: Self.sale, count: 65)).validate() }
    #expect(throws: Never.self) { try Freezes([Self.sale, Self.weekend, Self.night]).validate() }
  }
}
