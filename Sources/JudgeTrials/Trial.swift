import Statistics

/// What came of many deploys of one cell in one contender's hands.
package struct Tally: Equatable, Sendable {
  package let contender: Contender
  package private(set) var deploys = 0
  /// Milliseconds from begin to rollback, of those that were rolled back, rising.
  package private(set) var rolledBackMs: [Int] = []

  package init(_ contender: Contender) { self.contender = contender }

  package var share: Double { deploys == 0 ? 0 : Double(rolledBackMs.count) / Double(deploys) }
  /// Clopper and Pearson's limits of the true share at 95 %.
  package var limits: ClosedRange<Double> {
    let low = Binomial.upperBound(events: deploys - rolledBackMs.count, trials: deploys, confidence: 0.975)
    let high = Binomial.upperBound(events: rolledBackMs.count, trials: deploys, confidence: 0.975)
    let least = rolledBackMs.isEmpty ? 0 : 1 - low
    return min(least, high)...high
  }
  /// The time within which `part` (0 to 1) of all deploys were rolled back; nil when fewer ever were.
  package func seconds(for part: Double) -> Double? {
    let index = Int((Double(deploys) * part).rounded(.up)) - 1
    return rolledBackMs.indices.contains(index) ? Double(rolledBackMs[index]) / 1000 : nil
  }

  mutating func add(_ outcomes: [Int?]) {
    deploys += outcomes.count
    rolledBackMs = (rolledBackMs + outcomes.compactMap(\.self)).sorted()
  }
  /// Of another part of the same cell's seeds.
  package mutating func add(_ other: Tally) {
    deploys += other.deploys
    rolledBackMs = (rolledBackMs + other.rolledBackMs).sorted()
  }
}

/// One cell's deploys, each given to every contender.
package enum Trial {
  /// Sorted as `contenders`. The same cell and seeds give the same tallies on every machine; parts of the seeds can be
  /// run apart and added.
  package static func run(_ cell: Cell, seeds: Range<UInt64>, contenders: [Contender]) -> [Tally] {
    var outcomes: [[Int?]] = contenders.map { _ in [] }
    for seed in seeds {
      let deploy = Deploy(cell, seed: seed)
      for (index, contender) in contenders.enumerated() { outcomes[index].append(contender.rolledBackMs(deploy)) }
    }
    return zip(contenders, outcomes).map { contender, outcomes in
      var tally = Tally(contender)
      tally.add(outcomes)
      return tally
    }
  }
}
