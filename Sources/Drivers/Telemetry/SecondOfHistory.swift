import Foundation
import Kernel

/// Counts of one deployment in one second, with response times in buckets that grow by 2 %.
struct SecondOfHistory: Equatable {
  /// Responses that have something in common, and when in the second (0 to 999 ms) the first and last of them ended.
  struct Cell: Equatable {
    var count = 0
    var firstMs = 999
    var lastMs = 0
    mutating func add(_ ms: Int) {
      count += 1
      firstMs = min(firstMs, ms)
      lastMs = max(lastMs, ms)
    }
  }

  let second: Int64
  let deployment: DeploymentID
  private(set) var errors = Cell()
  private(set) var buckets: [Int: Cell] = [:]

  /// A bucket's bounds differ by this factor, so a threshold is off by at most 2 %.
  static let growth = 1.02

  init(second: Int64, deployment: DeploymentID) {
    self.second = second
    self.deployment = deployment
  }

  /// Bucket 0 holds 0 ms; bucket b holds [1.02^(b-1), 1.02^b) ms.
  static func bucket(_ ms: Int64) -> Int { ms < 1 ? 0 : 1 + Int((log(Double(ms)) / log(growth)).rounded(.down)) }

  mutating func add(durationMs: Int64, isError: Bool, endedMs: Int64) {
    let offset = Int(min(max(endedMs - second * 1000, 0), 999))
    if isError { errors.add(offset) }
    buckets[Self.bucket(durationMs), default: Cell()].add(offset)
  }

  /// Requests slower than the threshold. A bucket that reaches beyond it counts whole: a baseline may look up to 2 %
  /// slower than it was, which can delay a verdict but never condemn a healthy release.
  private func slow(_ thresholdMs: Int64) -> [Cell] {
    let first = Self.bucket(thresholdMs)
    return buckets.filter { $0.key >= first }.map(\.value)
  }

  func counts(thresholdMs: Int64) -> RequestCounts {
    RequestCounts(
      requests: buckets.values.reduce(0) { $0 + $1.count }, errors: errors.count,
      slow: slow(thresholdMs).reduce(0) { $0 + $1.count })
  }

  /// When the first and the last bad response ended; nil without one.
  func bad(thresholdMs: Int64) -> (first: Instant, last: Instant)? {
    let cells = (slow(thresholdMs) + [errors]).filter { $0.count > 0 }
    guard let first = cells.map(\.firstMs).min(), let last = cells.map(\.lastMs).max() else { return nil }
    return (
      Instant(milliseconds: second * 1000 + Int64(first)), Instant(milliseconds: second * 1000 + Int64(last))
    )
  }

  /// `S second deployment errors bucket,bucket,…`, where a cell is `count:first:last` and a bucket `number:cell`.
  var line: String {
    func text(_ cell: Cell) -> String { "\(cell.count):\(cell.firstMs):\(cell.lastMs)" }
    let cells = buckets.sorted { $0.key < $1.key }.map { "\($0.key):\(text($0.value))" }.joined(separator: ",")
    return "S \(second) \(deployment) \(text(errors)) \(cells)\n"
  }

  /// Nil for a line that a crash cut short.
  init?(line: Substring) {
    func numbers(_ text: Substring) -> [Int] { text.split(separator: ":").compactMap { Int($0) } }
    let words = line.split(separator: " ")
    guard words.count == 5, words[0] == "S", let second = Int64(words[1]),
      let deployment = DeploymentID(rawValue: String(words[2]))
    else { return nil }
    self.init(second: second, deployment: deployment)
    let bad = numbers(words[3])
    guard bad.count == 3 else { return nil }
    errors = Cell(count: bad[0], firstMs: bad[1], lastMs: bad[2])
    for word in words[4].split(separator: ",") {
      let cell = numbers(word)
      guard cell.count == 4 else { return nil }
      buckets[cell[0]] = Cell(count: cell[1], firstMs: cell[2], lastMs: cell[3])
    }
  }
}
