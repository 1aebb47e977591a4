import Kernel
import NIOCore
import NIOPosix
import NIOSSL

/// One client, its connection to the server, and the bytes between them. Confined to one event loop, which both
/// channels share, so that no byte changes threads.
///
///     startup ──▶ connecting ──▶ authenticating ──▶ forwarding ──▶ closing
///
/// Bytes are forwarded first and looked at afterwards; only the start of a session is looked at before.
final class ProxiedSession {
  private enum Phase {
    /// Waits for the client's first packet.
    ///
    /// Leaves to: `connecting` with a startup packet, `closing` without one in time.
    case startup
    /// Leaves to: `authenticating` once the server answers, `closing` when it does not.
    case connecting
    /// Leaves to: `forwarding` when the server lets the client in, `closing` when it does not.
    case authenticating(SessionAuthentication)
    /// Leaves to: `closing` when either end goes.
    case forwarding
    /// The rest is written, nothing new is taken.
    ///
    /// Leaves to: nothing; the session ends.
    case closing
  }

  private let services: ProxyServices
  private let loop: any EventLoop
  /// One more than the proxy takes.
  private let isSurplus: Bool
  private let onEnd: (ProxiedSession) -> Void
  private var phase = Phase.startup
  private var client: ProxyEnd?
  private var server: ProxyEnd?
  private var unread = ByteBuffer()
  private var follower: ConversationFollower?
  private var clientIsEncrypted = false
  private var deadline: Scheduled<Void>?
  private var hasEnded = false

  /// Like the server's `authentication_timeout`.
  static let startLimit = TimeAmount.seconds(60)
  /// How long what is left to write may take once the other end is gone.
  static let lingerLimit = TimeAmount.seconds(30)

  init(
    _ services: ProxyServices, on loop: any EventLoop, isSurplus: Bool, onEnd: @escaping (ProxiedSession) -> Void
  ) {
    self.services = services
    self.loop = loop
    self.isSurplus = isSurplus
    self.onEnd = onEnd
  }

  // MARK: - The two ends

  func opened(_ end: ProxyEnd) {
    switch end.side {
    case .client:
      client = end
      startDeadline()
    case .server: server = end
    }
  }

  func mayRead(_ side: ProxyEnd.Side) -> Bool {
    switch phase {
    case .startup, .closing: true
    case .connecting: side == .server
    case .authenticating, .forwarding: (side == .client ? server : client)?.isWritable ?? true
    }
  }

  func becameWritable(_ side: ProxyEnd.Side) { (side == .client ? server : client)?.resumeReading() }

  func received(_ bytes: ByteBuffer, from side: ProxyEnd.Side) {
    switch phase {
    case .forwarding: forward(bytes, from: side)
    case .startup:
      var bytes = bytes
      unread.writeBuffer(&bytes)
      readStartup()
    case .authenticating(let authentication): authenticate(bytes, from: side, authentication)
    // The server has not been asked anything yet, and the client is not read.
    case .connecting, .closing: break
    }
  }

  /// The bytes go on as they came; the follower sees them after they have left.
  private func forward(_ bytes: ByteBuffer, from side: ProxyEnd.Side) {
    switch side {
    case .client:
      server?.send(bytes)
      if let follower { bytes.withUnsafeReadableBytes { follower.client(sent: $0) } }
    case .server:
      client?.send(bytes)
      if let follower { bytes.withUnsafeReadableBytes { follower.server(sent: $0) } }
    }
  }

  func ended(_ side: ProxyEnd.Side) {
    switch side {
    case .client:
      client = nil
      close(server)
    case .server:
      server = nil
      if case .authenticating = phase { flushAuthentication() }
      close(client)
    }
    phase = .closing
    if client == nil, server == nil { end() }
  }

  func failed(_ side: ProxyEnd.Side, _ error: any Error) {
    switch (phase, side) {
    case (.startup, .client) where clientIsEncrypted:
      services.notice("a client's TLS handshake failed (\(error)); does it accept the proxy's certificate?")
    case (.authenticating, .server) where services.encryption.upstream != nil && !(error is IOError):
      return refuse(
        .connectionFailure, "TLS with \(services.upstream) failed (\(error)); check the roots and the name.")
    case (.startup, _), (.connecting, _), (.authenticating, _), (.forwarding, _), (.closing, _): break
    }
    (side == .client ? client : server)?.channel?.close(promise: nil)
  }

