import ArgumentParser
import Foundation
import JudgeTrials
import Kernel
import Replay
import Rollouts

/// Labelled deploys: to generate them for others, or to score a detector, ours by default.
struct BenchDeploysCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "deploys", abstract: "Generate labelled deploys, or score a detector on them.",
    discussion: """
      A labelled deploy is a recording that 'plimsoll judge replay' reads, and a label that says what it truly is \
      (docs/labelled-deploys.md). The same seeds give the same deploys on every machine. Without --into and --verdicts \
      the judge of production is scored, through the same replay.
      """)

  @Option(name: .long, help: "The seed of the first deploy.")
  var from: UInt64 = 0
  @Option(name: .long, help: "How many deploys: seeds from there on.")
  var deploys = 1000
  @Option(name: .long, help: "Write each deploy and labels.jsonl into this folder.", completion: .directory)
  var into: String?
  @Option(
    name: .long, help: "Score somebody else's detector: JSON lines of deploy, rollback, second, cause.",
    completion: .file(extensions: ["jsonl"]))
  var verdicts: String?
  @Option(name: .long, help: "Write a picture of the score (SVG) here.", completion: .file(extensions: ["svg"]))
  var plot: String?
  @Flag(name: .long, help: "Print JSON instead of tables.")
  var json = false

  /// Issue "Rollouts that judge well", "It must reach".
  static let leastPrecision = 0.95
  static let leastRecall = 0.999
  static let leastCauseRight = 0.9
  /// As a service's owner would have it who says nothing.
  static let policy = JudgedDeploy.policy
  /// Deploys that one task takes on: some seconds.
  static let deploysATask: UInt64 = 100
  /// Seeds of a year's deploys of a large company; more are a mistake, and each is a file.
  static let mostDeploys = 1_000_000

  private struct Answer: Encodable {
    var from: UInt64
    var deploys: Int
    var detector: String
    var score: DetectorScore
    /// Of the healthy deploys rolled back after a source was lost, those that are kept when it is not lost; nil for
    /// another detector, which is not asked again.
    var rolledBackByLoss: [String]?
  }

  func validate() throws {
    guard deploys > 0, deploys <= Self.mostDeploys else {
      throw ValidationError("--deploys is 1 to \(Self.mostDeploys).")
    }
    guard into == nil || verdicts == nil else {
      throw ValidationError("--into generates and --verdicts scores; give one of them.")
    }
  }

  func run() async throws {
    if let into { return try generate(into: URL(filePath: into, directoryHint: .isDirectory)) }
    let theirs = try verdicts.map(answers)
    var score = DetectorScore()
    var byLoss: [String] = []
    for (label, answer, isByLoss) in try await judged(theirs) {
      score.add(label, answer)
      if isByLoss { byLoss.append(label.deploy) }
    }
    if let plot {
      let title = "\(deploys) labelled deploys, seeds from \(from): \(verdicts ?? "plimsoll")"
      try writeFile(Data(ScorePicture.svg(title: Self.plain(title), score).utf8), to: plot)
    }
    let answer = Answer(
      from: from, deploys: deploys, detector: verdicts ?? "plimsoll", score: score,
      rolledBackByLoss: theirs == nil ? byLoss : nil)
    if json { try printJSON(answer) } else { show(answer) }
    let held =
      (score.precision.value ?? 1) >= Self.leastPrecision && (score.recallAboveMDE.value ?? 1) >= Self.leastRecall
      && (score.causeRight.value ?? 1) >= Self.leastCauseRight && byLoss.isEmpty
    if !held { throw ExitCode(1) }
  }

  // MARK: Generating

  private func generate(into folder: URL) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw Outage("disk", "the folder \(folder.path()) cannot be made", sources: ["\(error)"])
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var labels = Data()
    for seed in from..<from + UInt64(deploys) {
      let deploy = LabelledDeploy(seed: seed)
      try writeFile(Data(deploy.recording.utf8), to: folder.appending(path: "\(deploy.label.deploy).csv").path)
      labels += try encoder.encode(deploy.label) + Data("\n".utf8)
      Terminal.standard.progress(deploy.label.deploy)
    }
    Terminal.standard.clearProgress()
    try writeFile(labels, to: folder.appending(path: "labels.jsonl").path)
    Terminal.standard.line("\(deploys) recordings and labels.jsonl are in \(folder.path()).")
  }

  // MARK: Judging

  private func answers(_ path: String) throws -> [String: DetectorAnswer] {
    guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8) else {
      throw Refusal(.unknown, "\(path) cannot be read as UTF-8 text: give the detector's answers as JSON lines.")
    }
    var answers: [String: DetectorAnswer] = [:]
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated()
    where !line.allSatisfy(\.isWhitespace) {
      guard let answer = try? JSONDecoder().decode(DetectorAnswer.self, from: Data(line.utf8)) else {
        throw Refusal(
          .malformed,
          "\(path):\(index + 1): give deploy and rollback, and of a rollback second and, if known, cause "
            + "(infrastructure, logic or performance).")
      }
      guard answer.second != nil || !answer.rollback else {
        throw Refusal(.malformed, "\(path):\(index + 1): a rollback has the second in which it was decided.")
      }
      guard answers.updateValue(answer, forKey: answer.deploy) == nil else {
        throw Refusal(.malformed, "\(path):\(index + 1): \(answer.deploy) was answered before; answer each once.")
      }
    }
    return answers
  }

  private typealias Judged = (label: DeployLabel, answer: DetectorAnswer?, isByLoss: Bool)

  /// Sorted by seed.
  private func judged(_ theirs: [String: DetectorAnswer]?) async throws -> [Judged] {
    let end = from + UInt64(deploys)
    let policy = Self.policy
    return try await withThrowingTaskGroup(of: [Judged].self) { group in
      for start in stride(from: from, to: end, by: UInt64.Stride(Self.deploysATask)) {
        group.addTask {
          try (start..<min(start + Self.deploysATask, end)).map { seed in
            let deploy = LabelledDeploy(seed: seed)
            if let theirs { return (deploy.label, theirs[deploy.label.deploy], false) }
            let answer = try Self.replayed(deploy, policy)
            guard answer.rollback, !deploy.label.bad, deploy.label.lost != nil else {
              return (deploy.label, answer, false)
            }
            let unbroken = try Self.replayed(LabelledDeploy(seed: seed, losesSource: false), policy)
            return (deploy.label, answer, !unbroken.rollback)
          }
        }
      }
      var all: [Judged] = []
      for try await part in group {
        all += part
        Terminal.standard.progress("\(all.count) of \(deploys) …")
      }
      Terminal.standard.clearProgress()
      return all.sorted { $0.label.seed < $1.label.seed }
    }
  }

  /// By the text, as anybody's recording.
  private static func replayed(_ deploy: LabelledDeploy, _ policy: JudgePolicy) throws -> DetectorAnswer {
    let name = deploy.label.deploy
    let evidence = try RecordedEvidence(reading: Data(deploy.recording.utf8), file: name)
    let report = try ReplayRun(evidence, file: name, policy: policy).report
    let cause = report.verdicts.last { $0.verdict == .bad }?.cause.flatMap(CauseClass.init(rawValue:))
    return DetectorAnswer(
      deploy: name, rollback: report.outcome.verdict == .bad, second: report.outcome.second.map { Int($0) },
      cause: cause)
  }

  // MARK: Words

  /// In SVG's text.
  private static func plain(_ text: String) -> String { text.filter { $0 != "<" && $0 != "&" } }

  private func show(_ answer: Answer) {
    let terminal = Terminal.standard
    let score = answer.score
    printTable(
      ["kind", "deploys", "bad", "caught", "needless", "at 2x MDE", "cause right", "median", "9 in 10"],
      (score.classes + score.kinds).filter { $0.deploys > 0 }.map { row in
        [
          row.name, "\(row.deploys)", "\(row.bad)", "\(row.caught)", "\(row.needless)",
          row.aboveMDE.of == 0 ? "–" : "\(row.aboveMDE.hits)/\(row.aboveMDE.of)",
          row.causeRight.of == 0 ? "–" : "\(row.causeRight.hits)/\(row.causeRight.of)",
          row.seconds(for: 0.5).map { "\($0) s" } ?? "–", row.seconds(for: 0.9).map { "\($0) s" } ?? "–",
        ]
      })
    terminal.line()
    printTable(
      ["worsening, in times of the MDE", "caught", "95 % limits"],
      score.frontier.map { step in
        ["from \(step.from)", "\(step.caught.hits)/\(step.caught.of)", limits(step.caught)]
      })
    terminal.line()
    bar("precision", score.precision, atLeast: Self.leastPrecision)
    bar("recall at twice the MDE and more", score.recallAboveMDE, atLeast: Self.leastRecall)
    bar("cause right", score.causeRight, atLeast: Self.leastCauseRight)
    terminal.line("        recall of all bad deploys \(words(score.recall))")
    terminal.line("        healthy deploys rolled back after a loss of evidence \(words(score.rolledBackAfterLoss))")
    if let byLoss = answer.rolledBackByLoss {
      let text = "healthy deploys rolled back because of it: \(byLoss.count), wanted 0"
      terminal.line(
        terminal.paint("\(byLoss.isEmpty ? "held  " : "BROKEN")  \(text)", byLoss.isEmpty ? .good : .bad))
    }
    if !score.missed.isEmpty { terminal.line("missed: \(score.missed.joined(separator: " "))") }
    if !score.needless.isEmpty { terminal.line("needless: \(score.needless.joined(separator: " "))") }
  }

  private func bar(_ what: String, _ share: Share, atLeast least: Double) {
    let isHeld = (share.value ?? 1) >= least
    let text = "\(what) \(words(share)), wanted at least \(String(format: "%.1f", least * 100)) %"
    Terminal.standard.line(
      Terminal.standard.paint("\(isHeld ? "held  " : "BROKEN")  \(text)", isHeld ? .good : .bad))
  }

  private func words(_ share: Share) -> String {
    guard let value = share.value else { return "– (none)" }
    return "\(String(format: "%.2f", value * 100)) % (\(share.hits) of \(share.of); 95 % limits \(limits(share)))"
  }

  private func limits(_ share: Share) -> String {
    guard share.of > 0 else { return "–" }
    return String(format: "%.2f to %.2f %%", share.limits.lowerBound * 100, share.limits.upperBound * 100)
  }
}
