/// What tells one text of SQL from another for a schema: not comments, blanks, the case of words, the numbers of
/// parameters (that one stands twice, is told), how many values stand in a list behind IN or in ARRAY[…], nor how often
/// a row of VALUES is repeated.
///
/// A fingerprint tells less: it takes `f($1)` for `f($1, $2)`, one order of columns for the other and each constant for
/// the next, so that a migration may break one text of a fingerprint and not the other.
package struct StatementForm: Hashable, Sendable {
  private let text: String

  package enum Constants: Equatable, Sendable {
    /// Part of the form.
    case told
    /// As good as parameters.
    case open
  }

  /// O(length).
  ///
  /// - Parameter types: OIDs that the client declared of `$1`, `$2` and so on; 0, or a missing one, is left to the server.
  package init(_ statement: String, types: [UInt32] = [], constants: Constants) {
    var writer = Writer(types)
    let bytes = Array(statement.utf8)
    for token in SQLTokens(bytes) {
      switch token.kind {
      case .blank, .comment: continue
      case .parameter: writer.parameter(bytes[token.range])
      case .string, .number: writer.other(constants == .open ? Writer.parameter : bytes[token.range])
      case .word: writer.word(bytes[token.range].map { (65...90).contains($0) ? $0 | 0x20 : $0 })
      case .name: writer.other(bytes[token.range])
      case .symbol: writer.symbol(bytes[token.range])
      }
    }
    text = String(decoding: writer.whole, as: UTF8.self)
  }

  /// Writes tokens with blanks between, and takes back what only repeats its neighbour.
  private struct Writer {
    static let parameter: ArraySlice<UInt8> = [UInt8(ascii: "$")]
    /// One that stood before: its type must fit both places.
    private static let again: ArraySlice<UInt8> = [UInt8(ascii: "$"), UInt8(ascii: "!")]
    /// What makes of brackets a query, in which values do not repeat each other.
    private static let queries: Set = ["select", "values", "union", "intersect", "except", "with", "table"]

    private let types: [UInt32]
    private var out: [UInt8] = []
    private var frames: [Frame] = [Frame(kind: .other, start: 0)]
    private var last: Last = .other
    /// Numbers of parameters.
    private var seen: Set<Int> = []

    init(_ types: [UInt32]) { self.types = types }

    /// With what is declared of parameters that do not occur.
    var whole: [UInt8] {
      types.indices.filter { types[$0] != 0 && !seen.contains($0 + 1) }
        .reduce(into: out) { $0 += "$\($1 + 1):\(types[$1]) ".utf8 }
    }

    /// What stands between two parentheses or brackets.
    private struct Frame {
      enum Kind { case list, row, other }
      var kind: Kind
      /// Of the opening bracket, in `out`.
      var start: Int
      /// Of a list: where its current value begins, and the value before.
      var item = 0
      var previous: Range<Int>?
      /// The rows of VALUES that ended in here, each once, as long as nothing but a comma follows.
      var rows: [Range<Int>] = []
    }

    private enum Last { case `in`, array, values, comma, open, other }

    private mutating func append(_ bytes: some Sequence<UInt8>) {
      out += bytes
      out.append(UInt8(ascii: " "))
    }

    /// With its declared type, which its first place decides.
    mutating func parameter(_ bytes: ArraySlice<UInt8>) {
      let number = Int(String(decoding: bytes.dropFirst(), as: UTF8.self)) ?? 0
      guard seen.insert(number).inserted else { return other(Self.again) }
      let type = types.indices.contains(number - 1) ? types[number - 1] : 0
      other(type == 0 ? Self.parameter : Self.parameter + Array(":\(type)".utf8))
    }

    mutating func word(_ word: [UInt8]) {
      let text = String(decoding: word, as: UTF8.self)
      // A list of values has no word before its first value: what begins with one is a subquery or an expression.
      if last == .open || Self.queries.contains(text) { frames[frames.count - 1].kind = .other }
      append(word)
      frames[frames.count - 1].rows = []
      last =
        switch text {
        case "in": .in
        case "array": .array
        case "values": .values
        default: .other
        }
    }

    mutating func other(_ bytes: some Sequence<UInt8>) {
      append(bytes)
      frames[frames.count - 1].rows = []
      last = .other
    }

    mutating func symbol(_ bytes: ArraySlice<UInt8>) {
      switch bytes.first {
      case UInt8(ascii: "("), UInt8(ascii: "["): open(bytes)
      case UInt8(ascii: ")"), UInt8(ascii: "]"): close(bytes)
      case UInt8(ascii: ","):
        endItem()
        append(bytes)
        frames[frames.count - 1].item = out.count
        last = .comma
      default: other(bytes)
      }
    }

    private mutating func open(_ bytes: ArraySlice<UInt8>) {
      let isNextRow = last == .comma && !frames[frames.count - 1].rows.isEmpty
      let kind: Frame.Kind = last == .in || last == .array ? .list : last == .values || isNextRow ? .row : .other
      if kind != .row || !isNextRow { frames[frames.count - 1].rows = [] }
      frames.append(Frame(kind: kind, start: out.count))
      append(bytes)
      frames[frames.count - 1].item = out.count
      last = kind == .list ? .open : .other
    }

    private mutating func close(_ bytes: ArraySlice<UInt8>) {
      endItem()
      append(bytes)
      last = .other
      // One that closes nothing is no SQL; it is written as it stands.
      guard frames.count > 1, let closed = frames.popLast() else { return }
      guard closed.kind == .row else { return }
      let row = closed.start..<out.count
      let before = frames[frames.count - 1].rows
      if let last = before.last, before.contains(where: { out[$0] == out[row] }) {
        out.removeSubrange(last.upperBound...)
      } else {
        frames[frames.count - 1].rows.append(row)
      }
    }

    private mutating func endItem() {
      guard let frame = frames.last, frame.kind == .list, frame.item <= out.count else { return }
      let item = frame.item..<out.count
      if let before = frame.previous, out[before] == out[item] {
        out.removeSubrange(before.upperBound...)
      } else {
        frames[frames.count - 1].previous = item
      }
    }
  }
}
