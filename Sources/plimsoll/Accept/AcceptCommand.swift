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
    /// A queue with little to do lands what is tested in seconds, and what is not as soon as it is.
    case landings
    /// `kill -9` at random moments loses nothing of a queue and lands nothing untested.
    case queueKills = "queue-kills"
    /// No statement fails and no contract is refused wrongly, whatever comes between what.
    case interleavings

    /// Played with the harbor's releases.
    var isOfHarbor: Bool {
      switch self {
      case .rollback, .healthy, .blackout, .kills, .variants: true
      case .landings, .queueKills, .interleavings: false
      }
    }
  }

  @Option(name: .long, help: "The harbor example.", completion: .directory)
  var example = "Examples/harbor"
  @Option(name: .long, parsing: .upToNextOption, help: "Only these parts.")
  var only: [Part] = Part.allCases
  @Option(name: .long, help: "Bad releases.")
  var rollbacks = 10
  @Option(name: .long, help: "Healthy releases.")
  var healthy = 20
  @Option(name: .long, help: "Kills: half during healthy rollouts, half during bad ones.")
  var kills = 10
  @Option(name: .long, help: "Landings of each kind in a queue with little to do.")
  var landings = 10
  @Option(name: .long, help: "How long CI takes in those that must be tested, in seconds.")
  var ciSeconds = 20.0
  @Option(name: .long, help: "Kills of a server whose queue is at work.")
  var queueKills = 20
  @Option(name: .long, help: "Interleavings of deployments, rollbacks and contracts on a PostgreSQL.")
  var interleavings = 100
  @Option(name: .long, help: "Seed of the random moments, and of the first interleaving.")
  var seed: UInt64 = 1
  @Option(name: .long, help: "Where to write the report.", completion: .file(extensions: ["json"]))
  var report = "accept-report.json"

  func validate() throws {
    guard (2...1000).contains(landings) else { throw ValidationError("--landings is a number from 2 to 1000.") }
    guard (2...1000).contains(queueKills) else { throw ValidationError("--queue-kills is a number from 2 to 1000.") }
    guard (1...10_000).contains(interleavings) else {
      throw ValidationError("--interleavings is a number from 1 to 10000.")
    }
    guard (0.1...600).contains(ciSeconds) else { throw ValidationError("--ci-seconds is a time from 0.1 to 600.") }
  }

  func run() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-accept-\(getpid())").path
    var told = AcceptReport()
    if only.contains(where: \.isOfHarbor) { told = try await ofHarbor(folder) }
    let queue = AcceptQueue(folder: "\(folder)-queue", seed: seed)
    if only.contains(.landings) {
      await told.carryOut("the trial of landings") { report in
        try await queue.landings(landings, ciSeconds: ciSeconds, into: &report)
      }
    }
    if only.contains(.queueKills) {
      await told.carryOut("the trial of a killed queue") { report in
        try await queue.kills(queueKills, into: &report)
      }
    }
    if only.contains(.interleavings) {
      await told.carryOut("the trial of interleavings") { report in
        try await AcceptInterleavings(seed: seed).run(interleavings, into: &report)
      }
    }
    try JSONEncoder.report.encode(told).write(to: URL(filePath: report), options: .atomic)
    let terminal = Terminal.standard
    for promise in told.promises {
      terminal.line(
        terminal.paint(
          "\(promise.held ? "held  " : "BROKEN")  \(promise.promise): \(promise.detail)", promise.held ? .good : .bad))
    }
    if !told.promises.allSatisfy(\.held) { throw ExitCode(1) }
    try? FileManager.default.removeItem(atPath: queue.folder)
  }

  private func ofHarbor(_ folder: String) async throws -> AcceptReport {
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
    return trial.report
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
  var landings: QueueLandings.Outcome?
  var queueKills: QueueKills.Outcome?
  var interleavings: AcceptInterleavings.Outcome?

  mutating func promise(_ promise: String, _ held: Bool, _ detail: String) {
    promises.append(Promise(promise: promise, held: held, detail: detail))
  }

  /// A part that cannot go on is a broken promise, and the next part is tried all the same.
  mutating func carryOut(_ name: String, _ part: (inout AcceptReport) async throws -> Void) async {
    do {
      try await part(&self)
    } catch {
      promise("\(name) was carried out to its end", false, Ending(error).message)
    }
  }
}
