import Synchronization

/// All processes as they were a moment ago: several who look at once share one look at `/proc`.
final class RecentProcesses: Sendable {
  /// Less than what anyone waits between two looks (a second, for a rollout's watch).
  static let freshness = Duration.milliseconds(500)

  private let last = Mutex<(at: ContinuousClock.Instant, entries: [ProcessTable.Entry])?>(nil)

  /// O(processes), at most once in `freshness`.
  func all() -> [ProcessTable.Entry] {
    last.withLock { last in
      if let last, .now - last.at < Self.freshness { return last.entries }
      let entries = ProcessTable.all()
      last = (.now, entries)
      return entries
    }
  }
}
