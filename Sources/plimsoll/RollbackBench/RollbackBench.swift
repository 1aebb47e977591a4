import API
import Foundation
import Kernel
import Runtime

/// Bad releases one after the other on real components, each timed from its first bad response to the end.
///
/// Every bad version is made on the files of the beginning, so that no healthy release is waited for between two and
/// the first version stays known-good throughout. Faults take turns, so that whatever else the machine does meets all
/// of them.
final class RollbackBench {
  private let releases: HarborReleases
  private let load: RollbackBenchReport.Load
  private let shapes: [RequestShape]
  private let seed: UInt64
  private var exposures: [RollbackExposure] = []
  private var missed: [RollbackBenchReport.Missed] = []
  private var neverReady: (rollout: RolloutView, began: Int64)?
  private var known: String?

  /// A baseline needs a past: a minute at 100 requests/s is 6,000.
  static let baselineSeconds = 60.0

  init(_ releases: HarborReleases, load: RollbackBenchReport.Load, shapes: [RequestShape], seed: UInt64) {
    self.releases = releases
    self.load = load
    self.shapes = shapes
    self.seed = seed
  }

  /// - Throws: what keeps it from going on; `report` then tells what was measured until there.
  func run(_ faults: [RollbackFault], rounds: Int, withNeverReady: Bool) async throws {
    try await releases.untilFirstServes(perSecond: load.requestsPerSecond, seed: seed)
    known = try await releases.production().serving?.digest
    releases.say("\(Int(Self.baselineSeconds)) s of traffic, for the baseline")
    try await Task.sleep(for: .seconds(Self.baselineSeconds))
    for round in 1...max(rounds, 1) {
      for fault in faults where round <= fault.roundsOf(rounds) {
        releases.say("\(fault.name), round \(round) of \(fault.roundsOf(rounds))")
        try await expose(fault)
      }
    }
    if withNeverReady { try await tryNeverReady() }
  }

  private func expose(_ fault: RollbackFault) async throws {
    releases.traffic.change(shapes: shapes.mixed(longStays: fault.longStays))
    releases.traffic.change(perSecond: load.requestsPerSecond * fault.trafficFold)
    defer { releases.traffic.change(perSecond: load.requestsPerSecond) }
    let began = Instant.now.milliseconds
    let load = LoadAverage.now
    let commit = try await releases.submitAnew(variant: fault.variant)
    let rollout: RolloutView
    do {
      rollout = try await releases.ended(commit)
    } catch let outage as Outage {
      try await giveUp(on: fault, commit, load: load, because: outage)
      return
    }
    guard rollout.outcome == "rolledBack" else {
      throw Outage(
        "bench", "a bad version (\(fault.name)) ended as \(rollout.outcome): \(rollout.sentence ?? "no reason given")")
    }
    let (digest, report) = try await releases.rollback(of: commit)
    guard let known, report.to == known, try await releases.production().serving?.digest == known else {
      throw Outage("bench", "after \(fault.name) something else serves than the known-good version")
    }
    exposures.append(
      RollbackExposure(
        fault: fault, rollout: rollout.id, report: report, digest: digest, beganAtMs: began, loadAverage: load))
    let took = Span(milliseconds: report.endedAtMs - (report.firstBadAtMs ?? report.detectedAtMs))
    releases.say("        restored \(took.tenths) after the first bad response: \(report.sentence)")
  }

  /// A bad version that is not found is a result too; a person takes it back, and the next one is tried.
  private func giveUp(on fault: RollbackFault, _ commit: String, load: Double, because outage: Outage) async throws {
    let view = try await releases.production()
    guard view.rollout?.deployment.commit == commit else { throw outage }
    let sentence = view.rollout?.sentence ?? view.sentence
    releases.say("        not found within \(Int(HarborReleases.patience.seconds)) s: \(sentence)")
    missed.append(RollbackBenchReport.Missed(fault: fault.name, sentence: sentence, loadAverage: load))
    let request = RollbackRequest(from: view.leaving, reason: "the judge did not find it")
    let _: Receipt = try await releases.world.client.post("/v1/rollouts/harbor/production/rollback", request)
    _ = try await releases.ended(commit)
  }

  private func tryNeverReady() async throws {
    releases.say(RollbackFault.neverReady.name)
    let began = Instant.now.milliseconds
    let commit = try await releases.submitAnew(variant: RollbackFault.neverReady.variant)
    neverReady = (try await releases.ended(commit), began)
  }

  // MARK: What came of it

  /// Once the traffic has stopped: a request that hung is known to be lost only at its end.
  func report(_ faults: [RollbackFault], durationMs: Int64) -> RollbackBenchReport {
    let answers = releases.traffic.answers
    var report = RollbackBenchReport(load: load)
    report.requests = answers.count
    report.durationMs = durationMs
    let knownDigest = known.flatMap { Digest(rawValue: $0) }?.short
    let usual = answers.filter { $0.digest == knownDigest }
    if knownDigest != nil, !usual.isEmpty {
      report.load.measuredBaselineErrorPercent = 100 * Double(usual.count(where: \.isFailed)) / Double(usual.count)
    }
    for (index, exposure) in exposures.enumerated() {
      let until = index + 1 < exposures.count ? exposures[index + 1].beganAtMs : Int64.max
      let during = answers.filter { (exposure.beganAtMs..<until).contains($0.sentAt.milliseconds) }
      report.lostInSwitches += exposure.lostInSwitch(during)
      report.rounds.append(exposure.round(during))
    }
    if let neverReady {
      let digest = Digest(rawValue: neverReady.rollout.deployment.digest)?.short
      report.neverReady = RollbackBenchReport.NeverReady(
        outcome: neverReady.rollout.outcome,
        endedAfterMs: (neverReady.rollout.endedAtMs ?? neverReady.began) - neverReady.rollout.startedAtMs,
        requestsTaken: answers.count { $0.digest == digest })
    }
    report.missed = missed
    report.conclude(faults)
    return report
  }
}
