import Foundation
import Kernel
import Simulator

/// What a turn of the queue's machine costs with a line of thousands, invariants checked.
struct TurnBench {
  /// Issue "A merge queue that beats the best", "It must reach".
  static let entries = 10_000
  static let limitMs = 5.0
  static let turns = 3_000

  struct Row: Encodable {
    var lanes: String
    var slots: Int
    /// Whether entries need approvals, checks and reviews, which most of them lack.
    var needs: String
    var kind: String
    var turns: Int
    var medianMs: Double
    var p99Ms: Double
    var longestMs: Double
  }

  /// - Throws: `Refusal` when the simulated world asks for what the machine does not take: a defect of the bench.
  static func rows(_ progress: (String) -> Void) throws -> [Row] {
    var rows: [Row] = []
    for lanes in LongLine.Lanes.allCases {
      for slots in [2, 16, 64] {
        for needs in LongLine.Needs.allCases {
          progress("turns, lanes \(lanes.rawValue), \(slots) slots, needs \(needs.rawValue) …")
          rows += try measured(LongLine.Setting(entries: entries, slots: slots, lanes: lanes, needs: needs))
        }
      }
    }
    return rows
  }

  private static func measured(_ setting: LongLine.Setting) throws -> [Row] {
    var line = LongLine(setting)
    var times: [LongLine.Kind: [Double]] = [:]
    let clock = ContinuousClock()
    for _ in 0..<turns {
      guard let (kind, input) = line.next() else {
        throw Refusal(.notNow, "The simulated queue wants nothing although \(line.state.entries.count) wait: a defect.")
      }
      let began = clock.now
      let wrong = try line.take(input)
      times[kind, default: []].append((clock.now - began) / .milliseconds(1))
      if let wrong = wrong.first { throw Refusal(.notNow, "The simulated queue broke a promise: \(wrong).") }
    }
    return LongLine.Kind.allCases.compactMap { kind in
      guard let all = times[kind]?.sorted(), let longest = all.last else { return nil }
      return Row(
        lanes: setting.lanes.rawValue, slots: setting.slots, needs: setting.needs.rawValue, kind: kind.rawValue,
        turns: all.count,
        medianMs: all[all.count / 2], p99Ms: all[all.count * 99 / 100], longestMs: longest)
    }
  }

  /// Of the 99th percentiles, because the longest turn of a busy machine says when something else ran.
  static func bars(_ rows: [Row]) -> [BenchQueueCommand.Bar] {
    let worst = rows.map(\.p99Ms).max() ?? 0
    return [BenchQueueCommand.Bar("a turn with \(entries) queued, ms, P99 of the worst kind", worst, atMost: limitMs)]
  }

  static func show(_ rows: [Row]) {
    Terminal.standard.line("A turn with \(entries) changes queued, milliseconds")
    printTable(
      ["lanes", "slots", "needs", "turn", "turns", "median", "P99", "longest"],
      rows.map { row in
        [
          row.lanes, "\(row.slots)", row.needs, row.kind, "\(row.turns)", String(format: "%.2f", row.medianMs),
          String(format: "%.2f", row.p99Ms), String(format: "%.2f", row.longestMs),
        ]
      })
    Terminal.standard.line()
  }
}
