import Kernel
import Rollouts

/// What the pipeline did in a window.
package struct Report: Codable, Equatable, Sendable {
  package let from: Instant
  /// Not included.
  package let to: Instant
  /// Nil for all services.
  package let service: ServiceName?
  /// Nil for each service's last environment.
  package let environment: EnvironmentName?
  /// When the oldest fact still kept was recorded; what lies before is not known. Nil without facts.
  package let knownSince: Instant?

  package let deployments: Figure<Int>
  package let deploymentsPerDay: Figure<Double>
  /// 0 to 1.
  package let changeFailureRate: Figure<Double>
  package let velocity: Figure<Velocity>
  package let leadTime: Figure<Spread>
  package let failedDeploymentRecoveryTime: Figure<Spread>
  /// 0 to 1; never measured yet, and says so.
  package let reworkRate: Figure<Double>

  package let queueWait: Figure<Spread>
  package let promotionTime: Figure<Spread>
  /// One entry per cause, in the order of `CauseClass`.
  package let rollbacks: [RollbackShare]
  package let requestsHurt: Figure<Int>
  package let clientMinutesHurt: Figure<Int>
  /// One entry per link, in the order of time.
  package let chain: [ChainSpan]
  /// Decided by the judge.
  package let detectionToRestoredAutomated: Figure<Spread>
  /// Decided by a person.
  package let detectionToRestoredManual: Figure<Spread>
}

package struct RollbackShare: Codable, Equatable, Sendable {
  package let cause: CauseClass
  package let count: Figure<Int>
  /// Of the window's deployments, 0 to 1; nil without deployments.
  package let share: Double?
}

/// The parts of the time in which users were hurt.
package enum ChainLink: String, Codable, CaseIterable, Sendable {
  case firstBadToDetected
  case detectedToDecided
  case decidedToLastBad
  case lastBadToRestored
  case firstBadToRestored

  package var definition: String {
    switch self {
    case .firstBadToDetected: "From the first bad response to the evidence that decided."
    case .detectedToDecided: "From that evidence to the decision in the ledger."
    case .decidedToLastBad: "From the decision to the last bad response; none after it counts as no time."
    case .lastBadToRestored: "From the last bad response to the router's word that known-good serves all traffic."
    case .firstBadToRestored: "From the first bad response to known-good serving all traffic."
    }
  }

  /// Nil when the report lacks an end of it.
  func span(in report: RollbackReport) -> Span? {
    switch self {
    case .firstBadToDetected: report.firstBadAt.map { report.detectedAt - $0 }
    case .detectedToDecided: report.decidedAt - report.detectedAt
    case .decidedToLastBad: report.lastBadAt.map { $0 - report.decidedAt }
    case .lastBadToRestored: span(from: report.lastBadAt, to: report.restoredAt)
    case .firstBadToRestored: span(from: report.firstBadAt, to: report.restoredAt)
    }
  }

  private func span(from: Instant?, to: Instant?) -> Span? {
    guard let from, let to else { return nil }
    return to - from
  }
}

package struct ChainSpan: Codable, Equatable, Sendable {
  package let link: ChainLink
  package let span: Figure<Spread>
}
