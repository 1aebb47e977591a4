/// What came of one trace in one policy's hands.
package struct TrialOutcome: Equatable, Sendable {
  package let changes: Int
  /// Part of the changes whose waits count, by arrival: the queue fills before it and empties after it.
  package let measured: ClosedRange<Double>
  package internal(set) var builds = 0
  /// Of the builds: ended by the policy before they were done.
  package internal(set) var stopped = 0
  package internal(set) var landed = 0
  package internal(set) var ejected = 0
  /// Of the ejected: would have passed on the trunk of that moment.
  package internal(set) var falseEjections = 0
  /// When the last change so far landed or was ejected, since the trace began.
  package internal(set) var lastLeftSeconds = 0.0
  /// Of the landed: would have failed on the trunk of that moment. Nothing that tests what it lands has any.
  package internal(set) var brokenLandings = 0
  /// From arrival to landing or ejection, of the measured changes, in the order in which they left.
  package private(set) var waits: [Double] = []

  init(changes: Int, measured: ClosedRange<Double>) {
    self.changes = changes
    self.measured = measured
  }

  mutating func note(_ change: Int, waited seconds: Double) {
    let share = (Double(change) + 0.5) / Double(changes)
    if measured.contains(share) { waits.append(seconds) }
  }

  package var buildsPerChange: Double { changes == 0 ? 0 : Double(builds) / Double(changes) }
  package var stoppedShare: Double { builds == 0 ? 0 : Double(stopped) / Double(builds) }

  /// Seconds that `part` (0 to 1) of the measured changes waited at most; 0 when none was measured.
  package func wait(_ part: Double) -> Double { Waits(waits).at(part) }
}

/// The distribution of waits.
package struct Waits: Equatable, Sendable {
  /// Rising.
  package let seconds: [Double]
  package init(_ seconds: [Double]) { self.seconds = seconds.sorted() }

  /// The smallest wait that `part` (0 to 1) of all do not exceed; 0 when there are none.
  package func at(_ part: Double) -> Double {
    guard let last = seconds.last else { return 0 }
    let index = Int((Double(seconds.count) * part).rounded(.up)) - 1
    return seconds.indices.contains(index) ? seconds[index] : (index < 0 ? seconds[0] : last)
  }
}
