/// Knows every outcome, so builds only what is needed, once; lands in order.
package struct OraclePolicy: TrialPolicy {
  private var graph: ConflictGraph
  private var waiting: [Int] = []
  private var isBuilt: [Bool]

  package init(changes: Int) {
    graph = ConflictGraph(changes: changes)
    isBuilt = Array(repeating: false, count: changes)
  }

  package mutating func arrived(_ change: Int, on farm: inout CIFarm) {
    graph.arrived(change, on: farm)
    waiting.append(change)
  }
  package mutating func ended(_ build: CIFarm.Ended, on farm: inout CIFarm) {
    isBuilt[build.build.tip] = true
    resolve(build.build.tip, on: &farm)
  }
  package mutating func settle(on farm: inout CIFarm) {
    while farm.freeSlots > 0, let next = waiting.first {
      waiting.removeFirst()
      farm.start([next])
    }
  }

  private mutating func resolve(_ change: Int, on farm: inout CIFarm) {
    var due = [change]
    while let next = due.popLast() {
      guard farm.isPending(next), isBuilt[next], graph.ahead[next].isEmpty else { continue }
      if farm.wouldPass(next) { farm.land(next) } else { farm.eject(next) }
      due += graph.behind[next]
      graph.left(next)
    }
  }
}

/// One at a time in each conflict lane: a change builds when all ahead of it have left.
package struct SingleQueuePolicy: TrialPolicy {
  private var graph: ConflictGraph
  private var waiting: [Int] = []

  package init(changes: Int) { graph = ConflictGraph(changes: changes) }

  package mutating func arrived(_ change: Int, on farm: inout CIFarm) {
    graph.arrived(change, on: farm)
    if graph.ahead[change].isEmpty { waiting.append(change) }
  }
  package mutating func ended(_ build: CIFarm.Ended, on farm: inout CIFarm) {
    let change = build.build.tip
    if build.isGreen { farm.land(change) } else { farm.eject(change) }
    let behind = graph.behind[change]
    graph.left(change)
    waiting += behind.filter { graph.ahead[$0].isEmpty }
  }
  package mutating func settle(on farm: inout CIFarm) {
    while farm.freeSlots > 0, let next = waiting.min() {
      waiting.removeAll { $0 == next }
      farm.start([next])
    }
  }
}

/// Zuul's dependent pipeline: each change is built with all ahead of it that are not failing; when one fails, those
/// behind it start anew without it (zuul/manager/dependent.py; research §2.1).
///
/// Once red, a change is taken for failing until a build of it is green, also while it starts anew for the sake of one
/// ahead. Counting it in again meanwhile restarts all behind it twice: at an overlap of .125 that took 8 builds a change
/// and 5 times the Oracle's median, where the published row has 2.56 and 1.41.
package struct OptimisticPolicy: TrialPolicy {
  /// How many of the line may be built at once.
  package struct Window: Sendable {
    package var size: Int
    package let floor: Int
    /// Zuul's defaults: 20, +1 for each that lands, halved for each that fails, never under 3.
    package static let additive = Window(size: 20, floor: 3)
    package init(size: Int, floor: Int) {
      self.size = size
      self.floor = floor
    }
  }
  private enum Result { case none, running(Int), green, red }

  private var graph: ConflictGraph
  private var window: Window?
  /// What the current build of each change assumes to land, those that landed since left out.
  private var assumed: [[Int]]
  private var results: [Result]
  private var isFailing: [Bool]
  /// Whether who is ahead of it, or is failing there, may have changed since `assumed` was compared with it.
  private var isStale: [Bool]

  package init(changes: Int, window: Window?) {
    graph = ConflictGraph(changes: changes)
    self.window = window
    assumed = Array(repeating: [], count: changes)
    results = Array(repeating: .none, count: changes)
    isFailing = Array(repeating: false, count: changes)
    isStale = Array(repeating: true, count: changes)
  }

  package mutating func arrived(_ change: Int, on farm: inout CIFarm) { graph.arrived(change, on: farm) }
  package mutating func ended(_ build: CIFarm.Ended, on farm: inout CIFarm) {
    results[build.build.tip] = build.isGreen ? .green : .red
    isFailing[build.build.tip] = !build.isGreen
    for other in graph.behind[build.build.tip] { isStale[other] = true }
  }
  package mutating func settle(on farm: inout CIFarm) {
    while step(on: &farm) {}
  }

  /// Whether anything left, so that another look is due.
  private mutating func step(on farm: inout CIFarm) -> Bool {
    var didLeave = false
    for (place, change) in farm.pending.enumerated() {
      if let window, place >= window.size { break }
      if isStale[change] {
        isStale[change] = false
        if assumed[change] != base(of: change) { giveUp(change, on: &farm) }
      }
      switch results[change] {
      case .none:
        guard farm.freeSlots > 0 else { continue }
        let base = base(of: change)
        assumed[change] = base
        results[change] = .running(farm.start(base + [change]).id)
      case .running: continue
      case .green, .red:
        guard graph.ahead[change].isEmpty else { continue }
        leave(change, on: &farm)
        didLeave = true
      }
    }
    return didLeave
  }

  /// Those ahead that are not failing.
  private func base(of change: Int) -> [Int] { graph.ahead[change].filter { !isFailing[$0] } }

  private mutating func giveUp(_ change: Int, on farm: inout CIFarm) {
    if case .running(let id) = results[change] { farm.stop(id) }
    results[change] = .none
  }

  private mutating func leave(_ change: Int, on farm: inout CIFarm) {
    if case .green = results[change] {
      farm.land(change)
      for other in graph.behind[change] {
        if let place = assumed[other].firstIndex(of: change) {
          assumed[other].remove(at: place)
        } else {
          // It was taken for failing there: what was built without it says nothing.
          giveUp(other, on: &farm)
        }
      }
      if let size = window?.size { window?.size = size + 1 }
    } else {
      farm.eject(change)
      if let current = window { window?.size = max(current.floor, current.size / 2) }
    }
    for other in graph.behind[change] { isStale[other] = true }
    graph.left(change)
  }
}

