import NIOCore

/// An ErrorResponse: what the proxy itself tells a client, and what it reads of the server's.
enum ServerError {
  static let tag = UInt8(ascii: "E")

  /// PostgreSQL's codes that the proxy uses in its own messages.
  enum Code: String {
    case connectionFailure = "08006"
    case protocolViolation = "08P01"
    case invalidAuthorization = "28000"
    case tooManyConnections = "53300"
    case proxyStops = "57P01"
  }

  static func fatal(_ code: Code, _ sentence: String, in allocator: ByteBufferAllocator) -> ByteBuffer {
    var body = allocator.buffer(capacity: sentence.utf8.count + 64)
    for (field, value) in [("S", "FATAL"), ("V", "FATAL"), ("C", code.rawValue), ("M", "plimsoll proxy: " + sentence)] {
      body.writeString(field)
      body.writeString(value)
      body.writeInteger(UInt8(0))
    }
    body.writeInteger(UInt8(0))
    var message = allocator.buffer(capacity: body.readableBytes + MessageScanner.headerLength)
    message.writeInteger(tag)
    message.writeInteger(Int32(body.readableBytes + 4))
    message.writeBuffer(&body)
    return message
  }

  /// The five characters of the SQLSTATE; nil when the body is cut before them.
  static func state(_ body: UnsafeRawBufferPointer) -> String? {
    var reader = WireReader(body)
    while let field = reader.byte(), field != 0, let value = reader.string() {
      if field == UInt8(ascii: "C") { return value }
    }
    return nil
  }
}
