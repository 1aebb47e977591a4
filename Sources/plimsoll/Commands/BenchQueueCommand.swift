import ArgumentParser
import Foundation
import Kernel
import QueueTrials
import Statistics

/// The queue and its rivals on the same simulated changes.
struct BenchQueueCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue", abstract: "Put the merge queue and its rivals through the same simulated changes.",
    discussion: """
      Four parts (docs/queue-trials.md): speculation over a conflict graph, batches on one line, the search for a \
      culprit, and what a turn costs with 10,000 changes queued. The same numbers give the same changes on every machine. All of it at 20 seeds of 5,000 changes takes \
      hours; --part, --changes and --seeds make it shorter.
      Exit 0 when every bar was held, 1 when not.
      """)

  enum Part: String, CaseIterable, ExpressibleByArgument {
    case speculation, batches, culprit, turns
  }

  @Option(name: .long, help: "Only this part; may be repeated.")
  var part: [Part] = Part.allCases
  @Option(name: .long, help: "Changes a trace.")
  var changes = 5000
  @Option(name: .long, help: "Traces a cell.")
  var seeds = 20
  @Option(name: .long, help: "The first seed; others than those that constants were chosen on.")
  var firstSeed: UInt64 = 1_000
  @Option(name: .long, help: "Searches for a culprit, of each kind.")
  var searches = 20_000
  @Option(name: .long, help: "Only policies of these names; may be repeated.")
  var policy: [String] = []
  @Option(name: .long, help: "Write pictures (SVG) into this folder.", completion: .directory)
  var plots: String?
  @Flag(name: .long, help: "Print JSON instead of tables.")
  var json = false

  struct Answer: Encodable {
    var changes: Int
    var seeds: Int
    var firstSeed: UInt64
    var speculation: [SpeculationBench.Row]?
    /// Ours at other prices of a build.
    var frontier: [SpeculationBench.Row]?
    var batches: [BatchBench.Row]?
    var culprit: [CulpritBench.Row]?
    var turns: [TurnBench.Row]?
    var bars: [Bar]
  }

  /// A promise of the issue "A merge queue that beats the best", and whether these figures keep it.
  struct Bar: Encodable {
    var name: String
    var measured: Double
    var wanted: String
    var isHeld: Bool

    init(_ name: String, _ measured: Double, atMost limit: Double) {
      self.init(name: name, measured: measured, wanted: String(format: "at most %g", limit), isHeld: measured <= limit)
    }
    init(_ name: String, _ measured: Double, atLeast limit: Double) {
      self.init(name: name, measured: measured, wanted: String(format: "at least %g", limit), isHeld: measured >= limit)
    }
    private init(name: String, measured: Double, wanted: String, isHeld: Bool) {
      self.name = name
      self.measured = measured
      self.wanted = wanted
      self.isHeld = isHeld
    }
  }

  func validate() throws {
    guard changes > 0, seeds > 0, searches > 0 else {
      throw ValidationError("--changes, --seeds and --searches are counts: 1 or more.")
    }
    let known = Model1Policy.allCases.map(\.rawValue) + Model2Policy.allCases.map(\.rawValue)
    for name in policy where !known.contains(name) {
      let hint = nearestMatch(to: name, among: known).map { "; did you mean '\($0)'?" } ?? "."
      throw ValidationError("No policy is named '\(name)'\(hint)")
    }
  }

  func run() async throws {
    let range = firstSeed..<(firstSeed + UInt64(seeds))
    var answer = Answer(changes: changes, seeds: seeds, firstSeed: firstSeed, bars: [])
    if part.contains(.speculation) {
      let bench = SpeculationBench(changes: changes, seeds: range, policies: chosen(Model1Policy.allCases))
      let rows = await bench.rows { Terminal.standard.progress($0) }
      answer.speculation = rows
      answer.bars += SpeculationBench.bars(rows)
      try draw("speculation.svg", SpeculationBench.picture(rows))
      let frontier = bench.frontier { Terminal.standard.progress($0) }
      if !frontier.isEmpty {
        answer.frontier = frontier
        try draw("frontier.svg", SpeculationBench.frontierPicture(frontier))
      }
    }
    if part.contains(.batches) {
      let bench = BatchBench(changes: changes, seeds: range, policies: chosen(Model2Policy.allCases))
      let rows = await bench.rows { Terminal.standard.progress($0) }
      answer.batches = rows
      answer.bars += BatchBench.bars(rows)
      try draw("batches.svg", BatchBench.picture(rows))
    }
    if part.contains(.culprit) {
      let rows = await CulpritBench.rows(searches: searches) { Terminal.standard.progress($0) }
      answer.culprit = rows
      answer.bars += CulpritBench.bars(rows)
    }
    if part.contains(.turns) {
      let rows = try TurnBench.rows { Terminal.standard.progress($0) }
      answer.turns = rows
      answer.bars += TurnBench.bars(rows)
    }
    Terminal.standard.clearProgress()
    if json { try printJSON(answer) } else { show(answer) }
    if answer.bars.contains(where: { !$0.isHeld }) { throw ExitCode(1) }
  }

  private func chosen<Policy: RawRepresentable<String>>(_ all: [Policy]) -> [Policy] {
    policy.isEmpty ? all : all.filter { policy.contains($0.rawValue) }
  }

  private func draw(_ name: String, _ svg: String) throws {
    guard let plots else { return }
    do {
      try FileManager.default.createDirectory(atPath: plots, withIntermediateDirectories: true)
    } catch {
      throw Outage("disk", "\(plots) cannot be made", sources: ["\(error)"])
    }
    try writeFile(Data(svg.utf8), to: URL(filePath: plots).appending(path: name).path)
  }

  private func show(_ answer: Answer) {
    let terminal = Terminal.standard
    if let rows = answer.speculation { SpeculationBench.show(rows) }
    if let rows = answer.frontier { SpeculationBench.show(rows, title: "Ours at other prices of a build") }
    if let rows = answer.batches { BatchBench.show(rows) }
    if let rows = answer.culprit { CulpritBench.show(rows) }
    if let rows = answer.turns { TurnBench.show(rows) }
    for bar in answer.bars {
      let words = String(format: "%@ %.4g, wanted %@", bar.name, bar.measured, bar.wanted)
      terminal.line(terminal.paint("\(bar.isHeld ? "held  " : "BROKEN")  \(words)", bar.isHeld ? .good : .bad))
    }
  }
}

/// Runs `work` for each of `seeds` apart, as many at once as there are cores, and gives what came of it in their order.
func inParallel<Result: Sendable>(
  _ seeds: Range<UInt64>, _ work: @escaping @Sendable (UInt64) -> Result
) async -> [Result] {
  await withTaskGroup(of: (UInt64, Result).self) { group in
    for seed in seeds { group.addTask { (seed, work(seed)) } }
    var results: [(UInt64, Result)] = []
    for await one in group { results.append(one) }
    return results.sorted { $0.0 < $1.0 }.map(\.1)
  }
}
