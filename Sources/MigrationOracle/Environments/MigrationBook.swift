import Kernel

/// The database's own account of its migrations: which are applied, in which order, and the highest fence that came.
/// It lies in the database, so that it is restored, copied and lost together with what it speaks of.
///
/// A migration in a transaction and its row are committed together. One without is *begun* first, counts the statements
/// that are done, and is *applied* at last.
struct MigrationBook {
  struct Entry: Equatable, Sendable {
    var mark: MigrationMark
    var isApplied: Bool
    /// Statements done, of one that is begun.
    var done: Int
    /// The schema's hash after it; nil when nobody came to look.
    var schema: Digest?
  }

  struct Contents: Equatable, Sendable {
    var exists: Bool
    var fence: Fence
    /// In the order they were applied.
    var entries: [Entry]

    static let none = Contents(exists: false, fence: Fence(0), entries: [])
    var applied: [MigrationMark] { entries.filter(\.isApplied).map(\.mark) }
    var begun: Entry? { entries.first { !$0.isApplied } }
  }

  /// A newer order has been here: what this one wants is of yesterday.
  struct StaleFence: Error {
    var seen: Fence
  }

  let connection: PostgresConnection

  func read() throws -> Contents {
    guard try connection.query("SELECT to_regclass('plimsoll.migrations') IS NOT NULL").first == "t" else {
      return .none
    }
    let fence = try connection.query("SELECT position FROM plimsoll.fence").first.flatMap { Position($0) }
    let rows = try connection.query(
      "SELECT name, content, state, statements_done, schema_after FROM plimsoll.migrations ORDER BY position"
    ).rows
    let entries = try rows.map { row -> Entry in
      guard let name = row[0], let content = row[1].flatMap(Digest.init(rawValue:)) else {
        throw Outage(
          "postgres",
          "the book plimsoll.migrations has a row that Plimsoll did not write (\(row[0] ?? "no name")); see what wrote"
            + " it, then run plimsoll migrate adopt")
      }
      return Entry(
        mark: MigrationMark(name: name, content: content), isApplied: row[2] == "applied",
        done: row[3].flatMap { Int($0) } ?? 0, schema: row[4].flatMap(Digest.init(rawValue:)))
    }
    return Contents(exists: true, fence: Fence(fence ?? 0), entries: entries)
  }

  /// Harmless where there is one. Not inside a transaction.
  func create() throws {
    guard try connection.query("SELECT to_regclass('plimsoll.migrations') IS NOT NULL").first != "t" else { return }
    try connection.query(
      """
      BEGIN;
      CREATE SCHEMA IF NOT EXISTS plimsoll;
      CREATE TABLE IF NOT EXISTS plimsoll.migrations (
        position bigint PRIMARY KEY,
        name text NOT NULL UNIQUE,
        content text NOT NULL,
        state text NOT NULL CHECK (state IN ('begun', 'applied')),
        statements_done integer NOT NULL DEFAULT 0,
        schema_after text,
        fence bigint NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now(),
        actor text NOT NULL DEFAULT session_user
      );
      CREATE TABLE IF NOT EXISTS plimsoll.fence (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        position bigint NOT NULL
      );
      INSERT INTO plimsoll.fence (position) VALUES (0) ON CONFLICT DO NOTHING;
      COMMIT
      """)
  }

  /// Holds the fence's row until the transaction ends: two writers cannot interleave.
  /// - Throws: `StaleFence` when a higher one has been here.
  func raise(to fence: Fence) throws {
    let raised = try connection.query(
      "UPDATE plimsoll.fence SET position = \(fence.position) WHERE position <= \(fence.position) RETURNING 1")
    guard raised.first == nil else { return }
    let seen = try connection.query("SELECT position FROM plimsoll.fence").first.flatMap { Position($0) }
    throw StaleFence(seen: Fence(seen ?? 0))
  }

  /// A migration that is applied again because its text changed keeps one row, with a new place.
  func note(_ mark: MigrationMark, isApplied: Bool, fence: Fence) throws {
    try connection.query(
      """
      INSERT INTO plimsoll.migrations (position, name, content, state, fence)
      SELECT coalesce(max(position), 0) + 1, $1, $2, $3, $4::bigint FROM plimsoll.migrations
      ON CONFLICT (name) DO UPDATE SET position = excluded.position, content = excluded.content,
        state = excluded.state, statements_done = 0, schema_after = NULL, fence = excluded.fence, applied_at = now(),
        actor = session_user
      """, [mark.name, mark.content.rawValue, isApplied ? "applied" : "begun", "\(fence.position)"])
  }

  func noteDone(_ count: Int, of name: String) throws {
    try connection.query(
      "UPDATE plimsoll.migrations SET statements_done = $2::integer WHERE name = $1", [name, "\(count)"])
  }

  func noteApplied(_ name: String) throws {
    try connection.query(
      "UPDATE plimsoll.migrations SET state = 'applied', applied_at = now() WHERE name = $1", [name])
  }

  func noteSchema(_ schema: Digest, after name: String) throws {
    try connection.query("UPDATE plimsoll.migrations SET schema_after = $2 WHERE name = $1", [name, schema.rawValue])
  }

  /// Of a migration of which nothing stayed.
  func strike(_ name: String) throws {
    try connection.query("DELETE FROM plimsoll.migrations WHERE name = $1 AND state = 'begun'", [name])
  }

  /// From now on exactly these are applied.
  func replace(by marks: [MigrationMark], fence: Fence) throws {
    try connection.query("DELETE FROM plimsoll.migrations")
    for mark in marks { try note(mark, isApplied: true, fence: fence) }
  }
}
