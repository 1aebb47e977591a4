/// What a statement holds on a table, and what it does meanwhile. From PostgreSQL 15's documentation: ALTER TABLE
/// ("Description", "Notes"), CREATE INDEX, CREATE TRIGGER, and "Explicit Locking".
struct TableLock: Equatable {
  var table: QualifiedName
  var mode: Mode
  var work: Work

  init(_ mode: Mode, on table: QualifiedName, while work: Work = .instant) {
    self.table = table
    self.mode = mode
    self.work = work
  }

  /// Weakest first.
  enum Mode: String, CaseIterable {
    /// Waits for no reader or writer: VALIDATE CONSTRAINT, CREATE INDEX CONCURRENTLY, storage options.
    case shareUpdateExclusive = "SHARE UPDATE EXCLUSIVE"
    /// A writer's own.
    case rowExclusive = "ROW EXCLUSIVE"
    /// Stops writers: CREATE INDEX.
    case share = "SHARE"
    /// Stops writers: a foreign key (on both tables), CREATE TRIGGER.
    case shareRowExclusive = "SHARE ROW EXCLUSIVE"
    /// Stops readers too: nearly every ALTER TABLE, DROP, TRUNCATE.
    case accessExclusive = "ACCESS EXCLUSIVE"

    var stopsWriters: Bool { self != .shareUpdateExclusive && self != .rowExclusive }
    var stops: String { self == .accessExclusive ? "reads and writes" : "writes" }
  }

  enum Work: Equatable {
    /// Only the catalog changes.
    case instant
    /// Every row is read: a validation, an index.
    case scan
    /// Every row is written.
    case rewrite
  }
}

extension TableLock {
  /// The sub-commands of ALTER TABLE that touch no more than the catalog, whatever the table.
  static let instantCommands: [String: Mode] = [
    "AT_DropColumn": .accessExclusive, "AT_ColumnDefault": .accessExclusive, "AT_DropNotNull": .accessExclusive,
    "AT_DropExpression": .accessExclusive, "AT_DropConstraint": .accessExclusive, "AT_ChangeOwner": .accessExclusive,
    "AT_ReplicaIdentity": .accessExclusive, "AT_EnableRowSecurity": .accessExclusive,
    "AT_DisableRowSecurity": .accessExclusive, "AT_ForceRowSecurity": .accessExclusive,
    "AT_NoForceRowSecurity": .accessExclusive, "AT_AddIdentity": .accessExclusive, "AT_SetIdentity": .accessExclusive,
    "AT_DropIdentity": .accessExclusive, "AT_DropInherit": .accessExclusive,
    "AT_EnableTrig": .shareRowExclusive, "AT_DisableTrig": .shareRowExclusive, "AT_EnableTrigAll": .shareRowExclusive,
    "AT_DisableTrigAll": .shareRowExclusive, "AT_EnableTrigUser": .shareRowExclusive,
    "AT_DisableTrigUser": .shareRowExclusive, "AT_SetStatistics": .shareUpdateExclusive,
    "AT_SetRelOptions": .shareUpdateExclusive, "AT_ResetRelOptions": .shareUpdateExclusive,
    "AT_ClusterOn": .shareUpdateExclusive,
  ]
}
