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
        if let waiting = queue.entries.first(where: { $0.entry == entry }), !quiet {
          Terminal.standard.progress("#\(entry) \(branch): \(waiting.reason)")
        }
      }
      try await Task.sleep(for: Self.interval)
    }
  }
}
