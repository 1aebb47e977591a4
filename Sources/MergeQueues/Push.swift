import Kernel

extension MergeQueue {
  /// The push of a build's tip: all of its members land at once.
  package struct Push: Codable, Equatable, Sendable {
    package let build: Int
    /// In order of landing.
    package let steps: [Step]
    /// The trunk that it stands on.
    package let base: CommitID
    /// Whether the build had passed when the push was decided, as the state knew it apart from the event.
    package let isProven: Bool
    /// Landings that the tested tree does not hold.
    package let beside: [Int]
    package let since: Instant
    package init(build: Int, steps: [Step], base: CommitID, isProven: Bool, beside: [Int], since: Instant) {
      self.build = build
      self.steps = steps
      self.base = base
      self.isProven = isProven
      self.beside = beside
      self.since = since
    }

    package var tip: CommitID { steps.last?.commit ?? base }
    package var members: [Int] { steps.map(\.entry) }

    /// Whether it pushed the commit that landed. Numbers before commits: asked for each of its members, of all of them.
    func lands(_ landing: Landing) -> Bool {
      guard build == landing.build else { return false }
      return steps.contains { $0.entry == landing.entry && $0.commit == landing.commit }
        || steps.contains { $0.commit == landing.commit }
    }
  }
}
