/// What the server said against a statement. It is an answer, not a failure of ours: what it means is the caller's to
/// judge.
package struct PostgresError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Five characters, such as `42703`.
  package var sqlState: String
  /// The primary message, without severity, such as `column "email" does not exist`. Without the values of rows: see
  /// `withoutValues`.
  package var message: String
  package var detail: String?
  package var hint: String?
  /// Where in the statement, in characters from 1.
  package var position: Int?
  package var schema: String?
  package var table: String?
  package var column: String?
  package var constraint: String?

  package init(sqlState: String, message: String) {
    self.sqlState = sqlState
    self.message = message
  }

  package var description: String {
    shownDetail.map { "\(message) (\($0); SQLSTATE \(sqlState))" } ?? "\(message) (SQLSTATE \(sqlState))"
  }

  /// The detail without rows and values: the shadow's are made up and add nothing, and those of a database belong into no
  /// report.
  private var shownDetail: String? {
    guard let detail, !detail.hasPrefix("Failing row contains") else { return nil }
    return detail.replacing(/\)=\(.*\)(?= (?:already|is|conflicts) )/.dotMatchesNewlines(), with: ")")
      .replacing(/\)=\(.*\)\.$/.dotMatchesNewlines(), with: ").")
  }

  /// A primary message as it may be kept. Data exceptions (class 22) quote the value that they met: of a row, where they
  /// name no position in the statement's text. `invalid input syntax for type integer: "x"` comes out with `"…"`.
  package static func withoutValues(_ message: String, sqlState: String, hasPosition: Bool) -> String {
    guard sqlState.hasPrefix("22"), !hasPosition else { return message }
    return message.replacing(/"(?:[^"]|"")*"/.dotMatchesNewlines(), with: "\"…\"")
  }

  /// The first two characters: the class of the condition (PostgreSQL manual, appendix A).
  package var category: Substring { sqlState.prefix(2) }

  /// The world's fault, not the statement's: no disk, no memory, no connections, the server goes down, input and
  /// output fail.
  package var isOutage: Bool {
    category == "53" || sqlState == "58030" || ["57P01", "57P02", "57P03", "57P04", "57P05"].contains(sqlState)
  }
}

/// What a statement is: its parameters and the columns of its result.
package struct StatementShape: Equatable, Sendable {
  /// Type OIDs, `$1` first.
  package var parameters: [UInt32]
  package var columns: [Column]

  package init(parameters: [UInt32] = [], columns: [Column] = []) {
    self.parameters = parameters
    self.columns = columns
  }

  package struct Column: Equatable, Sendable {
    package var name: String
    /// OID of the relation that the column comes from unchanged; 0 where it is computed.
    package var relation: UInt32
    /// `pg_attribute.attnum` in that relation, else 0.
    package var number: Int
    package var type: UInt32
    /// The type's modifier, such as a length plus 4; −1 for none.
    package var modifier: Int
  }
}

/// An answer to one message: a shape, rows in text, or a count.
package struct PostgresAnswer: Equatable, Sendable {
  package var shape = StatementShape()
  package var rows: [[String?]] = []
  /// Rows that a write touched or a read returned; nil for other commands.
  package var affected: Int?

  /// The first value of the first row.
  package var first: String? { rows.first?.first ?? nil }
}
