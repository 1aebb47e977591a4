import Foundation
import Kernel
import Synchronization

/// Reads a command's output from a pipe on a thread of its own, so that a flood neither fills memory or disk nor
/// holds up the threads that run tasks.
final class OutputDrain: Sendable {
  /// The end that the command writes to; closed by whoever spawns it.
  let writeEnd: Int32
  private let readEnd: Int32
  private struct State {
    var log = BoundedLog()
    var isClosing = false
    var isDone = false
    var waiter: CheckedContinuation<Void, Never>?
  }
  private let state = Mutex(State())
  /// A closing drain that hears nothing for so long has heard everything.
  private static let lingerMilliseconds: Int32 = 50
  /// How long a closing drain goes on reading at all: a process that escaped every kill and still holds the pipe may
  /// write for ever. What the ended command itself wrote is in the pipe, 64 KiB (pipe(7)), and takes one read.
  private static let closingLimit = Duration.milliseconds(200)
  private static let chunkBytes = 64 << 10

  init() throws(Outage) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw Outage("system", "no pipe can be made for a command's output", sources: [String(cString: strerror(errno))])
    }
    (readEnd, writeEnd) = (ends[0], ends[1])
    // Not inherited by processes started later. One started just now may hold the pipe open; `finish` does not wait
    // for it.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let thread = Thread { [self] in drain() }
    thread.name = "plimsoll-log"
    thread.start()
  }

  private func drain() {
    var buffer = [UInt8](repeating: 0, count: Self.chunkBytes)
    // Counted from when this thread sees that the drain closes, so that at least one read follows on a loaded machine.
    var deadline: ContinuousClock.Instant?
    while true {
      if deadline == nil, state.withLock({ $0.isClosing }) { deadline = .now + Self.closingLimit }
      var watched = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
      let ready = poll(&watched, 1, Self.lingerMilliseconds)
      if ready < 0 && errno == EINTR { continue }
      if ready == 0 {
        if deadline != nil { break }
        continue
      }
      let count = read(readEnd, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { break }
      state.withLock { $0.log.append(buffer[..<count]) }
      if let deadline, ContinuousClock.now >= deadline { break }
    }
    // SIGPIPE ends whoever still writes.
    close(readEnd)
    state.withLock { state in
      state.isDone = true
      state.waiter?.resume()
      state.waiter = nil
    }
  }

  /// Waits for what the ended command wrote, `closingLimit` at most, and returns it.
  func finish() async -> BoundedLog {
    await withCheckedContinuation { continuation in
      let isDone = state.withLock { state in
        state.isClosing = true
        if !state.isDone { state.waiter = continuation }
        return state.isDone
      }
      if isDone { continuation.resume() }
    }
    return state.withLock { $0.log }
  }
}
