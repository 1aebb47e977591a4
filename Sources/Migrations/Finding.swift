/// One thing that a check of a migration has to say.
package struct Finding: Codable, Equatable, Sendable {
  package var kind: Kind
  package var level: Level
  /// A stable name, such as `drop-column`, or `sqlstate-42703` where the server said it.
  package var rule: String
  /// A sentence: what is wrong, with the names it is about.
  package var message: String
  /// The line of the migration that did it.
  package var migration: SourceSpot?
  /// The statement that suffers, where one was captured.
  package var statement: StatementReference?
  /// The server's code, five characters.
  package var sqlState: String?
  /// Which code met which schema.
  package var direction: Direction?
  /// How to write the migration instead: the expand and contract way.
  package var instead: String?

  package init(
    _ kind: Kind, _ level: Level, rule: String, _ message: String, migration: SourceSpot? = nil,
    statement: StatementReference? = nil, sqlState: String? = nil, direction: Direction? = nil, instead: String? = nil
  ) {
    self.kind = kind
    self.level = level
    self.rule = rule
    self.message = message
    self.migration = migration
    self.statement = statement
    self.sqlState = sqlState
    self.direction = direction
    self.instead = instead
  }

  /// Worst last, so that findings can be compared.
  package enum Kind: String, Codable, Equatable, Sendable, CaseIterable {
    /// Worth knowing, decides nothing: a lock and how long it is held, a statement that was broken before.
    case note
    /// New code may write what old readers cannot read (research §2.1, relation R3), or locks may stall traffic.
    case hazard
    /// It could not be told; `message` says why and what would tell it.
    case inconclusive
    /// A statement that ran before the migration does not run after it.
    case breaks
  }

  /// The ladder of the oracle (research §2.4), and the analysis that needs no statements.
  package enum Level: String, Codable, Equatable, Sendable, CaseIterable {
    case analysis
    case apply = "L0"
    case parse = "L1"
    case plan = "L2"
    case execute = "L3"
    case shape = "L4"
    case reverse = "L5"
    case locks = "L6"
  }

  package enum Direction: String, Codable, Equatable, Sendable {
    /// The version that runs, on the schema after the migration: a rolling deploy, a rollback.
    case oldCodeNewSchema
    /// The version to come, on the schema before it: may code go first?
    case newCodeOldSchema
  }
}

/// A place in a migration; line and column count from 1.
package struct SourceSpot: Codable, Equatable, Sendable {
  package var file: String
  package var line: Int
  package var column: Int
  /// The migration's statement, shortened to `maximalText` characters.
  package var text: String

  package static let maximalText = 300

  package init(file: String, line: Int, column: Int = 1, text: String) {
    self.file = file
    self.line = line
    self.column = column
    self.text = text.count > Self.maximalText ? String(text.prefix(Self.maximalText - 1)) + "…" : text
  }
}

/// Which captured statement of which version.
package struct StatementReference: Codable, Equatable, Sendable {
  package var version: String
  package var fingerprint: String
  package var name: String?
  package var text: String

  package init(_ statement: CapturedStatement, of version: String) {
    self.version = version
    fingerprint = statement.fingerprint
    name = statement.name
    text = statement.text
  }
}
