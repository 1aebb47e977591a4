import Kernel
import MergeQueues
import RealModule
import Statistics

/// A repository's merges as a trace: real times and paths, failures put in by chance.
///
/// What landed passed, so a history has no failures. They are put in as they come in practice, in clusters: whether a
/// change is bad depends on whether the one before it was (research/merge-queue.md §0, finding 6).
package struct MergeHistory: Equatable, Sendable {
  /// One change that reached the trunk.
  package struct Merge: Equatable, Sendable {
    package let secondsSince1970: Double
    package let paths: [String]
    package init(secondsSince1970: Double, paths: [String]) {
      self.secondsSince1970 = secondsSince1970
      self.paths = paths
    }
  }

  /// Oldest first.
  package let merges: [Merge]
  package init(_ merges: [Merge]) {
    self.merges = merges.enumerated().sorted {
      ($0.element.secondsSince1970, $0.offset) < ($1.element.secondsSince1970, $1.offset)
    }.map(\.element)
  }

  /// What a history does not say.
  package struct Assumptions: Equatable, Sendable {
    /// Share of changes that are bad, 0 to below 1.
    package var failures: Double
    /// Share of those after a bad one that are bad, at least `failures`, below 1. 0.26 to 0.78 in seven projects
    /// (research, finding 6).
    package var clustering: Double
    /// Of CI: the median, seconds. Its logarithm deviates as in Model 2.
    package var medianSeconds: Double
    /// How many times as fast the changes come as they did.
    package var pace: Double
    package var seed: UInt64

    package static let defaultClustering = 0.4
    package init(
      failures: Double, clustering: Double = defaultClustering, medianSeconds: Double = Model2.medianSeconds,
      pace: Double = 1, seed: UInt64 = 1
    ) {
      self.failures = failures
      self.clustering = max(clustering, failures)
      self.medianSeconds = medianSeconds
      self.pace = pace
      self.seed = seed
    }

    /// - Throws: `Refusal.malformed` for a number that cannot be.
    package func validate() throws(Refusal) {
      guard (0..<1).contains(failures) else {
        throw Refusal(.malformed, "The share of bad changes is \(failures); give 0 to below 1, such as 0.08.")
      }
      guard (0..<1).contains(clustering) else {
        throw Refusal(.malformed, "The share of bad changes after a bad one is \(clustering); give 0 to below 1.")
      }
      guard medianSeconds > 0, pace > 0 else {
        throw Refusal(
          .malformed, "CI takes \(medianSeconds) s and changes come \(pace) times as fast; give more than 0.")
      }
    }
  }

  /// The share of bad changes is as asked on the long run, because of those after a good one just as many are bad as
  /// make up for the clusters: p(1 − c)/(1 − p).
  package func trace(_ assumed: Assumptions) -> RecordedTrace {
    var chance = Chance(seed: assumed.seed)
    var wasBad = chance.uniform() < assumed.failures
    let first = merges.first?.secondsSince1970 ?? 0
    let afterGood = assumed.failures * (1 - assumed.clustering) / (1 - assumed.failures)
    return RecordedTrace(
      rows: merges.map { merge in
        let isBad = wasBad
        wasBad = chance.uniform() < (isBad ? assumed.clustering : afterGood)
        return RecordedTrace.Row(
          arrivalSeconds: (merge.secondsSince1970 - first) / assumed.pace,
          durationSeconds: assumed.medianSeconds * Double.exp(Model2.logDeviation * chance.normal()), isBad: isBad,
          paths: merge.paths)
      }, hasPaths: true)
  }
}
