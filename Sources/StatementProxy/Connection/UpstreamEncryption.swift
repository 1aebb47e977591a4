import Kernel
import NIOCore
import NIOSSL

/// Asks the server for TLS and puts it in place. What the session sends meanwhile waits.
final class UpstreamEncryption: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let encryption: ProxyEncryption
  private var waiting: [(NIOAny, EventLoopPromise<Void>?)] = []
  private var isDone = false

  init(_ encryption: ProxyEncryption) { self.encryption = encryption }

  func channelActive(context: ChannelHandlerContext) {
    let request = context.channel.allocator.buffer(bytes: StartupPacket.encryptionRequest)
    context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    context.fireChannelActive()
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if isDone {
      context.write(data, promise: promise)
    } else {
      waiting.append((data, promise))
    }
  }

  func flush(context: ChannelHandlerContext) {
    if isDone { context.flush() }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var answer = unwrapInboundIn(data)
    // One byte, and nothing after it: more would be unencrypted (CVE-2021-23222).
    guard answer.readInteger(as: UInt8.self) == UInt8(ascii: "S"), answer.readableBytes == 0,
      let upstream = encryption.upstream
    else {
      context.fireErrorCaught(Outage("server", "the server offers no TLS; enable it there, or connect without"))
      return
    }
    do {
      let pipeline = context.pipeline.syncOperations
      let tls = try NIOSSLClientHandler(context: upstream, serverHostname: encryption.serverName)
      try pipeline.addHandler(tls, position: .first)
      isDone = true
      let held = waiting
      waiting = []
      for (data, promise) in held { context.write(data, promise: promise) }
      context.flush()
      pipeline.removeHandler(self, promise: nil)
    } catch {
      context.fireErrorCaught(error)
    }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    for (_, promise) in waiting { promise?.fail(ChannelError.ioOnClosedChannel) }
    waiting = []
  }
}
