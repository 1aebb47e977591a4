import Foundation
import Kernel
import QueueTrials
import Statistics

/// The search for the change that broke a batch, among runs that lie.
enum CulpritBench {
  struct Row: Encodable {
    var name: String
    var searches: Int
    /// Right verdicts, 0 to 1.
    var right: Double
    var meanRuns: Double
    var p95Runs: Int
    var meanRounds: Double
  }

  /// Issue "A merge queue that beats the best": 64 commits, 10 % false reds, 40 % of trials without a culprit.
  private static let changes = 64
  private static let falseReds = CulpritSearch.ErrorRates(falseRed: 0.1, falseGreen: 0)
  private static let both = CulpritSearch.ErrorRates(falseRed: 0.1, falseGreen: 0.1)
  private static let confidence = 0.999

  private enum Kind: String, CaseIterable {
    case sometimes = "a culprit in 60 %"
    case always = "always a culprit"
    case symmetric = "false greens, too"
    case four = "four runs at once"

    var setting: CulpritTrials.Setting {
      switch self {
      case .sometimes:
        .init(changes: changes, noCulprit: 0.4, rates: falseReds, confidence: confidence)
      case .always: .init(changes: changes, noCulprit: 0, rates: falseReds, confidence: confidence)
      case .symmetric: .init(changes: changes, noCulprit: 0.4, rates: both, confidence: confidence)
      case .four:
        .init(changes: changes, noCulprit: 0.4, rates: falseReds, parallel: 4, confidence: confidence)
      }
    }
  }

  static func rows(searches: Int, _ progress: (String) -> Void) async -> [Row] {
    var rows: [Row] = []
    for kind in Kind.allCases {
      progress("\(kind.rawValue) …")
      let score = CulpritTrials.run(kind.setting, seeds: 0..<UInt64(searches))
      rows.append(
        Row(
          name: kind.rawValue, searches: score.trials, right: score.share, meanRuns: score.meanRuns,
          p95Runs: score.highRuns, meanRounds: score.meanRounds))
    }
    return rows
  }

  static func bars(_ rows: [Row]) -> [BenchQueueCommand.Bar] {
    func row(_ kind: Kind) -> Row? { rows.first { $0.name == kind.rawValue } }
    var bars: [BenchQueueCommand.Bar] = []
    if let row = row(.sometimes) {
      bars.append(BenchQueueCommand.Bar("culprits right", row.right, atLeast: 0.999))
      bars.append(BenchQueueCommand.Bar("runs, mean", row.meanRuns, atMost: 9))
      bars.append(BenchQueueCommand.Bar("runs, P95", Double(row.p95Runs), atMost: 15))
    }
    if let row = row(.always) {
      bars.append(BenchQueueCommand.Bar("runs with always a culprit, mean", row.meanRuns, atMost: 11))
    }
    if let row = row(.symmetric) {
      bars.append(BenchQueueCommand.Bar("culprits right with false greens", row.right, atLeast: 0.999))
      bars.append(BenchQueueCommand.Bar("runs with false greens, mean", row.meanRuns, atMost: 17))
    }
    if let row = row(.four) {
      bars.append(BenchQueueCommand.Bar("rounds of four runs, mean", row.meanRounds, atMost: 4))
    }
    return bars
  }

  static func show(_ rows: [Row]) {
    Terminal.standard.line("The search for a culprit: 64 changes, 10 % of runs red without cause")
    printTable(
      ["kind", "searches", "right", "runs", "95 % within", "rounds"],
      rows.map { row in
        [
          row.name, "\(row.searches)", String(format: "%.3f %%", row.right * 100),
          String(format: "%.2f", row.meanRuns), "\(row.p95Runs)", String(format: "%.2f", row.meanRounds),
        ]
      })
    Terminal.standard.line()
  }
}
