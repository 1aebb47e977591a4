import ArgumentParser
import Foundation
import JudgeTrials
import Kernel

/// The judge and what others do, on the same simulated deploys.
struct BenchJudgeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "judge", abstract: "Put the judge and its rivals through the same simulated deploys.",
    discussion: """
      Cells are named SHAPE/ERRORS-IN-PERCENT/REQUESTS-A-SECOND, such as steady/0.1/20; a part from the left names \
      several. Healthy deploys show needless rollbacks, worsened ones the time to find them. The same numbers give the \
      same deploys on every machine. 10,000 deploys of all cells take about an hour of one core.
      """)

  @Option(name: .long, help: "Deploys a cell.")
  var deploys = 200
  @Option(name: .long, help: "Only cells whose name is this, or begins with it and a slash.")
  var cell: [String] = []
  @Option(name: .long, help: "How many times as often the new version fails; 1 is healthy.")
  var worsening: [Double] = [1, 2, 5, 20, 100]
  @Flag(name: .long, help: "Leave the rivals out.")
  var alone = false
  @Option(name: .long, help: "Write a picture (SVG) here.", completion: .file(extensions: ["svg"]))
  var plot: String?
  @Flag(name: .long, help: "Print JSON instead of a table.")
  var json = false

  /// Issue "Rollouts that judge well": needless rollbacks a deploy in every cell with a concurrent control.
  static let mostNeedless = 0.005
  /// Deploys that one task takes on: a second or so.
  static let seedsATask = 500

  private struct Row: Encodable {
    var cell: String
    var worsening: Double
    var contender: String
    var deploys: Int
    var rolledBack: Int
    var share: Double
    /// Clopper-Pearson, 95 %.
    var low: Double
    var high: Double
    var medianSeconds: Double?
    var p95Seconds: Double?
  }

  func validate() throws {
    guard deploys > 0 else { throw ValidationError("--deploys is the number of deploys a cell: 1 or more.") }
    guard worsening.allSatisfy({ $0 > 0 }) else { throw ValidationError("--worsening is a factor above 0.") }
    if chosen.isEmpty { throw ValidationError("No cell is named so; one is \(Cell.all()[0].name).") }
  }

  func run() async throws {
    var rows: [(cell: Cell, tallies: [Tally])] = []
    for cell in chosen {
      Terminal.standard.progress("\(cell.name) …")
      rows.append((cell, await tallies(of: cell)))
    }
    Terminal.standard.clearProgress()
    if let plot {
      let svg = TrialPicture.svg(title: "Share of \(deploys) deploys a cell that was rolled back", rows: rows)
      try writeFile(Data(svg.utf8), to: plot)
    }
    let told = rows.flatMap { entry in entry.tallies.map { row(entry.cell, $0) } }
    if json { try printJSON(told) } else { show(told) }
    let broken = told.filter { $0.contender == Contender.plimsoll.rawValue && $0.worsening == 1 }
      .filter { $0.low > Self.mostNeedless && !$0.cell.hasPrefix("\(Shape.clusteredUnseen.rawValue)/") }
    if !broken.isEmpty { throw ExitCode(1) }
  }

  private var chosen: [Cell] {
    worsening.flatMap { factor in
      Cell.all(worsening: factor).filter { one in
        let name = Cell(errorRate: one.errorRate, requestsPerSecond: one.requestsPerSecond, shape: one.shape).name
        return cell.isEmpty || cell.contains { name == $0 || name.hasPrefix("\($0)/") }
      }
    }
  }

  private func tallies(of cell: Cell) async -> [Tally] {
    let contenders = alone ? [Contender.plimsoll] : Contender.allCases
    let parts = stride(from: 0, to: deploys, by: Self.seedsATask).map { from in
      UInt64(from)..<UInt64(min(from + Self.seedsATask, deploys))
    }
    return await withTaskGroup(of: [Tally].self) { group in
      for seeds in parts { group.addTask { Trial.run(cell, seeds: seeds, contenders: contenders) } }
      var sums = contenders.map { Tally($0) }
      for await part in group {
        for index in sums.indices { sums[index].add(part[index]) }
      }
      return sums
    }
  }

  private func row(_ cell: Cell, _ tally: Tally) -> Row {
    Row(
      cell: cell.name, worsening: cell.worsening, contender: tally.contender.rawValue, deploys: tally.deploys,
      rolledBack: tally.rolledBackMs.count, share: tally.share, low: tally.limits.lowerBound,
      high: tally.limits.upperBound, medianSeconds: tally.seconds(for: 0.5), p95Seconds: tally.seconds(for: 0.95))
  }

  private func show(_ rows: [Row]) {
    func percent(_ share: Double) -> String { String(format: "%.2f", share * 100) }
    func seconds(_ value: Double?) -> String { value.map { String(format: "%.2f s", $0) } ?? "–" }
    printTable(
      ["cell", "judge", "rolled back", "95 % limits", "median", "95 % within"],
      rows.map { row in
        [
          row.cell, row.contender, "\(percent(row.share)) %", "\(percent(row.low)) to \(percent(row.high)) %",
          seconds(row.medianSeconds), seconds(row.p95Seconds),
        ]
      })
  }
}
