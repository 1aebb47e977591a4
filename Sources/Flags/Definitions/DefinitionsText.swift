/// The text of definitions, taken apart: what stands before the flags, each flag's own text, what stands behind. So one
/// flag's definition is exchanged without reading the others again.
package struct DefinitionsText: Sendable {
  /// One flag's key and its definition's JSON; in the list form the definition holds the key as well.
  package struct Entry: Sendable {
    package let key: String
    package let definition: String
  }

  /// Up to the opening bracket of `flags`, which it includes.
  package let opening: String
  /// From the closing bracket of `flags` on.
  package let closing: String
  /// Whether flags are a list; else an object by key.
  package let isList: Bool
  /// In the order of ``FlagSet``: of a repeated key the last definition, in the first one's place.
  package let entries: [Entry]

  /// - Throws: `FlagRefusal` when the text is no JSON object. A text that made a ``FlagSet`` is never refused.
  package init(_ json: String) throws(FlagRefusal) {
    var copy = json
    let result: Result<DefinitionsText, FlagRefusal> = copy.withUTF8 { bytes in
      do throws(FlagRefusal) {
        return .success(try DefinitionsText(bytes))
      } catch {
        return .failure(error)
      }
    }
    self = try result.get()
  }

  private init(_ bytes: UnsafeBufferPointer<UInt8>) throws(FlagRefusal) {
    let builder = JSONBuilder()
    var reader = JSONReader(bytes, into: builder, subject: "the definitions")
    var flags: Range<Int>?
    var isEmpty = true
    try reader.members { (name, reader) throws(FlagRefusal) in
      isEmpty = false
      let start = reader.at
      try reader.skip()
      if Self.text(bytes[name]) == "flags" { flags = start..<reader.at }
    }
    guard let flags else {
      // A set without flags gets room for some behind its other members.
      let end = bytes.lastIndex(of: UInt8(ascii: "}")) ?? bytes.count
      opening = Self.text(bytes[..<end]) + (isEmpty ? "" : ",") + "\"flags\":{"
      closing = "}" + Self.text(bytes[end...])
      (isList, entries) = (false, [])
      return
    }
    opening = Self.text(bytes[...flags.lowerBound])
    closing = Self.text(bytes[(flags.upperBound - 1)...])
    isList = bytes[flags.lowerBound] == UInt8(ascii: "[")
    var found: [Entry] = []
    var places: [String: Int] = [:]
    func keep(_ key: String, _ range: Range<Int>) {
      let entry = Entry(key: key, definition: Self.text(bytes[range]))
      if let place = places[key] {
        found[place] = entry
      } else {
        places[key] = found.count
        found.append(entry)
      }
    }
    var inner = JSONReader(bytes, into: builder, from: flags.lowerBound, subject: "the definitions")
    if isList {
      try inner.elements { (reader) throws(FlagRefusal) in
        let start = reader.at
        builder.reset()
        try reader.value()
        let end = reader.at
        keep(builder.finish().root.member("key")?.string ?? "", start..<end)
      }
    } else {
      try inner.members { (name, reader) throws(FlagRefusal) in
        builder.reset()
        var quoted = JSONReader(bytes, into: builder, from: name.lowerBound - 1, subject: "the definitions")
        try quoted.value()
        let key = builder.finish().root.string ?? ""
        let start = reader.at
        try reader.skip()
        keep(key, start..<reader.at)
      }
    }
    entries = found
  }

  private static func text(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> String {
    String(decoding: bytes, as: UTF8.self)
  }

  /// The whole text with other entries between its ends.
  package func text(with entries: some Sequence<Entry>) -> String {
    var text = opening
    var isFirst = true
    for entry in entries {
      text += isFirst ? "\n" : ",\n"
      isFirst = false
      if !isList {
        var name: [UInt8] = []
        var key = entry.key
        key.withUTF8 { JSONWriter.write(UnsafeRawBufferPointer($0), to: &name) }
        text += String(decoding: name, as: UTF8.self) + ": "
      }
      text += entry.definition
    }
    return text + "\n" + closing
  }

  /// An entry as this text's form wants it, from a definition without its key.
  package func entry(_ key: String, _ definition: String) -> Entry {
    guard isList, let brace = definition.firstIndex(of: "{") else { return Entry(key: key, definition: definition) }
    var name: [UInt8] = []
    var word = key
    word.withUTF8 { JSONWriter.write(UnsafeRawBufferPointer($0), to: &name) }
    let rest = definition[definition.index(after: brace)...]
    return Entry(key: key, definition: "{\"key\": \(String(decoding: name, as: UTF8.self)),\(rest)")
  }
}
