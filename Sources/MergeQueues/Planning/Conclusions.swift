/// What follows from the builds that ended; the machine acts on it after its own checks, then asks again.
///
/// Taken as true: what is bad stays red but for flakes, a green never lies, and what passes with others passes without
/// them. The last is leant on only to eject what fails alone, and to pass over items by `Agreement.extremes`.
package enum Conclusions {
  /// At most one landing and no ejection that the landing could change; several ejections otherwise. Empty when nothing
  /// follows. Rising in the line.
  package static func of(_ situation: Situation) -> [Conclusion] {
    switch situation.rules.proof {
    case .tree: ofTrees(situation)
    case .tip: ofTips(situation)
    }
  }

  // MARK: Builds that test everything.

  private static func ofTrees(_ situation: Situation) -> [Conclusion] {
    let reds = situation.builds.filter { $0.isOnTrunk && $0.state == .failed }
    let hasReds = situation.builds.contains { $0.redRuns > 0 || $0.state == .failed }
    let suspicion = hasReds ? Suspicion(situation) : nil
    var landing: [Int] = []
    for build in situation.builds where build.isOnTrunk && build.state == .passed {
      guard build.members.count > landing.count, isClosed(build.members, situation.items, suspicion) else { continue }
      let members = Set(build.members)
      let isDoubted = !situation.rules.isOptimistic && reds.contains { $0.members.allSatisfy(members.contains) }
      if !isDoubted { landing = build.members }
    }
    if !landing.isEmpty { return [.land(members: landing)] }
    guard let suspicion else { return [] }
    return situation.items.compactMap { item in
      if isExcused(item, situation) { return nil }
      let shared = suspicion.badness(item.id)
      if let alone = reds.first(where: { $0.members == [item.id] }) {
        return ejection(item, max(badness(item, redRuns: alone.redRuns, rates: situation.rates), shared), situation)
      }
      // Where pairs conflict, a red that it shares with others may be nobody's fault.
      guard situation.rates.conflict == 0, suspicion.isSuspect(item.id) else { return nil }
      return ejection(item, shared, situation)
    }
  }

  /// Whether a red of it is answered by a green that stands on this trunk.
  private static func isExcused(_ item: Situation.Item, _ situation: Situation) -> Bool {
    situation.builds.contains {
      $0.state == .passed && $0.isOnTrunk && $0.members.contains(item.id)
        && (situation.rules.isOptimistic || $0.members == [item.id])
    }
  }

  /// Whether nobody ahead is passed over but suspects: a red change does not hold up those behind it, unless it was red
  /// only together with them. One walk along the line where all ahead count, as without lanes.
  private static func isClosed(_ members: [Int], _ items: [Situation.Item], _ suspicion: Suspicion?) -> Bool {
    var before: Set<Int> = []
    var isBlocked = false
    for (place, item) in items.enumerated() where before.count < members.count {
      if item.id == members[before.count] {
        let isFree =
          item.after.count == place
          ? !isBlocked : item.after.allSatisfy { before.contains($0) || suspicion?.passable.contains($0) == true }
        if !isFree { return false }
        before.insert(item.id)
      } else if !isBlocked {
        isBlocked = suspicion?.passable.contains(item.id) != true
      }
    }
    return before.count == members.count
  }

  // MARK: Builds that test their tip.

  private static func ofTips(_ situation: Situation) -> [Conclusion] {
    var byTip: [Int: [Situation.KnownBuild]] = [:]
    for build in situation.builds where build.state == .passed || build.state == .failed {
      if let tip = build.members.last { byTip[tip, default: []].append(build) }
    }
    var ejections: [Conclusion] = []
    for item in situation.items {
      guard let builds = byTip[item.id] else { continue }
      if lands(item, builds, situation.rules) { return [.land(members: [item.id])] }
      guard let red = decidingRed(item, builds, situation.rules) else { continue }
      if situation.rules.isOptimistic, builds.contains(where: { $0.state == .passed && !$0.lacksLanded }) { continue }
      let probability = badness(item, redRuns: red.redRuns, rates: situation.rates)
      if let ejection = ejection(item, probability, situation) { ejections.append(ejection) }
    }
    return ejections
  }

  private static func lands(
    _ item: Situation.Item, _ builds: [Situation.KnownBuild], _ rules: SchedulingRules
  ) -> Bool {
    if rules.agreement == .every || rules.bypassDepth == 0 { return agree(item, builds, on: .passed, rules) }
    // Green with no more than landed, and with no less than may land: so with what lands.
    return builds.contains { $0.state == .passed && !$0.holdsEjected && $0.members == [item.id] }
      && builds.contains { $0.state == .passed && !$0.lacksLanded && covers($0, item) }
  }

  private static func decidingRed(
    _ item: Situation.Item, _ builds: [Situation.KnownBuild], _ rules: SchedulingRules
  ) -> Situation.KnownBuild? {
    let reds = builds.filter { $0.state == .failed && $0.members == [item.id] }
    if rules.agreement == .every || rules.bypassDepth == 0 {
      return agree(item, builds, on: .failed, rules) ? reds.first(where: \.isOnTrunk) : nil
    }
    // What is red with no more than landed is red with all that landed.
    return reds.first { !$0.holdsEjected }
  }

  private static func covers(_ build: Situation.KnownBuild, _ item: Situation.Item) -> Bool {
    guard build.members.count > item.after.count else { return false }
    if item.after.isEmpty { return true }
    let members = Set(build.members)
    return item.after.allSatisfy(members.contains)
  }

  /// Whether it ended so with every choice of those ahead.
  private static func agree(
    _ item: Situation.Item, _ builds: [Situation.KnownBuild], on state: Situation.KnownBuild.State,
    _ rules: SchedulingRules
  ) -> Bool {
    guard item.after.count <= rules.bypassDepth else { return false }
    let agreeing = Set(builds.filter { $0.isOnTrunk && $0.state == state }.map(\.members))
    return (0..<(1 << item.after.count)).allSatisfy { choice in
      let with = item.after.indices.filter { choice >> $0 & 1 == 1 }.map { item.after[$0] }
      return agreeing.contains(with + [item.id])
    }
  }

  // MARK: Both.

  /// That it is bad, after so many reds of the trunk with it alone: each is a lie with the rate of flakes.
  static func badness(_ item: Situation.Item, redRuns: Int, rates: FailureRates) -> Double {
    let bad = max(1 - item.passProbability, leastBadness)
    var lie = 1.0
    for _ in 0..<max(redRuns, 1) { lie *= rates.flake }
    return bad / (bad + (1 - bad) * lie)
  }

  /// Nothing is beyond doubt before it was built.
  private static let leastBadness = 0.002

  private static func ejection(_ item: Situation.Item, _ probability: Double, _ situation: Situation) -> Conclusion? {
    guard probability >= situation.rules.ejectionConfidence else { return nil }
    let about = situation.builds.filter { $0.members.contains(item.id) }
    return .eject(
      item: item.id, probability: probability,
      red: about.filter { $0.state == .failed }.map(\.members),
      green: about.filter { $0.state == .passed }.map(\.members))
  }
}
