/// JSON text of a view: compact, members in their order.
///
/// Doubles are written with the fewest digits that read back the same, and always with a fraction or an exponent, so
/// that a reader tells `1.0` from `1`. Infinite numbers, which only overflow makes, are written as ±1e999, which reads
/// back infinite; what is not a number is written as null.
package enum JSONWriter {
  package static func text(of view: JSONView) -> String {
    var bytes: [UInt8] = []
    write(view, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  package static func write(_ view: JSONView, to bytes: inout [UInt8]) {
    switch view.kind {
    case .null: bytes.append(contentsOf: "null".utf8)
    case .boolean: bytes.append(contentsOf: (view.isTrue ? "true" : "false").utf8)
    case .integer: bytes.append(contentsOf: String(view.asInteger).utf8)
    case .double: write(view.asDouble, to: &bytes)
    case .text: write(view.utf8, to: &bytes)
    case .array:
      bytes.append(UInt8(ascii: "["))
      var isFirst = true
      for element in view.elements {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        write(element, to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object:
      bytes.append(UInt8(ascii: "{"))
      var isFirst = true
      for (name, value) in view.members {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        write(name.utf8, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        write(value, to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    // A step of a program has no text; views of programs are not given out.
    case .operation: bytes.append(contentsOf: "null".utf8)
    }
  }

  package static func write(_ value: Double, to bytes: inout [UInt8]) {
    if value.isNaN {
      bytes.append(contentsOf: "null".utf8)
    } else if value.isInfinite {
      bytes.append(contentsOf: (value < 0 ? "-1e999" : "1e999").utf8)
    } else {
      bytes.append(contentsOf: value.description.utf8)
    }
  }

  package static func write(_ text: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case 0x0a: bytes.append(contentsOf: "\\n".utf8)
      case 0x0d: bytes.append(contentsOf: "\\r".utf8)
      case 0x09: bytes.append(contentsOf: "\\t".utf8)
      case 0..<0x20:
        bytes.append(contentsOf: "\\u00".utf8)
        bytes.append(0x30 + (byte >> 4))
        bytes.append((byte & 15) < 10 ? 0x30 + (byte & 15) : 0x57 + (byte & 15))
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
