import Kernel

/// What is told of the seconds that are still waited for: an outcome may come before the exposure that it belongs to.
struct OpenSeconds: Sendable {
  /// One outcome or conversion, as short as it can be said.
  struct Pending: Sendable {
    let unit: UInt64?
    let trace: UInt64?
    let cohort: Cohort?
    /// A bit for each guardrail of which it is a trial, and of which it is an event.
    let trials: UInt8
    let events: UInt8
    let isConversion: Bool
    /// Milliseconds since 1970.
    let at: Int64
  }

  struct Open: Sendable {
    /// Since 1970.
    let second: Int64
    var pending: [Pending] = []
    /// One a guardrail: what sources counted themselves.
    var counted: [CohortCounts]
    /// Exposed for the first time in `unitsEpoch`.
    var units = Cohorts.zero
    var unitsEpoch = Int.min
  }

  struct CohortCounts: Equatable, Sendable {
    var trials = Cohorts.zero
    var events = Cohorts.zero
  }

  enum Admission { case open(Int), late, ahead, full }

  /// Sorted by second.
  private(set) var open: [Open] = []
  private(set) var closedThrough = Int64.min
  private var pendings = 0
  private let guardrails: Int

  /// Six seconds of 20,000 requests/s; seven megabytes.
  static let mostPending = 131_072

  init(guardrails: Int) { self.guardrails = guardrails }

  func isClosed(_ second: Int64) -> Bool { second <= closedThrough }

  private mutating func place(of second: Int64, now: Int64) -> Admission {
    if second <= closedThrough { return .late }
    guard second <= now + SeenSeconds.ahead else { return .ahead }
    let at = open.lastIndex { $0.second <= second }.map { open[$0].second == second ? $0 : $0 + 1 } ?? 0
    if at == open.count || open[at].second != second {
      guard open.count < SecondBuffer.mostOpen else { return .full }
      open.insert(
        Open(second: second, counted: [CohortCounts](repeating: CohortCounts(), count: guardrails)), at: at)
    }
    return .open(at)
  }

  mutating func add(_ pending: Pending, second: Int64, now: Int64) -> Admission {
    let place = place(of: second, now: now)
    guard case .open(let at) = place else { return place }
    guard pendings < OpenSeconds.mostPending else { return .full }
    open[at].pending.append(pending)
    pendings += 1
    return place
  }

  mutating func add(_ counts: CohortCounts, guardrail: Int, second: Int64, now: Int64) -> Admission {
    let place = place(of: second, now: now)
    guard case .open(let at) = place else { return place }
    open[at].counted[guardrail].trials = open[at].counted[guardrail].trials + counts.trials
    open[at].counted[guardrail].events = open[at].counted[guardrail].events + counts.events
    return place
  }

  /// A unit that is exposed for the first time in an epoch. Later epochs take the second over.
  mutating func addUnit(_ cohort: Cohort, epoch: Int, second: Int64, now: Int64) -> Admission {
    let place = place(of: second, now: now)
    guard case .open(let at) = place, epoch >= open[at].unitsEpoch else { return place }
    if epoch > open[at].unitsEpoch {
      open[at].unitsEpoch = epoch
      open[at].units = .zero
    }
    open[at].units[cohort] += 1
    return place
  }

  /// The seconds up to `through`, oldest first, each once.
  mutating func close(through: Int64) -> [Open] {
    let count = open.prefix { $0.second <= through }.count
    let closed = Array(open.prefix(count))
    open.removeFirst(count)
    pendings -= closed.reduce(0) { $0 + $1.pending.count }
    closedThrough = max(closedThrough, through)
    return closed
  }

  /// The clock was set back: nothing is closed anew, and what was told of times that are yet to come is dropped.
  mutating func setBack(to now: Int64) {
    closedThrough = min(closedThrough, now)
    open.removeAll { $0.second > now + SeenSeconds.ahead }
    pendings = open.reduce(0) { $0 + $1.pending.count }
  }
}
