import API
import Kernel

/// A bad version that took part of the traffic, with what the server said of it.
struct RollbackExposure {
  var fault: RollbackFault
  var rollout: Int
  var report: RollbackReportView
  /// The first 12 hex digits of its digest, as the version names itself.
  var digest: String
  /// When its change was submitted; until the next one's, nobody else is bad.
  var beganAtMs: Int64
  /// Of the machine, one minute's, when it was submitted.
  var loadAverage: Double?

  /// - Parameter answers: of its own time.
  func round(_ answers: [TrafficDriver.Answer]) -> RollbackBenchReport.Round {
    let taken = answers.filter { $0.digest == digest } + (fault.isLossy ? Self.lost(answers) : [])
    let bad = taken.compactMap(Self.badAtMs)
    // The proxy may have had it before the client did, or see what the client still waits for.
    let firstBad = [report.firstBadAtMs, bad.min()].compactMap { $0 }.min() ?? report.detectedAtMs
    let detected = max(report.detectedAtMs, firstBad)
    let lastSent = taken.map(\.sentAt.milliseconds).max() ?? report.decidedAtMs
    return RollbackBenchReport.Round(
      fault: fault.name, rollout: rollout, cause: report.cause, sentence: report.sentence,
      detectionMs: detected - firstBad, decisionMs: report.decidedAtMs - detected,
      actuationMs: report.endedAtMs - report.decidedAtMs, restoredMs: report.endedAtMs - firstBad,
      verdictToLastRequestMs: max(lastSent - report.decidedAtMs, 0), requestsHurt: bad.count,
      requestsTaken: taken.count, loadAverage: loadAverage)
  }

  /// Failed without saying by whom: of a version that loses requests by its own fault its doing, else the switch's.
  func lostInSwitch(_ answers: [TrafficDriver.Answer]) -> Int { fault.isLossy ? 0 : Self.lost(answers).count }

  private static func lost(_ answers: [TrafficDriver.Answer]) -> [TrafficDriver.Answer] {
    answers.filter { $0.digest == nil && $0.isFailed }
  }

  /// When a request became bad: as soon as it is open for too long, else with its answer; nil for a good one.
  private static func badAtMs(_ answer: TrafficDriver.Answer) -> Int64? {
    let slowAt = answer.sentAt.milliseconds + HarborWorld.slowerThan.milliseconds
    if answer.endedAt.milliseconds > slowAt { return slowAt }
    return answer.isFailed ? answer.endedAt.milliseconds : nil
  }
}
