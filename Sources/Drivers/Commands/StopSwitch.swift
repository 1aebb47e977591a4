import Synchronization

/// Flipped once by whoever wants a run to end; whoever waits for that is woken.
final class StopSwitch: Sendable {
  private struct State {
    var isFlipped = false
    var waiter: CheckedContinuation<Void, Never>?
  }
  private let state = Mutex(State())

  func flip() {
    state.withLock { state in
      state.isFlipped = true
      state.waiter?.resume()
      state.waiter = nil
    }
  }

  var isFlipped: Bool { state.withLock { $0.isFlipped } }

  /// Returns when the switch is flipped or the calling task is cancelled. One waiter at a time.
  func wait() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if state.isFlipped || Task.isCancelled { return true }
          state.waiter = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      state.withLock { state in
        state.waiter?.resume()
        state.waiter = nil
      }
    }
  }
}
