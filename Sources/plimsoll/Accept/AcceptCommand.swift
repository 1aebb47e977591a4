import API
import ArgumentParser
import Foundation
import Kernel
import Runtime

struct AcceptCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "accept", abstract: "Hold the wall-clock promises against real components, in repeated runs.",
    discussion: "Writes accept-report.json. Exit 1 when a promise did not hold. Quote figures of a release build.")

  enum Part: String, CaseIterable, ExpressibleByArgument {
    /// A bad release is taken back in seconds.
    case rollback
    /// A healthy one never is.
    case healthy
    /// Nor when traffic stops, nor when the evidence is cut.
    case blackout
    /// `kill -9` at random moments changes nothing.
    case kills
    /// Each of the harbor's variants ends as its text says.
    case variants
  }

  @Option(name: .long, help: "The harbor example.", completion: .directory)
  var example = "Examples/harbor"
  @Option(name: .long, parsing: .upToNextOption, help: "Only these parts: rollback healthy blackout kills variants.")
  var only: [Part] = Part.allCases
  @Option(name: .long, help: "Bad releases.")
  var rollbacks = 10
  @Option(name: .long, help: "Healthy releases.")
  var healthy = 20
  @Option(name: .long, help: "Kills: half during healthy rollouts, half during bad ones.")
  var kills = 10
  @Option(name: .long, help: "Seed of the random moments.")
  var seed: UInt64 = 1
  @Option(name: .long, help: "Where to write the report.", completion: .file(extensions: ["json"]))
  var report = "accept-report.json"

  func run() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-accept-\(getpid())").path
    let world = try await HarborWorld(
      example: URL(filePath: example).standardizedFileURL.path, folder: folder, options: HarborWorld.Options())
    let trial = AcceptTrial(
      HarborReleases(world: world, traffic: TrafficDriver(base: world.productionURL, shapes: try world.traffic)))
    var failure: (any Error)?
    do {
      try await trial.begin()
      // Healthy releases first: what a bad one leaves on the trunk would make every later release bad too.
      if only.contains(.healthy) { try await trial.healthyReleases(healthy) }
      if only.contains(.blackout) { try await trial.blackouts() }
      if only.contains(.kills) { try await trial.kills(kills, seed: seed) }
      if only.contains(.rollback) { try await trial.badReleases(rollbacks) }
      if only.contains(.variants) { try await trial.variants() }
    } catch { failure = error }
    await trial.end()
    await world.stopEverything()
    if let failure {
      trial.promise("the trial was carried out to its end", false, Ending(failure).message)
      Terminal.standard.line("the folder is kept: \(folder)")
    } else {
      world.remove()
    }
    try JSONEncoder.report.encode(trial.report).write(to: URL(filePath: report), options: .atomic)
    let terminal = Terminal.standard
    for promise in trial.report.promises {
      terminal.line(
        terminal.paint(
          "\(promise.held ? "held  " : "BROKEN")  \(promise.promise): \(promise.detail)", promise.held ? .good : .bad))
    }
    if !trial.report.promises.allSatisfy(\.held) { throw ExitCode(1) }
  }
}

/// `accept-report.json`. Times are milliseconds.
struct AcceptReport: Codable {
  struct Promise: Codable {
    var promise: String
    var held: Bool
    var detail: String
  }
  struct Rollback: Codable {
    var firstBadToDetected: Int64
    var decidedToRestored: Int64
    var firstBadToRestored: Int64
    /// The last answer from the bad version after the decision; 0 when there was none.
    var decidedToLastBad: Int64
    var requestsHurt: Int
  }
  var promises: [Promise] = []
  var rollbacks: [Rollback] = []
  var requests = 0
  var failed = 0
  /// A bad version answered an error and named itself.
  var failedByBadVersions = 0
  /// Unanswered while a version had a share that hangs or dies by its own fault.
  var lostByLossyVersions = 0
  /// Everything else that failed, whenever it did.
  var failedBySwitches = 0
  /// For each bad version: from the verdict to the last request that the client sent and it answered; 0 when none.
  var verdictToLastSentMs: [Int64] = []
}
