/// Records of comma-separated values (RFC 4180): fields in quotes may hold commas, doubled quotes and line breaks.
/// Blanks between a comma and a quote are no part of the field.
package struct CommaSeparated {
  /// One record with the line that it begins in, from 1.
  package struct Record: Equatable, Sendable {
    package let line: Int
    package let cells: [Cell]
    package var fields: [String] { cells.map(\.text) }
  }

  package struct Cell: Equatable, Sendable {
    /// As written between the commas, or between the quotes.
    package let text: String
    /// Where it begins: 1 is the line's first character.
    package let column: Int
    package let isQuoted: Bool

    /// Without the blanks around it, unless quotes keep them.
    package var trimmed: String {
      guard !isQuoted else { return text }
      var rest = text[...]
      while rest.first?.isWhitespace == true { rest.removeFirst() }
      while rest.last?.isWhitespace == true { rest.removeLast() }
      return String(rest)
    }
  }

  /// Why the text is no CSV, and where.
  package struct Fault: Error, Equatable, Sendable {
    package let line: Int
    package let column: Int
    package let kind: Kind

    package enum Kind: Equatable, Sendable {
      /// At the opening quote.
      case neverClosed
      /// At what follows a closing quote.
      case textAfterQuote
      case quoteInField
    }

    package var what: String {
      switch kind {
      case .neverClosed: "a quote is opened and never closed"
      case .textAfterQuote: "text follows a closing quote; double the quote that belongs to the field"
      case .quoteInField: "there is a quote in the middle of a field"
      }
    }
  }

  private let bytes: String.UTF8View
  private var at: String.UTF8View.Index
  private var lineStart: String.UTF8View.Index
  private var line = 1

  private init(_ bytes: String.UTF8View) {
    self.bytes = bytes
    at = bytes.startIndex
    lineStart = bytes.startIndex
  }

  /// Every record; empty lines are passed over.
  package static func records(of text: String) throws(Fault) -> [Record] {
    var reader = CommaSeparated(text.utf8)
    var all: [Record] = []
    while let record = try reader.next() { all.append(record) }
    return all
  }

  /// The cells of one line, for files that have comments or no line breaks in quotes; the fault's line is 1.
  package static func cells(ofLine line: Substring) throws(Fault) -> [Cell] {
    var reader = CommaSeparated(String(line).utf8)
    return try reader.next()?.cells ?? []
  }

  private mutating func next() throws(Fault) -> Record? {
    while let byte = peek, byte == .lineFeed || byte == .carriageReturn { passLineBreak() }
    guard peek != nil else { return nil }
    let first = line
    var cells: [Cell] = []
    while true {
      cells.append(try cell())
      guard peek == .comma else { break }
      at = bytes.index(after: at)
    }
    if peek != nil { passLineBreak() }
    return Record(line: first, cells: cells)
  }

  private var peek: UInt8? { at < bytes.endIndex ? bytes[at] : nil }

  private mutating func passLineBreak() {
    let isReturn = peek == .carriageReturn
    at = bytes.index(after: at)
    if isReturn, peek == .lineFeed { at = bytes.index(after: at) }
    line += 1
    lineStart = at
  }

  /// Leaves `at` on the comma or line break behind the cell, or at the end.
  private mutating func cell() throws(Fault) -> Cell {
    let (begin, column) = (at, self.column)
    passBlanks()
    guard peek != .quote else { return try quoted() }
    while let byte = peek, !byte.endsField {
      guard byte != .quote else { throw fault(.quoteInField) }
      at = bytes.index(after: at)
    }
    return Cell(text: String(decoding: bytes[begin..<at], as: UTF8.self), column: column, isQuoted: false)
  }

  private mutating func quoted() throws(Fault) -> Cell {
    let opened = fault(.neverClosed)
    var held: [UInt8] = []
    at = bytes.index(after: at)
    while let byte = peek {
      at = bytes.index(after: at)
      if byte == .lineFeed { (line, lineStart) = (line + 1, at) }
      guard byte == .quote else {
        held.append(byte)
        continue
      }
      if peek == .quote {
        held.append(byte)
        at = bytes.index(after: at)
        continue
      }
      passBlanks()
      if let next = peek, !next.endsField { throw fault(.textAfterQuote) }
      return Cell(text: String(decoding: held, as: UTF8.self), column: opened.column, isQuoted: true)
    }
    throw opened
  }

  private mutating func passBlanks() {
    while peek == .space || peek == .tab { at = bytes.index(after: at) }
  }

  private var column: Int { String(decoding: bytes[lineStart..<at], as: UTF8.self).count + 1 }

  private func fault(_ kind: Fault.Kind) -> Fault { Fault(line: line, column: column, kind: kind) }
}

extension UInt8 {
  fileprivate static let comma = UInt8(ascii: ",")
  fileprivate static let quote = UInt8(ascii: "\"")
  fileprivate static let space = UInt8(ascii: " ")
  fileprivate static let tab = UInt8(ascii: "\t")
  fileprivate static let lineFeed = UInt8(ascii: "\n")
  fileprivate static let carriageReturn = UInt8(ascii: "\r")
  fileprivate var endsField: Bool { self == .comma || self == .lineFeed || self == .carriageReturn }
}
