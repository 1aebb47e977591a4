import Kernel

/// Holding a place as it is. What makes it safe, a condemnation, a restoration, a person's rollback, is never held.
extension Rollout {
  package struct Freeze: Codable, Equatable, Sendable {
    /// One line, at most `Rollout.reasonLimit` characters.
    package let reason: String
    package let actor: String
    /// Nil until a person thaws it.
    package let until: Instant?
    package init(reason: String, actor: String, until: Instant?) {
      self.reason = reason
      self.actor = actor
      self.until = until
    }

    /// "ada: the sale is on"
    package var words: String { "\(actor): \(reason)" }
  }

  /// A freeze in force.
  package struct Frozen: Codable, Equatable, Sendable {
    package let freeze: Freeze
    package let since: Instant
    package init(freeze: Freeze, since: Instant) {
      self.freeze = freeze
      self.since = since
    }

    var timer: RolloutTimer? {
      freeze.until.map { RolloutTimer(at: $0, key: EffectKey("wake/freeze/\($0.milliseconds)")) }
    }
  }

  static func freeze(_ freeze: Freeze, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let place = try configuredPlace(in: state)
    try checkReason(freeze.reason, "A freeze")
    guard freeze.actor != budgetActor else {
      throw Refusal(
        .malformed, "'\(budgetActor)' is who freezes when it is spent, and thaws by itself: freeze with your own name.")
    }
    if let until = freeze.until, until <= turn.now {
      throw Refusal(.malformed, "A freeze of \(place) cannot end before it begins: give a time to come, or none.")
    }
    return state.frozen?.freeze == freeze ? [] : [.frozen(freeze, at: turn.now)]
  }

  static func thaw(actor: String, reason: String, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let place = try configuredPlace(in: state)
    try checkReason(reason, "A thaw")
    guard state.frozen != nil else {
      throw Refusal(.notNow, "\(place) is not frozen, so there is nothing to thaw.")
    }
    return thawed(by: actor, reason, in: state, turn)
  }

  /// Who acts when nobody does.
  package static let itself = "plimsoll"

  static func freezeEnded(_ key: EffectKey, in state: State, _ turn: TurnContext) -> [Event] {
    guard let timer = state.frozen?.timer, timer.key == key, turn.now >= timer.at else { return [] }
    return thawed(by: itself, "the freeze was for so long", in: state, turn)
  }

  /// Invariant: nothing that waits goes between the end of a person's freeze and that of a budget which closed meanwhile.
  private static func thawed(by actor: String, _ reason: String, in state: State, _ turn: TurnContext) -> [Event] {
    let thaw = Event.thawed(actor: actor, reason: reason, at: turn.now)
    guard state.freeze?.actor != budgetActor, let budget = state.budget, budget.passedBy == nil,
      let closed = budget.closed
    else { return [thaw] }
    return [thaw, budgetFreeze(closed, turn)]
  }
}

extension Rollout.State {
  package var freeze: Rollout.Freeze? { frozen?.freeze }

  /// The freeze that holds an offer; an override passes it.
  func held(_ offer: Rollout.Offer) -> Rollout.Frozen? { offer.override ? nil : frozen }

  /// The freeze that holds a rollout's steps. One that an override began during the freeze passes it; a person's
  /// rollback and a drill of its own, which only goes back, are never held.
  package func held(_ course: Course) -> Rollout.Frozen? {
    guard let frozen, course.start.kind == .forward else { return nil }
    return course.start.offer.override && course.start.at >= frozen.since ? nil : frozen
  }

  mutating func freeze(_ freeze: Rollout.Freeze, at: Instant) {
    frozen = Rollout.Frozen(freeze: freeze, since: at)
    // Sealed anew when it thaws: the configuration is taken when the rollout begins.
    if case .sealing(let offer) = phase, held(offer) != nil {
      pending = pending ?? offer
      phase = .idle
    }
  }
}
