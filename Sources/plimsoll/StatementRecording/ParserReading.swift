import MigrationOracle
import StatementProxy

extension StatementReading {
  /// With PostgreSQL's own grammar.
  static let parser = StatementReading(
    fingerprint: { SQLParser.fingerprint($0) },
    normalise: { SQLParser.normalise($0) },
    split: { text in
      // Most messages hold one statement, and a parser need not find that out.
      guard text.utf8.dropLast().contains(UInt8(ascii: ";")) else { return [text] }
      return SQLParser.cut(text)
    })
}
