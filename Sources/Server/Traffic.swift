import Synchronization

/// What is under way: requests, which a stop waits for, and live connections, which a stop ends.
final class Traffic: Sendable {
  /// Live connections at once; a browser holds one per open page.
  static let liveLimit = 64

  private struct State {
    var requests = 0
    var isStopping = false
    var nextLive = 0
    var live: [Int: AsyncStream<Wake>.Continuation] = [:]
  }
  private let state = Mutex(State())

  /// False when no new request may begin.
  func enter() -> Bool {
    state.withLock { state in
      guard !state.isStopping else { return false }
      state.requests += 1
      return true
    }
  }

  func leave() { state.withLock { $0.requests -= 1 } }

  var isIdle: Bool { state.withLock { $0.requests == 0 } }

  /// Names a live connection; nil when there are too many, or the server stops.
  func join(_ continuation: AsyncStream<Wake>.Continuation) -> Int? {
    state.withLock { state in
      guard !state.isStopping, state.live.count < Self.liveLimit else { return nil }
      state.nextLive += 1
      state.live[state.nextLive] = continuation
      return state.nextLive
    }
  }

  func part(_ id: Int) {
    state.withLock { state in _ = state.live.removeValue(forKey: id) }
  }

  /// Ends every live connection and lets no request begin.
  func stop() {
    let live = state.withLock { state in
      state.isStopping = true
      return Array(state.live.values)
    }
    for continuation in live { continuation.finish() }
  }
}
