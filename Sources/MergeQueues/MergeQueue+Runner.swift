import Kernel

/// The runner, as far as it is out of the ordinary: while it lives and can start runs, nothing is recorded of it.
extension MergeQueue {
  /// No run can start, or nothing was heard of the runner.
  package struct RunnerLoss: Codable, Equatable, Sendable {
    /// When the runner last gave a sign of life; where it does, when it was first seen that no run can start.
    package let since: Instant
    /// Nothing is heard of it: what runs there may be gone.
    package let isSilent: Bool
    /// One line, at most `reasonLimit` characters; nil where nobody knows.
    package let why: String?
    package init(since: Instant, isSilent: Bool, why: String?) {
      self.since = since
      self.isSilent = isSilent
      self.why = why
    }
  }

  /// Told once per loss: a reason that changes its words, such as free bytes, is no news.
  static func observe(_ health: RunnerHealth, in state: State, _ turn: TurnContext) -> [Event] {
    let isSilent = turn.now - health.lastSeenAt >= Watchdog.silence
    guard isSilent || health.problem != nil else {
      return state.runnerLoss == nil ? [] : [.runnerFound(at: turn.now)]
    }
    let since = isSilent ? health.lastSeenAt : state.runnerLoss?.since ?? turn.now
    // Heard of since and silent again, it is lost anew.
    if let known = state.runnerLoss, known.isSilent == isSilent, known.since >= since { return [] }
    return [.runnerLost(RunnerLoss(since: since, isSilent: isSilent, why: health.problem.map(oneLine)), at: turn.now)]
  }
}
