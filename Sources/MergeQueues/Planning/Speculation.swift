import Kernel
import RealModule

/// One change a build: best-first over the probability that a build's outcome is needed, as far as the slots go
/// (research/merge-queue.md §2.3, §2.4), and passing over slow items where that is worth its builds.
///
/// Running builds are kept while they can still be needed; a waiting one takes a running one's slot only for the head.
package enum Speculation {
  /// Builds named beyond the slots, so that the next are ready when one ends.
  static let lookahead = 4
  /// Items looked at for each slot and build of the lookahead: those further back wait for slots anyway.
  private static let itemsPerSlot = 3
  /// Ways in which those ahead may end that one item gets builds for (the research's model has 8).
  private static let mostPaths = 8

  package static func plan(_ situation: Situation) -> Plan {
    var running: Set<Int> = []
    for build in situation.builds {
      if case .running = build.state, let tip = build.members.last { running.insert(tip) }
    }
    let last = situation.items.lastIndex { running.contains($0.id) } ?? 0
    let depth = max((situation.slots + lookahead) * itemsPerSlot, last + 1)
    let outlook = Outlook(situation, depth: depth)
    var draft = Draft(situation, outlook)
    for place in outlook.items.indices { draft.consider(place) }
    return draft.plan()
  }

  /// What is proposed so far, and when each item looked at would leave.
  private struct Draft {
    let situation: Situation
    let outlook: Outlook
    var wanted: [Wanted] = []
    /// Seconds until the item leaves, and how uncertain that is.
    var leaves: [Double] = []
    var spread: [Double] = []

    struct Wanted {
      var place: Int
      var with: Bits
      var worth: Double
      var purpose: Plan.Purpose
      /// Of a bypass: expected seconds of wait saved by each further build.
      var saving: Double
      var isRunning: Bool
      var isOnTrunk = true
      var serial: Int
    }

    init(_ situation: Situation, _ outlook: Outlook) {
      self.situation = situation
      self.outlook = outlook
    }

    // MARK: One item.

    mutating func consider(_ place: Int) {
      var inOrder = 0.0
      var inOrderSpread = 0.0
      for other in outlook.ahead[place] where leaves[other] > inOrder {
        inOrder = leaves[other]
        inOrderSpread = spread[other]
      }
      let rules = situation.rules
      if rules.proof == .tip, rules.agreement == .extremes, rules.bypassDepth > 0 {
        between(place, inOrder: inOrder, inOrderSpread: inOrderSpread)
      } else {
        exactly(place, inOrder: inOrder, inOrderSpread: inOrderSpread)
      }
    }

    /// By builds of the very trees that the trunk may become.
    private mutating func exactly(_ place: Int, inOrder: Double, inOrderSpread: Double) {
      let ahead = outlook.ahead[place]
      var likeliest = Bits(ahead.count)
      for (at, other) in ahead.enumerated() where outlook.lands[other] >= 0.5 { likeliest.insert(at) }
      let paths = paths(place, likeliest)
      for build in outlook.builds[place] where build.isOnTrunk { keep(build, place) }
      let duration = outlook.duration(place)
      let own = outlook.find(place, with: likeliest).flatMap(\.endsIn) ?? duration.mean
      let needed = paths.first?.probability ?? 1
      for path in paths where path.probability >= situation.rules.threshold || ahead.isEmpty {
        want(place, path.with, path.probability, path.purpose, saving: 0)
      }
      // A path that is refuted costs another build.
      let chained = max(own, inOrder + (1 - needed) * duration.mean)
      leaves.append(chained)
      spread.append(own >= inOrder ? duration.median * duration.deviation : inOrderSpread)
      let isTip = situation.rules.proof == .tip
      if !ahead.isEmpty, isTip, ahead.count <= situation.rules.bypassDepth {
        bypass(place, likeliest: likeliest, isBuilt: needed >= situation.rules.threshold, chained: chained)
      }
    }

    /// By two builds that the very tree lies between: one with no more than landed, one with no less than may land.
    private mutating func between(_ place: Int, inOrder: Double, inOrderSpread: Double) {
      let ahead = outlook.ahead[place]
      let none = Bits(ahead.count)
      var all = none
      for at in ahead.indices { all.insert(at) }
      let duration = outlook.duration(place)
      var lower: Double?
      var upper: Double?
      var isBlocked = false
      var isUpperTainted = false
      for build in outlook.builds[place] {
        let isLower = !build.holdsEjected && build.withCount == 0
        let isUpper = !build.lacksLanded && build.withCount == ahead.count
        switch build.state {
        // What is red with these is red with more.
        case .failed: isBlocked = isBlocked || !build.holdsEjected
        case .passed, .running, .waiting:
          guard let endsIn = build.endsIn else { continue }
          if isLower { lower = min(lower ?? endsIn, endsIn) }
          if isUpper {
            if endsIn <= upper ?? endsIn { isUpperTainted = build.holdsEjected }
            upper = min(upper ?? endsIn, endsIn)
          }
          if case .running = build.state, isLower || isUpper { keep(build, place) }
        }
      }
      let agreement = isBlocked ? 0 : outlook.agreement(place)
      let chance = upper == 0 ? outlook.ownPass[place] : agreement
      let ownSpread = duration.median * duration.deviation
      if ahead.isEmpty, lower == nil || upper == nil { want(place, none, 1, .head, saving: 0) }
      let isOpen = upper == nil && agreement >= situation.rules.threshold && !ahead.isEmpty
      if isBlocked, !ahead.isEmpty { expected(place) }
      // What landing at the end of both builds saves on average, for each that is missing.
      let ends = max(upper ?? duration.mean, lower ?? duration.mean)
      let alone = max(upper ?? duration.mean, inOrder)
      let deviation = (inOrderSpread * inOrderSpread + ownSpread * ownSpread).squareRoot()
      let gain = Normal.gain(mean: alone - ends, deviation: inOrder > ends ? deviation : 0)
      let missing = (lower == nil ? 1.0 : 0) + (isOpen ? 1.0 : 0)
      let saving = missing > 0 ? chance * gain / missing : 0
      // A change has left once it is between two; the build with all ahead will do alone if nobody is ejected.
      let inTurn = inOrder + (1 - chance) * duration.mean
      leaves.append(max(alone, inTurn))
      spread.append(alone > inOrder ? ownSpread : inOrderSpread)
      if ahead.isEmpty || isBlocked || (upper == nil && !isOpen) { return }
      let isWorthIt = saving >= situation.rules.bypassSeconds
      if lower == nil, isUpperTainted {
        // With a member gone the other build is needed anyway.
        want(place, none, chance, .alternative, saving: 0)
      } else if isWorthIt, missing > 0 {
        if isOpen { want(place, all, chance, .bypass, saving: saving) }
        if lower == nil { want(place, none, chance, .bypass, saving: saving) }
      } else if isOpen {
        // As late as it can start without being late: more is known then of those ahead.
        if inOrder <= duration.mean { want(place, all, chance, .speculation, saving: 0) }
        return
      } else if lower == nil {
        return
      }
      leaves[place] = chance * ends + (1 - chance) * max(ends, inTurn)
    }

    /// It fails with all ahead. Where those that are likely to be ejected would leave it, the likeliest outcome is built.
    private mutating func expected(_ place: Int) {
      var with = Bits(outlook.ahead[place].count)
      var count = 0
      for (at, other) in outlook.ahead[place].enumerated() where outlook.lands[other] >= 0.5 {
        with.insert(at)
        count += 1
      }
      for build in outlook.builds[place] where build.isOnTrunk {
        if build.with == with { if case .running = build.state { keep(build, place) } else { return } }
        if build.state == .failed, build.with.isSubset(of: with) { return }
      }
      let probability = outlook.probability(place, with: with)
      guard count < outlook.ahead[place].count, probability >= situation.rules.threshold else { return }
      want(place, with, probability, .alternative, saving: 0)
    }

    private struct Path {
      var with: Bits
      var probability: Double
      var purpose: Plan.Purpose
    }

    /// The likeliest ways in which those ahead may end, likeliest first: all as expected, then with the most doubtful
    /// otherwise.
    private func paths(_ place: Int, _ likeliest: Bits) -> [Path] {
      let ahead = outlook.ahead[place]
      if ahead.isEmpty {
        let purpose: Plan.Purpose = outlook.items[place].isHotfix ? .hotfix : .head
        return [Path(with: likeliest, probability: 1, purpose: purpose)]
      }
      let best = outlook.probability(place, with: likeliest)
      let isAll = ahead.indices.allSatisfy(likeliest.contains)
      var found = [Path(with: likeliest, probability: best, purpose: isAll ? .speculation : .alternative)]
      let threshold = situation.rules.threshold
      if best < threshold { return found }
      // Each flip multiplies by odds of at most 1, so only flips that stay above the threshold are followed.
      let flips = ahead.indices.map { at in
        let lands = outlook.lands[ahead[at]]
        return (at: at, odds: lands >= 0.5 ? (1 - lands) / lands : lands / (1 - lands))
      }.filter { best * $0.odds >= max(threshold, Draft.leastAlternative) }
        .sorted { ($1.odds, $0.at) < ($0.odds, $1.at) }
      var next = 0
      while next < found.count, found.count < Speculation.mostPaths {
        let path = found[next]
        for flip in flips where path.with.contains(flip.at) == likeliest.contains(flip.at) {
          guard path.probability * flip.odds >= threshold, found.count < Speculation.mostPaths else { break }
          var with = path.with
          with.toggle(flip.at)
          if found.contains(where: { $0.with == with }) { continue }
          found.append(Path(with: with, probability: path.probability * flip.odds, purpose: .alternative))
        }
        next += 1
      }
      found.sort { $0.probability > $1.probability }
      return found
    }

    private static let leastAlternative = 1e-6

    private mutating func keep(_ build: Outlook.Build, _ place: Int) {
      guard case .running = build.state else { return }
      wanted.append(
        Wanted(
          place: place, with: build.with, worth: outlook.probability(place, with: build.with),
          purpose: purpose(place, build.with), saving: 0, isRunning: true, isOnTrunk: build.isOnTrunk,
          serial: wanted.count))
    }

    private func purpose(_ place: Int, _ with: Bits) -> Plan.Purpose {
      let ahead = outlook.ahead[place]
      if ahead.isEmpty { return outlook.items[place].isHotfix ? .hotfix : .head }
      if ahead.indices.allSatisfy(with.contains) { return .speculation }
      return ahead.indices.contains(where: with.contains) ? .alternative : .bypass
    }

    private mutating func want(
      _ place: Int, _ with: Bits, _ worth: Double, _ purpose: Plan.Purpose, saving: Double
    ) {
      if let known = outlook.find(place, with: with) {
        switch known.state {
        case .running, .passed: return
        case .failed:
          // Another run only where a flake is likelier than the rules accept, and it would decide.
          guard outlook.ahead[place].isEmpty,
            Conclusions.badness(outlook.items[place], redRuns: known.redRuns, rates: situation.rates)
              < situation.rules.ejectionConfidence
          else { return }
          add(place, with, worth, .retry, saving)
          return
        case .waiting: break
        }
      }
      add(place, with, worth, purpose, saving)
    }

    private mutating func add(
      _ place: Int, _ with: Bits, _ worth: Double, _ purpose: Plan.Purpose, _ saving: Double
    ) {
      // Those of one item lie together at the end.
      let ofItem = wanted.reversed().prefix { $0.place == place }
      if ofItem.contains(where: { $0.with == with && $0.isOnTrunk }) { return }
      wanted.append(
        Wanted(
          place: place, with: with, worth: worth, purpose: purpose, saving: saving, isRunning: false,
          serial: wanted.count))
    }

    // MARK: Passing over.

    /// Builds with every choice of those ahead, if the wait that they save on average is worth them: the probability that
    /// all agree, times the mean of what in-order landing would take longer.
    private mutating func bypass(_ place: Int, likeliest: Bits, isBuilt: Bool, chained: Double) {
      let ahead = outlook.ahead[place]
      let choices = (0..<(1 << ahead.count)).map { choice in
        var with = Bits(ahead.count)
        for at in ahead.indices where choice >> at & 1 == 1 { with.insert(at) }
        return with
      }
      let duration = outlook.duration(place)
      var missing: [Bits] = []
      var ends = 0.0
      for with in choices {
        if let known = outlook.find(place, with: with) {
          if known.state == .failed { return }
          if let endsIn = known.endsIn {
            ends = max(ends, endsIn)
            continue
          }
        }
        ends = max(ends, duration.mean)
        if isBuilt, with == likeliest { continue }
        missing.append(with)
      }
      let chance = outlook.agreement(place)
      let deviation = (spread[place] * spread[place] + square(duration.median * duration.deviation)).squareRoot()
      let gain = Normal.gain(mean: chained - ends, deviation: leavesAfter(place, ends) ? deviation : 0)
      let saving = missing.isEmpty ? 0 : chance * gain / Double(missing.count)
      if !missing.isEmpty, saving < situation.rules.bypassSeconds { return }
      for with in missing { want(place, with, chance, .bypass, saving: saving) }
      leaves[place] = chance * min(ends, chained) + (1 - chance) * chained
    }

    private func square(_ value: Double) -> Double { value * value }
    private func leavesAfter(_ place: Int, _ ends: Double) -> Bool { leaves[place] > ends }

    // MARK: All of them.

    func plan() -> Plan {
      let room = situation.slots + Speculation.lookahead
      // Everything that runs has a slot; the head's build outbids the least worthy of them.
      let running = wanted.filter(\.isRunning).sorted { ($1.worth, $0.serial) < ($0.worth, $1.serial) }
      let waiting = wanted.filter { !$0.isRunning }
      let firm = waiting.filter { $0.saving == 0 }.sorted { ($1.worth, $0.serial) < ($0.worth, $1.serial) }
      let passing = waiting.filter { $0.saving > 0 }.sorted { ($1.saving, $0.serial) < ($0.saving, $1.serial) }
      var order = running + firm
      let idle = Int(Double(situation.slots) * (1 - situation.rules.bypassReserve)) - order.count
      order += passing.prefix(max(0, idle))
      if running.count >= situation.slots, let head = firm.first, head.worth >= Draft.certain, let last = running.last,
        last.worth < Draft.outbid
      {
        order.removeAll { $0.serial == last.serial }
      }
      return Plan(
        builds: order.prefix(room).map { wanted in
          let members = outlook.ahead[wanted.place].enumerated().filter { wanted.with.contains($0.offset) }
            .map { outlook.items[$0.element].id }
          return Plan.Proposal(
            members: members + [outlook.items[wanted.place].id], purpose: wanted.purpose, worth: wanted.worth,
            isOnTrunk: wanted.isOnTrunk)
        })
    }

    /// A build whose outcome is needed whatever happens.
    private static let certain = 0.999
    /// A running build that may be ended for one that is certain.
    private static let outbid = 0.5
  }
}
