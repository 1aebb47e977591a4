import RealModule

/// The rules that Model 2 compares, each as documented (research/merge-queue.md §1 and §2.8), not the products.
package enum Model2Policy: String, CaseIterable, Sendable {
  case serial
  /// bors-ng: one batch at a time, 16 at most; a red one is halved.
  case borsHalves = "bors-ng"
  /// GitHub with "only merge non-failing", and Zuul with a fixed window: one change a build, as many as slots.
  case githubStrict = "github"
  /// GitHub without it: a red entry lands with a later green that contains it.
  case githubHeadGreen = "github-headgreen"
  case zuul
  case trunk
  /// Batches of 5, a red one split into prefixes, as many as slots.
  case mergify
  /// The same with 1 to 10 by the queue's depth.
  case mergifyDynamic = "mergify-dynamic"
  /// The research's own rule: batches by the failure rate, prefixes at once.
  case rateAware = "rate-aware"
  /// One at a time while CI is under 10 minutes and merges under 20 a day, else batches of 2 to 3.
  case article
  case ours = "plimsoll"

  package static let rivals = allCases.filter { $0 != .ours }

  package func run(on farm: CIFarm) -> TrialOutcome {
    switch self {
    case .serial: PolicyRun.run(BatchLine(window: .fixed(1), batch: .fixed(1)), on: farm)
    case .borsHalves: PolicyRun.run(BatchLine(window: .fixed(1), batch: .fixed(16)), on: farm)
    case .githubStrict: PolicyRun.run(BatchLine(window: .fixed(farm.slots), batch: .fixed(1)), on: farm)
    case .githubHeadGreen:
      PolicyRun.run(BatchLine(window: .fixed(farm.slots), batch: .fixed(1), isOptimistic: true), on: farm)
    case .zuul: PolicyRun.run(BatchLine(window: .additive(start: 20, floor: 3), batch: .fixed(1)), on: farm)
    case .trunk:
      PolicyRun.run(BatchLine(window: .fixed(farm.slots), batch: .fixed(4), isOptimistic: true), on: farm)
    case .mergify:
      PolicyRun.run(
        BatchLine(window: .fixed(farm.slots), batch: .fixed(5), split: .prefixes(farm.slots)), on: farm)
    case .mergifyDynamic:
      PolicyRun.run(
        BatchLine(window: .fixed(farm.slots), batch: .byDepth(10), split: .prefixes(farm.slots)), on: farm)
    case .rateAware:
      PolicyRun.run(
        BatchLine(window: .fixed(farm.slots), batch: .byRate(16), split: .prefixes(16)), on: farm)
    case .article:
      PolicyRun.run(BatchLine(window: .fixed(1), batch: .fixed(3), split: .prefixes(3)), on: farm)
    case .ours: PolicyRun.run(PlannedQueue(slots: farm.slots), on: farm)
    }
  }
}

/// A line of batches, each built on those ahead of it; what all the rivals have in common.
///
/// A red head is resolved: a single change is ejected, a batch is split, and everything behind starts anew.
struct BatchLine: TrialPolicy {
  enum Window: Sendable {
    case fixed(Int)
    /// One more with each landing, half with each ejection.
    case additive(start: Int, floor: Int)
  }
  enum Size: Sendable {
    case fixed(Int)
    /// Waiting over free slots, at most this many.
    case byDepth(Int)
    /// The research's rule, at most this many.
    case byRate(Int)
  }
  enum Split: Sendable {
    /// That many parts, each with those before it; the whole is not tested again.
    case prefixes(Int)
  }

  private struct Group {
    var members: [Int]
    var state = State.idle
    /// What the build holds: those ahead, then its own.
    var built: [Int] = []
    /// Of a batch that was split.
    var isPart = false
    enum State: Equatable {
      case idle
      case running(Int)
      case green
      case red
    }
  }

  private let window: Window
  private let batch: Size
  private let split: Split
  private let isOptimistic: Bool
  private var width: Int
  private var groups: [Group] = []
  /// Not in a group, in order.
  private var waiting: [Int] = []
  /// The research's estimate of the failure rate; it began at 5 %.
  private var failure = 0.05

  init(window: Window, batch: Size, split: Split = .prefixes(2), isOptimistic: Bool = false) {
    self.window = window
    self.batch = batch
    self.split = split
    self.isOptimistic = isOptimistic
    switch window {
    case .fixed(let count): width = count
    case .additive(let start, _): width = start
    }
  }

  mutating func arrived(_ change: Int, on farm: inout CIFarm) { waiting.append(change) }

  mutating func ended(_ ended: CIFarm.Ended, on farm: inout CIFarm) {
    guard let index = groups.firstIndex(where: { $0.state == .running(ended.build.id) }) else { return }
    groups[index].state = ended.isGreen ? .green : .red
    if !ended.isGreen, !isOptimistic { restart(behind: index, on: &farm) }
  }

