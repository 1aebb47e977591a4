import Flags
import NIOCore
import NIOHTTP1

/// One connection: reads whole requests, answers each at once in order, and holds at most one stream.
///
/// Responses are written as bytes by hand: an answer is one buffer and one write. Used on its loop only.
final class RequestHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = ByteBuffer

  /// Bytes of a body: the largest context, and the object around it.
  static let bodyLimit = EvaluationContext.sizeLimit + 1024
  /// For a client to read why it was refused before its connection ends.
  private static let linger = TimeAmount.seconds(1)
  /// Requests held for a client that sends them without reading answers. Those that pipeline have some ten under way.
  static let heldLimit = 64

  private enum Phase {
    /// Leaves to: `reading`, `refused`.
    case idle
    /// Leaves to: `idle`, `refused`, `streaming`.
    case reading(HTTPRequestHead, ByteBuffer)
    /// A body that was refused is still coming. Leaves to: the end of the connection.
    case refused
    /// Leaves to: the end of the connection.
    case streaming
  }

  private let hub: ConnectionHub
  private let channel: any Channel
  let peer: Peer
  private var phase = Phase.idle
  private(set) var lastActive = NIODeadline.now()
  private(set) var stream: StreamSlot?
  private var wroteSinceFlush = false
  /// Read whole, and not answered yet because the connection takes no more. In order; empty while it does.
  private var held: [(head: HTTPRequestHead, body: ByteBuffer)] = []
  private var isReleasing = false

  init(_ hub: ConnectionHub, _ channel: any Channel) {
    self.hub = hub
    self.channel = channel
    peer = Peer(channel.remoteAddress)
  }

  func handlerAdded(context: ChannelHandlerContext) { hub.add(self) }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  private func end() {
    held = []
    if let stream {
      self.stream = nil
      hub.leave(stream)
    }
    hub.remove(self)
  }

  // MARK: Reading

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch (phase, unwrapInboundIn(data)) {
    case (.idle, .head(let head)):
      lastActive = .now()
      if let announced = head.headers.first(name: "content-length").flatMap({ Int($0) }), announced > Self.bodyLimit {
        refuse(status: 413, "The body has \(announced) bytes, more than \(Self.bodyLimit): send less.")
        return
      }
      phase = .reading(head, ByteBuffer())
      if head.headers.first(name: "expect")?.lowercased() == "100-continue", held.isEmpty {
        write(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n"))
        channel.flush()
      }
    case (.reading(let head, var body), .body(var part)):
      phase = .idle
      if body.readableBytes == 0 { body = part } else { body.writeBuffer(&part) }
      guard body.readableBytes <= Self.bodyLimit else {
        refuse(status: 413, "The body has more than \(Self.bodyLimit) bytes: send less.")
        return
      }
      phase = .reading(head, body)
    case (.reading(let head, let body), .end):
      phase = .idle
      lastActive = .now()
      take(head, body)
    default: break
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if wroteSinceFlush {
      wroteSinceFlush = false
      context.flush()
    }
    context.fireChannelReadComplete()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if error is HTTPParserError, case .idle = phase {
      refuse(status: 400, "This is no HTTP/1.1: \(error).")
    } else {
      context.close(promise: nil)
    }
  }

  /// A client that sends and never reads is not read from either, until it has taken what it was answered.
  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { release() }
    let isWritable = context.channel.isWritable
    if let stream {
      if isWritable { hub.writable(stream) }
    } else {
      let wantsMore = isWritable && held.isEmpty
      context.channel.setOption(.autoRead, value: wantsMore).whenFailure { _ in }
      if wantsMore { context.read() }
    }
    context.fireChannelWritabilityChanged()
  }

  // MARK: Answering

  /// Answers a request, or holds it while the connection takes nothing: what was read in one piece may hold hundreds,
  /// and their answers must not pile up in memory.
  private func take(_ head: HTTPRequestHead, _ body: ByteBuffer) {
    if held.isEmpty, channel.isWritable { return answer(head, body) }
    guard held.count < Self.heldLimit else {
      phase = .refused
      held = []
      channel.close(promise: nil)
      return
    }
    held.append((head, body))
  }

  /// Answers what was held, as far as the connection takes it. Writing tells of writability while this runs, so it is
  /// entered once only.
  private func release() {
    if isReleasing || held.isEmpty { return }
    isReleasing = true
    defer { isReleasing = false }
    var next = 0
    while next < held.count, channel.isWritable {
      let (head, body) = held[next]
      next += 1
      answer(head, body)
      // A connection that ends, or became a stream, answers no more: `held` is empty then.
    }
    held.removeFirst(min(next, held.count))
    if wroteSinceFlush {
      wroteSinceFlush = false
      channel.flush()
    }
  }

  private func answer(_ head: HTTPRequestHead, _ body: ByteBuffer) {
    let keepsAlive = head.isKeepAlive && !hub.isDraining
    hub.counts.requests.add(1, ordering: .relaxed)
    var bytes = hub.takeScratch()
    defer { hub.giveBack(bytes) }
    switch hub.reply(to: head, body: body, peer: peer, into: &bytes) {
    case .answer(let status, let type, let headers):
      var out = channel.allocator.buffer(capacity: ResponseHead.usualSize + bytes.count)
      ResponseHead.write(
        status, type: type, headers: headers, length: status == 304 ? nil : bytes.count, keepsAlive: keepsAlive,
        isOld: head.version.minor == 0, to: &out)
      if head.method != .HEAD, status != 304 { out.writeBytes(bytes) }
      hub.counts.answered(status)
      write(out)
      if !keepsAlive { close() }
    case .stream(let wanted): open(wanted)
    }
  }

  /// The rest of a body whose size is refused is not read; the connection ends.
  private func refuse(status: Int, _ sentence: String) {
    phase = .refused
    // It would be taken for the answer to the first of those that are held.
    guard held.isEmpty else {
      held = []
      channel.close(promise: nil)
      return
    }
    var bytes: [UInt8] = []
    GeneralFailure.write(sentence, to: &bytes)
    var out = channel.allocator.buffer(capacity: ResponseHead.usualSize + bytes.count)
    ResponseHead.write(
      status, type: ResponseHead.json, headers: [], length: bytes.count, keepsAlive: false, isOld: false, to: &out)
    out.writeBytes(bytes)
    hub.counts.requests.add(1, ordering: .relaxed)
    hub.counts.answered(status)
    channel.writeAndFlush(out, promise: nil)
    wroteSinceFlush = false
    lastActive = .now()
    // What still comes is read and forgotten for a while: a connection that is closed with unread bytes in it is reset,
    // and the answer with it.
    let channel = channel
    channel.eventLoop.scheduleTask(in: Self.linger) { channel.close(promise: nil) }
  }

  private func write(_ buffer: ByteBuffer) {
    wroteSinceFlush = true
    channel.write(buffer, promise: nil)
    if !channel.isWritable {
      wroteSinceFlush = false
      channel.flush()
    }
  }

  /// Ends the connection when everything is written.
  private func close() {
    phase = .refused
    held = []
    wroteSinceFlush = false
    let channel = channel
    channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(promise: nil) }
  }

  // MARK: Streaming

  private func open(_ wanted: EventStream) {
    phase = .streaming
    held = []
    let served = wanted.environment.store.current
    let slot = StreamSlot(wanted, client: hub.client(of: wanted), channel: channel, served: served)
    stream = slot
    var out = channel.allocator.buffer(capacity: 512)
    ResponseHead.writeStream(to: &out)
    ResponseHead.writeChunk(wanted.dialect.opening(of: served, lastEventID: wanted.lastEventID), to: &out)
    hub.counts.answered(200)
    channel.writeAndFlush(out, promise: nil)
    wroteSinceFlush = false
    hub.join(slot)
  }

  /// Ends a stream so that its client comes back: to the process that took over.
  func endStream() {
    guard stream != nil else { return }
    if let stream { hub.leave(stream) }
    stream = nil
    channel.write(ByteBuffer(string: "0\r\n\r\n"), promise: nil)
    close()
  }

  // MARK: Looked at each second

  /// What to do with a connection on which nothing comes.
  func look(at now: NIODeadline, limits: ConnectionHub.Limits) {
    let quiet = now - lastActive
    switch phase {
    case .idle where quiet > limits.idle || (hub.isDraining && quiet > limits.idleWhileDraining):
      channel.close(promise: nil)
    case .reading where quiet > limits.request: refuse(status: 408, "The request did not end: send it as a whole.")
    default: break
    }
  }

  func closeNow() { channel.close(promise: nil) }
}

/// A failure that no protocol has a shape for, in the shape of OFREP's general one.
package enum GeneralFailure {
  package static func write(_ sentence: String, to bytes: inout [UInt8]) {
    bytes.append(contentsOf: "{\"errorDetails\":".utf8)
    JSONText.write(sentence, to: &bytes)
    bytes.append(UInt8(ascii: "}"))
  }
}
