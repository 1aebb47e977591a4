import FlagServing
import GRPCCore

/// Follows the versions of one environment for one gRPC stream: the newest only, never a queue.
///
/// A client that does not read holds back its own stream and nothing else: while one write waits, versions pass by, and
/// after ``FlagdServer/usualStall`` the stream is cut off.
struct VersionStream: Sendable {
  private let environment: FlagEnvironment
  private let identity: ClientIdentity
  private let stall: Duration
  private let now: @Sendable () -> Double

  init(_ evaluator: FlagdEvaluator, _ call: Call) throws {
    environment = try evaluator.environment(for: call)
    identity = call.identity
    stall = evaluator.stall
    now = evaluator.now
  }

  /// Calls with every version that is served, and again after each silence; waits for the first one.
  ///
  /// - Parameters:
  ///   - silence: after which it calls although nothing changed; nil for never.
  ///   - write: gets the version before as well (nil at first), and returns when the client's transport took it.
  /// - Throws: `RPCError` `unavailable` when the server goes, so that the client looks for the next one;
  ///   `deadlineExceeded` when the client does not read.
  func follow(
    silence: Duration?, _ write: @escaping @Sendable (_ last: ServedFlags?, ServedFlags) async throws -> Void
  ) async throws {
    let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let listener = environment.store.listen { _ in signal.yield() }
    let client = environment.registry.seen(identity, at: now())
    environment.registry.joined(client, at: now())
    defer {
      environment.store.unsubscribe(listener)
      environment.registry.gone(client, at: now())
    }
    signal.yield()
    try await withRPCCancellationHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        if let silence {
          group.addTask {
            while !Task.isCancelled {
              try await Task.sleep(for: silence)
              signal.yield()
            }
          }
        }
        group.addTask { try await deliver(signals, to: client, write) }
        defer { group.cancelAll() }
        try await group.next()
      }
    } onCancelRPC: {
      signal.finish()
    }
    throw RPCError(code: .unavailable, message: "the stream ends here; open it again")
  }

  private func deliver(
    _ signals: AsyncStream<Void>, to client: FlagClient,
    _ write: @escaping @Sendable (ServedFlags?, ServedFlags) async throws -> Void
  ) async throws {
    var last: ServedFlags?
    for await _ in signals {
      let served = environment.store.current
      guard served.version > 0 else { continue }
      let before = last
      try await Self.within(stall) { try await write(before, served) }
      // gRPC tells no more than that the transport took it: an evaluation or a fetch of the same client proves more.
      client.acknowledged(served.version, by: .sent, at: now())
      last = served
    }
  }

  private static func within(_ limit: Duration, _ operation: @escaping @Sendable () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask(operation: operation)
      group.addTask {
        try await Task.sleep(for: limit)
        throw RPCError(code: .deadlineExceeded, message: "the client did not read for \(limit); the stream is cut off")
      }
      defer { group.cancelAll() }
      try await group.next()
    }
  }
}
