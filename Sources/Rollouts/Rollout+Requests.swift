import Kernel

/// What people ask: go back, and forget a condemnation.
extension Rollout {
  static func rollBack(_ request: RollBackRequest, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let place = try configuredPlace(in: state)
    try checkReason(request.reason, "A rollback")
    let sentence = "\(request.actor) rolled it back: \(request.reason)"
    switch state.phase {
    case .placing(let course), .drilling(let course, _), .stepping(let course, index: _),
      .scaling(let course, index: _), .watching(let course, index: _, since: _),
      .gated(let course, index: _, _, since: _), .finalWatch(let course, since: _), .finishing(let course):
      if course.start.kind == .drill {
        try confirm(request.from, place, in: state)
        let start = try rollback(to: request.to, sentence, place, in: state, turn)
        let events = [Event.drillAbandoned(course.id, why: sentence, at: turn.now), .started(start)]
        // What the drill visited runs on, and says only once that it is ready.
        guard start.deployment.id == course.canary.id, let endpoints = course.endpoints else { return events }
        return events + [.placed(start.id, digest: course.canary.digest, endpoints: endpoints)]
      }
      guard course.start.kind == .forward else {
        throw Refusal(
          .notNow, "\(place) is being rolled back to \(course.canary.digest.short) already: wait for it to end.")
      }
      if let to = request.to, to != course.start.knownGood?.digest {
        let target = course.start.knownGood?.digest.short ?? "no version"
        throw Refusal(
          .notNow,
          "A rollout is running in \(place) and can only return to \(target): roll it back first, then to \(to.short).")
      }
      try confirm(request.from, place, in: state)
      return condemn(course, .operator, "operator", sentence, in: state, turn)
    case .restoring, .reporting:
      throw Refusal(.notNow, "\(place) is being rolled back already: wait for its report.")
    case .closing, .closed: throw retired(place)
    case .idle, .sealing:
      try confirm(request.from, place, in: state)
      let start = Event.started(try rollback(to: request.to, sentence, place, in: state, turn))
      // What is sealed waits until the rollback is over, and only one can wait.
      guard case .sealing(let offer) = state.phase, let pending = state.pending else { return [start] }
      return [.superseded(offer, by: pending.commit), start]
    }
  }

  // MARK: What every request is asked first

  /// "harbor in production", for a refusal.
  static func configuredPlace(in state: State) throws(Refusal) -> String {
    guard let policy = state.policy else {
      throw Refusal(.notNow, "Nothing is configured here yet: add the service to plimsoll.yaml and promote a version.")
    }
    let place = "\(policy.service) in \(policy.environment)"
    if state.isRetired { throw retired(place) }
    return place
  }

  static func retired(_ place: String) -> Refusal {
    Refusal(
      .notNow, "\(place) is closed, because plimsoll.yaml no longer names it: add it again and restart the server.")
  }

  /// - Parameter subject: "A rollback".
  static func checkReason(_ reason: String, _ subject: String) throws(Refusal) {
    guard !reason.isEmpty, !reason.contains(where: \.isNewline), reason.count <= reasonLimit else {
      throw Refusal(
        .malformed, "\(subject) needs a reason of one line and at most \(reasonLimit) characters: give one.")
    }
  }

  // MARK: Back

  private static func confirm(_ from: DeploymentID?, _ place: String, in state: State) throws(Refusal) {
    guard let from, let leaving = state.leaving, leaving.id != from else { return }
    let version = "\(leaving.commit.short) (\(leaving.id))"
    let now =
      if let course = state.live {
        "rollout \(course.id) to \(version) is under way in \(place)"
      } else {
        "\(version) serves \(place)" + (state.history.first.map { ", \(since($0))" } ?? "")
      }
    throw Refusal(
      .notNow, "Nothing was rolled back: \(now), not \(from). If that is to go too, ask again and name it as 'from'.")
  }

