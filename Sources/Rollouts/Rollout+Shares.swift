import Kernel

/// One instant at which the machine wants to be woken.
struct RolloutTimer: Equatable {
  let at: Instant
  let key: EffectKey
}

/// What follows from the phase: who gets which share, what runs, and when to wake.
extension Rollout.State {
  /// Who should get which share now, sorted by deployment; empty when nothing was ever placed in traffic.
  ///
  /// The version without traffic is named with 0 while a rollout runs, so that the router keeps it warm: a rollback is
  /// then a change of weights only. It sums to 100, or to 0 when a first deployment is taken out. Where nobody serves,
  /// what is to be stopped is named with 0, so that the router confirms first that it gets nothing.
  package var wantedShares: [TrafficShare] {
    let serving = knownGood.first?.deployment
    switch phase {
    case .idle, .sealing, .placing:
      return serving.map { [TrafficShare($0.id, percent: 100)] } ?? leftBehind
    case .drilling(let course, let drill):
      return shares(course, canary: drill.isThere ? course.drillPercent : 0)
    case .stepping(let course, let index), .watching(let course, let index, since: _),
      .gated(let course, let index, _, since: _):
      return shares(course, canary: course.percent(at: index))
    case .scaling(let course, let index):
      return shares(course, canary: course.percent(at: index - 1))
    case .finalWatch(let course, since: _):
      return shares(course, canary: course.percent(at: course.lastIndex))
    case .finishing(let course):
      return shares(course, canary: 100)
    case .restoring(let course, _), .reporting(let course, _, restoredAt: _):
      let target = serving.map { [TrafficShare($0.id, percent: 100)] } ?? leftBehind
      guard course.exposedSince != nil else { return target }
      let emptied = ([course.canary] + (course.start.knownGood.map { [$0] } ?? [])).filter { version in
        !target.contains { $0.deployment == version.id }
      }
      return (target + emptied.map { TrafficShare($0.id, percent: 0) }).sorted()
    // Not shares of 0: the router is to forget the service.
    case .closing, .closed:
      return []
    }
  }

  private var leftBehind: [TrafficShare] { retiring.map { TrafficShare($0.id, percent: 0) }.sorted() }

  private func shares(_ course: Course, canary percent: Int) -> [TrafficShare] {
    let old = course.start.knownGood.map { [TrafficShare($0.id, percent: 100 - percent)] } ?? []
    return ([TrafficShare(course.canary.id, percent: percent)] + old).sorted()
  }

  /// Who reaches the canary whatever its share: from the first step until the rollout ends, one way or the other.
  package var wantedPreview: PreviewRoute? {
    switch phase {
    case .stepping(let course, index: _), .scaling(let course, index: _), .watching(let course, index: _, since: _),
      .gated(let course, index: _, _, since: _), .finalWatch(let course, since: _), .finishing(let course):
      course.preview
    case .idle, .sealing, .placing, .drilling, .restoring, .reporting, .closing, .closed: nil
    }
  }

  /// What should be running now: who serves first, then the canary. A condemned version is left to its instances,
  /// unsupervised and without traffic, until it is retired.
  package var wantedRuns: [Deployment] {
    guard let course = live else {
      return isRetired ? [] : knownGood.first.map { [$0.deployment] } ?? []
    }
    let old = course.start.knownGood.map { condemns($0) ? [] : [$0] } ?? []
    return old + [course.canary]
  }

  /// How many instances of it should run; nil for all. Only a canary on its way up is limited.
  package func limit(of deployment: DeploymentID) -> Int? {
    guard let course = live, course.canary.id == deployment, course.start.kind == .forward else { return nil }
    switch phase {
    case .placing, .drilling: return course.limit(at: 0)
    case .stepping(_, let index), .scaling(_, let index), .watching(_, let index, since: _),
      .gated(_, let index, _, since: _):
      return course.limit(at: index)
    case .idle, .sealing, .finalWatch, .finishing, .restoring, .reporting, .closing, .closed: return nil
    }
  }

