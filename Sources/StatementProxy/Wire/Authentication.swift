import NIOCore

/// The server's and the client's words about SASL, as far as a proxy must understand them.
enum Authentication {
  static let requestTag = UInt8(ascii: "R")
  static let answerTag = UInt8(ascii: "p")
  static let done = 0
  static let mechanisms = 10

  /// SCRAM that proves which TLS certificate the client saw (RFC 5802 §6; `tls-server-end-point`, RFC 5929).
  static let bindingMechanism = "SCRAM-SHA-256-PLUS"

  /// Names in an AuthenticationSASL message, after its code.
  static func names(_ body: UnsafeRawBufferPointer) -> [String] {
    var reader = WireReader(body)
    _ = reader.int32()
    var names: [String] = []
    while let name = reader.string(), !name.isEmpty { names.append(name) }
    return names
  }

  /// An AuthenticationSASL message that offers `names`.
  static func offer(_ names: [String], in allocator: ByteBufferAllocator) -> ByteBuffer {
    var body = allocator.buffer(capacity: 64)
    body.writeInteger(Int32(mechanisms))
    for name in names {
      body.writeString(name)
      body.writeInteger(UInt8(0))
    }
    body.writeInteger(UInt8(0))
    var message = allocator.buffer(capacity: body.readableBytes + MessageScanner.headerLength)
    message.writeInteger(requestTag)
    message.writeInteger(Int32(body.readableBytes + 4))
    message.writeBuffer(&body)
    return message
  }

  /// How the TLS of a connection's two halves bears on channel binding.
  enum Binding: Equatable {
    /// The upstream is not encrypted, or both halves present one certificate: nothing to do.
    case transparent
    /// The upstream is encrypted and the client's half is not. A client without TLS refuses a server that offers
    /// binding, so the offer is taken off the server's list.
    case withheld
    /// Both halves are encrypted, with two certificates: binding cannot succeed.
    case broken

    static let brokenSentence =
      "SCRAM-SHA-256-PLUS binds the password to the server's certificate, and the proxy shows another one; give the "
      + "proxy the server's own certificate and key, or let the proxy speak to the server without TLS, or connect with "
      + "channel_binding=disable."
  }
}
