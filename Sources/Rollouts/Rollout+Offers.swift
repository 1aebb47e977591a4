import Kernel

/// Offers, of which the newer wins, and the start of a rollout.
extension Rollout {
  static func take(_ offer: Offer, in state: State, _ turn: TurnContext) -> [Event] {
    if state.isRetired { return [.refusedUnconfigured(offer)] }
    if let serving = state.knownGood.first, serving.offer.isSame(as: offer) {
      return [.confirmed(offer, deployment: serving.deployment, at: turn.now)]
    }
    if isUnderway(offer, in: state) { return [] }
    if let newest = state.newest, offer.ordinal < newest.ordinal {
      return [.superseded(offer, by: newest.commit)]
    }
    var events: [Event] = []
    if offer.override, state.condemned.contains(where: { $0.digest == offer.digest }) {
      events.append(.lifted(offer.digest, reason: "offered again with an override by \(offer.author)"))
    } else if state.condemns(offer.digest) {
      return [.refusedCondemned(offer)]
    }
    return events + replaced(by: offer, in: state).map { .superseded($0, by: offer.commit) } + [.offered(offer)]
  }

  private static func replaced(by offer: Offer, in state: State) -> [Offer] {
    var waiting: [Offer] = []
    // In a freeze an override is sealed on while what comes later waits behind it.
    if case .sealing(let sealing) = state.phase, state.held(offer) == nil { waiting.append(sealing) }
    if let pending = state.pending { waiting.append(pending) }
    return waiting.filter { !$0.isSame(as: offer) }
  }

  /// Nothing new, unless it is an override that passes the freeze which held the offer until now.
  private static func isUnderway(_ offer: Offer, in state: State) -> Bool {
    if case .sealing(let sealing) = state.phase, sealing.isSame(as: offer) { return true }
    if let pending = state.pending, pending.isSame(as: offer) {
      return state.held(pending) == nil || state.held(offer) != nil
    }
    guard let live = state.live, live.start.kind != .drill else { return false }
    return live.start.offer.isSame(as: offer)
  }

  // MARK: Start

  static func start(
    _ ordinal: Int64, configuration: Digest, sealed: Digest, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard let policy = state.policy else { return [] }
    switch state.phase {
    case .idle, .placing, .drilling, .stepping, .scaling, .watching, .gated, .finalWatch, .finishing, .restoring,
      .reporting, .closing, .closed:
      return []
    case .sealing(let offer):
      guard offer.ordinal == ordinal else { return [] }
      let deployment = Deployment(
        service: policy.service, environment: policy.environment, digest: offer.digest, commit: offer.commit,
        configuration: configuration, sealedConfiguration: sealed)
      if state.condemns(deployment) { return [.refusedCondemned(offer)] }
      let serving = state.knownGood.first?.deployment
      if let serving, serving.id == deployment.id {
        return [.confirmed(offer, deployment: serving, at: turn.now)]
      }
      return [
        .started(
          RolloutStart(
            id: state.nextRollout, kind: .forward, offer: offer, deployment: deployment, knownGood: serving,
            steps: serving == nil ? Array(policy.steps.suffix(1)) : policy.steps, at: turn.now))
      ]
    }
  }

  static func measured(_ id: RolloutID, _ baseline: Baseline, in state: State) -> [Event] {
    switch state.phase {
    case .placing(let course): course.id == id && course.needsBaseline ? [.baselineMeasured(id, baseline)] : []
    case .idle, .sealing, .drilling, .stepping, .scaling, .watching, .gated, .finalWatch, .finishing, .restoring,
      .reporting, .closing, .closed:
      []
    }
  }
}
