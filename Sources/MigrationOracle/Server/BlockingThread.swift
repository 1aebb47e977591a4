import Foundation

/// Runs blocking work on a thread of its own, so that it does not hold one of the cooperative pool's few.
package enum BlockingThread {
  /// In bytes: statements can nest deeply, and their trees are walked recursively.
  static let stackBytes = 16 << 20

  package static func run<Answer: Sendable>(_ work: @escaping @Sendable () throws -> Answer) async throws -> Answer {
    try await withCheckedThrowingContinuation { continuation in
      let thread = Thread { continuation.resume(with: Result(catching: work)) }
      thread.stackSize = stackBytes
      thread.start()
    }
  }
}