/// SubmitQueue's speculation: builds in order of the probability that they are needed, each outcome ahead with the
/// same constant probability until its own likeliest build has ended; a build ends only when it is refuted (research
/// §2.3, §2.8).
package struct BestFirstPolicy: TrialPolicy {
  /// That each change ahead lands: .95 is best-first with a constant prior, .5 cannot tell, so speculates on all.
  private let prior: Double
  /// Other builds of a change than its best are made from here on; 0 is none refused.
  private let threshold: Double
  /// Research §2.8.
  static let mostPaths = 8
  /// Once the likeliest of its builds that ended was green, or red. A choice: the research does not say.
  private static let seenGreen = 0.98
  private static let seenRed = 0.05

  private var graph: ConflictGraph
  /// Of each change: the choices, and whether they must be made anew.
  private var choices: [[Choice]]
  private var isStale: [Bool]
  private struct Choice {
    let probability: Double
    let without: [Int]
    /// A build of the change stands for it.
    var isBuilt = false
  }
  private var paths: [[Path]]

  private struct Path {
    /// Assumed to land, of those pending.
    var with: [Int]
    /// Assumed to be ejected, of those pending.
    var without: [Int]
    var id: Int
    /// Nil while it runs.
    var isGreen: Bool?
  }

  package init(changes: Int, prior: Double, threshold: Double) {
    self.prior = prior
    self.threshold = threshold
    graph = ConflictGraph(changes: changes)
    paths = Array(repeating: [], count: changes)
    choices = Array(repeating: [], count: changes)
    isStale = Array(repeating: true, count: changes)
  }

  package mutating func arrived(_ change: Int, on farm: inout CIFarm) { graph.arrived(change, on: farm) }
  package mutating func ended(_ build: CIFarm.Ended, on farm: inout CIFarm) {
    let tip = build.build.tip
    if let index = paths[tip].firstIndex(where: { $0.id == build.build.id }) {
      paths[tip][index].isGreen = build.isGreen
      for other in graph.behind[tip] { isStale[other] = true }
      resolve(tip, on: &farm)
    }
  }

  private mutating func resolve(_ change: Int, on farm: inout CIFarm) {
    var due = [change]
    while let next = due.popLast() {
      guard farm.isPending(next), graph.ahead[next].isEmpty,
        let isGreen = paths[next].lazy.compactMap(\.isGreen).first
      else { continue }
      if isGreen { farm.land(next) } else { farm.eject(next) }
      for path in paths[next] where path.isGreen == nil { farm.stop(path.id) }
      for other in graph.behind[next] {
        for path in paths[other] where path.isGreen == nil && (isGreen ? path.without : path.with).contains(next) {
          farm.stop(path.id)
        }
        let chance = lands(other)
        paths[other].removeAll { (isGreen ? $0.without : $0.with).contains(next) }
        isStale[other] = true
        for index in paths[other].indices {
          paths[other][index].with.removeAll { $0 == next }
          paths[other][index].without.removeAll { $0 == next }
        }
        if lands(other) != chance { for third in graph.behind[other] { isStale[third] = true } }
      }
      due += graph.behind[next]
      graph.left(next)
    }
  }

  package mutating func settle(on farm: inout CIFarm) {
    guard farm.freeSlots > 0 else { return }
    var wanted = Wants(limit: farm.freeSlots)
    for change in farm.pending {
      if isStale[change] {
        choices[change] = likeliest(change).map { choice in
          Choice(
            probability: choice.probability, without: choice.without,
            isBuilt: paths[change].contains { $0.without == choice.without })
        }
        isStale[change] = false
      }
      // The likeliest come first: behind one that is refused there is none to take.
      for (rank, choice) in choices[change].enumerated() where !choice.isBuilt {
        guard wanted.mayTake(choice.probability) else { break }
        wanted.take(
          Want(probability: choice.probability, change: change, flips: choice.without.count, rank: rank))
      }
    }
    for want in wanted.kept {
      choices[want.change][want.rank].isBuilt = true
      let without = choices[want.change][want.rank].without
      let with = graph.ahead[want.change].filter { !without.contains($0) }
      let build = farm.start(with + [want.change])
      paths[want.change].append(Path(with: with, without: without, id: build.id, isGreen: nil))
    }
  }

  private func lands(_ change: Int) -> Double {
    if prior == 0.5 { return prior }
    let ended = paths[change].filter { $0.isGreen != nil }.min { $0.without.count < $1.without.count }
    guard let ended else { return prior }
    return ended.isGreen == true ? Self.seenGreen : Self.seenRed
  }

  /// The likeliest paths of one change, each as those that it assumes to be ejected: as expected, then with one, then
  /// with two otherwise.
  private func likeliest(_ change: Int) -> [Choice] {
    let ahead = graph.ahead[change]
    let chances = ahead.map(lands)
    let expected = chances.map { $0 >= 0.5 }
    var all = 1.0
    for chance in chances { all *= max(chance, 1 - chance) }
    let odds = chances.map { min($0, 1 - $0) / max($0, 1 - $0) }
    let order = ahead.indices.sorted { (odds[$1], $1) < (odds[$0], $0) }.prefix(Self.mostPaths)
    var flips: [(probability: Double, places: [Int])] = [(all, [])]
    for one in order where all * odds[one] >= threshold { flips.append((all * odds[one], [one])) }
    for (index, one) in order.enumerated() where flips.count < 2 * Self.mostPaths {
      for other in order.dropFirst(index + 1) where all * odds[one] * odds[other] >= threshold {
        flips.append((all * odds[one] * odds[other], [one, other]))
      }
    }
    flips.sort { $0.probability > $1.probability }
    return flips.prefix(Self.mostPaths).map { flip in
      Choice(
        probability: flip.probability,
        without: ahead.indices.filter { expected[$0] == flip.places.contains($0) }.map { ahead[$0] })
    }
  }
}

