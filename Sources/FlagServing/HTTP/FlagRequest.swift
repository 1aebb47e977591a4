import NIOCore
import NIOHTTP1

/// A request as a whole, in an environment.
package struct FlagRequest {
  package let method: HTTPMethod
  /// Without query, and without the prefix that chose the environment.
  package let path: Substring
  /// What stands before ``path``: `/flags/ENV`, or nothing. Links in answers begin with it.
  package let prefix: Substring
  /// Behind the question mark; empty without one.
  package let query: Substring
  package let headers: HTTPHeaders
  package let body: ByteBuffer
  package let environment: FlagEnvironment
  /// All environments of the server.
  package let environments: FlagEnvironments
  package let peer: Peer
  /// Seconds since 1970.
  package let now: Double

  /// The first value of a parameter of the query, decoded; nil without.
  package func parameter(_ name: String) -> String? {
    if query.isEmpty { return nil }
    for pair in query.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts[0] == name else { continue }
      return parts.count > 1 ? PercentText.decoded(parts[1], plusIsBlank: true) : ""
    }
    return nil
  }

  /// Nil when the client does not say.
  package var userAgent: String { headers.first(name: "user-agent") ?? "" }

  /// What the client calls itself; nil when it does not.
  package var clientName: String? {
    headers.first(name: "plimsoll-client") ?? parameter("client")
  }

  /// The client behind a request that stands for itself, known or new. Remembered with the connection.
  package func client(_ kind: ClientProtocol) -> FlagClient {
    peer.client(kind, in: environment, userAgent: userAgent, name: clientName, at: now)
  }

  /// Who asks for a stream: without a name of its own it is told from others by its connection.
  package func streamIdentity(_ kind: ClientProtocol) -> ClientIdentity {
    clientName.map { name in
      ClientIdentity(name: name, kind: kind, userAgent: userAgent, address: peer.addressAndPort)
    } ?? .anonymous(kind, userAgent: userAgent, address: peer.addressAndPort)
  }
}

/// What a protocol answers; the body of an answer is in the bytes that it was given.
package enum FlagReply {
  /// `type`: of the body; nil without one.
  case answer(status: Int, type: StaticString?, headers: [(name: StaticString, value: String)] = [])
  case stream(EventStream)
}

/// One of the protocols that a listener speaks.
package protocol FlagProtocol: Sendable {
  /// Answers on the thread that reads the connection, so it neither waits nor blocks.
  ///
  /// - Parameter body: empty; takes the answer's body.
  /// - Returns: nil for a path that is not of this protocol.
  func reply(to request: FlagRequest, body: inout [UInt8]) -> FlagReply?
}

/// The other end of a connection. Used on the connection's thread only.
package final class Peer {
  private struct Known {
    let kind: ClientProtocol
    let environment: String
    let userAgent: String
    let name: String?
    let client: FlagClient
  }

  private let remote: SocketAddress?
  package private(set) lazy var address = remote?.ipAddress ?? "unknown"
  package private(set) lazy var addressAndPort = remote?.port.map { "\(address):\($0)" } ?? address
  private var known: Known?

  init(_ remote: SocketAddress?) { self.remote = remote }

  func client(
    _ kind: ClientProtocol, in environment: FlagEnvironment, userAgent: String, name: String?, at seconds: Double
  ) -> FlagClient {
    if let known, known.kind == kind, known.userAgent == userAgent, known.name == name,
      known.environment == environment.name
    {
      return known.client
    }
    let identity =
      name.map { ClientIdentity(name: $0, kind: kind, userAgent: userAgent, address: address) }
      ?? .anonymous(kind, userAgent: userAgent, address: address)
    let client = environment.registry.seen(identity, at: seconds)
    known = Known(kind: kind, environment: environment.name, userAgent: userAgent, name: name, client: client)
    return client
  }
}

/// Texts as URLs write them.
enum PercentText {
  static func decoded(_ text: Substring, plusIsBlank: Bool) -> String {
    guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else { return String(text) }
    var bytes: [UInt8] = []
    let source = Array(text.utf8)
    var at = 0
    while at < source.count {
      if source[at] == UInt8(ascii: "%"), at + 2 < source.count, let high = digit(source[at + 1]),
        let low = digit(source[at + 2])
      {
        bytes.append(high << 4 | low)
        at += 3
      } else {
        bytes.append(plusIsBlank && source[at] == UInt8(ascii: "+") ? UInt8(ascii: " ") : source[at])
        at += 1
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  static func encoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
        encoded.unicodeScalars.append(Unicode.Scalar(byte))
      default: encoded += "%" + ServedFlags.hexadecimal([byte]).uppercased()
      }
    }
    return encoded
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - 0x30
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - 0x57
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - 0x37
    default: nil
    }
  }
}
