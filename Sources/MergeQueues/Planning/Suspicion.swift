/// Which items are bad, as far as the builds that ended tell: the posterior over sets of bad items.
///
/// A green clears its members. A red says that one of its members is bad or that the run lied. Reds that share an
/// unclear item are explained together: every set of culprits that explains them, each red by a culprit or as a flake,
/// weighed by the items' own probabilities. Sets that are much less likely than those already found are left out, so it
/// is exact to about `leastShare`.
package struct Suspicion: Sendable {
  /// Members of a green build.
  package let clean: Set<Int>
  /// Suspects that were red with nobody but clean ones beside them: bad, or clashing with what is good, or a flake.
  package let redAlone: Set<Int>
  /// Suspects that were red without anybody behind them who is clean: those may be passed over. One that was red only
  /// in the company of who would pass it may be innocent, and the other one to blame: it is tested without them first.
  package let passable: Set<Int>
  /// Items of unexplained reds: their group's place in `groups`.
  private let groupOf: [Int: Int]
  private let groups: [Group]
  private let priors: [Int: Double]
  private let defaultPrior: Double

  /// Items that share reds, and what explains them.
  private struct Group: Sendable {
    /// In order of the line.
    let items: [Int]
    let priors: [Double]
    let explanations: [Explanation]
    /// Of each item, that it is bad.
    var badness: [Double] = []
  }

  private struct Explanation: Sendable {
    /// One bit per item of the group.
    var bad: Bits
    var good: Bits
    var weight: Double
  }

  package init(_ situation: Situation) {
    var priors: [Int: Double] = Dictionary(minimumCapacity: situation.items.count)
    for item in situation.items {
      priors[item.id] = min(max(1 - item.passProbability, Suspicion.leastRate), 1 - Suspicion.leastRate)
    }
    self.priors = priors
    defaultPrior = min(max(situation.rates.change, Suspicion.leastRate), 0.5)
    var clean: Set<Int> = []
    for build in situation.builds where build.state == .passed { clean.formUnion(build.members) }
    // Each was green without the others and together they are red again and again: they clash.
    for build in situation.builds where build.unansweredReds >= Suspicion.clashRuns {
      if build.members.allSatisfy(clean.contains) { clean.subtract(build.members) }
    }
    if !situation.rules.isOptimistic {
      // Only a green of its very own tree answers a red.
      for build in situation.builds where build.unansweredReds > 0 {
        if build.members.allSatisfy(clean.contains) { clean.subtract(build.members) }
      }
    }
    self.clean = clean
    let flake = min(max(situation.rates.flake, Suspicion.leastRate), 0.5)
    var reds: [(items: [Int], runs: Int)] = []
    for build in situation.builds where build.unansweredReds > 0 {
      let unclear = build.members.filter { !clean.contains($0) && priors[$0] != nil }
      if !unclear.isEmpty { reds.append((unclear, build.unansweredReds)) }
    }
    redAlone = Set(reds.filter { $0.items.count == 1 }.map { $0.items[0] })
    var passable: Set<Int> = []
    for build in situation.builds where build.unansweredReds > 0 {
      // In order of the line: from the last clean one on, each is red without anybody clean behind it.
      let first = build.members.lastIndex { clean.contains($0) }.map { $0 + 1 } ?? 0
      passable.formUnion(build.members[first...])
    }
    self.passable = passable
    (groups, groupOf) = Suspicion.grouped(reds, order: situation.items, priors: priors, flake: flake)
  }

  /// Rates of nothing and of everything are not believed: one red or green would prove them wrong for ever.
  private static let leastRate = 0.002
  /// Red runs of one tree whose members were all green elsewhere: two could be flakes, at f = .05 one in 8,000 is three.
  private static let clashRuns = 3
  /// Explanations with less weight than this share of all found so far are not followed.
  private static let leastShare = 1e-4
  /// Explanations looked at per group; only reached by groups of many overlapping reds.
  private static let mostSteps = 1_000

  // MARK: Asked by planners and rules.

  /// Whether it was in a red that no green has answered.
  package func isSuspect(_ item: Int) -> Bool { groupOf[item] != nil }

  /// The probability that the item is bad.
  package func badness(_ item: Int) -> Double {
    if clean.contains(item) { return 0 }
    guard let place = groupOf[item], let index = groups[place].items.firstIndex(of: item) else { return prior(item) }
    return groups[place].badness[index]
  }

  /// The probability that none of these is bad.
  package func allGood(_ items: [Int]) -> Double {
    var probability = 1.0
    var asked: [Int: [Int]] = [:]
    for item in items where !clean.contains(item) {
      if let group = groupOf[item] { asked[group, default: []].append(item) } else { probability *= 1 - prior(item) }
    }
    for (group, members) in asked.sorted(by: { $0.key < $1.key }) {
      probability *= allGood(members, in: groups[group])
    }
    return probability
  }

  /// For each of these, in this order, the probability that it is the first bad one; they sum to 1 - allGood.
  package func firstBad(_ items: [Int]) -> [Double] {
    var shares: [Double] = []
    var asked: [Int: (mask: Bits, good: Double)] = [:]
    var before = 1.0
    for item in items {
      var after = before
      if let place = groupOf[item] {
        let group = groups[place]
        var (mask, good) = asked[place] ?? (Bits(group.items.count), 1.0)
        mask.insert(group.items.firstIndex(of: item) ?? 0)
        let next = allGood(mask, in: group)
        after = good > 0 ? before * next / good : 0
        good = next
        asked[place] = (mask, good)
      } else if !clean.contains(item) {
        after = before * (1 - prior(item))
      }
      shares.append(max(0, before - after))
      before = after
    }
    return shares
  }

  private func prior(_ item: Int) -> Double { priors[item] ?? defaultPrior }

  private func allGood(_ members: [Int], in group: Group) -> Double {
    var mask = Bits(group.items.count)
    for (place, item) in group.items.enumerated() where members.contains(item) { mask.insert(place) }
    return allGood(mask, in: group)
  }

  private func allGood(_ mask: Bits, in group: Group) -> Double { Suspicion.good(mask, in: group) }

  private static func good(_ mask: Bits, in group: Group) -> Double {
    var sum = 0.0
    for explanation in group.explanations where !explanation.bad.intersects(mask) {
      var weight = explanation.weight
      for place in group.items.indices where mask.contains(place) && !explanation.good.contains(place) {
        weight *= 1 - group.priors[place]
      }
      sum += weight
    }
    return min(sum, 1)
  }

  // MARK: Making it.

  private static func grouped(
    _ reds: [(items: [Int], runs: Int)], order: [Situation.Item], priors: [Int: Double], flake: Double
  ) -> ([Group], [Int: Int]) {
    // Groups are found by joining reds that share an item.
    var owner: [Int: Int] = [:]
    var members: [[Int]] = []
    for (index, red) in reds.enumerated() {
      var joined = [index]
      for item in red.items { if let other = owner[item], !joined.contains(other) { joined.append(other) } }
      members.append([index])
      for other in joined.dropFirst() {
        for moved in members[other] { for item in reds[moved].items { owner[item] = index } }
        members[index] += members[other]
        members[other] = []
      }
      for item in red.items { owner[item] = index }
    }
    var place: [Int: Int] = [:]
    for (index, item) in order.enumerated() { place[item.id] = index }
    var groups: [Group] = []
    var groupOf: [Int: Int] = [:]
    for indices in members where !indices.isEmpty {
      let items = Set(indices.flatMap { reds[$0].items }).sorted { (place[$0] ?? 0) < (place[$1] ?? 0) }
      for item in items { groupOf[item] = groups.count }
      let own = items.map { priors[$0] ?? leastRate }
      var search = ExplanationSearch(priors: own, reds: indices.map { reds[$0] }, items: items, flake: flake)
      var group = Group(items: items, priors: own, explanations: search.explain())
      group.badness = items.indices.map { place in
        var mask = Bits(items.count)
        mask.insert(place)
        return 1 - good(mask, in: group)
      }
      groups.append(group)
    }
    return (groups, groupOf)
  }

  /// Depth first over ways to explain the reds, likeliest first, each way disjoint from the others: a red is a flake and
  /// all in it are good, or its first bad item is this one and those before it are good.
  private struct ExplanationSearch {
    let priors: [Double]
    /// Items of each red in order of the line, and ln of how likely all its runs are to lie.
    let reds: [(places: [Int], mask: Bits, lie: Double)]
    var found: [Explanation] = []
    var total = 0.0
    var steps = 0

    init(priors: [Double], reds: [(items: [Int], runs: Int)], items: [Int], flake: Double) {
      self.priors = priors
      var place: [Int: Int] = [:]
      for (index, item) in items.enumerated() { place[item] = index }
      self.reds = reds.map { red in
        let places = red.items.compactMap { place[$0] }.sorted()
        var mask = Bits(items.count)
        for index in places { mask.insert(index) }
        var lie = 1.0
        for _ in 0..<red.runs { lie *= flake }
        return (places, mask, lie)
      }.sorted { $0.places.count < $1.places.count }
    }

    mutating func explain() -> [Explanation] {
      let none = Bits(priors.count)
      follow(Explanation(bad: none, good: none, weight: 1), from: 0)
      guard total > 0 else { return [Explanation(bad: none, good: none, weight: 1)] }
      return found.map { Explanation(bad: $0.bad, good: $0.good, weight: $0.weight / total) }
    }

    private mutating func follow(_ explanation: Explanation, from first: Int) {
      steps += 1
      guard steps <= Suspicion.mostSteps, explanation.weight > total * Suspicion.leastShare else { return }
      var index = first
      while index < reds.count, reds[index].mask.intersects(explanation.bad) { index += 1 }
      guard index < reds.count else {
        found.append(explanation)
        total += explanation.weight
        return
      }
      let red = reds[index]
      var passing = explanation
      for place in red.places where !explanation.good.contains(place) {
        var blamed = passing
        blamed.bad.insert(place)
        blamed.weight *= priors[place]
        follow(blamed, from: index + 1)
        passing.good.insert(place)
        passing.weight *= 1 - priors[place]
      }
      passing.weight *= red.lie
      follow(passing, from: index + 1)
    }
  }
}

extension Situation.KnownBuild {
  /// Reds of its tree that no green of it has answered.
  fileprivate var unansweredReds: Int {
    switch state {
    case .passed: 0
    case .failed: max(redRuns, 1)
    case .waiting, .running: redRuns
    }
  }
}

/// A set of small numbers.
struct Bits: Equatable, Sendable {
  private var words: [UInt64]
  init(_ count: Int) { words = Array(repeating: 0, count: (count + 63) / 64) }
  mutating func insert(_ place: Int) { words[place >> 6] |= 1 << UInt64(place & 63) }
  mutating func toggle(_ place: Int) { words[place >> 6] ^= 1 << UInt64(place & 63) }
  func contains(_ place: Int) -> Bool { words[place >> 6] >> UInt64(place & 63) & 1 == 1 }
  func isSubset(of other: Bits) -> Bool { words.indices.allSatisfy { words[$0] & ~other.words[$0] == 0 } }
  func intersects(_ other: Bits) -> Bool {
    for index in words.indices where words[index] & other.words[index] != 0 { return true }
    return false
  }
}