  private static func since(_ last: RolloutSummary) -> String {
    switch (last.outcome, last.kind) {
    case (.condemned, _): "since rollout \(last.id) was rolled back"
    case (.abandoned, _): "since rollout \(last.id) was abandoned"
    case (.completed, .rollback): "since rollback \(last.id)"
    case (.completed, .forward), (.completed, .drill): "since rollout \(last.id)"
    case (.drilled, _): "also after drill \(last.id)"
    }
  }

  private static func rollback(
    to digest: Digest?, _ sentence: String, _ place: String, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> RolloutStart {
    guard let serving = state.knownGood.first else {
      throw Refusal(.notNow, "\(place) has no known-good version yet, so there is nothing to leave: promote one.")
    }
    let target = try target(digest, serving, place, in: state)
    let past = digest == nil ? passedOver(on: target, from: serving, in: state) : ""
    return RolloutStart(
      id: state.nextRollout, kind: .rollback, offer: target.offer, deployment: target.deployment,
      knownGood: serving.deployment, steps: [100], reason: sentence + past, at: turn.now)
  }

  static func target(_ digest: Digest?, _ serving: KnownGood, _ place: String, in state: State)
    throws(Refusal) -> KnownGood
  {
    let kept = state.knownGood.dropFirst()
    let floor = state.floor.map { ", and nothing older than the floor \($0.digest.short) may be" } ?? ""
    let named = choices(kept, in: state) + floor
    guard let digest else {
      if let target = state.allowedTarget(from: serving) { return target }
      if let nearest = state.olderTargets(than: serving).first, let bar = state.bar(of: nearest) {
        throw barred(nearest, bar, insteadOf: serving, in: state)
      }
      throw Refusal(.notNow, "\(place) has no older known-good version to return to: \(named).")
    }
    if let found = kept.first(where: { $0.deployment.digest == digest }) {
      if let bar = state.bar(of: found) { throw barred(found, bar, insteadOf: serving, in: state) }
      return found
    }
    if digest == serving.deployment.digest {
      throw Refusal(.notNow, "\(digest.short) serves \(place) now, so there is nothing to roll back: \(named).")
    }
    if state.condemned.contains(where: { $0.digest == digest }) {
      throw Refusal(
        .notNow, "\(digest.short) is condemned in \(place): lift that and promote it again, or \(named).")
    }
    throw Refusal(.unknown, "\(digest.rawValue) is no kept known-good version of \(place): \(named).")
  }

  private static func choices(_ kept: ArraySlice<KnownGood>, in state: State) -> String {
    if kept.isEmpty { return "none is kept" }
    let allowed = kept.filter(state.allows).map(\.deployment.digest.rawValue)
    return allowed.isEmpty
      ? "\(state.databaseWords) would fail all that are kept" : "name one of \(allowed.joined(separator: ", "))"
  }

  static func lift(_ digest: Digest, _ reason: String, in state: State) throws(Refusal) -> [Event] {
    try checkReason(reason, "Lifting a condemnation")
    if state.condemned.contains(where: { $0.digest == digest }) { return [.lifted(digest, reason: reason)] }
    let condemned = state.condemned.map(\.digest.rawValue)
    let next =
      if let nearest = nearestMatch(to: digest.rawValue, among: condemned) {
        "did you mean \(nearest)?"
      } else if condemned.isEmpty {
        "nothing is condemned here."
      } else {
        "condemned are \(condemned.suffix(5).joined(separator: ", "))."
      }
    throw Refusal(.unknown, "\(digest.rawValue) is not condemned here: \(next)")
  }
}

extension Rollout.State {
  /// What a rollback asked for now would leave: the running rollout's version, else the one that serves, also during a
  /// drill of its own. Nil when there is neither.
  package var leaving: Deployment? {
    guard let live, live.start.kind != .drill else { return knownGood.first?.deployment }
    return live.canary
  }
}
