import Migrations

/// What the analysis can say without having seen a statement; `docs/migration-rules.md` has the table, with squawk's
/// and eugene's names for each, and a test holds the two together.
package enum MigrationRule: String, CaseIterable, Sendable {
  // What old statements name is gone or changed.
  case dropColumn = "drop-column"
  case dropTable = "drop-table"
  case dropView = "drop-view"
  case dropFunction = "drop-function"
  case dropType = "drop-type"
  case dropSchema = "drop-schema"
  case dropSequence = "drop-sequence"
  case dropExtension = "drop-extension"
  case dropObject = "drop-object"
  case dropUnique = "drop-unique"
  case dropDefault = "drop-default"
  case renameColumn = "rename-column"
  case renameTable = "rename-table"
  case renameObject = "rename-object"
  case renameEnumValue = "rename-enum-value"
  case setSchema = "set-schema"
  case changeColumnType = "change-column-type"
  case alterIdentity = "alter-identity"
  case alterCompositeType = "alter-composite-type"
  case replaceView = "replace-view"
  case functionOverload = "function-overload"
  case revoke
  case compatibilityViewRights = "compatibility-view-rights"

  // What old statements write may be refused.
  case requiredColumn = "required-column"
  case setNotNull = "set-not-null"
  case newCheck = "new-check"
  case newForeignKey = "new-foreign-key"
  case newUnique = "new-unique"
  case newExclusion = "new-exclusion"
  case newDomainConstraint = "new-domain-constraint"
  case newTrigger = "new-trigger"
  case newRule = "new-rule"
  case rowSecurity = "row-security"
  case policy

  // What new code may write, old readers have never met.
  case dropNotNull = "drop-not-null"
  case widenType = "widen-type"
  case addEnumValue = "add-enum-value"
  case dropConstraint = "drop-constraint"

  // What old code writes comes out otherwise.
  case dropGeneratedExpression = "drop-generated-expression"
  case dropTrigger = "drop-trigger"
  case disableTrigger = "disable-trigger"
  case detachPartition = "detach-partition"

  // Data that is not to be had back.
  case truncate
  case dropDatabase = "drop-database"

  // Behaves otherwise from now on; whether that matters only the owner knows.
  case replaceFunction = "replace-function"
  case alterFunction = "alter-function"
  case alterViewOptions = "alter-view-options"
  case alterSettings = "alter-settings"
  case alterExtension = "alter-extension"
  case alterSequence = "alter-sequence"
  case setDefault = "set-default"
  case replicaIdentity = "replica-identity"
  case changeOwner = "change-owner"
  case dropIndex = "drop-index"
  case dynamicStatement = "dynamic-statement"
  case psqlSetting = "psql-setting"
  case nestedTransaction = "nested-transaction"

  // Locks, and how long they are held.
  case validatingConstraint = "validating-constraint"
  case setNotNullScan = "set-not-null-scan"
  case uniqueConstraintIndex = "unique-constraint-index"
  case exclusionConstraintIndex = "exclusion-constraint-index"
  case primaryKeyUsingIndex = "primary-key-using-index"
  case typeChangeRewrite = "type-change-rewrite"
  case columnRewrite = "column-rewrite"
  case tableRewrite = "table-rewrite"
  case indexNotConcurrent = "index-not-concurrent"
  case dropIndexNotConcurrent = "drop-index-not-concurrent"
  case reindexNotConcurrent = "reindex-not-concurrent"
  case detachNotConcurrent = "detach-not-concurrent"
  case workUnderExclusiveLock = "work-under-exclusive-lock"
  case noLockTimeout = "no-lock-timeout"
  case combineAlters = "combine-alters"
  case unbatchedBackfill = "unbatched-backfill"

  // The script cannot do what it says.
  case concurrentlyInTransaction = "concurrently-in-transaction"
  case uncommittedTransaction = "uncommitted-transaction"

  // Not understood.
  case unreadableStatement = "unreadable-statement"
  case psqlCommand = "psql-command"

  // Taste. Left out unless asked for.
  case jsonColumn = "json-column"
  case newEnum = "new-enum"
  case foreignKeyWithoutIndex = "foreign-key-without-index"
  case constrainedDomain = "constrained-domain"
  case serialColumn = "serial-column"
  case narrowInteger = "narrow-integer"
  case timestampWithoutZone = "timestamp-without-zone"
  case limitedText = "limited-text"
  case identifierTooLong = "identifier-too-long"

  /// All but taste.
  package static let standard = Set(allCases.filter { $0.nature != .taste })

  package static func named(_ id: String) -> MigrationRule? { MigrationRule(rawValue: id) }
}

