import Kernel

/// What the builds that are known say of each item: whether it will land, and when it would leave.
///
/// One change a build. Items are numbers in the line here (0 is the first); `ahead` of an item are those that it can
/// affect or be affected by. Badness and conflicts are independent; a conflict is of a pair; what passes with many passes
/// with fewer. Only planning leans on that: what lands and what is ejected is said by `Conclusions`.
struct Outlook {
  struct Build {
    /// Of those ahead of the tip, the places in `ahead` that are members.
    var with: Bits
    var withCount: Int
    var state: Situation.KnownBuild.State
    var isOnTrunk: Bool
    var lacksLanded: Bool
    var holdsEjected: Bool
    var redRuns: Int
    /// The place in the situation's builds.
    var index: Int
    /// Seconds until it ends: 0 when it has, nil while it waits for a slot.
    var endsIn: Double?
  }

  let items: ArraySlice<Situation.Item>
  let now: Instant
  private(set) var ahead: [[Int]] = []
  /// Builds with the item at the tip.
  private(set) var builds: [[Build]] = []
  /// The probability that it passes by itself.
  private(set) var ownPass: [Double] = []
  /// The probability that it fails with each of those ahead, in their order.
  private(set) var clash: [[Double]] = []
  /// The probability that it lands.
  private(set) var lands: [Double] = []

  init(_ situation: Situation, depth: Int) {
    items = situation.items.prefix(depth)
    now = situation.now
    var places: [Int: Int] = Dictionary(minimumCapacity: items.count)
    for (place, item) in items.enumerated() { places[item.id] = place }
    ahead = items.map { $0.after.compactMap { places[$0] } }
    builds = items.map { _ in [] }
    var position = Array(repeating: -1, count: items.count)
    var byTip: [[Int]] = items.map { _ in [] }
    for (index, build) in situation.builds.enumerated() {
      if let tip = build.members.last, let place = places[tip] { byTip[place].append(index) }
    }
    let suspicion = situation.rules.proof == .tree ? Suspicion(situation) : nil
    for place in items.indices {
      for (at, other) in ahead[place].enumerated() { position[other] = at }
      for index in byTip[place] {
        let known = situation.builds[index]
        var with = Bits(ahead[place].count)
        var count = 0
        for member in known.members.dropLast() {
          if let other = places[member], position[other] >= 0 {
            with.insert(position[other])
            count += 1
          }
        }
        builds[place].append(
          Build(
            with: with, withCount: count, state: known.state, isOnTrunk: known.isOnTrunk,
            lacksLanded: known.lacksLanded, holdsEjected: known.holdsEjected, redRuns: known.redRuns,
            index: index, endsIn: endsIn(known, items[place])))
      }
      for other in ahead[place] { position[other] = -1 }
      if let suspicion {
        ownPass.append(1 - suspicion.badness(items[place].id))
        clash.append([])
        lands.append(ownPass[place])
      } else {
        judge(place, rates: situation.rates)
      }
    }
  }

  func duration(_ place: Int) -> LogNormal {
    LogNormal(median: items[place].medianDuration, deviation: items[place].logDeviation)
  }

  private func endsIn(_ build: Situation.KnownBuild, _ tip: Situation.Item) -> Double? {
    switch build.state {
    case .waiting: nil
    case .running(let since):
      LogNormal(median: tip.medianDuration, deviation: tip.logDeviation).remaining(after: (now - since).seconds)
    case .passed, .failed: 0
    }
  }

  /// The chance that a red is no flake, given how likely the tip is to fail.
  private static func believed(_ failure: Double, _ build: Build, flake: Double) -> Double {
    var lie = 1.0
    for _ in 0..<max(build.redRuns, 1) { lie *= flake }
    let all = failure + (1 - failure) * lie
    return all > 0 ? failure / all : 1
  }

  private mutating func judge(_ place: Int, rates: FailureRates) {
    var own = items[place].passProbability
    var clashes = Array(repeating: rates.conflict, count: ahead[place].count)
    var reds: [Build] = []
    for build in builds[place] {
      switch build.state {
      case .passed:
        own = 1
        for at in clashes.indices where build.with.contains(at) { clashes[at] = 0 }
      case .failed: reds.append(build)
      case .waiting, .running: continue
      }
    }
    // Fewest members first: a red of few says most.
    for red in reds.sorted(by: { $0.withCount < $1.withCount }) {
      var apart = 1.0
      for at in clashes.indices where red.with.contains(at) { apart *= 1 - clashes[at] }
      // It may have failed with somebody who is gone.
      if red.holdsEjected { apart *= 1 - rates.conflict }
      let failure = 1 - own * apart
      guard failure > 0 else { continue }
      let believed = Outlook.believed(failure, red, flake: rates.flake)
      let ownShare = (1 - own) / failure * believed
      own = min(own, 1 - ownShare)
      for at in clashes.indices where red.with.contains(at) {
        clashes[at] = min(1, max(clashes[at], clashes[at] / failure * believed * (1 - ownShare)))
      }
    }
    var pass = own
    for (at, other) in ahead[place].enumerated() { pass *= 1 - lands[other] * clashes[at] }
    ownPass.append(own)
    clash.append(clashes)
    lands.append(pass)
  }

  /// The probability that exactly these of those ahead land.
  func probability(_ place: Int, with: Bits) -> Double {
    var result = 1.0
    for (at, other) in ahead[place].enumerated() { result *= with.contains(at) ? lands[other] : 1 - lands[other] }
    return result
  }

  /// The probability that a build of it with all ahead, and one with none, are both green.
  func agreement(_ place: Int) -> Double {
    var result = ownPass[place]
    for clash in clash[place] { result *= 1 - clash }
    return result
  }

  func find(_ place: Int, with: Bits) -> Build? { builds[place].first { $0.isOnTrunk && $0.with == with } }
}
