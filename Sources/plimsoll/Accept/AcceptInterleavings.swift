import Foundation
import Kernel
import SchemaTrials
import Simulator

/// The promise about schemas: however deployments, canaries, rollbacks and contracts come between each other, no
/// statement fails for the schema's sake and no contract is refused wrongly. Held against a real PostgreSQL.
struct AcceptInterleavings {
  let seed: UInt64
  private let terminal = Terminal.standard

  init(seed: UInt64) { self.seed = seed }

  struct Broken: Codable {
    var seed: UInt64
    var promises: [String]
  }

  /// Of `accept-report.json`.
  struct Outcome: Codable {
    var firstSeed: UInt64
    var seeds: Int
    var broken: [Broken] = []
    var met = InterleavingTally()
    var medianExaminationMs: Int64 = 0
    var p95ExaminationMs: Int64 = 0
    var seconds = 0.0
    /// At the beginning and at the end.
    var loadAverages: [Double] = []
  }

  func run(_ count: Int, into report: inout AcceptReport) async throws {
    terminal.line("interleavings on a real PostgreSQL; the first seed is \(seed)")
    let trial = try await InterleavingTrial.start()
    var outcome = Outcome(firstSeed: seed, seeds: count)
    do {
      outcome = try await tell(count, with: trial)
    } catch {
      await trial.stop()
      throw error
    }
    await trial.stop()
    terminal.clearProgress()
    report.interleavings = outcome
    let failing = outcome.broken.map(\.seed)
    report.promise(
      "\(count) interleavings of deployments, canaries, rollbacks and contracts on a real PostgreSQL: no statement fails for"
        + " the schema's sake, no contract is refused wrongly", failing.isEmpty,
      failing.isEmpty ? Self.words(outcome) : "broken by the seeds \(failing)")
    // Idle stories would prove nothing; of a few told again nothing is known.
    guard count >= Self.telling else { return }
    let story = outcome.met.story
    report.promise(
      "and in each something is deployed, in most something is contracted, refused or rolled back",
      story.rollouts >= count && 2 * story.contracts >= count && 2 * (story.refused + story.reviewsRefused) >= count
        && 2 * (story.rollbacks + story.condemned) >= count,
      "\(story.rollouts) rollouts, \(story.contracts) contracts, \(story.refused + story.reviewsRefused) refusals,"
        + " \(story.rollbacks + story.condemned) ways back")
  }

  /// Stories from which on their sum is judged.
  private static let telling = 20

  private func tell(_ count: Int, with trial: InterleavingTrial) async throws -> Outcome {
    var outcome = Outcome(firstSeed: seed, seeds: count)
    outcome.loadAverages.append(LoadAverage.now)
    let began = ContinuousClock.now
    for number in 0..<UInt64(count) {
      let told = try await trial.tell(seed &+ number)
      outcome.met = outcome.met + told.met
      if !told.ok {
        outcome.broken.append(Broken(seed: told.seed, promises: told.violations.map(\.description)))
        terminal.clearProgress()
        terminal.line(told.report)
      }
      terminal.progress(
        "seed \(told.seed): \(number + 1) of \(count), \(outcome.met.examinations) examinations,"
          + " \(outcome.met.statements) statements, \(outcome.broken.count) broken")
    }
    outcome.seconds = Double((ContinuousClock.now - began).components.seconds)
    outcome.loadAverages.append(LoadAverage.now)
    let times = outcome.met.examinationMs.sorted()
    if let last = times.indices.last {
      outcome.medianExaminationMs = times[last / 2]
      outcome.p95ExaminationMs = times[last * 95 / 100]
    }
    outcome.met.examinationMs = []
    return outcome
  }

  private static func words(_ outcome: Outcome) -> String {
    let (met, story) = (outcome.met, outcome.met.story)
    let loads = outcome.loadAverages.map { String(format: "%.1f", $0) }.joined(separator: " and ")
    return "\(story.rollouts) rollouts, \(story.rollbacks) rollbacks by hand, \(story.condemned) by the judge, "
      + "\(story.applied) migrations applied (\(story.contracts) contracts), \(story.refused) versions and "
      + "\(story.reviewsRefused) changes refused, each tried; \(story.sendings) times a version sent all it has, "
      + "\(story.targetsTried) times a rollback target was tried, \(met.statements) statements in all; "
      + "\(met.examinations) examinations, median \(outcome.medianExaminationMs) ms, P95 \(outcome.p95ExaminationMs) ms; "
      + "\(Int(outcome.seconds)) s, load average \(loads)"
  }
}
