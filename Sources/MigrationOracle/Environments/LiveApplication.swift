import Foundation
import Kernel

/// An order carried out on a live database, over one connection that holds the database's lock from beginning to end.
struct LiveApplication {
  /// "Plimsoll" in ASCII: whoever migrates holds this advisory lock of the database.
  static let lock: Int64 = 0x506C_696D_736F_6C6C
  /// How long another one that migrates is waited for: it may be our own predecessor, whose statement still runs.
  static let lockSeconds = 30.0
  private static let lockPause = 0.2

  let order: MigrationOrder
  let texts: [MigrationText]
  let fence: Fence
  let patience: LockPatience
  let role: String?
  let now: @Sendable () -> Instant

  func run(on connection: PostgresConnection) throws -> MigrationOutcome {
    let book = try Self.open(connection, order.place, fence)
    let contents = try book.read()
    let applied = Set(contents.applied)
    let remaining = order.pending.filter { !applied.contains($0) }
    guard let first = remaining.first else { return .applied(try survey(connection)) }
    if let begun = contents.begun {
      guard begun.mark == first else {
        return .failed(
          name: begun.mark.name,
          why: "\(begun.mark.name) was begun by an earlier order and not ended; finish or undo it by hand, then run"
            + " plimsoll migrate adopt", try survey(connection))
      }
    } else if try CanonicalSchema.hash(connection) != expected(contents, remaining) {
      return .drifted(try survey(connection))
    }
    let migrations = MigrationRun(connection, fence: fence, patience: patience)
    for mark in remaining {
      guard let text = texts.first(where: { $0.mark == mark }) else {
        throw Outage("blobs", "\(mark.name) is not among the migrations of \(order.migrations); promote again")
      }
      let done = contents.begun?.mark == mark ? contents.begun?.done : nil
      if let failure = try migrations.apply(MigrationScript(text), resumingAt: done) {
        return .failed(name: mark.name, why: failure.why, try survey(connection))
      }
      // Outside of the migration's transaction: nobody waits for its locks meanwhile. A kill before this costs no more
      // than that the rest is judged anew.
      try book.noteSchema(try CanonicalSchema.hash(connection), after: mark.name)
    }
    return .applied(try survey(connection))
  }

  /// What the schema must be: what was judged, or what the last of this order's own migrations left.
  private func expected(_ contents: MigrationBook.Contents, _ remaining: [MigrationMark]) -> Digest? {
    guard remaining.count < order.pending.count else { return order.on }
    guard let last = contents.entries.last, order.pending.contains(last.mark) else { return nil }
    return last.schema
  }

  private func survey(_ connection: PostgresConnection) throws -> SchemaSurvey {
    try LiveDatabase.read(order.place, role: role, at: now(), connection).survey
  }

  /// The book of a database that may be written to, locked for this connection, with the fence raised.
  static func open(_ connection: PostgresConnection, _ place: SchemaPlace, _ fence: Fence) throws -> MigrationBook {
    guard try connection.query("SHOW transaction_read_only").first == "off" else {
      throw PostgresError(sqlState: "25006", message: "cannot write in a read-only transaction")
    }
    let deadline = ContinuousClock.now + .seconds(lockSeconds)
    while try connection.query("SELECT pg_try_advisory_lock(\(lock))").first != "t" {
      guard ContinuousClock.now < deadline else {
        throw Outage("postgres", "somebody else has been migrating it for \(Int(lockSeconds)) s; wait for them to end")
      }
      Thread.sleep(forTimeInterval: lockPause)
    }
    let book = MigrationBook(connection: connection)
    try book.create()
    try book.raise(to: fence)
    return book
  }
}
