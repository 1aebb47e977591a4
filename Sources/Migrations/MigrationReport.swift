/// What a check of migrations against statement sets came to.
package struct MigrationReport: Codable, Equatable, Sendable {
  package var verdict: Verdict
  /// Worst kind first, then by the migration's lines.
  package var findings: [Finding]
  package var checked: [CheckedVersion]
  /// Files of the migration under judgement, in the order they are applied.
  package var migrations: [String]
  /// Hash of the catalog before and after; nil where no server took part.
  package var schemaBefore: String?
  package var schemaAfter: String?
  package var locks: [TakenLock]
  /// Milliseconds, by part: `shadow`, `history`, `apply`, `statements`, `locks`.
  package var milliseconds: [String: Int]

  package init(
    findings: [Finding], checked: [CheckedVersion], migrations: [String], schemaBefore: String? = nil,
    schemaAfter: String? = nil, locks: [TakenLock] = [], milliseconds: [String: Int] = [:]
  ) {
    self.findings = Self.ordered(findings)
    self.checked = checked
    self.migrations = migrations
    self.schemaBefore = schemaBefore
    self.schemaAfter = schemaAfter
    self.locks = locks
    self.milliseconds = milliseconds
    verdict = Verdict(findings)
  }

  /// Takes in what another way of looking found; the verdict follows.
  package mutating func add(_ more: [Finding]) {
    findings = Self.ordered(findings + more)
    verdict = Verdict(findings)
  }

  private static func ordered(_ findings: [Finding]) -> [Finding] {
    findings.enumerated().sorted { order($0) < order($1) }.map(\.element)
  }

  private static func order(_ numbered: (offset: Int, element: Finding)) -> (Int, String, Int, Int) {
    let rank = Finding.Kind.allCases.firstIndex(of: numbered.element.kind) ?? 0
    let spot = numbered.element.migration
    return (-rank, spot?.file ?? "", spot?.line ?? 0, numbered.offset)
  }

  package enum Verdict: String, Codable, Equatable, Sendable {
    case compatible
    case hazard
    case inconclusive
    case breaks

    /// The worst of the findings. Notes do not count.
    package init(_ findings: [Finding]) {
      let kinds = Set(findings.map(\.kind))
      self =
        kinds.contains(.breaks)
        ? .breaks : kinds.contains(.inconclusive) ? .inconclusive : kinds.contains(.hazard) ? .hazard : .compatible
    }
  }

  /// How one version fared.
  package struct CheckedVersion: Codable, Equatable, Sendable {
    package var version: String
    package var statements: Int
    /// Ran before the migration and after it.
    package var held: Int
    package var broken: Int
    /// Did not run before the migration either; they are named by notes.
    package var brokenBefore: Int
    package var undecided: Int

    package init(
      version: String, statements: Int, held: Int, broken: Int, brokenBefore: Int, undecided: Int
    ) {
      self.version = version
      self.statements = statements
      self.held = held
      self.broken = broken
      self.brokenBefore = brokenBefore
      self.undecided = undecided
    }
  }

  /// A lock that a statement of the migration took on a table that was there before.
  package struct TakenLock: Codable, Equatable, Sendable {
    package var table: String
    /// PostgreSQL's name, such as `AccessExclusiveLock`.
    package var mode: String
    /// Estimated rows of the table; nil where nothing is known of it.
    package var rows: Int?
    /// Whether its storage was written anew.
    package var rewritten: Bool
    package var migration: SourceSpot?

    package init(table: String, mode: String, rows: Int?, rewritten: Bool, migration: SourceSpot?) {
      self.table = table
      self.mode = mode
      self.rows = rows
      self.rewritten = rewritten
      self.migration = migration
    }
  }
}
