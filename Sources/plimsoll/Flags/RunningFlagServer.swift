import FlagServing
import FlagdServing
import Foundation
import Kernel
import Logging

/// One `plimsoll flag serve`, from start to an orderly stop or to a successor.
struct RunningFlagServer {
  struct Facts: Sendable {
    let port: Int
    let version: Int
    let flags: Int
    let tookOver: Bool
    /// Of flagd's gRPC services.
    let flagdPorts: [Int]
  }

  let definitions: String
  let host: String
  let port: Int
  /// Of flagd's gRPC services; none where nobody asks for them.
  let flagdPorts: [Int]
  let environment: String
  let token: String?
  /// Where processes hand the listening socket over; nil for a server that is alone.
  let handover: String?
  let threads: Int?
  /// For requests under way when it stops.
  let drain: Duration
  let logger: Logger

  /// Runs until SIGINT, SIGTERM, or until another process has taken over.
  func run(started: @Sendable (Facts) -> Void) async throws {
    let store = FlagStore(environment: environment)
    let followed = FollowedDefinitions(definitions, store: store, clock: WallClock.seconds)
    let predecessor = try handover.flatMap { try Handover.take(at: $0) }
    // Counting goes on, so that who compares versions across the change is right.
    try followed.begin(version: predecessor.map { $0.state.version + 1 })
    var configuration = FlagListener.Configuration(access: FlagAccess(token: token))
    if let threads { configuration.threads = max(1, threads) }
    configuration.fault = { _ in followed.report.fault }
    // Owned by the post alone, so that the socket is closed with it.
    let socket = try predecessor?.socket ?? ListeningSocket(host: host, port: port)
    let environments = FlagEnvironments([FlagEnvironment(store: store)])
    // Before the one before is dismissed, so that the path always leads to somebody.
    let post = try handover.map { try Handover.Post(at: $0) }
    let listener = try await FlagListener(
      on: socket, environments: environments, protocols: [UnleashAPI()], configuration: configuration,
      ready: { predecessor?.dismiss() })
    // Behind that, since the process before lets go of these ports only then.
    let flagd = try await FlagdPorts.listening(
      host: host, ports: flagdPorts, environments: environments,
      documents: FlagdDocuments { [logger] _, version, omissions in
        for omission in omissions {
          logger.warning("version \(version) is synced without flag \(omission.flag), which \(omission.cause)")
        }
      }, access: FlagAccess(token: token))
    let served = store.current
    started(
      Facts(
        port: listener.port, version: served.version, flags: served.flags.count, tookOver: predecessor != nil,
        flagdPorts: flagd.ports))
    let following = Task { [logger] in
      await followed.follow { change in
        switch change {
        case .served(let version, let flags): logger.notice("version \(version) is served, \(flags) flags")
        case .faulty(let fault): logger.error("\(fault) Version \(store.current.version) goes on being served.")
        case .mended: logger.notice("the definitions are right again")
        }
      }
    }
    defer { following.cancel() }
    await Self.end(listener, post: post, socket: socket, store: store)
    following.cancel()
    socket.close()
    await flagd.stop(within: drain)
    await listener.stop(within: drain)
  }

  /// Returns at a signal, or when a successor serves.
  private static func end(
    _ listener: FlagListener, post: Handover.Post?, socket: ListeningSocket, store: FlagStore
  ) async {
    let (endings, continuation) = AsyncStream.makeStream(of: Bool.self)
    let interruption = Interruption { _ in continuation.yield(true) }
    defer { interruption.end() }
    if let post {
      // A thread of its own: waiting for a successor blocks.
      Thread.detachNewThread {
        let isReplaced = post.serveSuccessor(
          socket,
          state: {
            let served = store.current
            return Handover.State(version: served.version, entityTag: served.entityTag)
          },
          stopAccepting: { listener.stopAccepting() })
        if isReplaced { continuation.yield(false) }
      }
    }
    for await isInterrupted in endings {
      if isInterrupted { post?.end() }
      return
    }
  }
}
