import Kernel
import Migrations

/// What a check is asked: may this migration run while these versions are live?
package struct OracleQuestion: Sendable {
  /// Migrations that the database has, in the order they were applied.
  package var history: [MigrationFile]
  /// The migration under judgement: one file or several, in order.
  package var migration: [MigrationFile]
  /// Versions that are live, in flight or kept as rollback targets.
  package var old: [StatementSet]
  /// The version to come: whether it may be deployed before the migration.
  package var new: StatementSet?
  /// What production was seen to send, for coverage.
  package var production: StatementSet?
  package var sizes: [TableSize]
  /// The application's role; nil where it is not known, see `ApplicationRole`.
  package var role: String?
  /// Share, 0 to 1, of production's executions that a version's statements must account for.
  package var leastCoverage: Double
  /// How long a statement of the migration may wait for a lock, as the team runs it; a longer predicted stall of
  /// traffic is a hazard.
  package var lockTimeout: Span
  /// Whether the statements are sent again and again while the migration runs, and their stalls measured.
  package var replaysTraffic: Bool

  /// Research §2.4: below it the gate warns instead of passing.
  package static let usualCoverage = 0.95
  /// What pgroll and GitLab wait for a lock.
  package static let usualLockTimeout = Span(milliseconds: 500)

  package init(
    history: [MigrationFile], migration: [MigrationFile], old: [StatementSet] = [], new: StatementSet? = nil,
    production: StatementSet? = nil, sizes: [TableSize] = [], role: String? = nil,
    leastCoverage: Double = OracleQuestion.usualCoverage, lockTimeout: Span = OracleQuestion.usualLockTimeout,
    replaysTraffic: Bool = false
  ) {
    self.history = history
    self.migration = migration
    self.old = old
    self.new = new
    self.production = production
    self.sizes = sizes
    self.role = role
    self.leastCoverage = leastCoverage
    self.lockTimeout = lockTimeout
    self.replaysTraffic = replaysTraffic
  }
}

/// What production's statistics say of a table.
package struct TableSize: Codable, Equatable, Sendable {
  package var schema: String
  package var table: String
  package var rows: Int
  package var bytes: Int
  /// Statements on it each second; nil where nobody counted.
  package var executionsPerSecond: Double?

  static func key(schema: String, table: String) -> String { "\(schema).\(table)" }

  package init(schema: String = "public", table: String, rows: Int, bytes: Int, executionsPerSecond: Double? = nil) {
    self.schema = schema
    self.table = table
    self.rows = rows
    self.bytes = bytes
    self.executionsPerSecond = executionsPerSecond
  }
}
