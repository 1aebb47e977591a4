import Kernel

/// What of a state a planner sees, and what an entry lacks before it may be built.
extension MergeQueue.State {
  /// Of the first items in line that may be built now; see `Situation`. O(items²) where lanes are off.
  ///
  /// - Parameters:
  ///   - named: no items behind the last of these are needed; nil for as many as the slots can use.
  ///   - asked: those of which it matters whom they can affect, `after`, where lanes are on; nil for all.
  func situation(at now: Instant, through named: Set<Int>? = nil, relating asked: Set<Int>? = nil) -> Situation {
    guard case .open(let policy, _) = phase else {
      return Situation(
        items: [], builds: [], slots: 1, rates: rates.rates, rules: .usual, now: now)
    }
    var items: [Situation.Item] = []
    var ids: [Int] = []
    var item: [Int: Int] = [:]
    var position: [Int: Int] = [:]
    var index = LaneIndex()
    var unrelated = asked?.count ?? Int.max
    let rates = rates.rates
    let median = durations.median ?? policy.timeLimit.seconds / 2
    for unit in buildableUnits(at: now, through: named) {
      guard let first = unit.first else { continue }
      let isRelated = unit.contains { asked?.contains($0.id) ?? true }
      // Behind the last of those asked about nobody is compared with anybody.
      let lanes = policy.strict || unrelated <= 0 ? [] : unit.map { $0.lanes ?? .all(.pathsIncomplete) }
      let after: [Int]
      if policy.strict {
        // Every landing makes another trunk, which only what was built on it may follow.
        after = ids
      } else if !isRelated {
        after = []
      } else {
        if asked != nil { unrelated -= unit.count { asked?.contains($0.id) ?? true } }
        let parents = unit.flatMap(\.after).compactMap { item[$0].flatMap { position[$0] } }
        after = Self.ahead(parents, lanes.map(index.affecting), of: ids)
      }
      items.append(
        Situation.Item(
          id: first.id, after: after, isHotfix: unit.contains { $0.priority == .hotfix },
          passProbability: 1 - rates.change, medianDuration: median, logDeviation: durations.logDeviation,
          submittedAt: first.facts.submittedAt))
      if !policy.strict {
        for one in lanes { index.add(one, at: ids.count) }
        position[first.id] = ids.count
      }
      ids.append(first.id)
      for entry in unit { item[entry.id] = first.id }
    }
    return Situation(
      items: items, builds: knownBuilds(item), slots: policy.slots, rates: rates, rules: policy.scheduling, now: now)
  }

  /// Those of `ids` at these places, in order. Most often one list says it all, or all are meant.
  private static func ahead(_ parents: [Int], _ affecting: [[Int]], of ids: [Int]) -> [Int] {
    if affecting.contains(where: { $0.count == ids.count }) { return ids }
    if parents.isEmpty, affecting.count == 1 { return affecting[0].map { ids[$0] } }
    return affecting.reduce(into: Set(parents)) { $0.formUnion($1) }.sorted().map { ids[$0] }
  }

  /// The first units in line that may be built now, as many as the slots can use. O(those, and those passed over).
  ///
  /// - Parameter named: no units behind the last of these entries are needed; nil for all.
  func buildableUnits(at now: Instant, through named: Set<Int>? = nil) -> [Slice<MergeQueue.Line>] {
    guard let policy else { return [] }
    let horizon = Swift.min(
      MergeQueue.horizonLimit, 2 * policy.buildLimit * max(policy.scheduling.batchLimit, 4))
    let clashing = Set(clashes.map(\.entry))
    var units: [Slice<MergeQueue.Line>] = []
    var given: Set<Int> = []
    var left = named?.count ?? Int.max
    var place = 0
    while place < entries.count, units.count < horizon, left > 0 {
      if let next = placeBehindUnit(lackingAt: place) {
        if let named { left -= (place..<next).count { named.contains(entries[$0].id) } }
        place = next
        continue
      }
      var end = place + 1
      while end < entries.count, entries[end].unit == entries[place].unit { end += 1 }
      let members = entries[place..<end]
      place = end
      if let named { left -= members.count { named.contains($0.id) } }
      guard members.allSatisfy({ !clashing.contains($0.id) && !lacks($0) }),
        members.allSatisfy({ entry in
          entry.after.allSatisfy { parent in
            guard let place = entries.place(of: parent) else { return true }
            return members.indices.contains(place) || given.contains(parent)
          }
        })
      else { continue }
      units.append(members)
      given.formUnion(members.map(\.id))
    }
    return units
  }

