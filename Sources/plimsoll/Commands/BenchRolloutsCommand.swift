import ArgumentParser
import ControlPlane
import Foundation
import Kernel
import Runtime
import Simulator

/// How much of a core many rollouts at once take.
struct BenchRolloutsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollouts", abstract: "Measure what watching many rollouts at once costs.",
    discussion: """
      Each rollout has its judge, and every bin's verdict and checkpoint goes through the engine and the rollout's \
      machine, and its picture goes to a file, as in production; the ledger is in memory, and what it costs a router \
      or a metrics page to make a bin is not in it. Bins of a second, then bins of 250 ms, which is what production has from HAProxy's log. Quote \
      figures of a release build.
      """)

  @Option(name: .long, help: "Rollouts at once.")
  var rollouts = 1000
  @Option(name: .long, help: "Seconds of evidence, each for all of them.")
  var seconds = 180
  @Flag(name: .long, help: "Print JSON instead of words.")
  var json = false

  /// Issue "Rollouts that judge well", "It must reach": one-second evidence, on one core.
  static let mostShare = 0.5
  static let widths = [Span.seconds(1), Span(milliseconds: 250)]
  /// Long enough that no picture and no window is still growing.
  static let warmUpSeconds = 5

  private struct Answer: Encodable {
    var binMs: Int64
    var rollouts: Int
    var seconds: Int
    var bins: Int
    /// Processor seconds for each second of evidence of all rollouts: the share of one core.
    var shareOfCore: Double
    var judgeShare: Double
    var engineShare: Double
    var pictureShare: Double
    var microsecondsABin: Double
    var eventsASecond: Double
    /// Of the process, at the end.
    var residentMiB: Double
  }

  func validate() throws {
    guard rollouts > 0, rollouts <= 100_000, seconds > 0 else {
      throw ValidationError("Give 1 to 100000 --rollouts and 1 or more --seconds.")
    }
  }

  func run() async throws {
    var answers: [Answer] = []
    for width in Self.widths { answers.append(try await measure(width)) }
    if json {
      try printJSON(answers)
    } else {
      printTable(
        ["bins", "rollouts", "of one core", "judges", "engine", "pictures", "a bin", "events/s", "memory"],
        answers.map { answer in
          [
            "\(answer.binMs) ms", "\(answer.rollouts)", percent(answer.shareOfCore), percent(answer.judgeShare),
            percent(answer.engineShare), percent(answer.pictureShare),
            String(format: "%.1f µs", answer.microsecondsABin),
            String(format: "%.1f", answer.eventsASecond), String(format: "%.0f MiB", answer.residentMiB),
          ]
        })
    }
    guard let first = answers.first else { return }
    let isHeld = first.shareOfCore < Self.mostShare
    if !json {
      let text = "one-second evidence takes \(percent(first.shareOfCore)) of one core, wanted below 50 %"
      Terminal.standard.line(
        Terminal.standard.paint("\(isHeld ? "held  " : "BROKEN")  \(text)", isHeld ? .good : .bad))
    }
    if !isHeld { throw ExitCode(1) }
  }

  private func measure(_ width: Span) async throws -> Answer {
    let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-bench-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let book = try EvidenceBook(folder: folder.path)
    let benchmark = try WatchBenchmark(store: MemoryLedger().open(), rollouts: rollouts, width: width)
    let binsASecond = Int(1000 / width.milliseconds)
    for _ in 0..<Self.warmUpSeconds * binsASecond { _ = benchmark.bin {} }
    for (series, _) in benchmark.series() { await book.begin(series) }
    var judging = 0.0
    var deciding = 0.0
    var drawing = 0.0
    var events = 0
    for number in 0..<seconds * binsASecond {
      var marks = [Self.processorSeconds()]
      events += benchmark.bin { marks.append(Self.processorSeconds()) }
      judging += marks[1] - marks[0]
      deciding += marks[2] - marks[1]
      if number % binsASecond == 0 {
        let began = Self.processorSeconds()
        for (series, points) in benchmark.series() {
          await book.append(points, to: series.stream, rollout: series.rollout, now: benchmark.now)
        }
        drawing += Self.processorSeconds() - began
        Terminal.standard.progress("\(width.milliseconds) ms: second \(number / binsASecond) of \(seconds)")
      }
    }
    Terminal.standard.clearProgress()
    if let outage = benchmark.outage { throw outage }
    let bins = seconds * binsASecond
    let all = judging + deciding + drawing
    return Answer(
      binMs: width.milliseconds, rollouts: benchmark.rollouts, seconds: seconds, bins: bins,
      shareOfCore: all / Double(seconds), judgeShare: judging / Double(seconds),
      engineShare: deciding / Double(seconds), pictureShare: drawing / Double(seconds),
      microsecondsABin: all * 1e6 / Double(bins * benchmark.rollouts),
      eventsASecond: Double(events) / Double(seconds), residentMiB: Self.residentMiB())
  }

  private func percent(_ share: Double) -> String { String(format: "%.1f %%", share * 100) }

  /// What this process has used so far.
  private static func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private static func residentMiB() -> Double {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8),
      let pages = text.split(separator: " ").dropFirst().first.flatMap({ Double($0) })
    else { return 0 }
    return pages * Double(sysconf(Int32(_SC_PAGESIZE))) / 1_048_576
  }
}
