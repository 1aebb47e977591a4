import Kernel

/// Simulated CI: a number of workers, a clock, and the truth about what runs on them.
///
/// A policy starts and stops builds and says who landed and who was ejected; the farm tells how builds ended and
/// counts. Changes are numbers in the trace.
package struct CIFarm: Sendable {
  /// What a build that passes has shown.
  package enum Proof: Sendable {
    /// That its last member passes with the others in: it runs what the last member affects (SubmitQueue).
    case tip
    /// That all members together pass: it runs everything.
    case tree
  }

  package struct Build: Equatable, Sendable {
    package let id: Int
    /// As the policy gave them; the tip is the last.
    package let members: [Int]
    package let startedAt: Double
    package let endsAt: Double
    package var tip: Int { members[members.count - 1] }
  }

  package struct Ended: Equatable, Sendable {
    package let build: Build
    package let isGreen: Bool
  }

  package let trace: Trace
  package let slots: Int
  package let proof: Proof
  /// Seconds since the trace began.
  package internal(set) var now = 0.0
  package internal(set) var outcome: TrialOutcome

  private var running: [Int: (build: Build, isGreen: Bool)] = [:]
  private var ends = Heap()
  private var nextID = 0
  /// Runs so far with the change at the tip.
  private var runs: [Int]
  /// Fails with what has landed since it arrived.
  private var clashesWithTrunk: [Bool]
  private var isPending: [Bool]
  /// Arrived and neither landed nor ejected, in order of arrival.
  package private(set) var pending: [Int] = []

  package init(trace: Trace, slots: Int, proof: Proof = .tip, measured: ClosedRange<Double> = 0.175...0.825) {
    self.trace = trace
    self.slots = slots
    self.proof = proof
    let count = trace.changes.count
    outcome = TrialOutcome(changes: count, measured: measured)
    runs = Array(repeating: 0, count: count)
    clashesWithTrunk = Array(repeating: false, count: count)
    isPending = Array(repeating: false, count: count)
  }

  package var freeSlots: Int { slots - running.count }
  package func isPending(_ change: Int) -> Bool { isPending[change] }

  /// Takes a worker until `seconds` have passed (by default as long as the tip's builds take) or it is stopped. The
  /// caller sees to it that a slot is free. The members stand on the trunk as it is.
  @discardableResult
  package mutating func start(_ members: [Int], seconds: Double? = nil) -> Build {
    let tip = members[members.count - 1]
    let build = Build(
      id: nextID, members: members, startedAt: now,
      endsAt: now + (seconds ?? trace.changes[tip].durationSeconds))
    nextID += 1
    let isFlake = trace.isFlake(tip: tip, run: runs[tip])
    runs[tip] += 1
    running[build.id] = (build, !isFlake && passes(members))
    ends.push(Heap.End(seconds: build.endsAt, id: build.id))
    outcome.builds += 1
    return build
  }

  /// Its worker is free at once; nothing is learned.
  package mutating func stop(_ id: Int) {
    if running.removeValue(forKey: id) != nil { outcome.stopped += 1 }
  }

  package mutating func land(_ change: Int) {
    if trace.changes[change].isBad || clashesWithTrunk[change] { outcome.brokenLandings += 1 }
    outcome.landed += 1
    resolve(change)
    for other in pending where !clashesWithTrunk[other] && trace.doConflict(change, other) {
      clashesWithTrunk[other] = true
    }
  }

  package mutating func eject(_ change: Int) {
    if !trace.changes[change].isBad, !clashesWithTrunk[change] { outcome.falseEjections += 1 }
    outcome.ejected += 1
    resolve(change)
  }

  /// The truth, for policies that know it: whether it passes on the trunk as it is with these ahead of it.
  package func wouldPass(_ change: Int, with ahead: [Int] = []) -> Bool {
    !trace.changes[change].isBad && !clashesWithTrunk[change] && !ahead.contains { trace.doConflict($0, change) }
  }

  private func passes(_ members: [Int]) -> Bool {
    switch proof {
    case .tip: wouldPass(members[members.count - 1], with: Array(members.dropLast()))
    case .tree: members.indices.allSatisfy { wouldPass(members[$0], with: Array(members[..<$0])) }
    }
  }

  private mutating func resolve(_ change: Int) {
    precondition(isPending[change], "a change leaves the queue once")
    isPending[change] = false
    if let index = pending.firstIndex(of: change) { pending.remove(at: index) }
    outcome.lastLeftSeconds = now
    outcome.note(change, waited: now - trace.changes[change].arrivalSeconds)
  }

  mutating func arrive(_ change: Int) {
    isPending[change] = true
    pending.append(change)
  }

  /// When the next build ends; nil when none runs.
  mutating func nextEnd() -> Double? {
    while let end = ends.first {
      if running[end.id] != nil { return end.seconds }
      ends.pop()
    }
    return nil
  }

  mutating func endNext() -> Ended? {
    guard nextEnd() != nil, let end = ends.first, let entry = running.removeValue(forKey: end.id) else { return nil }
    ends.pop()
    return Ended(build: entry.build, isGreen: entry.isGreen)
  }
}

/// Ends of builds, soonest first; of equal ones, the build that started first.
private struct Heap: Sendable {
  struct End: Comparable, Sendable {
    let seconds: Double
    let id: Int
    static func < (left: End, right: End) -> Bool {
      left.seconds == right.seconds ? left.id < right.id : left.seconds < right.seconds
    }
  }
  private var ends: [End] = []
  var first: End? { ends.first }

  mutating func push(_ end: End) {
    ends.append(end)
    var child = ends.count - 1
    while child > 0, ends[child] < ends[(child - 1) / 2] {
      ends.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func pop() {
    guard let last = ends.popLast(), !ends.isEmpty else { return }
    ends[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < ends.count && ends[child] < ends[least] {
        least = child
      }
      if least == parent { return }
      ends.swapAt(parent, least)
      parent = least
    }
  }
}
