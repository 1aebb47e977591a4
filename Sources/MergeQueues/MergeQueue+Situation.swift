import Kernel

/// What of a state a planner sees, and what an entry lacks before it may be built.
extension MergeQueue.State {
  /// Of the first items in line that may be built now; see `Situation`. O(items²) where lanes are off.
  ///
  /// - Parameters:
  ///   - named: no items behind the last of these are needed; nil for as many as the slots can use.
  ///   - asked: those of which it matters whom they can affect, `after`, where lanes are on; nil for all.
  func situation(at now: Instant, through named: EntrySet? = nil, relating asked: EntrySet? = nil) -> Situation {
    guard case .open(let policy, _) = phase else {
      return Situation(
        items: [], builds: [], slots: 1, rates: rates.rates, rules: .usual, now: now)
    }
    var items: [Situation.Item] = []
    let units = buildableUnits(through: named)
    let ids = units.map { entries.glance(at: $0.lowerBound).id }
    // Of each entry, where its item stands.
    var rankOf = EntryTable()
    var index = LaneIndex()
    var unrelated = asked?.count ?? Int.max
    let rates = rates.rates
    let median = durations.median ?? policy.timeLimit.seconds / 2
    items.reserveCapacity(units.count)
    for (rank, places) in units.enumerated() {
      let first = entries.glance(at: places.lowerBound)
      var isHotfix = first.isHotfix
      var related = 0
      for place in places {
        let member = place == places.lowerBound ? first : entries.glance(at: place)
        isHotfix = isHotfix || member.isHotfix
        if asked?.contains(member.id) ?? true { related += 1 }
        rankOf[member.id] = rank
      }
      // Behind the last of those asked about nobody is compared with anybody.
      let lanes = policy.strict || unrelated <= 0 ? [] : places.map { entries.lanes(at: $0) ?? .all(.pathsIncomplete) }
      let after: ArraySlice<Int>
      if policy.strict {
        // Every landing makes another trunk, which only what was built on it may follow.
        after = ids[..<rank]
      } else if related == 0 {
        after = []
      } else {
        if asked != nil { unrelated -= related }
        let parents = places.flatMap { entries.glance(at: $0).standsOnOthers ? entries[$0].after : [] }
          .compactMap { rankOf[$0] }.filter { $0 < rank }
        after = Self.ahead(parents, lanes.map(index.affecting), of: ids[..<rank])
      }
      items.append(
        Situation.Item(
          id: first.id, after: after, isHotfix: isHotfix,
          passProbability: 1 - rates.change, medianDuration: median, logDeviation: durations.logDeviation,
          submittedAt: first.submittedAt))
      for one in lanes { index.add(one, at: rank) }
    }
    return Situation(
      items: items, builds: knownBuilds { rankOf[$0].map { ids[$0] } }, slots: policy.slots, rates: rates,
      rules: policy.scheduling, now: now)
  }

  /// Those of `ids` at these places, in order. Most often one list says it all, or all are meant.
  private static func ahead(_ parents: [Int], _ affecting: [[Int]], of ids: ArraySlice<Int>) -> ArraySlice<Int> {
    if affecting.contains(where: { $0.count == ids.count }) { return ids }
    if parents.isEmpty, affecting.count == 1 { return affecting[0].map { ids[$0] }[...] }
    return affecting.reduce(into: Set(parents)) { $0.formUnion($1) }.sorted().map { ids[$0] }[...]
  }

  /// Places of the first units in line that may be built now, as many as the slots can use. O(those, and those passed
  /// over).
  ///
  /// - Parameter named: no units behind the last of these entries are needed; nil for all.
  func buildableUnits(through named: EntrySet? = nil) -> [Range<Int>] {
    guard let policy else { return [] }
    let horizon = Swift.min(
      MergeQueue.horizonLimit, 2 * policy.buildLimit * max(policy.scheduling.batchLimit, 4))
    let end = named.map(placeBehind) ?? entries.count
    let clashing = EntrySet(clashes.map(\.entry))
    let (isFrozen, sparesHotfixes) = (freeze != nil, freeze?.sparesHotfixes == true)
    var units: [Range<Int>] = []
    var given = EntrySet()
    var unit: (name: Int, start: Int, isFit: Bool)?
    /// Takes in the unit that ends before `place`; false when no more are needed.
    func close(_ place: Int) -> Bool {
      if let unit, unit.isFit, stands(unit.start..<place, on: given) {
        units.append(unit.start..<place)
        for member in unit.start..<place { given.insert(entries.glance(at: member).id) }
      }
      unit = nil
      return units.count < horizon && place < end
    }
    entries.scan { place, glance in
      if unit.map({ $0.name != glance.unit }) ?? true {
        if !close(place) { return false }
        unit = (glance.unit, place, true)
      }
      let lacks = !glance.hasAll || (isFrozen && !(sparesHotfixes && glance.isHotfix))
      if lacks || clashing.contains(glance.id) { unit?.isFit = false }
      return true
    }
    _ = close(entries.count)
    return units
  }

  /// The place behind the last of these; that behind all when one of them is not in line.
  private func placeBehind(_ named: EntrySet) -> Int {
    var end = 0
    for entry in named {
      guard let place = entries.place(of: entry) else { return entries.count }
      end = max(end, place + 1)
    }
    return end
  }

  /// Whether all that the members stand on and that is in line is among them, or given.
  private func stands(_ members: Range<Int>, on given: EntrySet) -> Bool {
    members.allSatisfy { place in
      guard entries.glance(at: place).standsOnOthers else { return true }
      return entries[place].after.allSatisfy { parent in
        guard let own = entries.place(of: parent) else { return true }
        return members.contains(own) || given.contains(parent)
      }
    }
  }

  static func overlaps(_ left: Lanes?, _ right: Lanes?) -> Bool {
    guard let left, let right else { return true }
    return left.overlaps(right)
  }

  /// - Parameter item: of an entry; nil for one that no item stands for.
  private func knownBuilds(_ item: (Int) -> Int?) -> [Situation.KnownBuild] {
    builds.compactMap { build in
      var members: [Int] = []
      members.reserveCapacity(build.members.count)
      for member in build.members {
        guard let id = item(member) else { return nil }
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
