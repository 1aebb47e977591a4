/// Texts in lower case as Rust writes them: Unicode's full mapping, and a sigma that ends a word becomes ς.
enum LowerCase {
  /// Whether lower case may differ from the text itself. Cheap, and never wrong for ASCII.
  static func mayChange(_ text: UnsafeRawBufferPointer) -> Bool {
    text.contains { $0 >= 0x80 || ($0 >= 0x41 && $0 <= 0x5A) }
  }

  static func write(_ text: UnsafeRawBufferPointer, to result: inout [UInt8]) {
    if text.allSatisfy({ $0 < 0x80 }) {
      for byte in text { result.append(byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte) }
      return
    }
    let scalars = Array(String(decoding: text, as: UTF8.self).unicodeScalars)
    for (index, scalar) in scalars.enumerated() {
      if scalar == "Σ" {
        result.append(contentsOf: (endsWord(scalars, at: index) ? "ς" : "σ").utf8)
      } else {
        result.append(contentsOf: scalar.properties.lowercaseMapping.utf8)
      }
    }
  }

  static func of(_ text: String) -> String {
    var bytes: [UInt8] = []
    var text = text
    text.withUTF8 { write(UnsafeRawBufferPointer($0), to: &bytes) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Final_Sigma (SpecialCasing.txt): a letter with case before, none after, whatever is ignorable between.
  private static func endsWord(_ scalars: [Unicode.Scalar], at index: Int) -> Bool {
    let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
    let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
    return before?.properties.isCased == true && after?.properties.isCased != true
  }
}
