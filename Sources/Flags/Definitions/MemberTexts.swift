/// The members of a JSON object as they were written: each value's own text and where it stands, so that what somebody
/// sent is kept letter by letter, and faults are told at their place.
package struct MemberTexts: Sendable {
  package struct Member: Sendable, Equatable {
    package let name: String
    /// The value's text, without blanks around it.
    package let json: String
    /// Of the value, from 1; columns in Unicode scalars.
    package let line: Int
    package let column: Int
  }

  /// In written order, each name once.
  package let members: [Member]

  /// - Parameter subject: who is refused: "the body".
  /// - Throws: `FlagRefusal` with line and column: of what is no JSON object, nests deeper than 100, has more than
  ///   `limit` bytes, or a name twice.
  package init(_ json: String, subject: String, limit: Int) throws(FlagRefusal) {
    var copy = json
    let result: Result<[Member], FlagRefusal> = copy.withUTF8 { bytes in
      do throws(FlagRefusal) {
        return .success(try Self.read(bytes, subject, limit))
      } catch {
        return .failure(error)
      }
    }
    members = try result.get()
  }

  private static func read(
    _ bytes: UnsafeBufferPointer<UInt8>, _ subject: String, _ limit: Int
  ) throws(FlagRefusal) -> [Member] {
    // Judges all of it first: the walk below looks at quotes and brackets only.
    let tape = try JSONReader.tape(of: bytes, subject: subject, limit: limit)
    guard tape.root.kind == .object else {
      throw FlagRefusal(subject, "is no JSON object", next: "Send an object", line: 1, column: 1)
    }
    let builder = JSONBuilder()
    var reader = JSONReader(bytes, into: builder, subject: subject)
    var found: [Member] = []
    var names: Set<String> = []
    try reader.members { (name, reader) throws(FlagRefusal) in
      builder.reset()
      var quoted = JSONReader(bytes, into: builder, from: name.lowerBound - 1, subject: subject)
      try quoted.value()
      let word = builder.finish().root.string ?? ""
      let start = reader.at
      try reader.skip()
      var end = reader.at
      while end > start, bytes[end - 1] <= 0x20 { end -= 1 }
      let place = TextPlace(of: start, in: bytes)
      guard names.insert(word).inserted else {
        throw FlagRefusal(
          subject, "has `\(word)` twice", next: "Drop one", line: place.line, column: place.column)
      }
      found.append(
        Member(
          name: word, json: String(decoding: bytes[start..<end], as: UTF8.self), line: place.line,
          column: place.column))
    }
    return found
  }

  package func member(_ name: String) -> Member? { members.first { $0.name == name } }
}