extension MigrationRule {
  /// Why a rule speaks, which decides how loudly, and what evidence overrules it.
  package enum Nature: String, CaseIterable, Sendable {
    /// A statement of an old version may fail: relation R1 of the oracle. A hazard until statements were run.
    case compatibility
    /// Old readers may meet rows that could not exist before: relation R3. The shapes of what the old statements read
    /// (level L4) tell whether they would see them.
    case oldReaders
    /// The same statement runs and leaves other rows behind: relation R4. No statement that runs disproves it.
    case oldWriters
    case loss
    case behaviour
    /// A lock that is held while rows are read or written. Never a verdict: size and traffic decide, at level L6.
    case locks
    case execution
    case unread
    case taste
  }

  package var nature: Nature {
    switch self {
    case .dropColumn, .dropTable, .dropView, .dropFunction, .dropType, .dropSchema, .dropSequence, .dropExtension,
      .dropObject, .dropUnique, .dropDefault, .renameColumn, .renameTable, .renameObject, .renameEnumValue, .setSchema,
      .changeColumnType, .alterIdentity, .alterCompositeType, .replaceView, .functionOverload, .revoke,
      .compatibilityViewRights, .requiredColumn, .setNotNull, .newCheck, .newForeignKey, .newUnique, .newExclusion,
      .newDomainConstraint, .newTrigger, .newRule, .rowSecurity, .policy:
      .compatibility
    case .dropNotNull, .widenType, .addEnumValue, .dropConstraint: .oldReaders
    case .dropGeneratedExpression, .dropTrigger, .disableTrigger, .detachPartition: .oldWriters
    case .truncate, .dropDatabase: .loss
    case .replaceFunction, .alterFunction, .alterViewOptions, .alterSettings, .alterExtension, .alterSequence,
      .setDefault, .replicaIdentity, .changeOwner, .dropIndex, .dynamicStatement, .psqlSetting, .nestedTransaction:
      .behaviour
    case .validatingConstraint, .setNotNullScan, .uniqueConstraintIndex, .exclusionConstraintIndex,
      .primaryKeyUsingIndex, .typeChangeRewrite, .columnRewrite, .tableRewrite, .indexNotConcurrent,
      .dropIndexNotConcurrent, .reindexNotConcurrent, .detachNotConcurrent, .workUnderExclusiveLock, .noLockTimeout,
      .combineAlters, .unbatchedBackfill:
      .locks
    case .concurrentlyInTransaction, .uncommittedTransaction: .execution
    case .unreadableStatement, .psqlCommand: .unread
    case .jsonColumn, .newEnum, .foreignKeyWithoutIndex, .constrainedDomain, .serialColumn, .narrowInteger,
      .timestampWithoutZone, .limitedText, .identifierTooLong:
      .taste
    }
  }

  /// `breaks` is not among them: that needs a statement, and the analysis has seen none.
  package var kind: Finding.Kind {
    switch nature {
    case .compatibility, .oldReaders, .oldWriters, .loss, .execution: .hazard
    case .unread: .inconclusive
    case .behaviour, .locks, .taste: .note
    }
  }

  /// Whether the old versions' statements, run against the new schema with enough coverage (levels L1 to L4), answer
  /// the question that the rule asks, so that its finding may be dropped: they broke, or read what is new, and say so
  /// themselves; or they held.
  ///
  /// Not where values decide: a made-up value that was accepted says little about those of production, so the finding
  /// stays a hazard beside statements that held.
  package var settledByStatements: Bool {
    (nature == .compatibility || nature == .oldReaders) && !dependsOnValues
  }

  /// Whether it endangers writes of the table that it is about, and nothing else: where nobody writes there, it is
  /// answered.
  package var endangersWritesOnly: Bool {
    switch self {
    case .requiredColumn, .setNotNull, .newCheck, .newForeignKey, .newUnique, .newExclusion, .newTrigger,
      .alterIdentity:
      true
    default: false
    }
  }

  private var dependsOnValues: Bool {
    switch self {
    case .requiredColumn, .setNotNull, .newCheck, .newForeignKey, .newUnique, .newExclusion, .newDomainConstraint,
      .newTrigger, .newRule, .rowSecurity, .policy, .changeColumnType, .alterIdentity, .renameEnumValue:
      true
    default: false
    }
  }

  /// Whether a server that has applied the migration (level L0) answers it.
  package var settledByServer: Bool { nature == .execution || self == .unreadableStatement }
}
