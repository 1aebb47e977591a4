import Kernel
import Ramps

/// What requests of one service usually come to: counts of the last minutes, ten seconds each.
struct UsualRates {
  private struct Cell {
    let number: Int64
    var trials = 0
    var failed = 0
    /// Known to have failed or not.
    var judged = 0
    /// Durations by powers of two of a millisecond.
    var durations = [Int](repeating: 0, count: UsualRates.widths)
  }
  private var cells: [Cell] = []

  private static let cellMs: Int64 = 10_000
  /// Ten minutes.
  private static let kept = 60
  /// Up to a day.
  private static let widths = 28
  /// A rate from less than this time is none.
  private static let least = Span.seconds(10)

  mutating func add(_ result: RequestResult, at: Instant) {
    let number = at.milliseconds / UsualRates.cellMs
    if cells.last.map({ $0.number < number }) ?? true {
      cells.append(Cell(number: number))
      cells.removeAll { $0.number <= number - Int64(UsualRates.kept) }
    }
    // What comes late counts in the newest cell; the sum is the same.
    let index = cells.count - 1
    cells[index].trials += 1
    if let isFailure = result.isFailure {
      cells[index].judged += 1
      if isFailure { cells[index].failed += 1 }
    }
    if let duration = result.duration { cells[index].durations[UsualRates.width(duration)] += 1 }
  }

  private static func width(_ duration: Span) -> Int {
    let ms = UInt64(max(duration.milliseconds, 0))
    return min(UInt64.bitWidth - ms.leadingZeroBitCount, widths - 1)
  }

  /// Nil for conversions, which are no requests, and before enough is known.
  func usual(_ measure: Guardrail.Measure, now: Instant) -> UsualTraffic? {
    guard let first = cells.first else { return nil }
    let span = now - Instant(milliseconds: first.number * UsualRates.cellMs)
    guard span >= UsualRates.least else { return nil }
    switch measure {
    case .conversion: return nil
    case .errors:
      let judged = cells.reduce(0) { $0 + $1.judged }
      guard judged > 0 else { return nil }
      let failed = cells.reduce(0) { $0 + $1.failed }
      return UsualTraffic(trialsPerSecond: Double(judged) / span.seconds, rate: Double(failed) / Double(judged))
    case .latency(let limit):
      let all = cells.reduce(0) { $0 + $1.durations.reduce(0, +) }
      guard all > 0 else { return nil }
      // Of the width that holds the limit, half.
      let width = UsualRates.width(limit)
      let slow = cells.reduce(0.0) { sum, cell in
        sum + Double(cell.durations[(width + 1)...].reduce(0, +)) + Double(cell.durations[width]) / 2
      }
      return UsualTraffic(trialsPerSecond: Double(all) / span.seconds, rate: slow / Double(all))
    }
  }
}
