import Foundation
import Kernel
import QueueTrials

/// Model 2: batches on one line with more changes than its slots can test one by one.
struct BatchBench {
  let changes: Int
  let seeds: Range<UInt64>
  let policies: [Model2Policy]

  struct Row: Encodable {
    var cell: String
    var slots: Int
    var failure: Double
    var flake: Double
    var policy: String
    var resolvedPerHour: Double
    /// Against the best policy of the cell, 0 to 1.
    var loss: Double
    var buildsPerLanded: Double
    /// Of all changes, 0 to 1.
    var falseEjectionShare: Double
    var brokenLandings: Int
    var stuck: Int
  }

  func rows(_ progress: (String) -> Void) async -> [Row] {
    var rows: [Row] = []
    for cell in Model2.cells {
      var scores: [(Model2Policy, Model2.Score)] = []
      for policy in policies {
        progress("\(cell.name) \(policy.rawValue) …")
        let changes = changes
        let parts = await inParallel(seeds) { seed in
          policy.run(
            on: CIFarm(
              trace: Model2.trace(cell, changes: changes, seed: seed), slots: cell.slots, proof: .tree,
              measured: 0...1))
        }
        var score = Model2.Score()
        for part in parts { score.add(part) }
        scores.append((policy, score))
      }
      let best = scores.map(\.1.resolvedPerHour).max() ?? 0
      rows += scores.map { policy, score in
        Row(
          cell: cell.name, slots: cell.slots, failure: cell.failure, flake: cell.flake, policy: policy.rawValue,
          resolvedPerHour: score.resolvedPerHour, loss: best > 0 ? 1 - score.resolvedPerHour / best : 0,
          buildsPerLanded: score.buildsPerLanded, falseEjectionShare: score.falseEjectionShare,
          brokenLandings: score.brokenLandings, stuck: score.stuck)
      }
    }
    return rows
  }

  /// Issue "A merge queue that beats the best", "It must reach".
  static func bars(_ rows: [Row]) -> [BenchQueueCommand.Bar] {
    let own = rows.filter { $0.policy == Model2Policy.ours.rawValue }
    guard !own.isEmpty else { return [] }
    let flaky = own.filter { $0.flake == 0.02 }
    return [
      BenchQueueCommand.Bar("loss against the best, worst cell", own.map(\.loss).max() ?? 0, atMost: 0.05),
      BenchQueueCommand.Bar(
        "false ejections at 2 % flakes, worst cell", flaky.map(\.falseEjectionShare).max() ?? 0, atMost: 0.002),
      BenchQueueCommand.Bar(
        "landed broken or stuck", Double(own.reduce(0) { $0 + $1.brokenLandings + $1.stuck }), atMost: 0),
    ]
  }

  static func show(_ rows: [Row]) {
    Terminal.standard.line("Batches: changes resolved an hour, and what that loses against the cell's best policy")
    printTable(
      ["cell", "policy", "resolved/h", "loss", "builds/landed", "false ejections"],
      rows.map { row in
        [
          row.cell, row.policy, String(format: "%.1f", row.resolvedPerHour),
          String(format: "%.1f %%", row.loss * 100), String(format: "%.2f", row.buildsPerLanded),
          String(format: "%.2f %%", row.falseEjectionShare * 100),
        ]
      })
    Terminal.standard.line()
  }

  static func picture(_ rows: [Row]) -> String {
    var names: [String] = []
    for row in rows where !names.contains(row.policy) { names.append(row.policy) }
    let cells = Dictionary(grouping: rows, by: \.cell)
    var order: [String] = []
    for row in rows where !order.contains(row.cell) { order.append(row.cell) }
    return QueuePicture.shades(
      title: "Batches: loss against the best policy of each cell", columns: names,
      rows: order.map { cell in
        (
          cell,
          names.map { name in
            guard let row = cells[cell]?.first(where: { $0.policy == name }) else { return ("–", 0) }
            return (String(format: "%.0f %%", row.loss * 100), row.loss)
          }
        )
      })
  }
}
