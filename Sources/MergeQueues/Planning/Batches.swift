import Statistics

/// Batches that are tested apart and land together.
///
/// A chain of batches on one another learns nothing behind its first red. So batches that are unlikely to be all green
/// are tested beside each other, each on what is known to be good, and every result tells of its own batch alone. What
/// was green apart is then tested together and lands as that tree. Where few wait, or few fail, each batch stands on all
/// ahead of it, and lands with them at once.
///
/// How much goes into one build is what is expected to tell most, in bits, for the odds at hand (`CulpritSearch`): for
/// fresh changes that is a batch, for a red batch it is half of its suspicion, for one suspect it is the suspect alone.
/// Known results of smaller and larger sets count by `Suspicion`.
package enum Batches {
  /// Changes in a batch of which nothing is known yet: the number that tells most per run, 1 to `limit`.
  ///
  /// - Parameters:
  ///   - failure: The share of changes that are bad, 0 to 1.
  ///   - flake: The share of runs that go red for nothing, 0 to 1.
  package static func size(failure: Double, flake: Double, limit: Int) -> Int {
    let good = 1 - min(max(failure, 0), 1)
    var none = 1.0
    let weights = (0..<max(limit, 1)).map { _ in
      defer { none *= good }
      return none * (1 - good)
    }
    return size(firstBad: weights, flake: flake)
  }

  /// - Parameter firstBad: The probability of each to be the first bad one in its order; never empty.
  static func size(firstBad: [Double], flake: Double) -> Int {
    let none = max(0, 1 - firstBad.reduce(0, +))
    let search = CulpritSearch(weights: firstBad, noCulprit: none, rates: .init(falseRed: flake))
    return search.next()[0]
  }

  package static func plan(_ situation: Situation) -> Plan { plan(situation, Suspicion(situation)) }

  static func plan(_ situation: Situation, _ suspicion: Suspicion) -> Plan {
    var plan = BatchPlan(situation, suspicion)
    plan.keepRunning()
    plan.addHotfixes()
    plan.addLanding()
    plan.addTests()
    plan.addGuesses()
    return Plan(builds: plan.builds)
  }

  /// A build that assumes others ahead is worth it when they all pass with at least this probability; else it would
  /// mostly tell what is known already. Set before the trials and not tuned on them: the small batches of a calm queue
  /// (.8 to .95 each) chain, those of a saturated one (about .5) do not.
  static let chainOdds = 0.7
  /// Of the slots, for further landings under way and for guesses: one in ten, so that idle slots cut waits without
  /// costing a build for every change.
  static let spareShare = 10
  /// A running build whose members are all good with less than this has been answered by other builds.
  static let leastHope = 0.1
}

/// A plan in the making.
struct BatchPlan {
  let situation: Situation
  let suspicion: Suspicion
  private(set) var builds: [Plan.Proposal] = []

  /// Items near the head, in order of the line, with what each is to the plan.
  private let line: [Situation.Item]
  private let clean: [Int]
  /// Members of kept or proposed builds that are not known to be good.
  private var inTest: Set<Int> = []
  private var proposed: Set<[Int]> = []
  /// Running builds of what is known to be good.
  private var landingsUnderway = 0
  /// Running builds of what other running builds test too.
  private var guessesUnderway = 0

  init(_ situation: Situation, _ suspicion: Suspicion) {
    self.situation = situation
    self.suspicion = suspicion
    var known: Set<Int> = []
    for build in situation.builds { known.formUnion(build.members) }
    let reach = known.count + situation.slots * max(situation.rules.batchLimit, 1)
    line = Array(situation.items.prefix(reach))
    clean = line.map(\.id).filter { suspicion.clean.contains($0) }
  }

  private var freeSlots: Int { situation.slots - builds.count }

  private mutating func add(_ members: [Int], _ purpose: Plan.Purpose, worth: Double, isOnTrunk: Bool = true) {
    guard !members.isEmpty, proposed.insert(members).inserted else { return }
    builds.append(Plan.Proposal(members: members, purpose: purpose, worth: worth, isOnTrunk: isOnTrunk))
    inTest.formUnion(members.filter { !suspicion.clean.contains($0) })
  }

  // MARK: In order of worth.

