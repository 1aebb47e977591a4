import Kernel

extension MergeQueue {
  /// O(entries + builds · members).
  package static func violations(in state: State) -> [String] {
    landingViolations(in: state) + buildViolations(in: state) + lineViolations(in: state)
      + effectViolations(in: state)
  }

  /// The promise: the trunk advances only to what passed, exactly so, on the trunk as it was.
  private static func landingViolations(in state: State) -> [String] {
    var found: [String] = []
    if let proof = state.proof {
      if let tested = proof.tested, tested.commit == proof.landed {
        if tested.base != proof.previousTrunk {
          found.append(
            "\(proof.landed.short) landed on \(proof.previousTrunk.short), but was tested on \(tested.base.short)")
        }
      } else {
        found.append("the trunk advanced to \(proof.landed.short), whose test had not passed")
      }
    }
    if let push = state.push {
      if push.base != state.trunk { found.append("build \(push.build) is pushed onto what is not the trunk") }
      if !push.isProven { found.append("build \(push.build) is pushed, but its tree had not passed") }
    }
    return found
  }

  private static func buildViolations(in state: State) -> [String] {
    var found: [String] = []
    var running = 0
    for build in state.builds {
      var name: String { "build \(build.id)" }
      if build.isOutdated {
        if build.isWaiting || build.isStuck { found.append("\(name) is outdated and cannot tell anything") }
        if !build.steps.isEmpty { found.append("\(name) is outdated and could land") }
      } else if build.base != state.trunk {
        found.append("\(name) stands on \(build.base.short), not on the trunk")
      }
      if build.members.isEmpty { found.append("\(name) has no members") }
      var last = -1
      for member in build.members {
        guard let (place, glance) = state.entries.look(at: member) else {
          found.append("\(name) holds #\(member), which is not in line")
          continue
        }
        if place <= last { found.append("\(name) holds #\(member) out of order") }
        last = place
        guard glance.standsOnOthers else { continue }
        for parent in state.entries[place].after
        where state.entries.contains(parent) && !build.members.contains(parent) {
          found.append("\(name) holds #\(member) without #\(parent), on which it stands")
        }
      }
      var base = build.base
      for (step, member) in zip(build.steps, build.members) {
        if step.entry != member || step.base != base {
          found.append("\(name): \(step.commit.short) of #\(step.entry) does not stand on \(base.short)")
        }
        base = step.commit
      }
      if build.steps.count > build.members.count { found.append("\(name) has more steps than members") }
      if build.isRunning { running += 1 }
      if build.isRunning || build.hasPassed || build.hasFailed, build.subject == nil {
        found.append("\(name) has runs of nothing")
      }
    }
    let slots = state.policy?.slots ?? 0
    // Fewer slots than before take nothing away from what runs.
    if running > max(slots, slotLimit) { found.append("\(running) builds run in \(slots) slots") }
    for (build, next) in zip(state.builds.map(\.id).sorted(), state.builds.map(\.id).sorted().dropFirst())
    where build == next { found.append("build \(build) exists twice") }
    if state.builds.contains(where: { $0.id >= state.nextBuild }) { found.append("the next build exists already") }
    return found
  }

  private static func lineViolations(in state: State) -> [String] {
    var found: [String] = []
    // A unit is named by its first member, so that each other member stands right behind one of the same unit.
    var unit: Int?
    state.entries.scan { place, glance in
      if glance.id >= state.nextEntry {
        found.append("the next entry would be #\(state.nextEntry), but #\(glance.id) exists")
      }
      if glance.unit != glance.id, glance.unit != unit { found.append("the stack of #\(glance.unit) is torn apart") }
      unit = glance.unit
      guard glance.standsOnOthers else { return true }
      for parent in state.entries[place].after {
        if let own = state.entries.place(of: parent), own >= place {
          found.append("#\(glance.id) stands before #\(parent), on which it stands")
        }
      }
      return true
    }
    // Looked through where that is cheap, as are branches below.
    if state.entries.count <= branchCheckLimit, let needed = state.policy?.requirements {
      for entry in state.entries where entry.hasAll == entry.lacks(needed) {
        found.append("#\(entry.id) \(entry.hasAll ? "lacks something" : "has everything"), and it is not known")
      }
    }
    // Branches are looked through where that is cheap: a long line would pay for it at every turn.
    if state.entries.count <= branchCheckLimit {
      let branches = state.entries.map(\.facts.branch).sorted()
      for (branch, next) in zip(branches, branches.dropFirst()) where branch == next {
        found.append("\(branch) is queued twice")
      }
      for entry in state.entries where entry.waits.hasEnded || entry.waits.beganAt != entry.facts.submittedAt {
        found.append("the waits of #\(entry.id) are not counted from its submission")
      }
    }
    if state.finished.count > historyLimit { found.append("the history holds \(state.finished.count) entries") }
    if state.evidence.count > evidenceLimit { found.append("the evidence holds \(state.evidence.count) trees") }
    return found
  }

  private static let branchCheckLimit = 200

  private static func effectViolations(in state: State) -> [String] {
    var found: [String] = []
    let keys = effects(of: state).map(\.key).sorted()
    for (key, next) in zip(keys, keys.dropFirst()) where key == next { found.append("\(key) is wanted twice") }
    if case .retired = state.phase, !state.entries.isEmpty {
      found.append("the queue is retired and \(state.entries.count) entries wait in it")
    }
    for clash in state.clashes where !state.entries.contains(clash.entry) {
      found.append("#\(clash.entry) clashes, but is not in line")
    }
    if state.notes.count > noteLimit { found.append("\(state.notes.count) notes wait to be written") }
    let heads = state.notes.map(\.head).sorted()
    for (head, next) in zip(heads, heads.dropFirst()) where head == next {
      found.append("two notes are wanted on \(head.short)")
    }
    if state.notes.contains(where: { $0.number >= state.nextNote }) { found.append("the next note exists already") }
    if let sighted = state.sighted, sighted == state.trunk {
      found.append("the trunk was seen at \(sighted.short), where it is")
    }
    for trouble in state.troubles where !keys.contains(trouble.key) {
      found.append("\(trouble.key) is in trouble, but not wanted")
    }
    return found
  }
}