  /// Nil when the entry there lacks nothing. Most of a long line may lack something: it is passed over at little cost.
  private func placeBehindUnit(lackingAt place: Int) -> Int? {
    let entry = entries[place]
    guard lacks(entry) else { return nil }
    let unit = entry.unit
    var next = place + 1
    while next < entries.count, entries[next].unit == unit { next += 1 }
    return next
  }

  static func overlaps(_ left: Lanes?, _ right: Lanes?) -> Bool {
    guard let left, let right else { return true }
    return left.overlaps(right)
  }

  private func knownBuilds(_ item: [Int: Int]) -> [Situation.KnownBuild] {
    builds.compactMap { build in
      var members: [Int] = []
      for member in build.members {
        guard let id = item[member] else { return nil }
        if members.last != id { members.append(id) }
      }
      let state: Situation.KnownBuild.State
      switch build.phase {
      case .waiting: state = .waiting
      case .running(let since): state = .running(since: since)
      case .passed: state = .passed
      case .failed: state = .failed
      case .stuck: return nil
      }
      // What has to be merged again may turn out another tree.
      let isOnTrunk = !build.isOutdated && (build.isAssembled || build.subject == nil)
      return Situation.KnownBuild(members: members, state: state, redRuns: build.redRuns, isOnTrunk: isOnTrunk)
    }
  }

  /// Everything that the entry lacks by itself, in words for people; empty when it may be built.
  package func missing(_ entry: MergeQueue.Entry, at now: Instant) -> [MergeQueue.Requirement] {
    guard let needed = policy?.requirements else { return [] }
    return missing(entry, needed)
  }

  /// Of each of many entries, without the whole policy for each.
  func missing(_ entry: MergeQueue.Entry, _ needed: MergeQueue.Policy.Requirements) -> [MergeQueue.Requirement] {
    if needed.isEmpty, freeze == nil { return [] }
    var found: [MergeQueue.Requirement] = []
    if entry.approvals.count < needed.approvals {
      found.append(.approvals(needed.approvals - entry.approvals.count))
    }
    for name in needed.checks {
      let standing = entry.checks.standing(of: name, at: entry.facts.head)
      if standing != .passed { found.append(.check(name: name, standing)) }
    }
    for place in needed.schemas {
      let review = entry.review(by: place)
      if review?.passes != true { found.append(.schema(place: place, review)) }
    }
    if let freeze, !(freeze.sparesHotfixes && entry.priority == .hotfix) {
      found.append(.frozen(reason: freeze.reason, until: freeze.until))
    }
    return found
  }

  /// Whether anything is `missing`, without saying what: asked of thousands in a turn.
  func lacks(_ entry: MergeQueue.Entry) -> Bool {
    if !entry.hasAll { return true }
    guard freeze != nil else { return false }
    return !(freeze?.sparesHotfixes == true && entry.priority == .hotfix)
  }

  /// Looks anew at what the entry has, after something of it or of policy changed.
  mutating func noteRequirements(of id: Int) {
    let needed = policy?.requirements ?? .none
    guard let entry = entries[id: id] else { return }
    let hasAll = !entry.lacks(needed)
    if hasAll != entry.hasAll { entries.change(id) { $0.hasAll = hasAll } }
  }

  /// The members of `items` one by one.
  func expanded(_ items: [Int]) -> [Int] { items.flatMap { entries.unit(of: $0).map(\.id) } }
}
