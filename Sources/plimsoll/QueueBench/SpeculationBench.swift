import Foundation
import Kernel
import QueueTrials

/// Model 1: speculation over a conflict graph, against an Oracle that lands in order.
struct SpeculationBench {
  let changes: Int
  let seeds: Range<UInt64>
  let policies: [Model1Policy]

  struct Row: Encodable {
    var cell: String
    var arrivals: Int
    var workers: Int
    var overlap: Double
    var policy: String
    var p50Minutes: Double
    var p95Minutes: Double
    /// Of the Oracle's; nil where it was left out.
    var p50OfOracle: Double?
    var p95OfOracle: Double?
    var buildsPerChange: Double
    var stoppedShare: Double
    var falseEjections: Int
    var brokenLandings: Int
    var stuck: Int
  }

  /// Arrivals more than twice the workers: the "workers below half the arrivals".
  static let scarce = [(100, 45), (300, 140)].map {
    Model1.Cell(arrivals: $0.0, workers: $0.1, overlap: 0.05)
  }

  func rows(_ progress: (String) -> Void) async -> [Row] {
    var rows: [Row] = []
    for cell in Model1.cells + Self.scarce {
      var scores: [Model1Policy.Score] = []
      for policy in policies {
        progress("\(cell.name) \(policy.rawValue) …")
        let changes = changes
        var score = Model1Policy.Score(policy)
        for part in await inParallel(
          seeds, { policy.score(cell, changes: changes, seeds: $0..<($0 + 1)) })
        {
          score.add(part)
        }
        scores.append(score)
      }
      let oracle = scores.first { $0.policy == .oracle }
      rows += scores.map { Self.row(cell, $0, oracle) }
    }
    return rows
  }

  /// Ours at other prices of a build, on the first seed alone: what fewer builds cost. Empty without the Oracle or ours.
  func frontier(_ progress: (String) -> Void) -> [Row] {
    guard policies.contains(.ours), policies.contains(.oracle) else { return [] }
    let first = seeds.lowerBound..<(seeds.lowerBound + 1)
    return Model1.cells.flatMap { cell in
      progress("\(cell.name) frontier …")
      let oracle = Model1Policy.oracle.score(cell, changes: changes, seeds: first)
      return Model1Policy.prices.map { price in
        var row = Self.row(cell, Model1Policy.score(price: price, cell, changes: changes, seeds: first), oracle)
        row.policy = "price \(price)"
        return row
      }
    }
  }

  private static func row(_ cell: Model1.Cell, _ score: Model1Policy.Score, _ oracle: Model1Policy.Score?) -> Row {
    Row(
      cell: cell.name, arrivals: cell.arrivals, workers: cell.workers, overlap: cell.overlap,
      policy: score.policy.rawValue, p50Minutes: score.p50 / 60, p95Minutes: score.p95 / 60,
      p50OfOracle: oracle.map { score.p50 / $0.p50 }, p95OfOracle: oracle.map { score.p95 / $0.p95 },
      buildsPerChange: score.buildsPerChange, stoppedShare: score.stoppedShare,
      falseEjections: score.falseEjections, brokenLandings: score.brokenLandings, stuck: score.stuck)
  }

  /// Issue "A merge queue that beats the best", "It must reach": over the cells with as many workers as arrivals.
  static func bars(_ rows: [Row]) -> [BenchQueueCommand.Bar] {
    let own = rows.filter { $0.policy == Model1Policy.ours.rawValue }
    let wide = own.filter { $0.arrivals == $0.workers }
    let ratios = wide.compactMap(\.p50OfOracle)
    guard !wide.isEmpty, ratios.count == wide.count else { return [] }
    var bars = [
      BenchQueueCommand.Bar("P50 of the Oracle's, worst cell", ratios.max() ?? 0, atMost: 0.9),
      BenchQueueCommand.Bar(
        "builds a change, mean of the cells", wide.reduce(0) { $0 + $1.buildsPerChange } / Double(wide.count),
        atMost: 1.6),
      BenchQueueCommand.Bar(
        "landed broken, ejected falsely or stuck",
        Double(own.reduce(0) { $0 + $1.brokenLandings + $1.falseEjections + $1.stuck }), atMost: 0),
    ]
    let scarce = own.filter { $0.workers * 2 < $0.arrivals }.compactMap { mine in
      rows.first { $0.cell == mine.cell && $0.policy == Model1Policy.optimistic.rawValue }.map {
        mine.p50Minutes / $0.p50Minutes
      }
    }
    if let worst = scarce.max() {
      bars.append(BenchQueueCommand.Bar("P50 of Optimistic's where workers are scarce, worst cell", worst, atMost: 1))
    }
    return bars
  }

  static func show(_ rows: [Row], title: String = "Speculation") {
    Terminal.standard.line("\(title): changes/h, workers and overlap; minutes from arrival to landing")
    printTable(
      ["cell", "policy", "P50", "× Oracle", "P95", "× Oracle", "builds/change", "stopped"],
      rows.map { row in
        [
          row.cell, row.policy, String(format: "%.1f", row.p50Minutes), Self.ratio(row.p50OfOracle),
          String(format: "%.1f", row.p95Minutes), Self.ratio(row.p95OfOracle),
          String(format: "%.2f", row.buildsPerChange), String(format: "%.0f %%", row.stoppedShare * 100),
        ]
      })
    Terminal.standard.line()
  }

  private static func ratio(_ value: Double?) -> String { value.map { String(format: "%.2f", $0) } ?? "–" }

  /// Beyond these nothing is told apart any more.
  private static let mostRatio = 3.0
  private static let mostBuilds = 6.0

  /// Waits against builds: further down and left is better.
  static func picture(_ rows: [Row]) -> String {
    let wide = rows.filter { $0.arrivals == $0.workers }
    let present = Set(wide.map(\.policy))
    let names = ([.ours, .planner] + Model1Policy.rivals).map(\.rawValue).filter { present.contains($0) }
    return QueuePicture.dots(
      title: "Speculation: each dot a cell; beyond 3 Oracles or 6 builds it is drawn at the edge",
      x: "builds a change", y: "P50 of the Oracle's",
      names.map { name in
        QueuePicture.Series(
          label: name,
          points: wide.filter { $0.policy == name }.map { row in
            QueuePicture.Point(
              x: min(row.buildsPerChange, mostBuilds), y: min(row.p50OfOracle ?? mostRatio, mostRatio),
              title: "\(name), \(row.cell): \(ratio(row.p50OfOracle)) x Oracle, "
                + String(format: "%.2f builds a change", row.buildsPerChange))
          })
      }, marks: (1.6, 0.9))
  }

  /// Of each cell the prices of a build: what is above and right of another dot of its colour is worse twice.
  static func frontierPicture(_ rows: [Row]) -> String {
    QueuePicture.dots(
      title: "Ours at other prices of a build; beyond 3 Oracles or 6 builds it is drawn at the edge",
      x: "builds a change", y: "P50 of the Oracle's",
      Model1.cells.map(\.name).map { cell in
        QueuePicture.Series(
          label: cell,
          points: rows.filter { $0.cell == cell }.map { row in
            QueuePicture.Point(
              x: min(row.buildsPerChange, mostBuilds), y: min(row.p50OfOracle ?? mostRatio, mostRatio),
              title: "\(cell), \(row.policy): \(ratio(row.p50OfOracle)) x Oracle, "
                + String(format: "%.2f builds a change", row.buildsPerChange))
          })
      }, marks: (1.6, 0.9))
  }
}
