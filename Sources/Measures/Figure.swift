import Kernel

/// A measured number with what it stands on.
package struct Figure<Value: Codable & Equatable & Sendable>: Codable, Equatable, Sendable {
  /// Nil when nothing was measured: empty is not zero.
  package let value: Value?
  /// How many facts it stands on.
  package let facts: Int
  /// Facts that belong here and could not be measured, because what they need is not known or has not happened.
  package let unmeasured: Int
  /// The newest ledger positions behind it, rising; at most `positionLimit`.
  package let positions: [Position]
  /// What it means, in one or two sentences.
  package let definition: String
  package let mark: Mark?

  package init(
    value: Value?, facts: Int, unmeasured: Int = 0, positions: [Position], definition: String, mark: Mark? = nil
  ) {
    self.value = value
    self.facts = facts
    self.unmeasured = unmeasured
    self.positions = positions.sorted().suffix(positionLimit)
    self.definition = definition
    self.mark = mark
  }
}

/// Enough to look into by hand; the ledger has them all.
package let positionLimit = 100

/// What the article says of a number.
package enum Mark: Codable, Equatable, Sendable {
  case elite
  case good
  /// It needs work: one sentence on what.
  case flagged(String)
}

/// The thresholds of the article, section "What Your Pipeline Should Actually Measure".
package enum Threshold {
  /// "If this exceeds 30 minutes consistently": held against the median, so that more than half exceed it.
  package static let queueWait = Span.minutes(30)
  /// "Under 10 minutes is elite"; held against the median.
  package static let elitePromotion = Span.minutes(10)
  /// "Under 30 minutes is good".
  package static let goodPromotion = Span.minutes(30)
  /// "Over an hour means manual gates or flaky tests are blocking the pipeline".
  package static let slowPromotion = Span.minutes(60)
  /// "Mean time … exceeds 5 minutes for automated rollbacks": held against the mean.
  package static let automatedRollback = Span.minutes(5)
  /// "or 15 minutes for manual rollbacks".
  package static let manualRollback = Span.minutes(15)

  static func markQueueWait(_ spread: Spread) -> Mark? {
    spread.p50 > queueWait ? .flagged("CI speed or the queue's slots need attention.") : nil
  }

  static func markPromotion(_ spread: Spread) -> Mark? {
    if spread.p50 < elitePromotion { return .elite }
    if spread.p50 < goodPromotion { return .good }
    return spread.p50 > slowPromotion ? .flagged("Manual gates or flaky tests block the pipeline.") : nil
  }

  static func markRollback(_ limit: Span) -> @Sendable (Spread) -> Mark? {
    { $0.mean > limit ? .flagged("The rollback mechanism itself needs engineering.") : nil }
  }
}

/// Frequency divided by change failure rate (article, "Deploy Frequency Is Not the Metric You Think It Is").
package enum Velocity: Codable, Equatable, Sendable {
  /// Deployments per day for each unit of failure rate: 10 a day at 2 % is 500.
  case ratio(Double)
  /// Division by a rate of zero says nothing; neither is it infinite.
  case noFailuresYet
}
