import Foundation
import Migrations

/// One statement of a migration, as it is written, with its tree where it could be read.
package struct MigrationStatement: Equatable, Sendable {
  /// Without the semicolon and without comments before it.
  package var text: String
  package var spot: SourceSpot
  /// nil where it could not be read, which `syntaxError` then explains, and for `isBulk`.
  package var tree: SQLNode?
  package var syntaxError: SQLSyntaxError?
  /// A line for psql, such as `\set`; no server understands it.
  package var metaCommand: MetaCommand?
  /// The lines after `COPY … FROM stdin`, without the `\.`: they are sent as copy data, not as SQL.
  package var data: String?
  /// An INSERT whose grammar was checked and whose tree was not kept: it is long, or one of very many.
  package var isBulk = false

  package init(
    text: String, spot: SourceSpot, tree: SQLNode? = nil, syntaxError: SQLSyntaxError? = nil,
    metaCommand: MetaCommand? = nil, data: String? = nil
  ) {
    self.text = text
    self.spot = spot
    self.tree = tree
    self.syntaxError = syntaxError
    self.metaCommand = metaCommand
    self.data = data
  }

  package enum MetaCommand: Equatable, Sendable {
    /// It changes only what psql prints or how it stops, such as `\echo` or `\set ON_ERROR_STOP on`: it may be left
    /// out, and nobody misses anything.
    case harmless
    /// It reads other files, sets variables or connects elsewhere: without psql the script is not what it was.
    case decisive
  }

  /// The spot of a byte of `text`, counted from 0; line and column count characters from 1.
  package func spot(at offset: Int) -> SourceSpot {
    let before = String(decoding: text.utf8.prefix(max(0, offset)), as: UTF8.self)
    var spot = spot
    if let line = before.lastIndex(where: \.isNewline) {
      spot.line += before.count(where: \.isNewline)
      spot.column = before.distance(from: before.index(after: line), to: before.endIndex) + 1
    } else {
      spot.column += before.count
    }
    return spot
  }
}

extension SQLParser {
  /// An INSERT longer than this is checked but its tree is not kept: ten megabytes of rows make a gigabyte of tree.
  package static let maximalInsertTree = 65_536
  /// So are the INSERTs of a script after this many.
  package static let maximalInsertTrees = 1_000

  /// The statements of a script, in order. Nothing is lost: what cannot be read comes with `syntaxError`, and the
  /// statements after it are cut where psql would cut them.
  package static func split(_ text: String, file: String) -> [MigrationStatement] {
    var text = text
    return text.withUTF8 { bytes in
      var cursor = SpotCursor(bytes: bytes)
      var inserts = 0
      return StatementScanner.pieces(of: bytes).map { piece in
        let part = String(decoding: bytes[piece.range], as: UTF8.self)
        cursor.advance(to: piece.range.lowerBound)
        let spot = SourceSpot(file: file, line: cursor.line, column: cursor.column, text: part)
        var statement = MigrationStatement(text: part, spot: spot)
        statement.data = piece.data.map { String(decoding: bytes[$0], as: UTF8.self) }
        if piece.metaCommand {
          statement.describeMetaCommand()
        } else {
          statement.read(&inserts)
        }
        return statement
      }
    }
  }
}

extension MigrationStatement {
  fileprivate mutating func read(_ inserts: inout Int) {
    do throws(SQLSyntaxError) {
      if text.utf8.prefix(6).elementsEqual("insert".utf8, by: { $0 | 0x20 == $1 }) {
        inserts += 1
        if text.utf8.count > SQLParser.maximalInsertTree || inserts > SQLParser.maximalInsertTrees {
          isBulk = true
          try SQLParser.check(text)
          return
        }
      }
      tree = try SQLParser.parse(text).first
      if tree == nil { syntaxError = SQLSyntaxError(message: "no statement found", offset: 0) }
    } catch {
      isBulk = false
      syntaxError = SQLSyntaxError(message: error.message + Self.resemblance(of: text), offset: error.offset)
    }
  }

  /// What an unreadable text looks like, to be put after the parser's words.
  private static func resemblance(of text: String) -> String {
    for (mark, example) in [
      ("{{", "{{ … }}"), ("${", "${ … }"), ("<%", "<% … %>"), ("{%", "{% … %}"), ("@@", "@@ … @@"),
    ]
    where text.contains(mark) {
      return "; it looks like a template (\(example)): render it to SQL before it is checked"
    }
    if text.contains("%(") { return "; it looks like a template (%( … )s): render it to SQL before it is checked" }
    if text.contains(/(^|[^:]):['"]?[A-Za-z_]/) {
      return "; it looks like a psql variable (:name): write the value, or render the script before it is checked"
    }
    return ""
  }

  /// Commands that leave the database and the rest of the script as they are. `\restrict` and `\unrestrict` surround
  /// the dumps of newer pg_dump.
  private static let harmlessCommands: Set<String> = [
    "echo", "qecho", "warn", "timing", "pset", "x", "a", "t", "h", "?", "d", "dt", "restrict", "unrestrict", "conninfo",
    "errverbose", "encoding",
  ]
  private static let harmlessVariables: Set<String> = [
    "on_error_stop", "on_error_rollback", "echo", "quiet", "verbosity", "show_context", "fetch_count", "histsize",
  ]

  fileprivate mutating func describeMetaCommand() {
    guard let mark = text.firstIndex(of: "\\") else { return }
    let parts = text[text.index(after: mark)...].split(whereSeparator: \.isWhitespace)
    let name = parts.first.map(String.init) ?? ""
    let alone = mark == text.startIndex
    let harmless =
      name == "set" || name == "unset"
      ? parts.count > 1 && Self.harmlessVariables.contains(parts[1].lowercased())
      : Self.harmlessCommands.contains(name)
    metaCommand = alone && harmless ? .harmless : .decisive
    syntaxError = SQLSyntaxError(
      message: "\\\(name) is a command of psql, which no server understands"
        + (metaCommand == .harmless
          ? "; it changes nothing here and is left out" : "; write it as SQL, or as own file"),
      offset: text.utf8.distance(from: text.startIndex, to: mark))
  }
}

/// Counts lines and characters forward, so that a script of any length is walked once.
private struct SpotCursor {
  let bytes: UnsafeBufferPointer<UInt8>
  var line = 1
  var column = 1
  private var position: Int

  init(bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
    position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
  }

  mutating func advance(to target: Int) {
    var lineStart = position
    while lineStart < target, let base = bytes.baseAddress,
      let found = memchr(base + lineStart, 10, target - lineStart)
    {
      line += 1
      column = 1
      lineStart = UnsafeRawPointer(base).distance(to: UnsafeRawPointer(found)) + 1
    }
    column += String(decoding: bytes[lineStart..<target], as: UTF8.self).count
    position = target
  }
}
