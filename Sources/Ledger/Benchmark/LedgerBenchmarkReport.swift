/// What `LedgerBenchmark` measured: each round, and medians over the rounds.
package struct LedgerBenchmarkReport: Codable, Equatable, Sendable {
  package struct Round: Codable, Equatable, Sendable {
    /// One `fdatasync` of an overwritten page.
    package let flushMicroseconds: Double
    package let singleInsertsPerSecond: Double
    package let durableAppendsPerSecond: Double
    package var ratio: Double { durableAppendsPerSecond / singleInsertsPerSecond }
  }

  package let concurrentStreams: Int
  package let rowBytes: Int
  package let rounds: [Round]
  package let flushMicroseconds: Double
  package let singleInsertsPerSecond: Double
  package let durableAppendsPerSecond: Double
  /// The median of the rounds' own ratios, as both sides of a round ran under the same load.
  package let ratio: Double

  init(concurrentStreams: Int, rowBytes: Int, rounds: [Round]) {
    self.concurrentStreams = concurrentStreams
    self.rowBytes = rowBytes
    self.rounds = rounds
    flushMicroseconds = median(rounds.map(\.flushMicroseconds))
    singleInsertsPerSecond = median(rounds.map(\.singleInsertsPerSecond))
    durableAppendsPerSecond = median(rounds.map(\.durableAppendsPerSecond))
    ratio = median(rounds.map(\.ratio))
  }

  /// A heading, one line for each round, and the medians.
  package var table: [String] {
    let heading = ["round", "flush us", "SQLite single inserts/s", "ledger appends/s", "ratio"]
    let rows = rounds.enumerated().map { index, round in
      cells(
        "\(index + 1)", round.flushMicroseconds, round.singleInsertsPerSecond, round.durableAppendsPerSecond,
        round.ratio)
    }
    let medians = cells("median", flushMicroseconds, singleInsertsPerSecond, durableAppendsPerSecond, ratio)
    return ([heading] + rows + [medians]).map { row in
      zip(row, heading).map { cell, title in
        String(repeating: " ", count: max(0, title.count - cell.count)) + cell
      }.joined(separator: "  ")
    }
  }

  private func cells(_ name: String, _ flush: Double, _ inserts: Double, _ appends: Double, _ ratio: Double)
    -> [String]
  {
    let tenths = Int((ratio * 10).rounded())
    return [
      name, "\(Int(flush.rounded()))", "\(Int(inserts.rounded()))", "\(Int(appends.rounded()))",
      "\(tenths / 10).\(tenths % 10)",
    ]
  }
}

/// The middle value, or the mean of the two in the middle; 0 of nothing.
private func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  guard !sorted.isEmpty else { return 0 }
  let middle = sorted.count / 2
  return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}