  private func end() {
    guard !hasEnded else { return }
    hasEnded = true
    deadline?.cancel()
    follower = nil
    onEnd(self)
  }

  // MARK: - Closing

  /// The proxy itself ends the session, with a message that the client can show.
  func refuse(_ code: ServerError.Code, _ sentence: String) {
    guard let client, let channel = client.channel else { return }
    services.notice(sentence)
    phase = .closing
    client.send(ServerError.fatal(code, sentence, in: channel.allocator))
    server?.channel?.close(promise: nil)
    close(client)
  }

  /// The proxy stops: a client that is between two answers is told so.
  func stop() {
    if let follower, follower.isServerBetweenMessages, let client, let channel = client.channel {
      client.send(
        ServerError.fatal(.proxyStops, "the proxy stops; connect to the server itself.", in: channel.allocator))
    }
    phase = .closing
    server?.channel?.close(promise: nil)
    close(client)
  }

  /// Closes an end after what was written has left. The sending half goes first and the rest of what the other side
  /// sends is read: closing a socket with unread bytes makes the kernel discard what it has not delivered.
  private func close(_ end: ProxyEnd?) {
    guard let end, let channel = end.channel else { return }
    phase = .closing
    end.resumeReading()
    deadline?.cancel()
    deadline = loop.assumeIsolated().scheduleTask(in: Self.lingerLimit) { channel.close(promise: nil) }
    let half: CloseMode = end.side == .client && !clientIsEncrypted ? .output : .all
    channel.writeAndFlush(ByteBuffer()).assumeIsolated().whenComplete { _ in channel.close(mode: half, promise: nil) }
  }

  private func startDeadline() {
    deadline = loop.assumeIsolated().scheduleTask(in: Self.startLimit) { [weak self] in
      self?.refuse(
        .protocolViolation, "the session did not start within \(Self.startLimit.nanoseconds / 1_000_000_000) s.")
    }
  }

  // MARK: - Startup

  private func readStartup() {
    // A client that begins with TLS at once (PostgreSQL 17, sslnegotiation=direct); 22 is a TLS handshake record.
    if !clientIsEncrypted, unread.getInteger(at: unread.readerIndex, as: UInt8.self) == 22,
      let encryption = services.encryption.clients
    {
      let handshake = unread
      unread = ByteBuffer()
      return encrypt(encryption) { $0.fireChannelRead(NIOAny(handshake)) }
    }
    switch StartupPacket.read(unread) {
    case .incomplete: return
    case .malformed: refuse(.protocolViolation, "the client's first packet is none of PostgreSQL's; is it a client?")
    case .complete(.encryption, let length):
      unread.moveReaderIndex(forwardBy: length)
      // What a client sends after this and before the answer would be unencrypted (CVE-2021-23222).
      guard unread.readableBytes == 0 else {
        return refuse(.protocolViolation, "the client sent data between its request for TLS and the answer.")
      }
      if let encryption = services.encryption.clients, !clientIsEncrypted {
        client?.send([UInt8(ascii: "S")])
        encrypt(encryption) { _ in }
      } else {
        client?.send([UInt8(ascii: "N")])
      }
    case .complete(.kerberosEncryption, let length):
      unread.moveReaderIndex(forwardBy: length)
      client?.send([UInt8(ascii: "N")])
      if unread.readableBytes > 0 { readStartup() }
    case .complete(let packet, let length):
      guard !isSurplus else {
        return refuse(
          .tooManyConnections, "it serves \(StatementProxy.maximalSessions) clients already; connect later.")
      }
      connect(packet, length: length)
    }
  }