extension BestFirstPolicy {
  /// A build that would be worth a worker.
  private struct Want: Comparable {
    let probability: Double
    let change: Int
    /// How many of those ahead it assumes to be ejected.
    let flips: Int
    /// Among the choices of its change.
    let rank: Int

    /// The likelier first; no two are equal.
    static func < (left: Want, right: Want) -> Bool {
      (right.probability, left.change, left.flips, left.rank)
        < (left.probability, right.change, right.flips, right.rank)
    }
  }

  /// The first of many wants, as many as workers are free. Thousands are wanted and few are free most often: to sort
  /// all of them at each end of a build took most of a run's time.
  private struct Wants {
    let limit: Int
    /// In order, at most `limit`.
    private(set) var kept: [Want] = []

    init(limit: Int) { self.limit = limit }

    func mayTake(_ probability: Double) -> Bool {
      guard kept.count == limit, let last = kept.last else { return true }
      return probability >= last.probability
    }

    mutating func take(_ want: Want) {
      if kept.count == limit {
        guard let last = kept.last, want < last else { return }
        kept.removeLast()
      }
      var (low, high) = (0, kept.count)
      while low < high {
        let middle = (low + high) / 2
        if kept[middle] < want { low = middle + 1 } else { high = middle }
      }
      kept.insert(want, at: low)
    }
  }
}
