import Glibc
import Kernel
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix

/// Serves flags over HTTP/1.1 on one listening socket. An answer is computed on the loop that reads the connection.
package final class FlagListener: Sendable {
  package struct Configuration: Sendable {
    /// Threads that read and answer.
    package var threads: Int
    package var streamLimit: Int
    package var access: FlagAccess
    /// Seconds since 1970.
    package var clock: @Sendable () -> Double
    /// Why an environment's newest definitions are not served; nil while they are.
    package var fault: @Sendable (String) -> String? = { _ in nil }
    var limits = ConnectionHub.Limits()

    /// Twice the streams that one server is measured with; each takes some 10 kB.
    package static let usualStreamLimit = 20_000

    package init(
      threads: Int = min(4, System.coreCount), streamLimit: Int = Configuration.usualStreamLimit,
      access: FlagAccess = FlagAccess(token: nil), clock: @escaping @Sendable () -> Double = WallClock.seconds
    ) {
      self.threads = threads
      self.streamLimit = streamLimit
      self.access = access
      self.clock = clock
    }
  }

  /// Bytes waiting for a client above which it is written no more, and below which it is again. A notification has
  /// some 150 bytes and a bulk answer some 40 kB, which is written whole.
  private static let waterMarks = ChannelOptions.Types.WriteBufferWaterMark(low: 2 << 10, high: 8 << 10)
  /// Connections that wait to be accepted; the kernel cuts it to its own limit.
  static let backlog: Int32 = 4096

  package let environments: FlagEnvironments
  package let counts: ServingCounts
  package let port: Int
  private let group: MultiThreadedEventLoopGroup
  private let hubs: [NIOLoopBound<ConnectionHub>]
  private let server: any Channel
  private let watches: [(store: FlagStore, id: Int)]

  /// Listens on a socket, and answers from then on. The socket stays its owner's, who can hand it over, and lets go of
  /// it when this listener stops: what waits in its queue would wait for ever.
  ///
  /// - Parameters:
  ///   - protocols: beside OFREP and the server's own pages, which are always spoken.
  ///   - ready: called when all that can fail but accepting itself is done. A process that takes over has the one
  ///     before stop here: two that accept from one socket would race for each connection.
  /// - Throws: `Outage` when the socket cannot be used.
  package init(
    on socket: ListeningSocket, environments: FlagEnvironments, protocols: [any FlagProtocol] = [],
    counts: ServingCounts = ServingCounts(), configuration: Configuration = Configuration(), ready: () -> Void = {}
  ) async throws(Outage) {
    self.environments = environments
    self.counts = counts
    port = socket.port
    let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
    self.group = group
    let router = FlagRouter(
      environments: environments,
      protocols: [OFREP(access: configuration.access)] + protocols
        + [ServingPages(counts: counts, fault: configuration.fault)],
      access: configuration.access, counts: counts, streamLimit: configuration.streamLimit, clock: configuration.clock)
    var made: [NIOLoopBound<ConnectionHub>] = []
    for loop in group.makeIterator() {
      let hub = loop.submit {
        let hub = ConnectionHub(loop, router: router, counts: counts, limits: configuration.limits)
        hub.start()
        return NIOLoopBound(hub, eventLoop: loop)
      }
      do { made.append(try await hub.get()) } catch {
        throw Outage("flag server", "cannot start its threads: \(error).")
      }
    }
    let hubs = made
    self.hubs = hubs
    let byLoop = Dictionary(uniqueKeysWithValues: hubs.map { (ObjectIdentifier($0.eventLoop), $0) })
    let bootstrap = ServerBootstrap(group: group)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          guard let hub = byLoop[ObjectIdentifier(channel.eventLoop)] else { throw ChannelError.operationUnsupported }
          let pipeline = channel.pipeline.syncOperations
          try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
          try pipeline.addHandler(RequestHandler(hub.value, channel))
        }
      }
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.writeBufferWaterMark, value: Self.waterMarks)
      .childChannelOption(.allowRemoteHalfClosure, value: false)
      .childChannelOption(.maxMessagesPerRead, value: 1)
    ready()
    do {
      server = try await bootstrap.withBoundSocket(socket.takeDescriptor()).get()
      // NIO listens once more, with a shorter queue.
      socket.lengthenQueue()
    } catch {
      try? await group.shutdownGracefully()
      throw Outage("flag server", "cannot listen on port \(port): is it taken? Choose another.", sources: ["\(error)"])
    }
    watches = environments.all.map { environment in
      let id = environment.store.listen { served in
        for hub in hubs { hub.eventLoop.execute { hub.value.broadcast(served) } }
      }
      return (environment.store, id)
    }
  }

  /// Accepts no more, and answers on those connections that it has; who asks meanwhile waits in the socket's queue.
  /// Blocks for as long as a loop takes to come round. Stopping again does nothing.
  package func stopAccepting() {
    try? server.close().wait()
  }

  /// Accepts no more, lets every request under way end, ends streams so that their clients come back (to the process
  /// that took over), and closes what is left at the deadline.
  package func stop(within limit: Duration) async {
    try? await server.close().get()
    for hub in hubs { hub.eventLoop.execute { hub.value.drain() } }
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    while counts.connections.load(ordering: .relaxed) > 0, clock.now < deadline {
      do { try await Task.sleep(for: Self.stopPoll) } catch { break }
    }
    for (store, id) in watches { store.unsubscribe(id) }
    for hub in hubs { hub.eventLoop.execute { hub.value.stop() } }
    try? await group.shutdownGracefully()
  }

  private static let stopPoll = Duration.milliseconds(20)
}

/// The wall clock.
package enum WallClock {
  /// Seconds since 1970.
  package static let seconds: @Sendable () -> Double = {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
  }
}
