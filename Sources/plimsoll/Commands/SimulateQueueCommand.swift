import ArgumentParser
import Drivers
import Foundation
import Kernel
import MergeQueues
import QueueTrials

/// A recorded queue, or a repository's merges, through every rule of a merge queue.
struct SimulateQueueCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue", abstract: "How long would your changes have waited? Replay them under any queue's rule.",
    discussion: """
      --trace FILE is CSV with a heading: arrival, duration, outcome, flake, paths (docs/queue-trials.md). --git PATH \
      takes the newest landings of a repository instead: their times and paths are real, failures are put in at the \
      rate asked for, in clusters. The same file and numbers give the same answer on every machine.
      """)

  @Option(name: .long, help: "A recorded trace; - for standard input.", completion: .file(extensions: ["csv"]))
  var trace: String?
  @Option(name: .long, help: "A repository on this machine.", completion: .directory)
  var git: String?
  @Option(name: .long, help: "With --git: the branch; what is checked out when left out.")
  var branch: String?
  @Option(name: .long, help: "With --git: the newest landings taken, at most.")
  var changes = 2000
  @Option(name: .long, help: "With --git: the share of changes that are bad.")
  var failures = 0.05
  @Option(name: .long, help: "With --git: the share of changes after a bad one that are bad.")
  var clustering = MergeHistory.Assumptions.defaultClustering
  @Option(name: .long, help: "With --git: minutes that CI takes, the median.")
  var ciMinutes = 20.0
  @Option(name: .long, help: "With --git: how many times as fast the changes come.")
  var pace = 1.0
  @Option(name: .long, help: "The share of runs that go red without cause.")
  var flakes = 0.0
  @Option(name: .long, help: "CI runs at once.")
  var slots = 5
  @Option(name: .long, help: "Lanes by folders so many deep; 0 is one line for all.")
  var laneDepth = 0
  @Option(name: .long, help: "A rule by name, or all. May be repeated.")
  var policy: [String] = ["all"]
  @Option(name: .long, help: "Of everything that is left to chance.")
  var seed: UInt64 = 1
  @Option(name: .long, help: "Write a picture (SVG) here.", completion: .file(extensions: ["svg"]))
  var plot: String?
  @Flag(name: .long, help: "Print JSON instead of a table.")
  var json = false

  private struct Answer: Encodable {
    var source: String
    var changes: Int
    var bad: Int
    var hours: Double
    var slots: Int
    var laneDepth: Int
    var seed: UInt64
    var notes: [String]
    var policies: [ReplayResult]
  }

  func run() async throws {
    let chosen = try policies()
    guard (1...Self.mostSlots).contains(slots) else {
      throw Refusal(.malformed, "--slots is \(slots); give 1 to \(Self.mostSlots).")
    }
    guard (0..<1).contains(flakes) else {
      throw Refusal(.malformed, "--flakes is \(flakes), a share; give 0 to below 1.")
    }
    let (recorded, notes) = try await recorded()
    let made = recorded.trace(lanes: try lanes(), flakeRate: flakes, seed: seed)
    var results: [ReplayResult] = []
    for policy in chosen {
      Terminal.standard.progress("\(policy.name) …")
      results.append(ReplayResult(policy, policy.run(made, slots: slots)))
    }
    Terminal.standard.clearProgress()
    let answer = Answer(
      source: trace ?? git ?? "", changes: recorded.rows.count, bad: recorded.rows.count { $0.isBad },
      hours: (recorded.rows.last?.arrivalSeconds ?? 0) / 3600 - (recorded.rows.first?.arrivalSeconds ?? 0) / 3600,
      slots: slots, laneDepth: laneDepth, seed: seed, notes: notes, policies: results)
    if let plot { try draw(results, to: plot) }
    if json { try printJSON(answer) } else { show(answer) }
  }

  /// More than any CI of one branch has.
  static let mostSlots = 10_000

  private func policies() throws -> [ReplayPolicy] {
    if policy.contains("all") { return ReplayPolicy.all }
    return try policy.map { try ReplayPolicy.named($0) }
  }

  private func lanes() throws -> LaneRules {
    let rules = laneDepth == 0 ? LaneRules.oneLane : LaneRules(division: .directories(depth: laneDepth))
    try rules.validate()
    return rules
  }

  private func recorded() async throws -> (RecordedTrace, notes: [String]) {
    switch (trace, git) {
    case (let file?, nil): return (try RecordedTrace(reading: try text(of: file), file: file), [])
    case (nil, let path?): return try await history(of: path)
    case (nil, nil), (_?, _?):
      throw Refusal(.malformed, "Name one of --trace FILE and --git PATH: what is to be replayed.")
    }
  }

  private func text(of file: String) throws -> String {
    let data: Data
    do {
      data =
        file == "-" ? try FileHandle.standardInput.readToEnd() ?? Data() : try Data(contentsOf: URL(filePath: file))
    } catch {
      throw Refusal(.unknown, "\(file) cannot be read: \(error.localizedDescription)")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw Refusal(.malformed, "\(file) is not UTF-8 text; export it as UTF-8.")
    }
    return text
  }

  private func history(of path: String) async throws -> (RecordedTrace, notes: [String]) {
    let assumed = MergeHistory.Assumptions(
      failures: failures, clustering: clustering, medianSeconds: ciMinutes * 60, pace: pace, seed: seed)
    try assumed.validate()
    guard (2...RecordedTrace.rowLimit).contains(changes) else {
      throw Refusal(.malformed, "--changes is \(changes); give 2 to \(RecordedTrace.rowLimit).")
    }
    let landings = try await GitHistory(path: path).landings(on: branch, limit: changes)
    let merges = landings.filter(\.isMerge)
    // Where merges are the rare exception, each commit on the first-parent line is a landing (squash, rebase).
    let taken = merges.count * 2 >= landings.count ? merges : landings
    guard taken.count > 1 else {
      throw Refusal(.malformed, "\(path) has fewer than two landings to replay; name a branch with --branch.")
    }
    let history = MergeHistory(
      taken.map { MergeHistory.Merge(secondsSince1970: $0.at.seconds, paths: $0.paths) })
    let notes = [
      taken.count == landings.count && merges.count < landings.count
        ? "Most landings are no merges: each of the \(taken.count) commits on the first-parent line counts as one change."
        : "\(taken.count) merges on the first-parent line.",
      "A change arrives when it landed in truth; failures, flakes and CI times are made up from seed \(seed).",
    ]
    return (history.trace(assumed), notes)
  }

  private func draw(_ results: [ReplayResult], to path: String) throws {
    let bars = results.map {
      QueuePicture.Bar(
        label: $0.policy, low: ($0.waitSeconds.p50 / 6).rounded() / 10, high: ($0.waitSeconds.p95 / 6).rounded() / 10)
    }
    let svg = QueuePicture.bars(title: "Minutes from arrival to landing: median, and 95 of 100 within", bars)
    try writeFile(Data(svg.utf8), to: path)
  }

  private func show(_ answer: Answer) {
    let terminal = Terminal.standard
    for note in answer.notes { terminal.line(terminal.paint("note: \(note)", .warning)) }
    terminal.line(
      "\(answer.changes) changes in \(String(format: "%.1f", answer.hours)) h, \(answer.bad) of them bad; "
        + "\(answer.slots) slots, \(answer.laneDepth == 0 ? "one line" : "lanes by folders \(answer.laneDepth) deep")")
    printTable(
      ["policy", "P50", "P95", "P99", "builds/change", "stopped", "landed", "ejected", "falsely", "broken"],
      answer.policies.map { row in
        [
          row.policy, minutes(row.waitSeconds.p50), minutes(row.waitSeconds.p95), minutes(row.waitSeconds.p99),
          String(format: "%.2f", row.buildsPerChange), String(format: "%.0f %%", row.stoppedShare * 100),
          "\(row.landed)", "\(row.ejected)", "\(row.falseEjections)",
          row.stuck == 0 ? "\(row.brokenLandings)" : "\(row.brokenLandings), stuck \(row.stuck)",
        ]
      })
  }

  private func minutes(_ seconds: Double) -> String { String(format: "%.1f min", seconds / 60) }
}

extension Instant {
  fileprivate var seconds: Double { Double(milliseconds) / 1000 }
}