  mutating func settle(on farm: inout CIFarm) {
    while let head = groups.first {
      if let last = greenReach() {
        for index in 0...last { land(groups[index], on: &farm) }
        groups.removeFirst(last + 1)
      } else if head.state == .red, !(isOptimistic && mayAcquit(head)) {
        resolve(head, on: &farm)
      } else {
        break
      }
    }
    fill(on: &farm)
  }

  /// The last group up to which all lands now.
  private func greenReach() -> Int? {
    if isOptimistic {
      return groups.indices.last { index in
        groups[index].state == .green
          && groups[..<index].allSatisfy { ahead in groups[index].built.contains(ahead.members[0]) }
      }
    }
    return groups[0].state == .green ? 0 : nil
  }

  private func mayAcquit(_ head: Group) -> Bool {
    groups.dropFirst().prefix(BatchLine.acquittals).contains { group in
      guard case .running = group.state else { return false }
      return group.built.contains(head.members[0])
    }
  }

  /// Those behind a red that were built on it go on without it (Zuul: the nearest non-failing ahead).
  private mutating func restart(behind red: Int, on farm: inout CIFarm) {
    let bad = groups[red].members[0]
    for index in groups.indices where index > red && groups[index].built.contains(bad) {
      if groups[index].state == .red, groups[index].built.isEmpty { continue }
      reset(index, on: &farm)
    }
  }

  private mutating func reset(_ index: Int, on farm: inout CIFarm) {
    if case .running(let id) = groups[index].state { farm.stop(id) }
    if groups[index].built.isEmpty { return }
    groups[index].state = .idle
    groups[index].built = []
  }

  private mutating func land(_ group: Group, on farm: inout CIFarm) {
    if case .running(let id) = group.state { farm.stop(id) }
    for change in group.members {
      farm.land(change)
      failure *= BatchLine.fading
      if case .additive = window { width += 1 }
    }
  }

  private mutating func resolve(_ head: Group, on farm: inout CIFarm) {
    groups.removeFirst()
    if head.members.count == 1 {
      farm.eject(head.members[0])
      failure = failure * BatchLine.fading + 1 - BatchLine.fading
      if case .additive(_, let floor) = window { width = max(floor, width / 2) }
      // What was built without it stays; parts that follow a culprit are tested with the next batch.
      for index in groups.indices where groups[index].built.contains(head.members[0]) { reset(index, on: &farm) }
      if case .prefixes = split { dissolve(parts: true, on: &farm) }
      return
    }
    dissolve(parts: false, on: &farm)
    for index in groups.indices { reset(index, on: &farm) }
    groups.insert(contentsOf: parts(of: head.members), at: 0)
  }

  /// Groups go back into the waiting line: parts and all that follow them, or all but parts.
  private mutating func dissolve(parts: Bool, on farm: inout CIFarm) {
    guard !parts || groups.contains(where: \.isPart) else { return }
    var back: [Int] = []
    var kept: [Group] = []
    for index in groups.indices {
      if parts || !groups[index].isPart {
        if case .running(let id) = groups[index].state { farm.stop(id) }
        back += groups[index].members
      } else {
        kept.append(groups[index])
      }
    }
    groups = kept
    waiting.insert(contentsOf: back, at: 0)
  }

  private func parts(of members: [Int]) -> [Group] {
    switch split {
    case .prefixes(let most):
      let count = min(max(most, 2), members.count)
      var parts = (0..<count).map { part in
        Group(
          members: Array(members[(part * members.count / count)..<((part + 1) * members.count / count)]),
          isPart: true)
      }
      parts[count - 1].state = .red
      return parts
    }
  }

  private mutating func fill(on farm: inout CIFarm) {
    var ahead: [Int] = []
    var active = 0
    var index = 0
    while farm.freeSlots > 0, active < width {
      if index == groups.count {
        guard !waiting.isEmpty, !groups.contains(where: \.isPart) else { return }
        let count = min(size(free: farm.freeSlots), waiting.count)
        groups.append(Group(members: Array(waiting[..<count])))
        waiting.removeFirst(count)
      }
      if groups[index].state == .idle {
        let built = ahead + groups[index].members
        groups[index].state = .running(farm.start(built).id)
        groups[index].built = built
      }
      if groups[index].state != .red || isOptimistic { ahead += groups[index].members }
      active += 1
      index += 1
    }
  }

  private func size(free: Int) -> Int {
    let depth = (waiting.count + free - 1) / max(free, 1)
    switch batch {
    case .fixed(let count): return count
    case .byDepth(let most): return min(max(depth, 1), most)
    case .byRate(let most):
      if failure > BatchLine.singleAbove { return 1 }
      return max(1, min(depth, Int((BatchLine.sizeFactor / failure.squareRoot()).rounded()), most))
    }
  }

  /// How many behind a red head are waited for.
  private static let acquittals = 2
  /// The research's constants (merge-queue.md §2.8), set on its own seeds.
  private static let fading = 0.97
  private static let singleAbove = 0.11
  private static let sizeFactor = 1.35
}
