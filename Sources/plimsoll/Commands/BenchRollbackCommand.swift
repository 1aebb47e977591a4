import ArgumentParser
import Foundation
import Kernel
import Measures
import Runtime

/// How long users of a bad version wait for the good one.
struct BenchRollbackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "Time bad releases on real components, from first bad response to restored.",
    discussion: """
      HAProxy, processes, git and traffic are real, in a temporary folder. The usual version fails too, by chance, at \
      the rate given. Five rounds take about eleven minutes; quote figures of a release build on a quiet machine. \
      Exit 1 when a bar did not hold.
      """)

  @Option(name: .long, help: "Bad releases of each fault; half as many where a fault takes long to show.")
  var rounds = 5
  @Option(name: .long, help: "Only faults whose name begins so, such as failing or slow.")
  var only: [String] = []
  @Option(name: .long, help: "Requests per second.")
  var rate: Double = 100
  @Option(name: .long, help: "The new version's share of them, in percent.")
  var canary = 10
  @Option(name: .long, help: "Errors of the usual version, in percent.")
  var baseline = 1.0
  @Option(name: .long, help: "Seed of the order of requests.")
  var seed: UInt64 = 1
  @Option(name: .long, help: "The harbor example.", completion: .directory)
  var example = "Examples/harbor"
  @Option(name: .long, help: "Write the figures (JSON) here.", completion: .file(extensions: ["json"]))
  var json: String?
  @Option(name: .long, help: "Write a picture (SVG) here.", completion: .file(extensions: ["svg"]))
  var svg: String?

  /// A watch at the first step lasts longer than any detection here, so that each is measured at that step's traffic.
  static let stepMinimum = "90s"
  static let finalWatch = "30s"

  func validate() throws {
    guard (1...1000).contains(rounds) else { throw ValidationError("--rounds is a number from 1 to 1000.") }
    guard rate > 0, rate <= 10_000 else { throw ValidationError("--rate is requests per second, up to 10,000.") }
    guard (1...99).contains(canary) else { throw ValidationError("--canary is a percentage from 1 to 99.") }
    guard (0.0001...9).contains(baseline) else { throw ValidationError("--baseline is a percentage from 0.0001 to 9.") }
    if chosen.isEmpty, !withNeverReady {
      let names = RollbackFault.all(baseline: baseline / 100).map(\.name) + [RollbackFault.neverReady.name]
      throw ValidationError("No fault's name begins so; there are: \(names.joined(separator: ", ")).")
    }
  }

  private func isChosen(_ fault: RollbackFault) -> Bool { only.isEmpty || only.contains { fault.name.hasPrefix($0) } }
  private var chosen: [RollbackFault] { RollbackFault.all(baseline: baseline / 100).filter(isChosen) }
  private var withNeverReady: Bool { isChosen(.neverReady) }

  func run() async throws {
    let began = Instant.now
    let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-bench-\(getpid())").path
    var options = HarborWorld.Options()
    options.environments = ["production"]
    options.steps = [canary, 100]
    options.availability = "99%"
    options.errorsPerMillion = Int((baseline * 10_000).rounded())
    options.stepMinimum = Self.stepMinimum
    options.finalWatch = Self.finalWatch
    let world = try await HarborWorld(
      example: URL(filePath: example).standardizedFileURL.path, folder: folder, options: options)
    let shapes = try world.traffic
    let traffic = TrafficDriver(base: world.productionURL, shapes: shapes)
    let bench = RollbackBench(
      HarborReleases(world: world, traffic: traffic),
      load: RollbackBenchReport.Load(
        requestsPerSecond: rate, canaryPercent: canary, baselineErrorPercent: baseline), shapes: shapes, seed: seed)
    var failure: (any Error)?
    do {
      try await bench.run(chosen, rounds: rounds, withNeverReady: withNeverReady)
    } catch { failure = error }
    await traffic.stop()
    await world.stopEverything()
    Terminal.standard.clearProgress()
    let report = bench.report(chosen, durationMs: (Instant.now - began).milliseconds)
    show(report)
    if let json { try writeFile(JSONEncoder.report.encode(report), to: json) }
    if let svg { try writeFile(Data(RollbackPicture.svg(report).utf8), to: svg) }
    if let failure {
      Terminal.standard.line("the folder is kept: \(folder)")
      throw failure
    }
    world.remove()
    if !report.bars.allSatisfy(\.held) { throw ExitCode(1) }
  }

  // MARK: Words

  private func show(_ report: RollbackBenchReport) {
    let terminal = Terminal.standard
    let load = report.load
    let measured = load.measuredBaselineErrorPercent.map { String(format: ", measured %.2f %%", $0) } ?? ""
    terminal.line(
      "\(Int(load.requestsPerSecond)) requests/s, \(load.canaryPercent) % of them to the new version; "
        + "\(load.baselineErrorPercent) % usual errors\(measured); "
        + "\(report.requests) requests in \(report.durationMs / 1000) s")
    let loads = report.rounds.compactMap(\.loadAverage).sorted()
    if let least = loads.first, let most = loads.last {
      let cores = ProcessInfo.processInfo.activeProcessorCount
      terminal.line(String(format: "load average of %d cores meanwhile: %.1f to %.1f", cores, least, most))
    }
    terminal.line("median / P90 / P99 (of fewer than 100 rounds P99 is the longest); hurt: median, most")
    func cell(_ spread: Spread?, _ words: (Span) -> String) -> String {
      spread.map { [$0.p50, $0.p90, $0.p99].map(words).joined(separator: " / ") } ?? "–"
    }
    func seconds(_ spread: Spread?) -> String { cell(spread) { String(format: "%.2f", $0.seconds) } }
    func milliseconds(_ spread: Spread?) -> String { cell(spread) { "\($0.milliseconds)" } }
    printTable(
      [
        "fault", "rounds", "detection, s", "decision, ms", "actuation, ms", "first bad to restored, s",
        "verdict to last request, ms", "requests hurt",
      ],
      report.rows.map { row in
        [
          row.fault, "\(row.rounds)", seconds(row.detection), milliseconds(row.decision),
          milliseconds(row.actuation), seconds(row.restored), milliseconds(row.verdictToLastRequest),
          "\(row.requestsHurtMedian), \(row.requestsHurtMost)",
        ]
      }, to: terminal)
    if let neverReady = report.neverReady {
      terminal.line(
        "never-ready: \(neverReady.outcome) after \(Span(milliseconds: neverReady.endedAfterMs).tenths), "
          + "\(neverReady.requestsTaken) requests reached it")
    }
    for bar in report.bars {
      terminal.line(
        terminal.paint("\(bar.held ? "held  " : "BROKEN")  \(bar.bar): \(bar.detail)", bar.held ? .good : .bad))
    }
  }
}
