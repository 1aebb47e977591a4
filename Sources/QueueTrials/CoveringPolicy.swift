/// Ours in Model 1: a change is built with all ahead of it that it may conflict with, and lands when that build is green,
/// whether those ahead have left or not. No build is stopped that can still tell something.
///
/// It leans on what Model 1 says of conflicts: they are between two. So a green shows that its tip goes with each member
/// and with each that has landed, whoever else is there, and evidence of several builds adds up. Order is kept between
/// changes that do conflict: nobody is ejected for one that arrived later.
package struct CoveringPolicy: TrialPolicy {
  private let expected: Expected
  private var graph: ConflictGraph
  private var known: [Known]
  private var fates: [Fate]
  /// More is known of it, or of those ahead, since its next build was last thought about.
  private var isOpen: [Bool]

  /// What is expected of builds before they are made.
  package struct Expected: Sendable {
    /// Share of changes that are bad by themselves.
    package let failure: Double
    /// Share of pairs that may conflict and do.
    package let conflict: Double
    /// A build is made when it settles the change with at least this probability, 0 to 1; else the change waits until
    /// more of those ahead have left. The price of a build: at 0 no change waits where a build can tell something.
    package let threshold: Double
    package init(failure: Double, conflict: Double, threshold: Double) {
      self.failure = failure
      self.conflict = conflict
      self.threshold = threshold
    }
  }

  private enum Fate { case pending, landed, ejected }

  /// What the builds of one change have shown. Changes ahead are named by their place in `ahead`.
  private struct Known {
    /// As it arrived, rising; those that have left stay.
    var ahead: [Int] = []
    /// A green had it in, or it on the trunk.
    var isClear: [Bool] = []
    /// A green was seen: it passes by itself.
    var isGood = false
    /// Of each red, who may be at fault: places, and the change itself.
    var reds: [(suspects: [Int], isOwn: Bool)] = []
    var running: (id: Int, places: [Int])?
  }

  package init(changes: Int, expected: Expected) {
    self.expected = expected
    graph = ConflictGraph(changes: changes)
    known = Array(repeating: Known(), count: changes)
    fates = Array(repeating: .pending, count: changes)
    isOpen = Array(repeating: false, count: changes)
  }

  package mutating func arrived(_ change: Int, on farm: inout CIFarm) {
    graph.arrived(change, on: farm)
    known[change].ahead = graph.ahead[change]
    known[change].isClear = graph.ahead[change].map { _ in false }
    isOpen[change] = true
  }

  package mutating func ended(_ build: CIFarm.Ended, on farm: inout CIFarm) {
    let tip = build.build.tip
    guard let running = known[tip].running, running.id == build.build.id else { return }
    known[tip].running = nil
    isOpen[tip] = true
    if build.isGreen {
      known[tip].isGood = true
      for place in running.places { known[tip].isClear[place] = true }
      let isClear = known[tip].isClear
      for index in known[tip].reds.indices {
        known[tip].reds[index].suspects.removeAll { isClear[$0] }
        known[tip].reds[index].isOwn = false
      }
    } else {
      let isClear = known[tip].isClear
      known[tip].reds.append((running.places.filter { !isClear[$0] }, !known[tip].isGood))
    }
    resolve(tip, on: &farm)
  }

  /// Oldest first, as far as the slots go.
  package mutating func settle(on farm: inout CIFarm) {
    for change in farm.pending where isOpen[change] {
      guard farm.freeSlots > 0 else { return }
      isOpen[change] = false
      guard known[change].running == nil, let members = next(change) else { continue }
      let places = known[change].ahead.indices.filter { place in
        let other = known[change].ahead[place]
        return fates[other] == .landed || (fates[other] == .pending && !members.isEmpty)
      }
      known[change].running = (farm.start(members + [change]).id, places)
    }
  }

  // MARK: Leaving.

  /// Whoever can leave now that more is known of `change`, and those behind who can because of them.
  private mutating func resolve(_ change: Int, on farm: inout CIFarm) {
    var due = [change]
    while let next = due.popLast() {
      guard farm.isPending(next), let fate = fate(next) else { continue }
      fates[next] = fate
      if fate == .landed { farm.land(next) } else { farm.eject(next) }
      if let running = known[next].running { farm.stop(running.id) }
      for other in graph.behind[next] { isOpen[other] = true }
      due += graph.behind[next]
      graph.left(next)
    }
  }

  /// Lands what goes with all ahead but those that were ejected. Ejects what was red when everybody that can be at fault
  /// has landed: it is red on any trunk to come.
  private func fate(_ change: Int) -> Fate? {
    let about = known[change]
    if about.isGood, about.ahead.indices.allSatisfy({ about.isClear[$0] || fates[about.ahead[$0]] == .ejected }) {
      return .landed
    }
    let isBad = about.reds.contains { red in
      (red.isOwn || !red.suspects.isEmpty) && red.suspects.allSatisfy { fates[about.ahead[$0]] == .landed }
    }
    return isBad ? .ejected : nil
  }

  // MARK: Building.

  /// Those ahead with whom the change is built next, all that are pending or none; nil when it waits.
  private func next(_ change: Int) -> [Int]? {
    let about = known[change]
    let ahead = graph.ahead[change]
    let unclear = about.ahead.indices.filter { !about.isClear[$0] }
    let landed = unclear.count { fates[about.ahead[$0]] == .landed }
    let pending = unclear.count { fates[about.ahead[$0]] == .pending }
    // Nobody pending can change what the trunk alone says.
    if pending == 0 { return [] }
    let green: Double
    let red: Double
    if let suspects = suspects(about) {
      // As those pending leave, the reds may settle it without another build.
      if !about.reds.contains(where: { $0.suspects.contains { isEjected(about, $0) } }) { return nil }
      (green, red) = blame(suspects, about)
    } else if about.isGood {
      // A green on the trunk alone explained the reds: whoever lands of those pending must be tested with.
      if landed == 0 { return nil }
      (green, red) = (1, 0)
    } else {
      (green, red) = (passes(with: landed + pending), 1 - passes(with: landed))
    }
    if max(green, red) < expected.threshold { return nil }
    return red >= green ? [] : ahead
  }

  /// The probability that a change of which nothing is known is green with so many.
  private func passes(with others: Int) -> Double {
    var result = 1 - expected.failure
    for _ in 0..<others { result *= 1 - expected.conflict }
    return result
  }

  /// The probability that one who was ejected is at fault, so that a build with all pending is green and lands the
  /// change; and that one who landed is, or the change itself, so that any build is red and the one on the trunk alone
  /// proves it.
  private func blame(_ suspects: (suspects: [Int], isOwn: Bool), _ about: Known) -> (green: Double, red: Double) {
    let one = expected.conflict / (1 - expected.conflict)
    var doomed = suspects.isOwn ? expected.failure / (1 - expected.failure) : 0
    var free = 0.0
    var open = 0.0
    for place in suspects.suspects {
      switch fates[about.ahead[place]] {
      case .landed: doomed += one
      case .ejected: free += one
      case .pending: open += one
      }
    }
    let all = doomed + free + open
    return (free / all, doomed / all)
  }

  private func isEjected(_ about: Known, _ place: Int) -> Bool { fates[about.ahead[place]] == .ejected }

  /// Who explains every red; where nobody does, who explains the red with the fewest suspects. Nil when no red is left
  /// to explain.
  private func suspects(_ about: Known) -> (suspects: [Int], isOwn: Bool)? {
    let reds = about.reds.filter { $0.isOwn || !$0.suspects.isEmpty }
    guard let first = reds.first else { return nil }
    var common = first
    for red in reds.dropFirst() {
      common.suspects.removeAll { !red.suspects.contains($0) }
      common.isOwn = common.isOwn && red.isOwn
    }
    if common.isOwn || !common.suspects.isEmpty { return common }
    return reds.min { $0.suspects.count < $1.suspects.count }
  }
}
