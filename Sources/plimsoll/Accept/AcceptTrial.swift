import API
import Foundation
import Kernel
import Runtime

/// One world, one stream of traffic, and the promises of issue "the spine" held against them.
final class AcceptTrial {
  let releases: HarborReleases
  var world: HarborWorld { releases.world }
  var traffic: TrafficDriver { releases.traffic }
  var report = AcceptReport()
  /// A bad version that took part of the traffic.
  struct Exposure {
    /// The first 12 hex digits, as the version names itself.
    var digest: String
    var decidedAtMs: Int64
    /// When the server was back, if it was killed meanwhile.
    var restartedAtMs: Int64?
  }
  var exposures: [Exposure] = []
  /// While a version ran that loses requests by its own fault (hangs, dies): an unanswered request says nothing then.
  var lossyTimes: [ClosedRange<Int64>] = []
  /// The merge that brought the failing variant to the trunk.
  var failingCommit: String?

  /// As the promises say: 100 requests/s.
  static let rate = 100.0
  /// "Restored to 100 % known-good within 10 s (median of 10 runs) of the first bad response".
  static let restoredLimitMs: Int64 = 10_000
  /// "from verdict to last request sent to the bad version at most 1 s".
  static let lastSentLimitMs: Int64 = 1000
  /// "no bad version keeps traffic more than 10 s after restart".
  static let afterRestartLimitMs: Int64 = 10_000

  init(_ releases: HarborReleases) { self.releases = releases }

  func promise(_ promise: String, _ held: Bool, _ detail: String) {
    report.promise(promise, held, detail)
  }

  func begin() async throws {
    try await releases.untilFirstServes(perSecond: Self.rate, seed: 2)
    // A baseline needs a past: a minute at this rate is 6,000 requests.
    releases.say("a minute of traffic, for the baseline")
    try await Task.sleep(for: .seconds(60))
  }

  func end() async {
    await traffic.stop()
    let answers = traffic.answers
    let failed = answers.filter(\.isFailed)
    let bad = Set(exposures.map(\.digest))
    let own = failed.filter { $0.isOwnFailure(of: bad) }
    let other = failed.filter { !$0.isOwnFailure(of: bad) }
    // A lossy version's lost requests name nobody; what another version answered counts even then.
    let lossy = other.filter { answer in
      answer.digest == nil && lossyTimes.contains { $0.contains(answer.sentAt.milliseconds) }
    }
    report.requests = answers.count
    report.failed = failed.count
    report.failedByBadVersions = own.count
    report.lostByLossyVersions = lossy.count
    report.failedBySwitches = other.count - lossy.count
    promise(
      "no request failed through a switch, a kill or a restart", report.failedBySwitches == 0 && !answers.isEmpty,
      "\(answers.count) requests, \(own.count) answered 500 by a bad version itself, \(lossy.count) lost while a "
        + "hanging or dying version had a share, \(report.failedBySwitches) failed otherwise")
    promiseExposures(answers)
  }

  private func promiseExposures(_ answers: [TrafficDriver.Answer]) {
    guard !exposures.isEmpty else { return }
    var verdictToLast: [Int64] = []
    var late: [String] = []
    for exposure in exposures {
      let sent = answers.filter { $0.digest == exposure.digest }.map(\.sentAt.milliseconds)
      guard let last = sent.max() else {
        late.append("\(exposure.digest) never answered a request of the driver")
        continue
      }
      verdictToLast.append(max(0, last - exposure.decidedAtMs))
      guard let restarted = exposure.restartedAtMs else { continue }
      // Counted from the first bad response behind the restart at the latest: evidence begins anew with the process.
      let firstBad = answers.filter {
        $0.digest == exposure.digest && $0.status == 500 && $0.endedAt.milliseconds >= restarted
      }.map(\.endedAt.milliseconds).min()
      let took = last - max(restarted, firstBad ?? restarted)
      if took > Self.afterRestartLimitMs { late.append("\(exposure.digest) answered \(took) ms later still") }
    }
    report.verdictToLastSentMs = verdictToLast
    promise(
      "at most 1 s from the verdict to the last request sent to the bad version",
      verdictToLast.count == exposures.count && (verdictToLast.max() ?? 0) <= Self.lastSentLimitMs,
      "by the client's own clock and the digest that answered: \(verdictToLast.sorted()) ms")
    if exposures.contains(where: { $0.restartedAtMs != nil }) {
      promise(
        "after kill -9 no bad version keeps traffic more than 10 s after the restart", late.isEmpty,
        late.isEmpty ? "none of \(exposures.count { $0.restartedAtMs != nil })" : late.joined(separator: "; "))
    }
  }

