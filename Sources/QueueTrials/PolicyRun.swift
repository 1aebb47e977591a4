/// A way to run a queue, as the trials see it. Told what happens, it starts, stops, lands and ejects on the farm.
package protocol TrialPolicy {
  mutating func arrived(_ change: Int, on farm: inout CIFarm)
  mutating func ended(_ build: CIFarm.Ended, on farm: inout CIFarm)
  /// After all that happened at one moment.
  mutating func settle(on farm: inout CIFarm)
}

/// One trace in one policy's hands.
package enum PolicyRun {
  /// Until every change has left the queue, or nothing runs and nothing arrives any more (then some are missing in
  /// `landed` and `ejected`).
  package static func run(_ policy: some TrialPolicy, on farm: CIFarm) -> TrialOutcome {
    var policy = policy
    var farm = farm
    let changes = farm.trace.changes
    var arrived = 0
    while true {
      let arrival = arrived < changes.count ? changes[arrived].arrivalSeconds : nil
      let end = farm.nextEnd()
      guard let moment = [arrival, end].compactMap(\.self).min() else { return farm.outcome }
      farm.now = max(farm.now, moment)
      while farm.nextEnd().map({ $0 <= moment }) ?? false, let ended = farm.endNext() {
        policy.ended(ended, on: &farm)
      }
      while arrived < changes.count, changes[arrived].arrivalSeconds <= moment {
        farm.arrive(arrived)
        policy.arrived(arrived, on: &farm)
        arrived += 1
      }
      policy.settle(on: &farm)
    }
  }
}
