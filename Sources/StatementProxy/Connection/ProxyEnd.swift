import NIOCore

/// The handler at one end of a proxied session: hands on what arrives, and reads no faster than the other end writes.
final class ProxyEnd: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  enum Side {
    case client
    case server
  }

  let side: Side
  private let session: ProxiedSession
  private var context: ChannelHandlerContext?
  /// A read was wanted while the other end had too much to write.
  private var isReadHeld = false

  init(_ side: Side, of session: ProxiedSession) {
    self.side = side
    self.session = session
  }

  var channel: (any Channel)? { context?.channel }
  var isWritable: Bool { context?.channel.isWritable ?? false }

  func send(_ bytes: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }

  func send(_ bytes: [UInt8]) {
    guard let context else { return }
    send(context.channel.allocator.buffer(bytes: bytes))
  }

  func resumeReading() {
    guard isReadHeld, session.mayRead(side), let context else { return }
    isReadHeld = false
    context.read()
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    session.opened(self)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
  }

  func read(context: ChannelHandlerContext) {
    if session.mayRead(side) {
      context.read()
    } else {
      isReadHeld = true
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    session.received(unwrapInboundIn(data), from: side)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { session.becameWritable(side) }
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    session.ended(side)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    session.failed(side, error)
  }
}
