import FlagServing
import GRPCCore
import GRPCNIOTransportHTTP2

/// flagd's gRPC services on one port: evaluation in versions 1 and 2, and sync. By convention clients look for the first
/// on 8013 and for sync on 8015; here every port speaks all three.
package final class FlagdServer: Sendable {
  package static let usualEvaluationPort = 8013
  package static let usualSyncPort = 8015

  /// Where to listen.
  package enum Listener: Sendable {
    /// Port 0 takes a free one.
    case address(host: String, port: Int)
    /// A listening socket that was made elsewhere, such as one handed over by the server before; closed with the server.
    case descriptor(Int32)
  }

  /// Seconds of silence on a connection after which it is asked for a sign of life, and seconds until it must come. A
  /// peer that went without a word is known to be gone within their sum, before it is told of as not having a version.
  private static let aliveAfter = Duration.seconds(20)
  private static let aliveWithin = Duration.seconds(10)
  /// Clients may ask us as often as this. The Python provider asks with an interval of zero unless told otherwise, which
  /// its gRPC makes a millisecond; a server that minds closes the connection.
  private static let leastPingInterval = Duration.milliseconds(1)

  private let transport: HTTP2ServerTransport.Posix
  private let server: GRPCServer<HTTP2ServerTransport.Posix>

  /// How long a stream waits for a client that does not read before it is cut off. As long as flagd's clients take at
  /// most before they look for a server anew.
  package static let usualStall = Duration.seconds(60)

  /// - Parameters:
  ///   - access: clients show a token as the metadata `authorization: Bearer TOKEN`.
  ///   - stall: see ``usualStall``.
  ///   - now: seconds since 1970.
  package init(
    _ listener: Listener, environments: FlagEnvironments, documents: FlagdDocuments,
    access: FlagAccess = FlagAccess(token: nil), stall: Duration = FlagdServer.usualStall,
    now: @escaping @Sendable () -> Double
  ) {
    let config = HTTP2ServerTransport.Posix.Config.defaults { config in
      config.connection.keepalive.time = Self.aliveAfter
      config.connection.keepalive.timeout = Self.aliveWithin
      config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = Self.leastPingInterval
      config.connection.keepalive.clientBehavior.allowWithoutCalls = true
      config.rpc.maxRequestPayloadSize = FlagdEvaluator.requestLimit
    }
    transport =
      switch listener {
      case .address(let host, let port):
        .http2NIOPosix(address: .socket(host, port), transportSecurity: .plaintext, config: config)
      case .descriptor(let descriptor):
        .http2NIOPosix(listeningSocketDescriptor: Int(descriptor), transportSecurity: .plaintext, config: config)
      }
    let evaluator = FlagdEvaluator(environments: environments, access: access, stall: stall, now: now)
    let changes = FlagChanges()
    server = GRPCServer(
      transport: transport,
      services: [
        EvaluationV1(evaluator: evaluator, changes: changes),
        EvaluationV2(evaluator: evaluator, changes: changes),
        FlagSync(evaluator: evaluator, documents: documents),
      ])
  }

  /// Serves until ``shutDown()`` or until the task is cancelled.
  package func run() async throws {
    try await withTaskCancellationHandler {
      try await server.serve()
    } onCancel: {
      server.beginGracefulShutdown()
    }
  }

  /// The port that is listened on, once it is.
  package var port: Int {
    get async throws {
      let address = try await transport.listeningAddress
      return address.ipv4?.port ?? address.ipv6?.port ?? 0
    }
  }

  /// Takes no more connections, answers what was asked, and ends streams, so that clients look for the next server.
  package func shutDown() { server.beginGracefulShutdown() }
}

extension GRPCNIOTransportCore.SocketAddress {
  /// Of a numeric address, or of `localhost`.
  fileprivate static func socket(_ host: String, _ port: Int) -> Self {
    if host.contains(":") { return .ipv6(host: host, port: port) }
    return .ipv4(host: host == "localhost" ? "127.0.0.1" : host, port: port)
  }
}
