import Rollouts
import Statistics

/// What a detector says of one labelled deploy: a line of its answers file.
package struct DetectorAnswer: Codable, Equatable, Sendable {
  package let deploy: String
  package let rollback: Bool
  /// The second of the recording at whose end it decided; nil when it did not roll back.
  package let second: Int?
  /// `infrastructure`, `logic` or `performance`; nil when it did not roll back or does not say.
  package let cause: CauseClass?
  package init(deploy: String, rollback: Bool, second: Int?, cause: CauseClass?) {
    self.deploy = deploy
    self.rollback = rollback
    self.second = second
    self.cause = cause
  }
}

/// A share of deploys with Clopper and Pearson's limits at 95 %.
package struct Share: Codable, Equatable, Sendable {
  package private(set) var hits = 0
  package private(set) var of = 0
  package init() {}

  mutating func add(_ isHit: Bool) {
    of += 1
    if isHit { hits += 1 }
  }
  /// 0 to 1; nil of nothing.
  package var value: Double? { of == 0 ? nil : Double(hits) / Double(of) }
  package var limits: ClosedRange<Double> {
    let low = hits == 0 ? 0 : 1 - Binomial.upperBound(events: of - hits, trials: of, confidence: 0.975)
    return min(low, 1)...Binomial.upperBound(events: hits, trials: of, confidence: 0.975)
  }

  private enum CodingKeys: String, CodingKey { case hits, of, value, low, high }
  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    hits = try values.decode(Int.self, forKey: .hits)
    of = try values.decode(Int.self, forKey: .of)
  }
  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(hits, forKey: .hits)
    try values.encode(of, forKey: .of)
    try values.encodeIfPresent(value, forKey: .value)
    try values.encode(limits.lowerBound, forKey: .low)
    try values.encode(limits.upperBound, forKey: .high)
  }
}

/// How well a detector tells bad deploys from healthy ones.
package struct DetectorScore: Codable, Equatable, Sendable {
  /// A row for each kind of deploy, or for each class.
  package struct Row: Codable, Equatable, Sendable {
    package let name: String
    package var deploys = 0
    package var bad = 0
    /// Of the bad ones, after their trouble began.
    package var caught = 0
    /// Healthy ones rolled back, and bad ones before their trouble began.
    package var needless = 0
    package var aboveMDE = Share()
    package var causeRight = Share()
    /// From the second in which the trouble begins to the end of the one that decided, rising.
    package var seconds: [Int] = []
    package init(_ name: String) { self.name = name }

    /// The time within which `part` (0 to 1) of those that were caught were caught.
    package func seconds(for part: Double) -> Int? {
      let index = Int((Double(seconds.count) * part).rounded(.up)) - 1
      return seconds.indices.contains(index) ? seconds[index] : nil
    }
  }

  /// Recall by how large the worsening is.
  package struct Step: Codable, Equatable, Sendable {
    /// In times of the MDE, from here to the next step.
    package let from: Double
    package var caught = Share()
  }

  /// "Worsenings of at least twice the MDE".
  package static let wantedTimes = 2.0
  private static let steps: [Double] = [0, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10]

  package private(set) var deploys = 0
  /// Of all rollbacks, those of bad deploys after their trouble began.
  package private(set) var precision = Share()
  /// Of all bad deploys.
  package private(set) var recall = Share()
  /// Of the deploys with a worsening of at least `wantedTimes` the MDE.
  package private(set) var recallAboveMDE = Share()
  /// Of the bad deploys that were caught and whose cause was told.
  package private(set) var causeRight = Share()
  /// Healthy deploys whose evidence was lost, and those of them that were rolled back after that.
  package private(set) var rolledBackAfterLoss = Share()
  package private(set) var classes = DeployLabel.Class.allCases.map { Row($0.rawValue) }
  package private(set) var kinds = DeployLabel.Kind.allCases.map { Row($0.rawValue) }
  package private(set) var frontier = steps.map { Step(from: $0) }
  /// Deploys with at least `wantedTimes` the MDE that were missed, and healthy ones rolled back: names to replay.
  package private(set) var missed: [String] = []
  package private(set) var needless: [String] = []

  package init() {}

  /// - Parameter answer: nil when the detector says nothing of it, which is no rollback.
  package mutating func add(_ label: DeployLabel, _ answer: DetectorAnswer?) {
    let isRolledBack = answer?.rollback ?? false
    let second = answer?.second ?? LabelledDeploy.deploySecond + LabelledDeploy.watchSeconds - 1
    let isCaught = isRolledBack && label.begins.map { second >= $0 } ?? false
    deploys += 1
    if isRolledBack { precision.add(isCaught) }
    if label.bad { recall.add(isCaught) }
    let cause = isCaught ? answer?.cause : nil
    if let cause { causeRight.add(cause == label.cause) }
    if !label.bad, let lost = label.lost { rolledBackAfterLoss.add(isRolledBack && second >= lost) }
    if isRolledBack, !isCaught { needless.append(label.deploy) }
    let isAbove = label.timesMDE.map { $0 >= Self.wantedTimes } ?? false
    if isAbove {
      recallAboveMDE.add(isCaught)
      if !isCaught { missed.append(label.deploy) }
    }
    if label.measure != nil {
      let times = label.timesMDE ?? 0
      if let step = frontier.lastIndex(where: { $0.from <= times }) { frontier[step].caught.add(isCaught) }
    }
    func count(_ row: inout Row) {
      row.deploys += 1
      if label.bad { row.bad += 1 }
      if isRolledBack, !isCaught { row.needless += 1 }
      if isAbove { row.aboveMDE.add(isCaught) }
      if let cause { row.causeRight.add(cause == label.cause) }
      guard isCaught, let begins = label.begins else { return }
      row.caught += 1
      let took = second - begins + 1
      row.seconds.insert(took, at: row.seconds.firstIndex { $0 > took } ?? row.seconds.endIndex)
    }
    if let index = classes.firstIndex(where: { $0.name == label.class.rawValue }) { count(&classes[index]) }
    if let index = kinds.firstIndex(where: { $0.name == label.kind.rawValue }) { count(&kinds[index]) }
  }
}
