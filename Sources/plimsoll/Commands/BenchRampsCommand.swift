import ArgumentParser
import Foundation
import RampTrials
import Ramps

/// The judge of ramps and its rivals on the same simulated ramps.
struct BenchRampsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ramps", abstract: "Put the judge of guarded ramps and its rivals through the same simulated ramps.",
    discussion: """
      Ramps that harm nobody, thirty minutes at 1, 5 and 25 % with three guardrails, show needless stops; ramps that \
      harm from their first second, with one and with three, show the time to find it; a third kind harms after twenty \
      minutes. The same numbers give the same ramps on every machine. It takes some minutes.
      Exit 0 when every bar was held, 1 when not.
      """)

  @Option(name: .long, help: "Harmful ramps a cell.")
  var harmful = 1000
  @Option(name: .long, help: "Harmless ramps a cell.")
  var harmless = 2000
  @Option(name: .long, help: "Only cells whose name begins so.")
  var cell: [String] = []
  @Flag(name: .long, help: "Leave the rivals out.")
  var alone = false
  @Flag(name: .long, help: "Print JSON instead of a table.")
  var json = false

  /// Issue "Flags: deploy is not release", ramps.
  static let mostNeedless = 0.01
  static let threeFold = 1.5
  /// Percent, ratio, median and P95 in seconds at 1,000 requests/s.
  static let bars: [(percent: Double, ratio: Double, median: Double, p95: Double?)] = [
    (1, 5, 30, 80), (25, 2, 17, nil),
  ]
  private static let seedsATask = 50

  private struct Row: Encodable {
    var cell: String
    var guardrails: Int
    var judge: String
    var ramps: Int
    var needless: Int
    /// Clopper-Pearson, one-sided 95 %.
    var needlessLimit: Double
    var found: Int
    var medianSeconds: Int?
    var p95Seconds: Int?
    /// Of this judge's median to ours.
    var ratio: Double?
    var sampleAlarms: Int
  }

  private struct Bar: Encodable {
    var name: String
    var value: Double?
    var most: Double
    var held: Bool

    init(name: String, value: Double?, most: Double) {
      self.name = name
      self.value = value
      self.most = most
      held = value.map { $0 <= most } ?? false
    }
  }

  private struct Answer: Encodable {
    var rows: [Row]
    var bars: [Bar]
  }

  func validate() throws {
    guard harmful > 0, harmless > 0 else { throw ValidationError("Give 1 or more ramps a cell.") }
  }

  func run() async throws {
    let contenders = alone ? [RampContender.plimsoll] : RampContender.allCases
    let cells =
      RampCell.harmless + [1, 3].flatMap { RampCell.harmful(guardrails: $0) + RampCell.late(guardrails: $0) }
    var trials: [RampTrial] = []
    for one in cells where cell.isEmpty || cell.contains(where: { one.name.hasPrefix($0) }) {
      if !json { Terminal.standard.progress("\(one.name) …") }
      trials.append(await trial(one, contenders))
    }
    Terminal.standard.clearProgress()
    let table = trials.flatMap { rows($0) }
    let promises = trials.flatMap { bars($0) }
    if json {
      try printJSON(Answer(rows: table, bars: promises))
    } else {
      show(table, promises)
    }
    if !promises.allSatisfy(\.held) { throw ExitCode(1) }
  }

  private func trial(_ cell: RampCell, _ contenders: [RampContender]) async -> RampTrial {
    let count = cell.ratio == 1 ? harmless : harmful
    let parts = stride(from: 0, to: count, by: Self.seedsATask).map {
      UInt64($0)..<UInt64(min($0 + Self.seedsATask, count))
    }
    return await withTaskGroup(of: RampTrial.self) { group in
      for seeds in parts {
        group.addTask {
          var part = RampTrial(cell, contenders: contenders)
          part.run(seeds)
          return part
        }
      }
      var sum = RampTrial(cell, contenders: contenders)
      for await part in group { sum.add(part) }
      return sum
    }
  }

  private func rows(_ trial: RampTrial) -> [Row] {
    let ours = trial.tallies[0].seconds(for: 0.5)
    return trial.tallies.map { tally in
      let median = tally.seconds(for: 0.5)
      var ratio: Double?
      if let ours, let median, ours > 0 { ratio = Double(median) / Double(ours) }
      return Row(
        cell: trial.cell.name, guardrails: trial.cell.guardrails, judge: tally.contender.rawValue, ramps: tally.ramps,
        needless: tally.needless, needlessLimit: tally.needlessLimit, found: tally.seconds.count,
        medianSeconds: median, p95Seconds: tally.seconds(for: 0.95), ratio: ratio, sampleAlarms: trial.sampleAlarms)
    }
  }

  private func bars(_ trial: RampTrial) -> [Bar] {
    let cell = trial.cell
    let tally = trial.tallies[0]
    guard cell.ratio != 1 else {
      return [
        Bar(name: "\(cell.name): needless stops, %", value: tally.needlessShare * 100, most: Self.mostNeedless * 100)
      ]
    }
    guard cell.onset == 0, cell.requestsPerSecond == 1000,
      let bar = Self.bars.first(where: { $0.percent == cell.stages[0] && $0.ratio == cell.ratio })
    else { return [] }
    let fold = cell.guardrails == 1 ? 1 : Self.threeFold
    let name = "\(cell.name), \(cell.guardrails == 1 ? "one guardrail" : "three guardrails")"
    let median = Bar(
      name: "\(name): median, s", value: tally.seconds(for: 0.5).map(Double.init), most: bar.median * fold)
    guard let p95 = bar.p95 else { return [median] }
    return [
      median, Bar(name: "\(name): P95, s", value: tally.seconds(for: 0.95).map(Double.init), most: p95 * fold),
    ]
  }

  private func show(_ rows: [Row], _ bars: [Bar]) {
    printTable(
      ["cell", "guardrails", "judge", "ramps", "needless", "at most (95 %)", "found", "median", "P95", "of ours"],
      rows.map { row in
        [
          row.cell, "\(row.guardrails)", row.judge, "\(row.ramps)", "\(row.needless)",
          String(format: "%.2f %%", row.needlessLimit * 100), "\(row.found)",
          row.medianSeconds.map { "\($0) s" } ?? "–",
          row.p95Seconds.map { "\($0) s" } ?? "–", row.ratio.map { String(format: "%.2fx", $0) } ?? "–",
        ]
      })
    for bar in bars {
      let value = bar.value.map { String(format: "%.2f", $0) } ?? "never"
      let text = "\(bar.name): \(value), wanted at most \(String(format: "%.1f", bar.most))"
      Terminal.standard.line(
        Terminal.standard.paint("\(bar.held ? "held  " : "BROKEN")  \(text)", bar.held ? .good : .bad))
    }
  }
}
