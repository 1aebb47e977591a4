import ArgumentParser
import FlagTrials
import Foundation

/// What evaluating flags costs, beside Unleash's and Flipt's engines.
struct BenchFlagsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "flags", abstract: "Measure the evaluation of flags beside Unleash's and Flipt's engines.",
    discussion: """
      10,000 flags in each engine, evaluated in turns in one run; medians are reported, and medians of the rounds' \
      ratios. The rivals are the native libraries of yggdrasil-engine and flipt-client from PyPI, called through their \
      C interface; scripts/setup installs them into .build-peers, and PLIMSOLL_PEERS names another Python that has \
      them. Quote figures of a release build, and the machine's load.
      Exit 0 when all promises were held, 1 when one was not or a rival is missing.
      """)

  @Option(name: .long, help: "Rounds; the median is reported.")
  var rounds = 9
  @Flag(name: .long, help: "Print JSON instead of words.")
  var json = false

  func validate() throws {
    guard (1...1000).contains(rounds) else { throw ValidationError("Give 1 to 1000 --rounds.") }
  }

  func run() throws {
    var rivals: [any RivalEngine] = []
    var absent: [String] = []
    if let python = PeerPython.found {
      let makers: [(String, () throws -> any RivalEngine)] = [
        ("yggdrasil-engine", { try YggdrasilEngine(python) }), ("flipt-client's engine", { try FliptEngine(python) }),
      ]
      for (name, make) in makers {
        do {
          rivals.append(try make())
        } catch {
          absent.append("\(name): \(error)")
        }
      }
    } else {
      absent.append("rivals are \(PeerPython.absence)")
    }
    let isQuiet = json
    let report = try FlagBench(rounds: rounds).run(rivals: rivals, absent: absent) {
      if !isQuiet { Terminal.standard.progress($0) }
    }
    Terminal.standard.clearProgress()
    let promises = Self.promises(of: report)
    if json { try printJSON(report) } else { show(report, promises) }
    if !promises.allSatisfy(\.isHeld) || !absent.isEmpty { throw ExitCode(1) }
  }

  private struct Promise {
    let words: String
    let isHeld: Bool

    init(_ what: String, _ value: Double, atMost bar: Double, _ unit: String) {
      words = "\(what) \(String(format: "%.2f", value)) \(unit), wanted at most \(String(format: "%.0f", bar))"
      isHeld = value <= bar
    }

    init(_ what: String, _ value: Double, atLeast bar: Double) {
      words = "\(what) \(String(format: "%.1f", value)) times ours, wanted at least \(String(format: "%.0f", bar))"
      isHeld = value >= bar
    }
  }

  private static func promises(of report: FlagBench.Report) -> [Promise] {
    var promises: [Promise] = []
    for row in report.rows where row.engine == FlagBench.ready {
      switch row.kind {
      case .fixed:
        promises.append(Promise("static", row.nanoseconds, atMost: FlagBench.staticNanoseconds, "ns"))
      case .listed: break
      case .shared:
        promises.append(
          Promise("targeting with fractional", row.nanoseconds, atMost: FlagBench.sharedNanoseconds, "ns"))
      }
    }
    if let ours = report.loads.first {
      promises.append(Promise("load of 10,000 flags", ours.milliseconds, atMost: FlagBench.loadMs, "ms"))
      promises.append(Promise("memory of 10,000 flags", ours.residentMB, atMost: FlagBench.residentMB, "MB"))
    }
    promises.append(Promise("one change among them", report.changeMs, atMost: FlagBench.changeMs, "ms"))
    promises.append(
      Promise("change of a segment of 10,000", report.segmentChangeMs, atMost: FlagBench.changeMs, "ms"))
    for row in report.rows {
      guard let ratio = row.ratio else { continue }
      promises.append(Promise("\(row.kind.name): \(row.engine)", ratio, atLeast: FlagBench.leastRatio))
    }
    return promises
  }

  private func show(_ report: FlagBench.Report, _ promises: [Promise]) {
    let terminal = Terminal.standard
    func decimals(_ value: Double?, _ format: String) -> String { value.map { String(format: format, $0) } ?? "" }
    printTable(
      ["flag", "engine", "ns", "times ours, both reading the context", "times ours with a ready context"],
      report.rows.map { row in
        [
          row.kind.name, row.engine, decimals(row.nanoseconds, "%.0f"), decimals(row.ratio, "%.1f"),
          decimals(row.ratioWithReadyContext, "%.1f"),
        ]
      })
    terminal.line()
    printTable(
      ["10,000 flags in", "loaded in", "resident memory"],
      report.loads.map {
        [$0.engine, decimals($0.milliseconds, "%.0f ms"), decimals($0.residentMB, "%.1f MB")]
      })
    terminal.line(
      "\(report.rounds) rounds; load of the machine \(decimals(report.loadBefore, "%.1f")) before, "
        + "\(decimals(report.loadAfter, "%.1f")) after")
    for promise in promises {
      terminal.line(
        terminal.paint("\(promise.isHeld ? "held  " : "BROKEN")  \(promise.words)", promise.isHeld ? .good : .bad))
    }
    for sentence in report.absent { terminal.line(terminal.paint("absent  \(sentence)", .warning)) }
  }
}
