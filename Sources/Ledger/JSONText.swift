import Kernel

extension Cause {
  /// The bytes that `ledgerEncoder` gives for a cause, without its price; a test holds the two together.
  var json: String {
    switch self {
    case .request(let id): "{\"request\":{\"id\":\(quoted(id))}}"
    case .routed(let position, let index): "{\"routed\":{\"index\":\(index),\"position\":\(position)}}"
    case .observed(let effect): "{\"observed\":{\"effect\":\(quoted(effect.text))}}"
    case .pulse: "{\"pulse\":{}}"
    }
  }
}

/// A JSON string (RFC 8259 §7): escaped only where it must be, and in the short form where there is one.
func quoted(_ text: String) -> String {
  var quoted: [UInt8] = [UInt8(ascii: "\"")]
  quoted.reserveCapacity(text.utf8.count + 2)
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "\""): quoted += "\\\"".utf8
    case UInt8(ascii: "\\"): quoted += "\\\\".utf8
    case 0x08: quoted += "\\b".utf8
    case 0x09: quoted += "\\t".utf8
    case 0x0A: quoted += "\\n".utf8
    case 0x0C: quoted += "\\f".utf8
    case 0x0D: quoted += "\\r".utf8
    case 0..<0x20: quoted += "\\u00\(hexadecimal([byte]))".utf8
    default: quoted.append(byte)
    }
  }
  quoted.append(UInt8(ascii: "\""))
  return String(decoding: quoted, as: UTF8.self)
}
