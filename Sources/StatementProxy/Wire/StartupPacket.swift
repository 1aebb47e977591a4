import NIOCore

/// A connection's first packet, which alone has no tag (protocol 3.0, "Start-up" and "SSL Session Encryption").
enum StartupPacket: Equatable {
  case encryption
  case kerberosEncryption
  case cancel
  case session(SessionStart)
  /// A version of the protocol that says nothing the proxy could read; the server may answer it.
  case unknown

  /// The server's own limit (MAX_STARTUP_PACKET_LENGTH).
  static let maximalLength = 10_000
  private static let encryptionCode = 80_877_103
  private static let kerberosCode = 80_877_104
  private static let cancelCode = 80_877_102

  /// What a client sends to ask for TLS; the proxy sends it to its upstream.
  static let encryptionRequest: [UInt8] = [0, 0, 0, 8, 4, 210, 22, 47]

  enum Reading: Equatable {
    case incomplete
    /// The packet's kind and its length in bytes.
    case complete(StartupPacket, length: Int)
    case malformed
  }

  static func read(_ buffer: ByteBuffer) -> Reading {
    buffer.withUnsafeReadableBytes { bytes in
      var reader = WireReader(bytes)
      guard let length = reader.int32() else { return .incomplete }
      guard (8...maximalLength).contains(length) else { return .malformed }
      guard bytes.count >= length, let code = reader.int32() else { return .incomplete }
      switch code {
      case encryptionCode: return .complete(.encryption, length: length)
      case kerberosCode: return .complete(.kerberosEncryption, length: length)
      case cancelCode: return .complete(.cancel, length: length)
      case let version where version >> 16 == 3:
        let body = UnsafeRawBufferPointer(rebasing: bytes[8..<length])
        return .complete(.session(SessionStart(reading: body)), length: length)
      default: return .complete(.unknown, length: length)
      }
    }
  }
}

/// Who connects to what, as the client's first packet says.
struct SessionStart: Equatable {
  var user = ""
  var database = ""
  var searchPath: String?
  /// A connection for replication, whose commands are no SQL.
  var isReplication = false

  init(reading body: UnsafeRawBufferPointer) {
    var reader = WireReader(body)
    while let name = reader.string(), !name.isEmpty, let value = reader.string() {
      switch name {
      case "user": user = value
      case "database": database = value
      case "search_path": searchPath = value
      case "options": searchPath = Self.searchPath(inOptions: value) ?? searchPath
      case "replication": isReplication = !["", "false", "off", "no", "0"].contains(value.lowercased())
      default: break
      }
    }
    if database.isEmpty { database = user }
  }

  /// `-c search_path=…` or `--search_path=…`, where a backslash keeps the space after it.
  static func searchPath(inOptions options: String) -> String? {
    var words: [String] = [""]
    var isEscaped = false
    for character in options {
      if isEscaped {
        words[words.count - 1].append(character)
        isEscaped = false
      } else if character == "\\" {
        isEscaped = true
      } else if character.isWhitespace {
        words.append("")
      } else {
        words[words.count - 1].append(character)
      }
    }
    var found: String?
    for word in words {
      let setting = word.hasPrefix("--") || word.hasPrefix("-c") ? word.dropFirst(2) : word[...]
      guard let equals = setting.firstIndex(of: "=") else { continue }
      let name = setting[..<equals].replacing("-", with: "_").lowercased()
      if name == "search_path" { found = String(setting[setting.index(after: equals)...]) }
    }
    return found
  }
}
