import RealModule

/// What a lane's own history says of how often changes are bad and runs lie; kept in the machine's state.
///
/// Counts that fade: each outcome weighs 1 when it comes and `fading` less with every later one, on top of a prior that
/// never fades. Failures cluster (P(fail | the one before failed) is 0.26 to 0.78 where P(fail) is 0.07 to 0.19,
/// research/merge-queue.md §0, finding 6), so changes behind a bad one are counted apart too, and right after a
/// failure it is their rate that counts.
package struct RateEstimate: Codable, Equatable, Sendable {
  /// What came of one change.
  package enum Outcome: String, Codable, Sendable {
    case landed
    case ejected
  }

  private struct Verdict: Codable, Equatable, Sendable {
    let place: Int
    let isBad: Bool
  }

  private var good = 0.0
  private var bad = 0.0
  /// Of those that stood right behind a bad one.
  private var goodAfterBad = 0.0
  private var badAfterBad = 0.0
  /// The last in the line with a verdict, rising by place. Verdicts come batch by batch; what clusters are neighbours.
  private var recent: [Verdict] = []
  private var honestRuns = 0.0
  private var flakes = 0.0

  package init() {}

  /// A change left the queue with a verdict; not one that was withdrawn.
  ///
  /// - Parameter place: Its number in the order of submission.
  package mutating func note(_ outcome: Outcome, place: Int) {
    let isBad = outcome == .ejected
    good *= RateEstimate.fading
    bad *= RateEstimate.fading
    if isBad { bad += 1 } else { good += 1 }
    let index = recent.firstIndex { $0.place > place } ?? recent.endIndex
    recent.insert(Verdict(place: place, isBad: isBad), at: index)
    guard recent.count > RateEstimate.mostRecent else { return }
    let oldest = recent.removeFirst()
    guard oldest.isBad else { return }
    goodAfterBad *= RateEstimate.fading
    badAfterBad *= RateEstimate.fading
    if recent[0].isBad { badAfterBad += 1 } else { goodAfterBad += 1 }
  }

  /// A run ended, and it is known by now whether it lied: `isFlake` for a red that its tree did not deserve. Not of
  /// runs that the world broke off, and not of reds that nothing has explained yet.
  package mutating func noteRun(isFlake: Bool) {
    honestRuns *= RateEstimate.runFading
    flakes *= RateEstimate.runFading
    if isFlake { flakes += 1 } else { honestRuns += 1 }
  }

  package var rates: FailureRates {
    let prior = RateEstimate.priorWeight
    let overall = (bad + prior * RateEstimate.priorFailure) / (bad + good + prior)
    let weight = RateEstimate.clusterWeight
    let after = (badAfterBad + weight * overall) / (badAfterBad + goodAfterBad + weight)
    let wasBad = recent.suffix(RateEstimate.neighbours).contains(where: \.isBad)
    let isClustered = wasBad && after > overall * RateEstimate.clusterFactor
    let runs = RateEstimate.priorRuns
    return FailureRates(
      change: isClustered ? after : overall,
      flake: max(
        RateEstimate.leastFlake, (flakes + runs * RateEstimate.priorFlake) / (flakes + honestRuns + runs)),
      isClustered: isClustered)
  }

  /// Half of the weight is in the last 70 changes: a lane's week rather than its year.
  private static let fading = 0.99
  /// Flakes are rarer than failures and change more slowly: half of the weight in the last 350 runs.
  private static let runFading = 0.998
  /// Chrome 8.5 %, seven other projects 7 to 19 % (research/merge-queue.md §0 and §2.5).
  private static let priorFailure = 0.08
  private static let priorWeight = 10.0
  /// Google: 1.5 % of runs are flaky (research/merge-queue.md §2.5).
  private static let priorFlake = 0.015
  private static let priorRuns = 40.0
  /// Assuming too few flakes ejects the innocent; assuming some costs a run now and then.
  private static let leastFlake = 0.01
  /// Verdicts kept in order of the line until their neighbours have theirs.
  private static let mostRecent = 64
  /// A failure among the last so many is recent.
  private static let neighbours = 3
  /// Outcomes after a failure that weigh as much as the overall rate: there are few of them.
  private static let clusterWeight = 10.0
  /// Rates after a failure below this many times the overall one are chance.
  private static let clusterFactor = 1.5
}

/// How long one lane's runs take: the logarithm's mean and deviation, fading; kept in the machine's state.
package struct DurationEstimate: Codable, Equatable, Sendable {
  private var count = 0.0
  private var meanLog = 0.0
  private var squares = 0.0

  package init() {}

  /// A run ended by itself, green or red, after `seconds`, above 0; not one that was stopped or lost.
  package mutating func note(seconds: Double) {
    guard seconds > 0 else { return }
    count = count * DurationEstimate.fading + 1
    squares *= DurationEstimate.fading
    let away = Double.log(seconds) - meanLog
    meanLog += away / count
    squares += away * (Double.log(seconds) - meanLog)
  }

  /// Whether any run was seen.
  package var isKnown: Bool { count > 0 }
  /// Seconds; nil before the first run.
  package var median: Double? { isKnown ? Double.exp(meanLog) : nil }
  /// Standard deviation of the natural logarithm; a guess that fades in with the first runs.
  package var logDeviation: Double {
    let prior = DurationEstimate.priorRuns
    let guess = DurationEstimate.priorDeviation * DurationEstimate.priorDeviation
    return ((squares + prior * guess) / (count + prior)).squareRoot()
  }
  /// Seconds within which `deviations` standard deviations end; nil before the first run.
  package func seconds(deviations: Double) -> Double? {
    isKnown ? Double.exp(meanLog + deviations * logDeviation) : nil
  }

  /// 99 of 100 stay below so many standard deviations of the normal distribution.
  package static let deviationsOf99 = 2.33
  /// Half of the weight is in the last 35 runs: CI gets slower by commits, not by years.
  private static let fading = 0.98
  /// Uber's builds scatter by about .5 over all targets, one lane's by .15 (research/merge-queue.md §2.8): between.
  private static let priorDeviation = 0.3
  private static let priorRuns = 5.0
}
