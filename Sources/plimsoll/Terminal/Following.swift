import API
import Foundation
import Kernel

/// Follows something on the server until it ends, with one line of progress.
struct Following {
  let client: Client
  let quiet: Bool

  /// How often the server is asked; a person does not see less.
  static let interval = Duration.milliseconds(300)

  func entry(_ entry: Int, branch: String) async throws -> FinishedView {
    while true {
      let queues = try await client.get("/v1/queues", as: QueuesView.self).queues
      for queue in queues {
        if let finished = queue.finished.first(where: { $0.entry == entry && $0.branch == branch }) {
          Terminal.standard.clearProgress()
          return finished
        }
        if let waiting = queue.entries.first(where: { $0.entry == entry && $0.branch == branch }), !quiet {
          Terminal.standard.progress("#\(entry) \(branch): \(waiting.reason)")
        }
      }
      try await Task.sleep(for: Self.interval)
    }
  }

  /// Longer than any start limit that makes sense: instances start, and then it takes seconds.
  static let drillLimit = Duration.seconds(30 * 60)

  /// Ends when the rollout has drilled, or ended without.
  func drill(_ rollout: Int, at place: String) async throws -> RolloutView {
    let clock = ContinuousClock()
    let deadline = clock.now + Self.drillLimit
    while clock.now < deadline {
      let view = try await client.get("/v1/rollouts/\(place)/\(rollout)", as: RolloutView.self)
      if view.drill != nil || view.outcome != "running" {
        Terminal.standard.clearProgress()
        return view
      }
      if !quiet, let sentence = view.sentence { Terminal.standard.progress(sentence) }
      try await Task.sleep(for: Self.interval)
    }
    Terminal.standard.clearProgress()
    throw Outage("rollback", "the drill has not ended yet; 'plimsoll rollout' says what it waits for")
  }
}
