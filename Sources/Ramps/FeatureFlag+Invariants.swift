import Kernel

extension FeatureFlag {
  package static func violations(in state: State) -> [String] {
    var found: [String] = []
    let keys = effects(of: state).map(\.key).sorted()
    if zip(keys, keys.dropFirst()).contains(where: { $0 == $1 }) { found.append("two effects have one key") }
    guard state.key != nil else {
      if !state.placements.isEmpty || !state.revisions.isEmpty { found.append("what was never made is placed") }
      return found
    }
    if state.revisions.isEmpty { found.append("a flag says nothing of what it is, nor when it must be gone") }
    if state.revisions.count > revisionLimit { found.append("\(state.revisions.count) revisions are kept") }
    if state.salt.isEmpty { found.append("there is no salt, so every subject is in one bucket") }
    let environments = state.placements.map(\.environment)
    if zip(environments, environments.dropFirst()).contains(where: { $0 >= $1 }) {
      found.append("an environment has two placements, or they are out of order")
    }
    for placement in state.placements { found += violations(of: placement, in: state) }
    if state.archived != nil {
      if !state.scheduled.isEmpty { found.append("an archived flag changes at a time to come") }
      if state.placements.contains(where: { $0.course != nil }) { found.append("an archived flag is ramped") }
      let served = state.placements.compactMap { state.served(in: $0.environment) }
      if served.contains(where: { !$0.hasPrefix(#"{"state":"DISABLED""#) }) {
        found.append("an archived flag is on for somebody")
      }
    }
    return found
  }

  private static func violations(of placement: Placement, in state: State) -> [String] {
    let place = placement.environment
    var found = placement.allocation.faults.map { "\(place): \($0)" }
    if let course = placement.course {
      if !placement.isOn { found.append("\(place): a flag that is off is ramped") }
      if course.plan.environment != place { found.append("\(place): the ramp is that of \(course.plan.environment)") }
      if !course.plan.policy.stages.indices.contains(course.stage) { found.append("\(place): no such stage") }
    }
    switch placement.phase {
    case .still, .sighting, .rolledOut: break
    case .placing(let course):
      if course.settled != nil { found.append("\(place): clients have the stage and are waited for") }
      found += shares(of: course, placement)
    case .watching(let course):
      if course.settled == nil { found.append("\(place): the stage is judged before clients have it") }
      found += shares(of: course, placement)
    case .asking(let course, _), .holding(let course, _): found += shares(of: course, placement)
    // - Invariant: what was withdrawn comes back by a person's request alone.
    case .stopping(let ending):
      if placement.proof == nil { found.append("\(place): nobody asks whether the withdrawal has reached everybody") }
      if placement.allocation.size(of: ending.course.plan.variant) > 0 {
        found.append("\(place): \(ending.course.plan.variant) was withdrawn and has a share")
      }
    case .stopped(let ending):
      if placement.allocation.size(of: ending.course.plan.variant) > 0 {
        found.append("\(place): \(ending.course.plan.variant) was withdrawn and has a share")
      }
    }
    if placement.killed != nil, placement.isOn { found.append("\(place): a flag that was killed is on") }
    if let proof = placement.proof, proof.epoch > placement.epoch {
      found.append("\(place): an epoch is to be proved that is not in force")
    }
    return found
  }

  /// - Invariant: what is in force is what the stage says, and no more.
  private static func shares(of course: Course, _ placement: Placement) -> [String] {
    let wanted = Int((course.percent / 100 * Double(FlagAllocation.buckets)).rounded())
    let has = placement.allocation.size(of: course.plan.variant)
    let had = course.before.size(of: course.plan.variant)
    return has == max(wanted, had)
      ? [] : ["\(placement.environment): \(course.plan.variant) has \(has) buckets at a stage of \(wanted)"]
  }
}
