import Foundation
import Kernel

/// Ten years: a longer time is a slip of the hand, and far longer ones do not fit into milliseconds.
package let longestSpan = Span.minutes(10 * 366 * 24 * 60)
/// A pebibyte: no instance is limited to more.
package let mostBytes: Double = 1_125_899_906_842_624

/// Reads `250ms`, `30s`, `15m`, `2h`, `1d`; a bare `0` is zero. Nil for anything else: negatives and times beyond
/// `longestSpan` included.
package func parseSpan(_ text: String) -> Span? {
  if text == "0" { return .zero }
  let units: [(suffix: String, milliseconds: Double)] = [
    ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
  ]
  for unit in units where text.hasSuffix(unit.suffix) {
    let digits = text.dropLast(unit.suffix.count)
    // "5ms" also ends in "s": the number before decides.
    guard digits.allSatisfy({ $0.isNumber || $0 == "." }), let number = Double(digits), number >= 0 else { continue }
    guard number * unit.milliseconds <= Double(longestSpan.milliseconds) else { return nil }
    return Span(milliseconds: Int64((number * unit.milliseconds).rounded()))
  }
  return nil
}

/// Reads `5%`, `99.9 %` or a plain share like `0.05`; nil outside 0 to 1.
package func parseShare(_ text: String) -> Double? {
  let share: Double?
  if text.hasSuffix("%") {
    share = Double(text.dropLast().trimmingCharacters(in: .whitespaces)).map { $0 / 100 }
  } else {
    share = Double(text)
  }
  guard let share, (0...1).contains(share) else { return nil }
  return share
}

/// Reads a share in plain words: `1 in 200`, `1 in 200 deploys`, `at most 1 needless rollback in 200 deploys`; or as
/// `parseShare` does. Nil for anything else.
package func parseOdds(_ text: String) -> Double? {
  if let share = parseShare(text) { return share }
  var words = text.split(separator: " ", omittingEmptySubsequences: true).map { $0.lowercased() }
  if words.starts(with: ["at", "most"]) { words.removeFirst(2) }
  words.removeAll { ["needless", "rollback", "rollbacks", "deploy", "deploys"].contains($0) }
  guard words.count == 3, words[1] == "in", let some = Int(words[0]), let all = Int(words[2]), some > 0, some <= all
  else { return nil }
  return Double(some) / Double(all)
}

/// Reads a whole percent, `10` or `10%`; nil outside 0 to 100.
package func parsePercent(_ text: String) -> Int? {
  Int(text.hasSuffix("%") ? String(text.dropLast()) : text).flatMap { (0...100).contains($0) ? $0 : nil }
}

/// Reads `256MB`, `1.5GB`, `64MiB`; nil for anything else, and for less than a byte or more than `mostBytes`.
package func parseBytes(_ text: String) -> Int64? {
  let units: [(suffix: String, bytes: Double)] = [
    ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9),
  ]
  for unit in units where text.hasSuffix(unit.suffix) {
    guard let number = Double(text.dropLast(unit.suffix.count).trimmingCharacters(in: .whitespaces)),
      (1...mostBytes).contains(number * unit.bytes)
    else { return nil }
    return Int64((number * unit.bytes).rounded())
  }
  return nil
}
