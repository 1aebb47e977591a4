/// Lets one task through at a time, in the order of arrival.
///
/// An actor alone does not do it: its methods interleave at every `await`.
package actor Turnstile {
  private var busy = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  package init() {}

  /// Runs `body` when all who came earlier have left.
  package nonisolated func pass<Value: Sendable, Failure: Error>(
    _ body: @Sendable () async throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    await enter()
    do throws(Failure) {
      let value = try await body()
      await leave()
      return value
    } catch {
      await leave()
      throw error
    }
  }

  private func enter() async {
    guard busy else {
      busy = true
      return
    }
    await withCheckedContinuation { waiting.append($0) }
  }

  private func leave() {
    guard !waiting.isEmpty else {
      busy = false
      return
    }
    waiting.removeFirst().resume()
  }
}
