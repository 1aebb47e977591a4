import Kernel

/// A planner proposes, the machine decides what of it may be built.
extension MergeQueue {
  static func planned(
    _ plan: Plan, version: Int, under policy: Policy, in state: State, _ turn: TurnContext
  ) -> [Event] {
    // A proposal for an older state may be wrong in this one, and another is on its way.
    guard version == state.planVersion, state.plannedVersion < version, !state.isPaused else { return [] }
    var selection = Selection(state, policy, at: turn.now)
    for proposal in plan.builds { selection.consider(proposal) }
    selection.keepHeadGoing()
    return settled([.planned(selection.taken(version: version, at: turn.now))], in: state, turn)
  }

  /// What is taken of a plan.
  private struct Selection {
    let state: State
    let policy: Policy
    /// Where each item that may be built stands among them.
    private var ranks = EntryTable()
    /// The same of every entry that may be built.
    private var unitRanks = EntryTable()
    private var units: [[Int]] = []
    private var kept: [Int] = []
    private var reruns: [Int] = []
    private var builds: [PlannedBuild] = []
    private var order: [Int] = []
    /// For `goesOn`, which is asked of one build after another.
    private var index = LaneIndex()
    private var free: Int
    private var nextBuild: Int

    init(_ state: State, _ policy: Policy, at now: Instant) {
      self.state = state
      self.policy = policy
      nextBuild = state.nextBuild
      free = policy.buildLimit
      units = state.buildableUnits().map { $0.map { state.entries.glance(at: $0).id } }
      for (rank, unit) in units.enumerated() {
        ranks[unit[0]] = rank
        for member in unit { unitRanks[member] = rank }
      }
    }

    mutating func consider(_ proposal: Plan.Proposal) {
      guard let members = members(of: proposal.members) else { return }
      guard proposal.isOnTrunk else { return keepEvidence(members) }
      take(members, proposal.purpose, worth: proposal.worth)
    }

    /// Nil for what is not in line, not in its order, or stands on what is not among them.
    private func members(of items: [Int]) -> [Int]? {
      var last = -1
      var members: [Int] = []
      for item in items {
        guard let rank = ranks[item], rank > last else { return nil }
        last = rank
        members += units[rank]
      }
      for member in members {
        guard state.entries.glance(of: member)?.standsOnOthers == true else { continue }
        for parent in state.entries[id: member]?.after ?? [] where state.entries.contains(parent) {
          guard members.contains(parent) else { return nil }
        }
      }
      return members.isEmpty ? nil : members
    }

    private mutating func take(_ members: [Int], _ purpose: Plan.Purpose, worth: Double) {
      if builds.contains(where: { $0.members == members }) { return }
      if let known = state.builds.first(where: { $0.members == members && !$0.isStuck && !$0.isOutdated }) {
        guard !kept.contains(known.id), !reruns.contains(known.id) else { return }
        switch known.phase {
        case .waiting, .running: kept.append(known.id)
        case .failed:
          guard free > active else { return }
          reruns.append(known.id)
        case .passed, .stuck: return
        }
        order.append(known.id)
        return
      }
      guard free > active else { return }
      builds.append(PlannedBuild(id: nextBuild, members: members, purpose: purpose, worth: min(max(worth, 0), 1)))
      order.append(nextBuild)
      nextBuild += 1
    }

    /// A run on an older trunk goes on for what it tells of its members; none is begun there.
    private mutating func keepEvidence(_ members: [Int]) {
      for build in state.builds where build.members == members && build.isOutdated && build.isRunning {
        if !kept.contains(build.id) { kept.append(build.id) }
      }
    }

    private var active: Int { kept.count + reruns.count + builds.count }

    /// Whatever a planner does, no line stalls: who may go first is in a build that can land if it is green and was never
    /// red, or is built alone, which says in the end whether it lands or leaves.
    mutating func keepHeadGoing() {
      // While something lands, nothing else can; afterwards there is another plan.
      guard let head = units.first, state.push == nil else { return }
      for build in builds where build.members == head || goesOn(build.members, from: head) { return }
      for build in state.builds {
        let isActive = kept.contains(build.id) || reruns.contains(build.id)
        if build.isOutdated {
          // It ends, and then there is another plan; none like it is begun on its trunk.
          if isActive, build.members.contains(head[0]) { return }
          continue
        }
        if isActive, build.members == head { return }
        if isActive || (build.hasPassed && !build.isAssembled), build.redRuns == 0, goesOn(build.members, from: head) {
          return
        }
      }
      free = max(free, active + 1)
      take(head, .head, worth: 1)
    }

    /// Whether it holds the head and passes over nobody who could affect its members.
    private mutating func goesOn(_ members: [Int], from head: [Int]) -> Bool {
      guard members.starts(with: head), let last = members.last else { return false }
      var present = Array(repeating: false, count: unitRanks[last] ?? units.count)
      for rank in members.compactMap({ unitRanks[$0] }) where rank < present.count { present[rank] = true }
      if present.allSatisfy(\.self) { return true }
      if policy.strict { return false }
      let passed = present.indices.filter { !present[$0] }
      // To look one up costs as much as to put it in: the few are put in.
      let arePassedFew = passed.reduce(0) { $0 + units[$1].count } < members.count
      index.removeAll()
      if arePassedFew {
        for (position, one) in passed.flatMap({ units[$0] }).enumerated() { index.add(lanes(of: one), at: position) }
        return !members.contains { index.affects(lanes(of: $0)) }
      }
      for (position, one) in members.enumerated() { index.add(lanes(of: one), at: position) }
      return !passed.contains { rank in units[rank].contains { index.affects(lanes(of: $0)) } }
    }

    private func lanes(of entry: Int) -> Lanes { state.entries.lanes(of: entry) ?? .all(.pathsIncomplete) }

    func taken(version: Int, at now: Instant) -> Event.Planned {
      let dropped = state.builds.filter { build in
        switch build.phase {
        case .waiting, .running: !kept.contains(build.id)
        case .stuck: true
        case .passed, .failed: false
        }
      }
      return Event.Planned(
        version: version, builds: builds, dropped: dropped.map(\.id), reruns: reruns, order: order, at: now)
    }
  }
}
