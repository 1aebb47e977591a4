import Kernel

extension Rollout {
  package static func violations(in state: State) -> [String] {
    var found: [String] = []
    func claim(_ holds: Bool, _ violation: @autoclosure () -> String) {
      if !holds { found.append(violation()) }
    }
    let runs = state.wantedRuns
    let shares = state.wantedShares
    let total = shares.reduce(0) { $0 + $1.percent }
    claim(total == 100 || total == 0, "shares sum to \(total), not to 100 or 0")
    claim(shares.allSatisfy { (0...100).contains($0.percent) }, "a share is not within 0 to 100")
    let deployments = known(in: state)
    for share in shares where share.percent > 0 {
      let deployment = deployments.first { $0.id == share.deployment }
      claim(deployment != nil, "\(share.deployment) has a share, but nobody knows it")
      claim(
        deployment.map { !state.condemns($0) } ?? true, "\(share.deployment) is condemned and has \(share.percent) %")
      claim(runs.contains { $0.id == share.deployment }, "\(share.deployment) has a share, but is not wanted to run")
      claim(
        !state.retiring.contains { $0.id == share.deployment }, "\(share.deployment) has a share while it is retired")
    }
    for run in runs {
      claim(!state.condemns(run), "\(run.id) is condemned and wanted to run")
      claim(!state.retiring.contains { $0.id == run.id }, "\(run.id) is wanted to run and to be retired")
    }
    for stopping in state.stoppable {
      let hasShare = (shares + (state.routed?.shares ?? [])).contains { $0.deployment == stopping.id && $0.percent > 0 }
      claim(!hasShare, "\(stopping.id) is stopped while it has a share")
      claim(state.routed != nil || state.isRetired, "\(stopping.id) is stopped before the router confirmed anything")
    }
    if let preview = state.wantedPreview?.deployment {
      claim(shares.contains { $0.deployment == preview }, "the preview goes to what the router does not name")
      let reached = deployments.first { $0.id == preview }
      claim(reached.map { !state.condemns($0) } ?? false, "the preview goes to a condemned version")
    }
    if let floor = state.raisedFloor {
      claim(state.knownGood.allSatisfy { $0.offer.ordinal >= floor.ordinal }, "a version below the floor is kept")
    }
    if state.policy?.database != nil {
      claim(state.saidVersions == state.heldVersions, "the schema was not told of what is held here")
      for share in shares where share.percent > 0 {
        let digest = deployments.first { $0.id == share.deployment }?.digest
        claim(
          state.saidVersions?.contains { $0.digest == digest } ?? false,
          "\(share.deployment) has a share, and the schema does not know of it")
      }
    } else {
      claim(state.saidVersions == nil && state.bars.isEmpty, "there is no database, and something is said of one")
    }
    if let course = state.live, let old = course.start.knownGood, !state.condemns(old) {
      claim(runs.contains { $0.id == old.id }, "\(old.id) is the rollback target, but is not wanted to run")
    }
    if let routed = state.routed { claim(routed.shares == shares, "the confirmed shares are not the wanted ones") }
    for entry in state.knownGood {
      claim(!state.condemns(entry.deployment), "\(entry.deployment.id) is known-good and condemned")
    }
    claim(
      state.knownGood.count <= (state.policy?.keep ?? 0),
      "\(state.knownGood.count) known-good versions are kept, more than \(state.policy?.keep ?? 0)")
    claim(state.history.count <= historyLimit, "\(state.history.count) ended rollouts are kept")
    claim(state.announcements.count <= announcementLimit, "\(state.announcements.count) announcements wait")
    claim(state.announcements.allSatisfy { !$0.targets.isEmpty }, "an announcement waits for nobody")
    found += phaseViolations(in: state)
    let keys = effects(of: state).map(\.key).sorted()
    for (key, next) in zip(keys, keys.dropFirst()) where key == next { found.append("two effects have the key \(key)") }
    return found
  }

  private static func phaseViolations(in state: State) -> [String] {
    switch state.phase {
    case .idle:
      let isLeft = state.policy != nil && state.pending.map { state.held($0) == nil } ?? false
      return isLeft ? ["an offer waits although nothing runs"] : []
    case .sealing(let offer):
      return (state.condemns(offer.digest) ? ["a condemned digest is being sealed"] : [])
        + (state.held(offer) == nil ? [] : ["an offer is being sealed in a freeze"])
    case .closing, .closed:
      return state.pending == nil ? [] : ["an offer waits for a place that is retired"]
    case .placing(let course):
      return course.exposedSince == nil ? [] : ["rollout \(course.id) is placed and already exposed"]
    case .drilling(let course, let drill):
      let percent = state.wantedShares.first { $0.deployment == course.canary.id }?.percent
      let wanted = drill.isThere ? course.drillPercent : 0
      return exposure(course)
        + (course.start.knownGood == nil ? ["rollout \(course.id) drills with nothing to come back to"] : [])
        + (percent == wanted && wanted < 100 ? [] : ["the drill of rollout \(course.id) has \(percent ?? 0) %"])
    case .stepping(let course, let index), .watching(let course, let index, since: _):
      return exposure(course) + step(course, index)
    case .scaling(let course, let index):
      return exposure(course) + step(course, index) + (index > 0 ? [] : ["the first step is no step to scale to"])
    case .gated(let course, let index, _, since: _):
      return exposure(course) + step(course, index)
        + (course.start.kind == .forward ? [] : ["a person is asked about a \(course.start.kind.rawValue)"])
    case .finalWatch(let course, since: _):
      return exposure(course) + step(course, course.lastIndex)
    case .finishing(let course):
      return exposure(course) + step(course, course.lastIndex)
        + (course.holdback > 0 ? [] : ["rollout \(course.id) finishes, and nothing was held back"])
    case .restoring(let course, _), .reporting(let course, _, restoredAt: _):
      let isLost = course.start.kind == .forward && course.start.knownGood != nil && state.knownGood.isEmpty
      return isLost ? ["rollout \(course.id) had a version to return to, and now nobody serves"] : []
    }
  }

  private static func step(_ course: Course, _ index: Int) -> [String] {
    var found = course.start.steps.indices.contains(index) ? [] : ["there is no step \(index)"]
    if course.percent(at: index) > 0, course.exposedSince == nil {
      found.append("rollout \(course.id) has traffic, but no instant of exposure")
    }
    return found
  }

  private static func exposure(_ course: Course) -> [String] {
    var found: [String] = []
    if course.endpoints == nil { found.append("rollout \(course.id) has traffic before it was placed") }
    if course.needsBaseline { found.append("rollout \(course.id) has traffic before its baseline was measured") }
    return found
  }

  private static func known(in state: State) -> [Deployment] {
    let running = state.running.map { [$0.canary] + ($0.start.knownGood.map { [$0] } ?? []) } ?? []
    return state.knownGood.map(\.deployment) + running
  }
}
