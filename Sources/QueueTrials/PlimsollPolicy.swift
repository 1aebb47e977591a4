import Kernel
import MergeQueues
import RealModule
import Statistics

/// Ours: the planner and the conclusions of `MergeQueues`, told of the farm what the machine would tell them.
package struct PlimsollPolicy: TrialPolicy {
  private var graph: ConflictGraph
  private var situation: Situation
  private var durations: Durations
  /// What each known build is on the farm, beside `situation.builds`; nil for those that ended.
  private var ids: [Int?] = []
  private let passProbability: Double

  /// What is known of build times before they are over.
  package struct Durations: Sendable {
    /// Standard deviation of the logarithm of predicted over real; nil predicts the median of all.
    package let error: Double?
    package init(error: Double?) { self.error = error }
    /// A mean error of 6 %, as published for Uber's Android builds (research §2.4): .06 = error sqrt(2 / pi).
    package static let predicted = Durations(error: 0.075)
    package static let unknown = Durations(error: nil)
  }

  package init(
    changes: Int, slots: Int, rules: SchedulingRules, rates: FailureRates, passProbability: Double,
    durations: Durations
  ) {
    graph = ConflictGraph(changes: changes)
    situation = Situation(
      items: [], builds: [], slots: slots, rates: rates, rules: rules, now: Instant(milliseconds: 0))
    self.passProbability = passProbability
    self.durations = durations
  }

  package mutating func arrived(_ change: Int, on farm: inout CIFarm) {
    graph.arrived(change, on: farm)
    var median = Model1.medianSeconds
    if let error = durations.error {
      var chance = Chance(seed: farm.trace.seed &+ UInt64(change) &* 0x9e37_79b9)
      median = farm.trace.changes[change].durationSeconds * Double.exp(error * chance.normal())
    }
    situation.items.append(
      Situation.Item(
        id: change, after: graph.ahead[change], passProbability: passProbability, medianDuration: median,
        logDeviation: durations.error ?? Model1.logDeviation, submittedAt: PlimsollPolicy.instant(farm.now)))
  }

  package mutating func ended(_ build: CIFarm.Ended, on farm: inout CIFarm) {
    guard let index = ids.firstIndex(of: build.build.id) else { return }
    let known = situation.builds[index]
    ids[index] = nil
    situation.builds[index] = Situation.KnownBuild(
      members: known.members, state: build.isGreen ? .passed : .failed,
      redRuns: known.redRuns + (build.isGreen ? 0 : 1), isOnTrunk: known.isOnTrunk,
      lacksLanded: known.lacksLanded, holdsEjected: known.holdsEjected)
  }

  package mutating func settle(on farm: inout CIFarm) {
    situation.now = PlimsollPolicy.instant(farm.now)
    var conclusions = Conclusions.of(situation)
    while !conclusions.isEmpty {
      for conclusion in conclusions {
        switch conclusion {
        case .land(let members): for member in members { leave(member, landing: true, on: &farm) }
        case .eject(let item, _, _, _): leave(item, landing: false, on: &farm)
        }
      }
      conclusions = Conclusions.of(situation)
    }
    follow(Planner.plan(situation), on: &farm)
  }

  private mutating func leave(_ change: Int, landing: Bool, on farm: inout CIFarm) {
    if landing { farm.land(change) } else { farm.eject(change) }
    let behind = graph.behind[change]
    graph.left(change)
    situation.items.removeAll { $0.id == change }
    for index in situation.items.indices where behind.contains(situation.items[index].id) {
      situation.items[index] = situation.items[index].with(after: graph.ahead[situation.items[index].id])
    }
    let affected = Set(behind)
    for index in situation.builds.indices.reversed() {
      let build = situation.builds[index]
      let has = build.members.contains(change)
      guard has || affected.contains(build.members[build.members.count - 1]) else { continue }
      let rest = build.members.filter { $0 != change }
      let isTip = build.members.last == change
      let isRefuted = has != landing
      if isTip || rest.isEmpty || (isRefuted && build.state != .passed && !keepsRefuted) {
        if let id = ids[index] { farm.stop(id) }
        ids.remove(at: index)
        situation.builds.remove(at: index)
      } else {
        situation.builds[index] = Situation.KnownBuild(
          members: rest, state: build.state, redRuns: build.redRuns, isOnTrunk: build.isOnTrunk && !isRefuted,
          lacksLanded: build.lacksLanded || (landing && !has), holdsEjected: build.holdsEjected || (!landing && has))
      }
    }
  }

  private var keepsRefuted: Bool { situation.rules.agreement == .extremes }

  private mutating func follow(_ plan: Plan, on farm: inout CIFarm) {
    let wanted = Set(plan.builds.map { Wanted(members: $0.members, isOnTrunk: $0.isOnTrunk) })
    for index in situation.builds.indices.reversed() {
      let build = situation.builds[index]
      guard let id = ids[index], !wanted.contains(Wanted(members: build.members, isOnTrunk: build.isOnTrunk))
      else { continue }
      farm.stop(id)
      ids.remove(at: index)
      situation.builds.remove(at: index)
    }
    for proposal in plan.builds where proposal.isOnTrunk && farm.freeSlots > 0 {
      var redRuns = 0
      if let index = situation.builds.firstIndex(where: { $0.isOnTrunk && $0.members == proposal.members }) {
        if ids[index] != nil || situation.builds[index].state == .passed { continue }
        redRuns = situation.builds[index].redRuns
        ids.remove(at: index)
        situation.builds.remove(at: index)
      }
      ids.append(farm.start(proposal.members).id)
      situation.builds.append(
        Situation.KnownBuild(members: proposal.members, state: .running(since: situation.now), redRuns: redRuns))
    }
  }

  private struct Wanted: Hashable {
    let members: [Int]
    let isOnTrunk: Bool
  }

  private static func instant(_ seconds: Double) -> Instant { Instant(milliseconds: Int64(seconds * 1000)) }
}

extension Situation.Item {
  fileprivate func with(after: [Int]) -> Situation.Item {
    Situation.Item(
      id: id, after: after, isHotfix: isHotfix, passProbability: passProbability, medianDuration: medianDuration,
      logDeviation: logDeviation, submittedAt: submittedAt)
  }
}
