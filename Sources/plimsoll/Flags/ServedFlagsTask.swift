import Kernel
import Synchronization

/// The running `FlagServer` of a process: begins once its flags are known, ends with the process.
final class ServedFlagsTask: Sendable {
  private let server: FlagServer?
  private struct State {
    var task: Task<Void, Never>?
    var isOver = false
  }
  private let state = Mutex(State())

  init(_ server: FlagServer?) { self.server = server }

  /// - Parameter failed: called when it ends by itself after it had begun.
  /// - Returns: where clients ask; nil where no flags are served.
  /// - Throws: what kept it from listening.
  func begin(failed: @escaping @Sendable (any Error) async -> Void) async throws -> String? {
    guard let server else { return nil }
    let (beginnings, told) = AsyncStream.makeStream(of: Result<Int, any Error>.self)
    let running = Task {
      let hasBegun = Mutex(false)
      do {
        try await server.run { port in
          hasBegun.withLock { $0 = true }
          told.yield(.success(port))
        }
      } catch {
        if hasBegun.withLock({ $0 }) { await failed(error) } else { told.yield(.failure(error)) }
      }
      told.finish()
    }
    // A stop may come before the beginning has ended.
    let isOver = state.withLock { state in
      state.task = running
      return state.isOver
    }
    if isOver { running.cancel() }
    for await beginning in beginnings { return "http://\(server.place.listen.host):\(try beginning.get())" }
    return nil
  }

  func end() async {
    let running = state.withLock { state in
      state.isOver = true
      return state.task
    }
    running?.cancel()
    await running?.value
  }
}
