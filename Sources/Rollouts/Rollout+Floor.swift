import Kernel

/// The oldest version that a rollback may reach, for what cannot be undone: a migrated table, a changed contract.
extension Rollout {
  package struct Floor: Codable, Equatable, Sendable {
    /// Of a kept known-good version.
    package let digest: Digest
    /// One line, at most `Rollout.reasonLimit` characters.
    package let reason: String
    package let actor: String
    package init(digest: Digest, reason: String, actor: String) {
      self.digest = digest
      self.reason = reason
      self.actor = actor
    }
  }

  /// A floor in force.
  package struct RaisedFloor: Codable, Equatable, Sendable {
    package let floor: Floor
    /// The ordinal of the named version's offer: what is older is no longer kept.
    package let ordinal: Int64
    package let at: Instant
    package init(floor: Floor, ordinal: Int64, at: Instant) {
      self.floor = floor
      self.ordinal = ordinal
      self.at = at
    }
  }

  static func setFloor(_ floor: Floor, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let place = try configuredPlace(in: state)
    try checkReason(floor.reason, "A floor")
    if let course = state.running {
      throw Refusal(
        .notNow, "Rollout \(course.id) runs in \(place), and may have to go back: set the floor when it has ended.")
    }
    guard let entry = state.knownGood.first(where: { $0.deployment.digest == floor.digest }),
      let serving = state.knownGood.first
    else {
      let kept = state.knownGood.map(\.deployment.digest.rawValue)
      throw Refusal(
        .unknown,
        "\(floor.digest.rawValue) is no kept known-good version of \(place): "
          + (kept.isEmpty ? "none is kept." : "name one of \(kept.joined(separator: ", "))."))
    }
    // What serves is never below it, or nothing could be returned to.
    guard entry.offer.ordinal <= serving.offer.ordinal else {
      throw Refusal(
        .notNow,
        "\(floor.digest.short) is newer than \(serving.deployment.digest.short), which serves \(place): go forward to "
          + "it first.")
    }
    if state.floor == floor { return [] }
    return [.floorRaised(floor, ordinal: entry.offer.ordinal, at: turn.now)]
  }
}

extension Rollout.State {
  package var floor: Rollout.Floor? { raisedFloor?.floor }

  mutating func raise(_ floor: Rollout.Floor, ordinal: Int64, at: Instant) {
    raisedFloor = Rollout.RaisedFloor(floor: floor, ordinal: ordinal, at: at)
    knownGood.removeAll { $0.offer.ordinal < ordinal }
  }
}