  private func encrypt(_ encryption: NIOSSLContext, then: (ChannelPipeline.SynchronousOperations) -> Void) {
    guard let channel = client?.channel else { return }
    clientIsEncrypted = true
    do {
      try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: encryption), position: .first)
      then(channel.pipeline.syncOperations)
    } catch {
      failed(.client, error)
    }
  }

  // MARK: - Upstream

  private func connect(_ packet: StartupPacket, length: Int) {
    phase = .connecting
    let session = NIOLoopBound(self, eventLoop: loop)
    let bootstrap = ClientBootstrap(group: loop).proxyOptions().channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        let end = ProxyEnd(.server, of: session.value)
        if session.value.services.encryption.upstream != nil {
          try channel.pipeline.syncOperations.addHandler(UpstreamEncryption(session.value.services.encryption))
        }
        try channel.pipeline.syncOperations.addHandler(end)
      }
    }
    let connected: EventLoopFuture<any Channel>
    switch services.upstream {
    case .address(let host, let port): connected = bootstrap.connect(host: host, port: port)
    case .socket(let path): connected = bootstrap.connect(unixDomainSocketPath: path)
    }
    connected.assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success(let channel): self.connected(channel, packet, length: length)
      case .failure(let error):
        server = nil
        // A request to cancel is never answered.
        if packet == .cancel { return close(client) }
        refuse(
          .connectionFailure, "\(services.upstream) cannot be reached (\(error)); start the server or mend its address."
        )
        if client == nil { end() }
      }
    }
  }

  private func connected(_ channel: any Channel, _ packet: StartupPacket, length: Int) {
    guard client != nil, case .connecting = phase, let first = unread.readSlice(length: length) else {
      return channel.close(promise: nil)
    }
    let ahead = unread
    unread = ByteBuffer()
    switch packet {
    case .session(let start): begin(start)
    // The server closes after a request to cancel, and answers a version that only it may know.
    case .cancel, .unknown, .encryption, .kerberosEncryption:
      phase = .forwarding
      deadline?.cancel()
    }
    server?.send(first)
    if ahead.readableBytes > 0 { received(ahead, from: .client) }
    client?.resumeReading()
  }

  private func begin(_ start: SessionStart) {
    services.recorder.connected(to: start.database)
    if start.isReplication {
      services.recorder.count(\.replicationConnections)
    } else {
      let notice = services.notice
      follower = ConversationFollower(services.recorder, start) { cause in
        notice("a session of \(start.user) on \(start.database) is forwarded and no longer recorded: \(cause).")
      }
    }
    phase = .authenticating(SessionAuthentication())
  }

  // MARK: - Authentication

  private func authenticate(_ bytes: ByteBuffer, from side: ProxyEnd.Side, _ authentication: SessionAuthentication) {
    switch side {
    case .server:
      let answer = authentication.server(sent: bytes, binding: binding)
      client?.send(answer.forward)
      if answer.isDone { beginForwarding(answer.rest, sentAhead: authentication.unreadOfClient) }
      if authentication.isServerTooLong {
        refuse(.protocolViolation, "\(services.upstream) does not answer like PostgreSQL; mend the server's address.")
      }
    case .client:
      switch authentication.client(sent: bytes, binding: binding) {
      case .forward(let messages, let statements):
        server?.send(messages)
        if let follower { statements.withUnsafeReadableBytes { follower.client(sent: $0) } }
      case .bindsForeignCertificate:
        refuse(.invalidAuthorization, Authentication.Binding.brokenSentence)
      case .tooLong:
        refuse(.protocolViolation, "the client sent a password message longer than any password.")
      }
    }
  }

  private func beginForwarding(_ rest: ByteBuffer, sentAhead: ByteBuffer) {
    deadline?.cancel()
    phase = .forwarding
    if sentAhead.readableBytes > 0 { forward(sentAhead, from: .client) }
    if rest.readableBytes > 0 { forward(rest, from: .server) }
  }

  /// What the server said last, such as why it refuses, goes on even when it is no whole message.
  private func flushAuthentication() {
    if case .authenticating(let authentication) = phase { client?.send(authentication.unreadOfServer) }
  }

  private var binding: Authentication.Binding {
    guard services.encryption.upstream != nil else { return .transparent }
    guard clientIsEncrypted else { return .withheld }
    let shown = try? server?.channel?.pipeline.syncOperations.nioSSL_peerCertificate()?.toDERBytes()
    return shown != nil && shown == services.encryption.certificate ? .transparent : .broken
  }
}
