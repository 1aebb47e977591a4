import ArgumentParser
import Foundation
import Kernel
import PlimsollFile
import Replay
import Rollouts
import Server

struct JudgeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "judge", abstract: "Ask the judge about deploys that Plimsoll did not make.",
    subcommands: [JudgeReplayCommand.self])
}

struct JudgeReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Would it have caught our last incident? Judge a recorded deploy.",
    discussion: """
      FILE is CSV with a heading, or JSON lines: second, version, requests, errors, slow; and events: deploy, restart, \
      source-lost, source-back (docs/replay.md). What came before the deploy is the baseline.
      Exit 0 when it would have been rolled back, 1 when it would have been kept, 3 when the evidence does not say.
      """)

  @Argument(help: "The recording; - for standard input.", completion: .file(extensions: ["csv", "jsonl"]))
  var recording: String
  @OptionGroup var limits: JudgedLimits
  @Option(name: .long, help: "Above how many milliseconds the recording calls a request slow.")
  var slowMs: Int64?
  @Option(name: .long, help: "Write the evidence as a picture (SVG) here.", completion: .file(extensions: ["svg"]))
  var picture: String?
  @Flag(name: .long, help: "Print JSON instead of words.")
  var json = false

  func run() throws {
    let evidence = try RecordedEvidence(reading: try read(), file: recording)
    let applied = try applied(to: evidence)
    let run = try ReplayRun(evidence, file: recording, policy: applied.judge, crashLimit: applied.crashLimit)
    var report = run.report
    if let assumed = applied.assumed { report.notes.append(assumed) }
    if let picture { try draw(run, to: picture) }
    if json { try printJSON(report) } else { print(report) }
    switch report.outcome.verdict {
    case .bad: return
    case .good: throw ExitCode(1)
    case .notEnoughEvidence, .sourceBroken: throw ExitCode(3)
    }
  }

  private func read() throws -> Data {
    do {
      return recording == "-"
        ? try FileHandle.standardInput.read(upToCount: RecordedEvidence.byteLimit + 1) ?? Data()
        : try Data(contentsOf: URL(filePath: recording))
    } catch {
      throw Refusal(.unknown, "\(recording) cannot be read: \(error.localizedDescription)")
    }
  }

  private struct Applied {
    var judge: JudgePolicy
    var crashLimit: Int
    /// What was taken for granted, in one sentence.
    var assumed: String?
  }

  private func applied(to evidence: RecordedEvidence) throws -> Applied {
    let hasSlow = evidence.rows.contains { $0.counts.slow > 0 }
    if let slowMs, slowMs < 1 { throw Refusal(.malformed, "--slow-ms is \(slowMs); give 1 or more.") }
    guard let rollout = try limits.configured() else {
      guard slowMs != nil || !hasSlow else {
        throw Refusal(
          .malformed, "\(recording) counts slow requests; say above how many milliseconds with --slow-ms, or --service."
        )
      }
      return Applied(judge: slowerThan(JudgedLimits.assumed), crashLimit: Rollout.Policy.defaultCrashLimit)
    }
    let assumed =
      hasSlow && slowMs == nil
      ? "Slow requests are taken to be those above \(rollout.judge.slowerThan.milliseconds) ms, as in \(limits.file)."
      : nil
    return Applied(judge: slowerThan(rollout.judge), crashLimit: rollout.crashLimit, assumed: assumed)
  }

  private func slowerThan(_ policy: JudgePolicy) -> JudgePolicy {
    guard let slowMs else { return policy }
    var policy = policy
    policy.sloP99 = .seconds(Double(slowMs) / 1000 / policy.latencyFactor)
    return policy
  }

  private func draw(_ run: ReplayRun, to path: String) throws {
    let report = run.report
    var marks: [(second: Int64, words: String)] = [(report.deploySecond, "deploy")]
    if let first = report.outcome.firstBadSecond { marks.append((first, "first bad")) }
    if let decided = report.outcome.second { marks.append((decided + 1, "decided")) }
    let document = RecordedPicture(
      points: run.points, hasControl: report.oldVersion != nil, marks: marks, answer: report.answer
    ).document
    try writeFile(Data(document), to: path)
  }

  private func print(_ report: ReplayReport) {
    let terminal = Terminal.standard
    let before = report.baseline
    let share = before.requests == 0 ? 0 : Double(before.errors) / Double(before.requests) * 100
    terminal.line(
      before.requests == 0
        ? "before: nothing"
        : "before: '\(report.oldVersion ?? "")' \(before.requests) requests in \(before.seconds) s, "
          + "\(before.errors) failed (\(String(format: "%.3g", share)) %), \(before.slow) slow")
    terminal.line("deploy of '\(report.newVersion)' in second \(report.deploySecond)")
    for note in report.notes { terminal.line(terminal.paint("note: \(note)", .warning)) }
    terminal.line()
    printTable(
      ["SECOND", "AFTER", "VERDICT", "RULE", "WHY"],
      report.verdicts.map { entry in
        [
          "\(entry.second)", "\(entry.sinceDeploySeconds) s", Self.words[entry.verdict] ?? "", entry.rule ?? "",
          entry.sentence,
        ]
      })
    if let last = report.verdicts.last { terminal.line("\nWhat could be seen now: \(last.detectable)") }
    let tone: Terminal.Tone =
      switch report.outcome.verdict {
      case .bad: .bad
      case .good: .good
      case .notEnoughEvidence, .sourceBroken: .warning
      }
    terminal.line(terminal.paint(report.answer, tone))
  }

  private static let words: [ReplayReport.Kind: String] = [
    .good: "good", .bad: "bad", .notEnoughEvidence: "not enough evidence", .sourceBroken: "source broken",
  ]
}
