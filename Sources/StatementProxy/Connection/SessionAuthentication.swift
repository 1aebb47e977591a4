import NIOCore

/// The messages between a session's start and the server's AuthenticationOk, seen before they are forwarded. Passwords
/// and proofs pass through unread.
final class SessionAuthentication {
  private var serverBytes = ByteBuffer()
  private var clientBytes = ByteBuffer()
  /// The server has offered mechanisms and the client's next message names one of them.
  private var awaitsMechanism = false

  /// Longer than any password or token; Kerberos tickets reach 64 kB.
  private static let maximalAnswer = 256 << 10

  struct ServerPart {
    var forward = ByteBuffer()
    /// The client is let in.
    var isDone = false
    /// What came after that.
    var rest = ByteBuffer()
  }

  enum ClientPart {
    /// What goes on, and the part of it that are statements sent ahead.
    case forward(ByteBuffer, statements: ByteBuffer)
    case bindsForeignCertificate
    case tooLong
  }

  var unreadOfServer: ByteBuffer { serverBytes }
  var unreadOfClient: ByteBuffer { clientBytes }
  var isServerTooLong: Bool { serverBytes.readableBytes > Self.maximalAnswer }

  func server(sent bytes: ByteBuffer, binding: Authentication.Binding) -> ServerPart {
    var bytes = bytes
    serverBytes.writeBuffer(&bytes)
    var part = ServerPart()
    while var message = Self.nextMessage(&serverBytes) {
      let tag = message.getInteger(at: message.readerIndex, as: UInt8.self)
      let code = message.getInteger(at: message.readerIndex + MessageScanner.headerLength, as: Int32.self).map(Int.init)
      guard tag == Authentication.requestTag else {
        part.forward.writeBuffer(&message)
        continue
      }
      awaitsMechanism = code == Authentication.mechanisms
      if awaitsMechanism, binding == .withheld { message = Self.withoutBinding(message) }
      part.forward.writeBuffer(&message)
      if code == Authentication.done {
        part.isDone = true
        part.rest = serverBytes
        serverBytes = ByteBuffer()
        return part
      }
    }
    return part
  }

  func client(sent bytes: ByteBuffer, binding: Authentication.Binding) -> ClientPart {
    var bytes = bytes
    clientBytes.writeBuffer(&bytes)
    var forward = ByteBuffer()
    var statements = ByteBuffer()
    while var message = Self.nextMessage(&clientBytes) {
      if message.getInteger(at: message.readerIndex, as: UInt8.self) == Authentication.answerTag {
        if awaitsMechanism, binding == .broken, Self.choosesBinding(message) { return .bindsForeignCertificate }
        awaitsMechanism = false
      } else {
        statements.writeImmutableBuffer(message)
      }
      forward.writeBuffer(&message)
    }
    return clientBytes.readableBytes > Self.maximalAnswer ? .tooLong : .forward(forward, statements: statements)
  }

  private static func nextMessage(_ bytes: inout ByteBuffer) -> ByteBuffer? {
    guard let length = bytes.getInteger(at: bytes.readerIndex + 1, as: Int32.self), length >= 4 else { return nil }
    return bytes.readSlice(length: Int(length) + 1)
  }

  private static func withoutBinding(_ message: ByteBuffer) -> ByteBuffer {
    var body = message
    body.moveReaderIndex(forwardBy: MessageScanner.headerLength)
    let names = body.withUnsafeReadableBytes(Authentication.names)
    return Authentication.offer(names.filter { $0 != Authentication.bindingMechanism }, in: ByteBufferAllocator())
  }

  private static func choosesBinding(_ message: ByteBuffer) -> Bool {
    var body = message
    body.moveReaderIndex(forwardBy: MessageScanner.headerLength)
    return body.withUnsafeReadableBytes { bytes in
      var reader = WireReader(bytes)
      return reader.string() == Authentication.bindingMechanism
    }
  }
}