  // MARK: Parts

  func healthyReleases(_ count: Int) async throws {
    var good = 0
    for index in 1...max(count, 1) {
      releases.say("healthy release \(index) of \(count)")
      if try await releases.rolledOut(try await releases.submitMarker()) == "completed" { good += 1 }
    }
    promise("a healthy release is never rolled back in \(count) runs", good == count, "\(good) of \(count) completed")
  }

  /// Traffic stops, then the log stream is cut, each in the middle of a healthy rollout: the rollout must hold and say
  /// why, and go on when the evidence is back.
  func blackouts() async throws {
    releases.say("traffic stops in the middle of a rollout")
    var commit = try await releases.submitMarker()
    try await releases.untilCanary(commit)
    traffic.change(perSecond: 0)
    try await Task.sleep(for: .seconds(20))
    var view = try await releases.production()
    let silent = view.rollout?.verdict
    let heldStill = view.rollout?.deployment.commit == commit && view.phase == "watching"
    traffic.change(perSecond: Self.rate)
    var outcome = try await releases.rolledOut(commit)
    promise(
      "when traffic stops the rollout holds for want of evidence and completes when it is back",
      heldStill && silent == "notEnoughEvidence" && outcome == "completed",
      "verdict \(silent ?? "none") after 20 s of silence, then \(outcome)")

    releases.say("HAProxy's log stream is cut in the middle of a rollout")
    commit = try await releases.submitMarker()
    try await releases.untilCanary(commit)
    try cutLog()
    let broken = try await releases.wait("the broken source to be noticed") { () async throws -> EnvironmentView? in
      let view = try await releases.production()
      return view.rollout?.verdict == "sourceBroken" ? view : nil
    }
    try await Task.sleep(for: .seconds(10))
    view = try await releases.production()
    let isHolding = view.rollout?.deployment.commit == commit && view.rollout?.outcome == "running"
    try mendLog()
    outcome = try await releases.rolledOut(commit)
    promise(
      "when the log stream is cut the source is called broken, the rollout holds, and completes when it is mended",
      isHolding && outcome == "completed", "\(broken.sentence) Then \(outcome).")
  }

  func badReleases(_ count: Int) async throws {
    let known = try await releases.production().serving?.digest
    var returned = 0
    for index in 1...max(count, 1) {
      releases.say("bad release \(index) of \(count)")
      let commit = try await submitFailing()
      let (digest, rollback) = try await releases.rollback(of: commit)
      exposures.append(Exposure(digest: digest, decidedAtMs: rollback.decidedAtMs))
      let first = rollback.firstBadAtMs ?? rollback.detectedAtMs
      report.rollbacks.append(
        AcceptReport.Rollback(
          firstBadToDetected: rollback.detectedAtMs - first,
          decidedToRestored: rollback.endedAtMs - rollback.decidedAtMs,
          firstBadToRestored: rollback.endedAtMs - first,
          decidedToLastBad: max(0, (rollback.lastBadAtMs ?? 0) - rollback.decidedAtMs),
          requestsHurt: rollback.requestsHurt))
      let now = try await releases.production().serving?.digest
      if known != nil, rollback.to == known, now == known { returned += 1 }
      releases.terminal.line("        restored \(rollback.endedAtMs - first) ms after the first bad response")
    }
    let restored = report.rollbacks.map(\.firstBadToRestored).sorted()
    let median = restored.isEmpty ? 0 : (restored[(restored.count - 1) / 2] + restored[restored.count / 2]) / 2
    promise(
      "restored within 10 s (median of \(count)) of the first bad response", median <= Self.restoredLimitMs,
      "median \(median) ms, all \(restored)")
    promise("each returned to the known-good digest", returned == count, "\(returned) of \(count)")
  }

  // MARK: Steps

  /// The failing variant's patch the first time; it stays on the trunk, so afterwards a marker makes a new artifact.
  func submitFailing() async throws -> String {
    if failingCommit != nil { return try await releases.submitMarker() }
    let commit = try await releases.submit(variant: "failing")
    failingCommit = commit
    return commit
  }

  // MARK: The log

  /// Puts folders where the log's sockets are, so that they cannot be bound again.
  private func cutLog() throws {
    for path in try logSockets() {
      try FileManager.default.removeItem(atPath: path)
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }
  }

  private func mendLog() throws { for path in try logSockets() { try FileManager.default.removeItem(atPath: path) } }

  private func logSockets() throws -> [String] {
    let folder = try world.routerFolder + "/production"
    return try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix("log") }
      .map { "\(folder)/\($0)" }
  }
}
