import Kernel
import NIOCore
import NIOPosix
import Synchronization

/// A PostgreSQL proxy that looks on: it forwards every byte as it came and tells a recorder which statements passed and
/// whether they succeeded. Protocol 3.0 and its minor versions.
///
/// Authentication passes through, so clients use their own passwords. Only the start of a session is the proxy's own
/// business: it answers requests for encryption, and takes channel binding off the server's offer where the client
/// could not use it (docs/statements.md).
package final class StatementProxy: Sendable {
  private let listen: ProxyPlace
  private let services: ProxyServices
  private let group: MultiThreadedEventLoopGroup
  private let listener = Mutex<(any Channel)?>(nil)
  private let isStopped = Mutex(false)
  private let sessions: SessionList

  /// Far above what one server accepts (`max_connections` is 100 by default).
  package static let maximalSessions = 2_000

  /// - Parameters:
  ///   - listen: port 0 picks a free one.
  ///   - notice: one sentence for a person, such as why a client was refused; called on the proxy's thread.
  package init(
    listen: ProxyPlace, upstream: ProxyPlace, tls: ProxyEncryption = .none, recorder: StatementRecorder,
    notice: @escaping @Sendable (String) -> Void
  ) {
    self.listen = listen
    services = ProxyServices(upstream: upstream, encryption: tls, recorder: recorder, notice: notice)
    // One thread: two cores' worth of round trips would need a server of ten.
    group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    sessions = SessionList(on: group.next())
  }

  /// Begins to accept clients.
  /// - Returns: the port; 0 for a socket.
  /// - Throws: `Outage` when the address cannot be listened on.
  package func start() async throws -> Int {
    let services = services
    let sessions = sessions
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(ChannelOptions.backlog, value: 512)
      .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(ChannelOptions.socketOption(.so_keepalive), value: 1)
      .childChannelOption(
        ChannelOptions.writeBufferWaterMark, value: .init(low: WriteMarks.low, high: WriteMarks.high)
      )
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            ProxyEnd(.client, of: sessions.open(services, atMost: Self.maximalSessions)))
        }
      }
    do {
      let channel =
        switch listen {
        case .address(let host, let port): try await bootstrap.bind(host: host, port: port).get()
        case .socket(let path): try await bootstrap.bind(unixDomainSocketPath: path).get()
        }
      listener.withLock { $0 = channel }
      return channel.localAddress?.port ?? 0
    } catch {
      throw Outage("proxy", "\(listen) cannot be listened on; choose another address", sources: ["\(error)"])
    }
  }

  /// Ends every session and gives the port back. Harmless when called again.
  package func stop() async {
    let wasStopped = isStopped.withLock { isStopped in
      defer { isStopped = true }
      return isStopped
    }
    guard !wasStopped else { return }
    let channel = listener.withLock { channel in
      defer { channel = nil }
      return channel
    }
    try? await channel?.close().get()
    await sessions.stop()
    try? await group.shutdownGracefully()
  }
}