  /// What is to be stopped and is safe to stop: the router confirmed shares that give it nothing, or offers nothing.
  package var stoppable: [Deployment] {
    if case .closing = phase { return [] }
    if wantedShares.isEmpty { return retiring }
    guard let routed else { return [] }
    return retiring.filter { leaving in !routed.shares.contains { $0.deployment == leaving.id && $0.percent > 0 } }
  }

  /// The timer of this phase; none while a freeze holds the rollout. Waking always leads on, so that no timer is wanted
  /// again after it rang: a judged step has none but to ask, because it passes only on a verdict that arrives when its
  /// time is up.
  var timer: RolloutTimer? {
    guard let course = live else { return nil }
    if case .drilling(_, let drill) = phase {
      // Also in a freeze: the way back goes on.
      guard case .held(there: _, let since) = drill else { return nil }
      return RolloutTimer(at: since + Rollout.drillSpan, key: EffectKey("wake/drill/\(course.id)"))
    }
    if held(course) != nil { return nil }
    switch phase {
    case .idle, .sealing, .drilling, .stepping, .gated, .finishing, .restoring, .reporting, .closing, .closed:
      return nil
    case .placing:
      guard course.endpoints == nil else { return nil }
      return RolloutTimer(at: course.readyBy, key: EffectKey("wake/start/\(course.id)/\(course.extensions)"))
    case .scaling(_, let index):
      guard course.readyStep < index else { return nil }
      return RolloutTimer(at: course.readyBy, key: EffectKey("wake/scale/\(course.id)/\(index)/\(course.extensions)"))
    case .watching(_, let index, let since): return timer(course, index, since, "step")
    case .finalWatch(_, let since): return timer(course, course.lastIndex, since, "final")
    }
  }

  private func timer(_ course: Course, _ index: Int, _ since: Instant, _ kind: String) -> RolloutTimer? {
    let minimum = course.minimum(at: index)
    guard course.isJudged(at: index) else {
      return RolloutTimer(at: since + minimum, key: EffectKey("wake/\(kind)/\(course.id)/\(index)"))
    }
    guard case .ask(let after) = course.policy.scarcity else { return nil }
    return RolloutTimer(at: since + max(minimum, after), key: EffectKey("wake/ask/\(course.id)/\(index)"))
  }
}

extension Rollout.State {
  /// The rollout that may still succeed; nil when none runs or its canary is condemned.
  package var live: Course? {
    switch phase {
    case .idle, .sealing, .restoring, .reporting, .closing, .closed: nil
    case .placing(let course), .drilling(let course, _), .stepping(let course, index: _),
      .scaling(let course, index: _), .watching(let course, index: _, since: _),
      .gated(let course, index: _, _, since: _), .finalWatch(let course, since: _), .finishing(let course):
      course
    }
  }

  /// The rollout that is running, whichever way it goes.
  package var running: Course? {
    switch phase {
    case .restoring(let course, _), .reporting(let course, _, restoredAt: _): course
    case .idle, .sealing, .placing, .drilling, .stepping, .scaling, .watching, .gated, .finalWatch, .finishing,
      .closing, .closed:
      live
    }
  }

  /// The step that a running rollout is at, or on its way to; nil before the first and after the last.
  package var step: Int? {
    switch phase {
    case .stepping(_, let index), .scaling(_, let index), .watching(_, let index, since: _),
      .gated(_, let index, _, since: _):
      index
    case .finalWatch(let course, since: _), .finishing(let course): course.lastIndex
    case .idle, .sealing, .placing, .drilling, .restoring, .reporting, .closing, .closed: nil
    }
  }

  /// More instances of the canary are being started than run.
  package var isScaling: Bool {
    if case .scaling = phase { true } else { false }
  }

  package func condemns(_ deployment: Deployment) -> Bool { condemned.contains { $0.covers(deployment) } }
  /// Whether the digest is condemned whatever its configuration.
  package func condemns(_ digest: Digest) -> Bool {
    condemned.contains { $0.digest == digest && $0.configuration == nil }
  }
}
