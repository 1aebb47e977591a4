import Kernel

/// Ends of instances as they count against a new version: those that the old version's instances do not share.
///
/// A machine that restarts, or a dependency without which nothing starts, ends instances of both. Ends that follow each
/// other within `lapse` are one bout, and within it the old version's ends excuse the new one's:
/// - ends in a row of one instance by as many as any one instance of the old version has had in a row;
/// - all ends by all of the old version's, times the ratio of the instances: one restart ends each instance once.
///
/// A crash loop of the new version alone goes on beyond that. So does one of both in the end, because what excuses is
/// bounded by `rounds`: a version that drags the old one along does not stay for ever.
package struct CrashCount: Codable, Equatable, Sendable {
  /// How many instances each version has, 1 or more; where it is not known, as many as the other.
  package struct Instances: Sendable {
    let new: Int
    let old: Int
    package init(new: Int?, old: Int?) {
      self.new = max(new ?? old ?? 1, 1)
      self.old = max(old ?? new ?? 1, 1)
    }
  }
  private struct Bout: Codable, Equatable, Sendable {
    let from: Instant
    var through: Instant
    var ends = 0
    var oldEnds = 0
    /// The most in a row of any one instance of the old version.
    var oldInRow = 0

    func isOver(at: Instant) -> Bool { at - through > lapse || (ends == 0 && at - from > lapse) }
    /// O(1).
    func counted(_ instances: Instances) -> Int { max(ends - oldEnds * instances.new / instances.old, 0) }
  }

  /// Of the new version's instances, those excused included.
  package private(set) var ends = 0
  /// Of the old version's instances, as far as they may excuse.
  package private(set) var oldEnds = 0
  /// What earlier bouts left unexcused.
  private var settled = 0
  private var bout: Bout?

  /// An end excuses none that comes later than this after the bout's last. A machine restarts both versions within it,
  /// and restarts of one that cannot start are 10 s apart at most.
  package static let lapse = Span.minutes(2)
  /// Each instance is excused at most this many times `crashLimit` ends: at the default limit 12 of them, which with
  /// the platform's pauses between restarts are a minute to two of trouble.
  package static let rounds = 4

  package init() {}

  package static func mostOldEnds(_ instances: Instances, crashLimit: Int) -> Int {
    instances.old * rounds * crashLimit
  }

  package mutating func note(at: Instant, _ instances: Instances) {
    ends += 1
    var bout = begun(at, instances)
    bout.ends += 1
    self.bout = bout
  }

  /// One beyond those that may excuse is not counted.
  /// - Parameter inRow: of that instance, as the platform counts, 1 or more.
  package mutating func noteOld(inRow: Int, at: Instant, _ instances: Instances, crashLimit: Int) {
    guard oldEnds < Self.mostOldEnds(instances, crashLimit: crashLimit) else { return }
    oldEnds += 1
    var bout = begun(at, instances)
    bout.oldEnds += 1
    bout.oldInRow = max(bout.oldInRow, min(inRow, Self.rounds * crashLimit))
    self.bout = bout
  }

  /// The bout that an end at this time belongs to; the one before, if it is over, is settled.
  private mutating func begun(_ at: Instant, _ instances: Instances) -> Bout {
    if let bout, bout.isOver(at: at) {
      settled += bout.counted(instances)
      self.bout = nil
    }
    var bout = bout ?? Bout(from: at, through: at)
    // Reports of two versions come in any order.
    bout.through = max(bout.through, at)
    return bout
  }

  /// All ends, without those that the old version's excuse.
  package func counted(_ instances: Instances) -> Int { settled + (bout?.counted(instances) ?? 0) }

  /// Ends in a row of one instance, the latest noted, without those that an instance of the old version has had too.
  package func counted(inRow: Int) -> Int { max(inRow - oldInRow, 0) }

  /// The most ends in a row of any one instance of the old version in this bout.
  package var oldInRow: Int { bout?.oldInRow ?? 0 }

  /// ", and `who` once", for a sentence; empty where they did not end.
  package static func words(_ who: String, ended times: Int) -> String {
    switch times {
    case ..<1: ""
    case 1: ", and \(who) once"
    default: ", and \(who) \(times) times"
    }
  }
}
