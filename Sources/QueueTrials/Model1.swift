import RealModule
import Statistics

/// Model 1 of the research (merge-queue.md §2.8): speculation over a conflict graph, one change a build.
///
/// Poisson arrivals; build times lognormal, median 27 minutes, deviation .5, between 5 and 120; 5 % fail by themselves;
/// a pair may conflict with probability `overlap`, and does with .0314 of those. A change depends on those that it may
/// conflict with and that are pending when it arrives.
package enum Model1 {
  package struct Cell: Hashable, Sendable {
    /// Changes an hour.
    package let arrivals: Int
    package let workers: Int
    package let overlap: Double
    package init(arrivals: Int, workers: Int, overlap: Double) {
      self.arrivals = arrivals
      self.workers = workers
      self.overlap = overlap
    }
    /// As printed: "300/300/.125".
    package var name: String { "\(arrivals)/\(workers)/\(overlap)" }
  }

  /// Issue "A merge queue that beats the best": arrival rate = workers.
  package static let cells = [0.05, 0.125].flatMap { overlap in
    [60, 100, 300, 500].map { Cell(arrivals: $0, workers: $0, overlap: overlap) }
  }

  package static let ownFailure = 0.05
  /// 1 - .6^(1/16): 40 % of changes fail at 16 concurrent ones that may conflict (Uber, EuroSys 2019).
  package static let conflictRate = 0.0314
  package static let medianSeconds = 27.0 * 60
  package static let logDeviation = 0.5
  package static let secondsRange = 300.0...7200.0

  package static func trace(_ cell: Cell, changes: Int, seed: UInt64) -> Trace {
    var chance = Chance(seed: seed &* 0x9e37_79b9 &+ UInt64(cell.arrivals) &+ UInt64(cell.overlap * 1e6) << 20)
    var now = 0.0
    let made = (0..<changes).map { _ in
      now += chance.exponential() * 3600 / Double(cell.arrivals)
      let seconds = medianSeconds * Double.exp(logDeviation * chance.normal())
      return Trace.Change(
        arrivalSeconds: now, durationSeconds: min(max(seconds, secondsRange.lowerBound), secondsRange.upperBound),
        isBad: chance.uniform() < ownFailure)
    }
    return Trace(
      changes: made, overlap: .byChance(cell.overlap), conflictRate: conflictRate, flakeRate: 0, seed: chance.next())
  }
}

/// Who waits for whom: of each pending change, those ahead that it may conflict with and that are still pending.
struct ConflictGraph: Sendable {
  /// Rising; of changes that are pending.
  private(set) var ahead: [[Int]]
  /// Pending changes that wait for this one, rising.
  private(set) var behind: [[Int]]

  init(changes: Int) {
    ahead = Array(repeating: [], count: changes)
    behind = Array(repeating: [], count: changes)
  }

  mutating func arrived(_ change: Int, on farm: CIFarm) {
    ahead[change] = farm.pending.filter { $0 != change && farm.trace.mayConflict($0, change) }
    for other in ahead[change] { behind[other].append(change) }
  }

  mutating func left(_ change: Int) {
    for other in behind[change] { ahead[other].removeAll { $0 == change } }
    for other in ahead[change] { behind[other].removeAll { $0 == change } }
    ahead[change] = []
    behind[change] = []
  }
}
