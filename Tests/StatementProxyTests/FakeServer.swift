import NIOCore
import NIOPosix
import Synchronization

/// A fake PostgreSQL server: it lets anybody in, keeps the bytes that it received, and sends what the test says.
final class FakeServer: Sendable {
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let listener: any Channel
  private let state: State

  final class State: Sendable {
    struct Held: Sendable {
      /// Of every connection, in the order of their opening.
      var received: [[UInt8]] = []
      var closed = 0
      /// Bytes that the sockets took.
      var sent = 0
      var channels: [any Channel] = []
    }
    let held = Mutex(Held())
  }

  /// AuthenticationOk, BackendKeyData, ReadyForQuery.
  static let welcome: [UInt8] =
    [82, 0, 0, 0, 8, 0, 0, 0, 0] + [75, 0, 0, 0, 12, 0, 0, 0, 7, 0, 0, 0, 9] + [90, 0, 0, 0, 5, 73]

  /// `greeting` is sent when a connection's first bytes came.
  init(greeting: [UInt8] = FakeServer.welcome) async throws {
    let state = State()
    self.state = state
    listener = try await ServerBootstrap(group: group).childChannelInitializer { channel in
      let number = state.held.withLock { held in
        held.received.append([])
        held.channels.append(channel)
        return held.received.count - 1
      }
      return channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(Handler(state, number, greeting))
      }
    }.bind(host: "127.0.0.1", port: 0).get()
  }

  deinit { group.shutdownGracefully { _ in } }

  var port: Int { listener.localAddress?.port ?? 0 }
  var received: [[UInt8]] { state.held.withLock { $0.received } }
  var closed: Int { state.held.withLock { $0.closed } }
  var sent: Int { state.held.withLock { $0.sent } }
  var connections: Int { state.held.withLock { $0.channels.count } }

  func send(_ bytes: [UInt8], to number: Int = 0) async throws {
    let channel = state.held.withLock { $0.channels[number] }
    try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    state.held.withLock { $0.sent += bytes.count }
  }

  func close(_ number: Int = 0) async throws {
    try await state.held.withLock { $0.channels[number] }.close().get()
  }

  /// A sink that stops reading: what comes stays in the kernel.
  func stopReading(_ number: Int = 0) async throws {
    try await state.held.withLock { $0.channels[number] }.setOption(ChannelOptions.autoRead, value: false).get()
  }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let state: State
    private let number: Int
    private var greeting: [UInt8]

    init(_ state: State, _ number: Int, _ greeting: [UInt8]) {
      (self.state, self.number, self.greeting) = (state, number, greeting)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let bytes = unwrapInboundIn(data)
      state.held.withLock { $0.received[number] += bytes.readableBytesView }
      if !greeting.isEmpty { context.writeAndFlush(NIOAny(ByteBuffer(bytes: greeting)), promise: nil) }
      greeting = []
    }

    func channelInactive(context: ChannelHandlerContext) { state.held.withLock { $0.closed += 1 } }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}

/// A client that sends bytes of the test's choice.
final class RawClient: Sendable {
  private let channel: any Channel
  private let state: State

  final class State: Sendable {
    let received = Mutex<[UInt8]>([])
    let isClosed = Mutex(false)
  }

  init(port: Int, reading: Bool = true) async throws {
    let state = State()
    self.state = state
    channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(ChannelOptions.autoRead, value: reading)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(state)) }
      }.connect(host: "127.0.0.1", port: port).get()
  }

  var received: [UInt8] { state.received.withLock { $0 } }
  var isClosed: Bool { state.isClosed.withLock { $0 } }

  func send(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get() }
  /// Does not wait until the bytes have left.
  func pour(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }
  func close() async throws { try await channel.close().get() }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let state: State
    init(_ state: State) { self.state = state }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let bytes = unwrapInboundIn(data)
      state.received.withLock { $0 += bytes.readableBytesView }
    }

    func channelInactive(context: ChannelHandlerContext) { state.isClosed.withLock { $0 = true } }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}
