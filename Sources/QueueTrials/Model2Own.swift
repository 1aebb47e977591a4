import Kernel
import MergeQueues

/// The production planner and rules on simulated CI.
struct PlannedQueue: TrialPolicy {
  private let slots: Int
  private let rules: SchedulingRules
  /// Whether builds on an older trunk of ours are kept as evidence.
  private let keepsEvidence: Bool
  private var known: [Known] = []
  private var rates = RateEstimate()
  private var hasChanged = true

  private struct Known {
    var members: [Int]
    var state: Situation.KnownBuild.State
    var redRuns = 0
    var isOnTrunk = true
    var id: Int?
  }

  init(slots: Int, rules: SchedulingRules = .usual, keepsEvidence: Bool = true) {
    self.slots = slots
    self.rules = rules
    self.keepsEvidence = keepsEvidence
  }

  mutating func arrived(_ change: Int, on farm: inout CIFarm) {
    if farm.freeSlots > 0 { hasChanged = true }
  }

  mutating func ended(_ ended: CIFarm.Ended, on farm: inout CIFarm) {
    guard let index = known.firstIndex(where: { $0.id == ended.build.id }) else { return }
    hasChanged = true
    known[index].id = nil
    known[index].state = ended.isGreen ? .passed : .failed
    if ended.isGreen { rates.noteRun(isFlake: false) } else { known[index].redRuns += 1 }
  }

  mutating func settle(on farm: inout CIFarm) {
    guard hasChanged else { return }
    hasChanged = false
    while true {
      let conclusions = Conclusions.of(situation(farm))
      if conclusions.isEmpty { break }
      for conclusion in conclusions {
        switch conclusion {
        case .land(let members): land(members, on: &farm)
        case .eject(let item, _, _, _): eject(item, on: &farm)
        }
      }
    }
    follow(Planner.plan(situation(farm)), on: &farm)
  }

  private func situation(_ farm: CIFarm) -> Situation {
    var inBuilds: Set<Int> = []
    for build in known { inBuilds.formUnion(build.members) }
    let rates = rates.rates
    let near = Array(farm.pending.prefix(inBuilds.count + slots * rules.batchLimit))
    let items = near.enumerated().map { place, change in
      Situation.Item(
        id: change, after: Array(near[..<place]), passProbability: 1 - rates.change,
        medianDuration: Model2.medianSeconds,
        logDeviation: Model2.logDeviation, submittedAt: Instant(milliseconds: 0))
    }
    return Situation(
      items: items,
      builds: known.map {
        Situation.KnownBuild(members: $0.members, state: $0.state, redRuns: $0.redRuns, isOnTrunk: $0.isOnTrunk)
      },
      slots: slots, rates: rates, rules: rules, now: Instant(milliseconds: 0))
  }

  private mutating func land(_ members: [Int], on farm: inout CIFarm) {
    for change in members {
      farm.land(change)
      rates.note(.landed, place: change)
    }
    let landed = Set(members)
    known = known.compactMap { build in
      var build = build
      let isKept = landed.isSubset(of: build.members)
      build.members.removeAll(where: landed.contains)
      if !isKept { build.isOnTrunk = false }
      if build.members.isEmpty || (!isKept && !keepsEvidence && build.state != .failed) {
        for _ in 0..<build.redRuns { rates.noteRun(isFlake: true) }
        if let id = build.id { farm.stop(id) }
        return nil
      }
      return build
    }
  }

  private mutating func eject(_ change: Int, on farm: inout CIFarm) {
    farm.eject(change)
    rates.note(.ejected, place: change)
    known.removeAll { build in
      guard build.members.contains(change) else { return false }
      for _ in 0..<build.redRuns { rates.noteRun(isFlake: false) }
      if let id = build.id { farm.stop(id) }
      return true
    }
  }

  private mutating func follow(_ plan: Plan, on farm: inout CIFarm) {
    let wanted = plan.builds.filter(\.isOnTrunk).map(\.members)
    let stale = plan.builds.filter { !$0.isOnTrunk }.map(\.members)
    known = known.compactMap { build in
      guard let id = build.id, !(build.isOnTrunk ? wanted : stale).contains(build.members) else { return build }
      farm.stop(id)
      guard build.redRuns > 0 else { return nil }
      var build = build
      (build.id, build.state) = (nil, .failed)
      return build
    }
    for members in wanted where farm.freeSlots > 0 {
      if let index = known.firstIndex(where: { $0.members == members && $0.isOnTrunk }) {
        if known[index].state != .failed { continue }
        known[index].state = .running(since: Instant(milliseconds: 0))
        known[index].id = farm.start(members).id
      } else {
        let id = farm.start(members).id
        known.append(Known(members: members, state: .running(since: Instant(milliseconds: 0)), id: id))
      }
    }
  }
}
