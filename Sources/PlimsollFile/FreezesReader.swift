import Foundation
import Kernel
import MergeQueues
import Yams

/// `queue.freezes`: times in which nothing lands.
///
/// ```yaml
/// freezes:
///   - { from: 2026-12-20T00:00:00Z, to: 2027-01-04T08:00:00Z, reason: year's end }
///   - { days: [friday], between: 16:00-08:00, offset: "+01:00", reason: nobody is there, hotfixes: false }
/// ```
struct FreezesReader {
  let reading: Reading
  init(_ reading: Reading) { self.reading = reading }

  static let keys = ["from", "to", "days", "between", "offset", "reason", "hotfixes"]

  func read(_ node: Node) -> Freezes {
    let windows = (reading.items(node, "queue.freezes") ?? []).compactMap(window)
    let freezes = Freezes(windows)
    do throws(Refusal) { try freezes.validate() } catch { reading.fail(node, "queue.freezes: \(error.sentence)") }
    return freezes
  }

  private func window(_ node: Node) -> FreezeWindow? {
    let subject = "queue.freezes"
    guard let fields = reading.fields(node, subject, Self.keys) else { return nil }
    guard let reason = fields["reason"].flatMap({ reading.text($0, "\(subject).reason") }) else {
      if fields["reason"] == nil {
        reading.fail(node, "\(subject): a window needs a 'reason'; it is told to who waits")
      }
      return nil
    }
    let sparesHotfixes = fields["hotfixes"].flatMap { reading.flag($0, "\(subject).hotfixes") } ?? true
    let isDated = fields["from"] != nil || fields["to"] != nil
    // An offset alone names no time: taken as a weekly window it would hold for ever.
    let isWeekly = fields["days"] != nil || fields["between"] != nil
    guard isDated != isWeekly, isWeekly || fields["offset"] == nil else {
      reading.fail(node, "\(subject): expected either 'from' and 'to', or 'days' and 'between'")
      return nil
    }
    guard let period = isDated ? dated(fields, at: node) : weekly(fields, at: node) else { return nil }
    let window = FreezeWindow(period: period, reason: reason, exception: sparesHotfixes ? .hotfix : .none)
    do throws(Refusal) {
      try window.validate()
    } catch {
      reading.fail(node, "\(subject): \(error.sentence)")
      return nil
    }
    return window
  }

  private func dated(_ fields: [String: Node], at node: Node) -> FreezeWindow.Period? {
    guard let from = fields["from"], let to = fields["to"] else {
      reading.fail(node, "queue.freezes: a dated window needs both 'from' and 'to'")
      return nil
    }
    guard let from = instant(from, "queue.freezes.from"), let to = instant(to, "queue.freezes.to") else { return nil }
    return .dated(from: from, to: to)
  }

  private func instant(_ node: Node, _ subject: String) -> Instant? {
    reading.value(
      node, subject, expected: "a time such as 2026-12-20T08:00:00Z or 2026-12-20T09:00:00+01:00", Self.instant)
  }

  private func weekly(_ fields: [String: Node], at node: Node) -> FreezeWindow.Period? {
    guard let days = fields["days"].map(days) ?? FreezeWindow.Weekday.allCases else { return nil }
    var minutes = (from: 0, to: Self.minutesADay)
    if let between = fields["between"] {
      guard
        let found = reading.value(between, "queue.freezes.between", expected: "times such as 16:00-08:00", Self.between)
      else { return nil }
      minutes = found
    }
    var offset = 0
    if let node = fields["offset"] {
      guard
        let found = reading.value(
          node, "queue.freezes.offset", expected: "hours from UTC such as +01:00, from -12:00 to +14:00", Self.offset)
      else { return nil }
      offset = found
    }
    return .weekly(days: days, fromMinute: minutes.from, toMinute: minutes.to, offsetMinutes: offset)
  }

  /// Sorted, each once; nil, and a problem, when one is no day or none is named.
  private func days(_ node: Node) -> [FreezeWindow.Weekday]? {
    guard let items = reading.items(node, "queue.freezes.days") else { return nil }
    guard !items.isEmpty else {
      reading.fail(node, "queue.freezes.days: expected at least one day such as friday, found none")
      return nil
    }
    let days = items.compactMap(day)
    guard days.count == items.count else { return nil }
    return FreezeWindow.Weekday.allCases.filter(days.contains)
  }

  /// `fri` is as good as `friday`.
  private func day(_ node: Node) -> FreezeWindow.Weekday? {
    guard let text = reading.text(node, "queue.freezes.days") else { return nil }
    let all = FreezeWindow.Weekday.allCases
    let day = all.first { text.count >= Self.dayPrefix && $0.name.lowercased().hasPrefix(text.lowercased()) }
    if day == nil {
      let names = all.map { $0.name.lowercased() }
      reading.fail(
        node, "queue.freezes.days: expected a day such as friday, found '\(text)'\(Reading.hint(text, names))")
    }
    return day
  }

  // MARK: Times

  /// Letters that tell the days of a week apart, as calendars print them.
  private static let dayPrefix = 3
  private static let minutesADay = 1_440

  /// Of `2026-12-20T09:00:00+01:00`, `2026-12-20T08:00:00Z`, also without seconds; nil for a day or hour that does not
  /// exist.
  static func instant(_ text: String) -> Instant? {
    let zone = text.hasSuffix("Z") ? "Z" : String(text.suffix("+01:00".count))
    guard let offset = zone == "Z" ? 0 : offset(zone) else { return nil }
    var local = String(text.dropLast(zone.count))
    if local.count == "2026-12-20T08:00".count { local += ":00" }
    // The strategy takes the 30th of February for the 2nd of March, and reads on past what is wrong; `formatted` does
    // not.
    guard let date = try? Date(local + "Z", strategy: .iso8601), date.formatted(.iso8601) == local + "Z" else {
      return nil
    }
    return Instant(milliseconds: (Int64(date.timeIntervalSince1970) - Int64(offset) * 60) * 1000)
  }

  /// Minutes of the day of `16:00-08:00`.
  static func between(_ text: String) -> (from: Int, to: Int)? {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let from = minutes(parts[0]), let to = minutes(parts[1]), from < minutesADay else {
      return nil
    }
    return (from, to)
  }

  /// Minutes of `+01:00`, within `FreezeWindow.offsets`.
  static func offset(_ text: String) -> Int? {
    guard let sign = text.first, sign == "+" || sign == "-", let size = minutes(text.dropFirst()) else { return nil }
    let offset = sign == "-" ? -size : size
    return FreezeWindow.offsets.contains(offset) ? offset : nil
  }

  /// Minutes of `16:00`, 0 to 1,440.
  private static func minutes(_ text: some StringProtocol) -> Int? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, (1...2).contains(parts[0].count), parts[1].count == 2,
      // `Int` takes signs, too.
      parts.allSatisfy({ $0.allSatisfy(\.isWholeNumber) }), let hours = Int(parts[0]), let minutes = Int(parts[1]),
      minutes < 60, hours * 60 + minutes <= minutesADay
    else { return nil }
    return hours * 60 + minutes
  }
}
