import Kernel

/// A deployment that completed its rollout and was not condemned: what a rollback returns to, with its configuration.
package struct KnownGood: Codable, Equatable, Sendable {
  package let deployment: Deployment
  /// The newest offer that this deployment answers: two commits can build to one digest.
  package let offer: Rollout.Offer
  /// The rollout that completed it.
  package let rollout: RolloutID
  package let since: Instant
  /// Instances that were ready at its rollout's end; nil where that is not known.
  package let endpoints: Int?
  package init(
    deployment: Deployment, offer: Rollout.Offer, rollout: RolloutID, since: Instant, endpoints: Int? = nil
  ) {
    self.deployment = deployment
    self.offer = offer
    self.rollout = rollout
    self.since = since
    self.endpoints = endpoints
  }
}

/// How an ended rollout ended, for pages.
package struct RolloutSummary: Codable, Equatable, Sendable {
  package enum Outcome: Codable, Equatable, Sendable {
    case completed
    /// plimsoll.yaml stopped naming the place before it was decided, or a drill gave way.
    case abandoned
    /// `restoredAt` is nil when the place was closed before the router confirmed the restoration.
    case condemned(CauseClass, rule: String, sentence: String, restoredAt: Instant?)
    /// It was a drill of its own, and nothing was found.
    case drilled(Drill.Report)
  }
  package let id: RolloutID
  package let kind: Rollout.Kind
  package let deployment: Deployment
  package let title: String
  package let outcome: Outcome
  package let startedAt: Instant
  /// Completed, drilled, restored or closed.
  package let endedAt: Instant
  package init(course: Course, outcome: Outcome, endedAt: Instant) {
    id = course.id
    kind = course.start.kind
    deployment = course.canary
    title = course.start.offer.title
    self.outcome = outcome
    startedAt = course.start.at
    self.endedAt = endedAt
  }
}
