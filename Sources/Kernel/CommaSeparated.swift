/// Records of comma-separated values (RFC 4180): fields in quotes may hold commas, doubled quotes and line breaks.
package struct CommaSeparated: Sequence {
  /// One record with the line that it begins in, from 1.
  package struct Record: Equatable, Sendable {
    package let line: Int
    package let fields: [String]
  }

  /// Why the text is no CSV, and where.
  package struct Fault: Error, Equatable, Sendable {
    package let line: Int
    package let what: String
  }

  private let text: String

  package init(_ text: String) { self.text = text }

  package func makeIterator() -> Iterator { Iterator(text.utf8) }

  /// Every record; empty lines are passed over.
  ///
  /// - Throws: `Fault` for a quote that is never closed, or one in the middle of a field.
  package func records() throws(Fault) -> [Record] {
    var iterator = makeIterator()
    var all: [Record] = []
    while let record = try iterator.read() { all.append(record) }
    return all
  }

  /// Reads record by record; a file of hundreds of megabytes need not be held twice.
  package struct Iterator: IteratorProtocol {
    private let bytes: String.UTF8View
    private var at: String.UTF8View.Index
    private var line = 1

    fileprivate init(_ bytes: String.UTF8View) {
      self.bytes = bytes
      at = bytes.startIndex
    }

    /// The next record; nil at the end and behind a fault. Use `read` to tell them apart.
    package mutating func next() -> Record? { try? read() }

    package mutating func read() throws(Fault) -> Record? {
      while at < bytes.endIndex, bytes[at] == .lineFeed || bytes[at] == .carriageReturn {
        if bytes[at] == .lineFeed { line += 1 }
        at = bytes.index(after: at)
      }
      guard at < bytes.endIndex else { return nil }
      let first = line
      var fields: [String] = []
      while true {
        fields.append(try field())
        guard at < bytes.endIndex else { break }
        let end = bytes[at]
        at = bytes.index(after: at)
        if end == .comma { continue }
        if end == .carriageReturn, at < bytes.endIndex, bytes[at] == .lineFeed { at = bytes.index(after: at) }
        line += 1
        break
      }
      return Record(line: first, fields: fields)
    }

    /// Leaves `at` on the comma or line break behind the field, or at the end.
    private mutating func field() throws(Fault) -> String {
      guard at < bytes.endIndex, bytes[at] == .quote else {
        let from = at
        while at < bytes.endIndex, !bytes[at].endsField {
          guard bytes[at] != .quote else { throw Fault(line: line, what: "there is a quote in the middle of a field") }
          at = bytes.index(after: at)
        }
        return String(decoding: bytes[from..<at], as: UTF8.self)
      }
      let opened = line
      var held: [UInt8] = []
      at = bytes.index(after: at)
      while at < bytes.endIndex {
        let byte = bytes[at]
        at = bytes.index(after: at)
        if byte == .quote {
          guard at < bytes.endIndex, bytes[at] == .quote else {
            guard at == bytes.endIndex || bytes[at].endsField else {
              throw Fault(line: line, what: "text follows a closing quote; double the quote that belongs to the field")
            }
            return String(decoding: held, as: UTF8.self)
          }
          at = bytes.index(after: at)
        } else if byte == .lineFeed {
          line += 1
        }
        held.append(byte)
      }
      throw Fault(line: opened, what: "a quote is opened and never closed")
    }
  }
}

extension UInt8 {
  fileprivate static let comma = UInt8(ascii: ",")
  fileprivate static let quote = UInt8(ascii: "\"")
  fileprivate static let lineFeed = UInt8(ascii: "\n")
  fileprivate static let carriageReturn = UInt8(ascii: "\r")
  fileprivate var endsField: Bool { self == .comma || self == .lineFeed || self == .carriageReturn }
}
