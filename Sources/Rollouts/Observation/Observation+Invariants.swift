import Kernel

extension Observation {
  package static func violations(in state: State) -> [String] {
    var found: [String] = []
    let numbers = state.records.map(\.deployed.id)
    if zip(numbers, numbers.dropFirst()).contains(where: { $0 <= $1 }) {
      found.append("outcomes are not newest first: \(numbers)")
    }
    if let newest = numbers.first, newest >= state.nextDeployment {
      found.append("deployment \(newest) has an outcome and is not begun")
    }
    if state.score.deployments != state.dropped.deployments + state.records.count {
      found.append("the score counts \(state.score.deployments) deployments of \(state.records.count)")
    }
    if let watch = state.watch {
      if numbers.contains(watch.id) { found.append("deployment \(watch.id) is watched and has an outcome") }
      if watch.deployed.version == watch.deployed.previous {
        found.append("deployment \(watch.id) follows itself")
      }
      if watch.conviction != nil, watch.note == nil {
        found.append("deployment \(watch.id) is convicted without evidence")
      }
    }
    if state.announcements.count > announcementLimit {
      found.append("\(state.announcements.count) announcements wait")
    }
    // A broken source never yields *bad*.
    for record in state.records {
      if case .wouldHaveRolledBack(let conviction) = record.judgement, conviction.observed.requests == 0 {
        found.append("deployment \(record.deployed.id) is convicted without requests")
      }
    }
    if state.policy == nil, state.phase != .unseen { found.append("something happens at a place without a policy") }
    return found
  }
}
