import Dispatch
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Wakes its one waiter as soon as one of some processes ends (pidfd_open(2)), so that nobody need look for ends.
///
/// A pid is opened while its process is known to live by its start time. One that ended between the two is found by the
/// next look, at most the wait's limit later.
final class ProcessEnds: Sendable {
  private let sources = Mutex<[Int32: any DispatchSourceRead]>([:])
  private let wakes: AsyncStream<Void>
  private let wake: AsyncStream<Void>.Continuation

  init() {
    (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }
  deinit { follow([]) }

  /// Waits for these from now on, and for no others.
  ///
  /// - Returns: false when the system cannot tell of all of them: they must be looked at.
  @discardableResult
  func follow(_ pids: Set<Int32>) -> Bool {
    sources.withLock { sources in
      for pid in sources.keys where !pids.contains(pid) { sources.removeValue(forKey: pid)?.cancel() }
      for pid in pids where sources[pid] == nil {
        guard let descriptor = Self.open?(pid, 0), descriptor >= 0 else { return false }
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor)
        // The source holds its handlers, and they it, until it is cancelled.
        source.setEventHandler { [wake] in
          // Readable for ever from here on: told once.
          source.cancel()
          wake.yield()
        }
        source.setCancelHandler { close(descriptor) }
        sources[pid] = source
        source.resume()
      }
      return true
    }
  }

  /// Returns when one of those followed ended, `limit` has passed, or the task was cancelled.
  func wait(atMost limit: Duration) async {
    let alarm = Task { [wake] in
      guard (try? await Task.sleep(for: limit)) != nil else { return }
      wake.yield()
    }
    defer { alarm.cancel() }
    for await _ in wakes { return }
  }

  /// Not in Glibc's module; nil on systems before Linux 5.3 or glibc 2.36.
  private static let open: (@convention(c) (Int32, UInt32) -> Int32)? = dlsym(nil, "pidfd_open").map {
    unsafeBitCast($0, to: (@convention(c) (Int32, UInt32) -> Int32).self)
  }
}