  /// What runs goes on, unless other builds have answered it.
  mutating func keepRunning() {
    var tests: [[Int]] = []
    for build in situation.builds {
      guard case .running = build.state else { continue }
      let unclear = build.members.filter { !suspicion.clean.contains($0) }
      let hope = suspicion.allGood(unclear)
      if unclear.isEmpty ? !build.isOnTrunk : unclear.count > 1 && hope < Batches.leastHope { continue }
      if unclear.isEmpty {
        landingsUnderway += 1
      } else if unclear.allSatisfy(inTest.contains), tests.contains(where: { $0 != unclear }) {
        guessesUnderway += 1
      }
      tests.append(unclear)
      add(build.members, unclear.isEmpty ? .head : .search, worth: hope, isOnTrunk: build.isOnTrunk)
    }
  }

  mutating func addHotfixes() {
    for item in line where item.isHotfix && freeSlots > 0 && !suspicion.clean.contains(item.id) {
      if !inTest.contains(item.id) { add([item.id], .hotfix, worth: 1) }
    }
  }

  /// All that is known to be good and may land now, tested together, unless such a test runs already.
  mutating func addLanding() {
    if freeSlots > 0, landingsUnderway == 0 { add(landable(), .head, worth: 1) }
  }

  /// Known to be good, with nobody ahead but suspects that it could be affected by.
  private func landable() -> [Int] {
    var passable: Set<Int> = []
    var landing: [Int] = []
    var isBlocked = false
    for (place, item) in line.enumerated() {
      // Most often all ahead count; then one flag says what looking at each would.
      let isFree = item.after.count == place ? !isBlocked : item.after.allSatisfy(passable.contains)
      if suspicion.clean.contains(item.id), isFree {
        landing.append(item.id)
        passable.insert(item.id)
      } else if suspicion.passable.contains(item.id) {
        passable.insert(item.id)
      } else {
        isBlocked = true
      }
    }
    return landing
  }

  /// Of what is not known and not in test, the first ones first, as many in each build as tell most.
  mutating func addTests() {
    var waiting = line.map(\.id).filter { !suspicion.clean.contains($0) && !inTest.contains($0) }[...]
    while freeSlots > 0, !waiting.isEmpty {
      let share = (waiting.count + freeSlots - 1) / freeSlots
      let candidates = Array(waiting.prefix(min(share, situation.rules.batchLimit)))
      let count = Batches.size(firstBad: suspicion.firstBad(candidates), flake: situation.rates.flake)
      let batch = Array(candidates.prefix(count))
      waiting = waiting.dropFirst(count)
      let assumed = assumption(before: batch)
      let purpose: Plan.Purpose =
        suspicion.isSuspect(batch[0]) ? .search : assumed.isEmpty ? .head : .speculation
      add(ordered(company(of: batch) + assumed + batch), purpose, worth: suspicion.allGood(assumed))
    }
  }

  /// The clean ones to test the batch with: what was red only with some of them behind it is tested without those.
  private func company(of batch: [Int]) -> [Int] {
    guard let first = batch.first(where: { suspicion.isSuspect($0) && !suspicion.passable.contains($0) }) else {
      return clean
    }
    return line.prefix { $0.id != first }.map(\.id).filter { suspicion.clean.contains($0) }
  }

  /// Those in test ahead of the batch that a build may count on, or nobody; suspects are left out, as if ejected.
  private func assumption(before batch: [Int]) -> [Int] {
    var assumed: [Int] = []
    for item in line {
      if item.id == batch[0] { break }
      if inTest.contains(item.id), suspicion.badness(item.id) < 0.5 { assumed.append(item.id) }
    }
    return suspicion.allGood(assumed) >= Batches.chainOdds ? assumed : []
  }

  /// With slots otherwise idle: what has become good since the last landing set out, and all in test that will
  /// probably pass, as one tree, to land at once if they do.
  mutating func addGuesses() {
    let spare = max(1, situation.slots / Batches.spareShare)
    if freeSlots > 0, landingsUnderway < spare { add(landable(), .head, worth: 1) }
    guard freeSlots > 0, guessesUnderway < spare else { return }
    let likely = line.map(\.id).filter { inTest.contains($0) && suspicion.badness($0) < 0.5 }
    let odds = suspicion.allGood(likely)
    if odds >= situation.rules.threshold { add(ordered(clean + likely), .alternative, worth: odds) }
  }

  private func ordered(_ members: [Int]) -> [Int] {
    let members = Set(members)
    return line.map(\.id).filter(members.contains)
  }
}
