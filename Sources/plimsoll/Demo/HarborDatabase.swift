import Foundation
import Kernel
import MigrationOracle

/// A PostgreSQL of the harbor's own in a temporary folder: production's database, and room for those that builds make.
struct HarborDatabase: Sendable {
  private let server: ShadowServer
  /// Of the server, as a user that may create databases.
  let serverURL: String
  /// Of the database in which production keeps its bookings. It is empty at first.
  let url: String

  private static let name = "harbor"

  static func start() async throws -> HarborDatabase {
    let server = try await ShadowServer.start()
    do {
      let address = server.address(of: nil)
      try await BlockingThread.run { _ = try PostgresConnection(address).query("CREATE DATABASE \(name)") }
      return HarborDatabase(
        server: server, serverURL: try url(address.place, of: "postgres"), url: try url(address.place, of: name))
    } catch {
      await server.stop()
      throw error
    }
  }

  /// What libpq's `host='…' port=… user=…` is as a URL, which more clients understand.
  private static func url(_ words: String, of database: String) throws(Outage) -> String {
    guard let found = words.firstMatch(of: /host='([^']+)' port=(\d+) user=(\w+)/) else {
      throw Outage("postgres", "the server of the demo does not say where it is", sources: [words])
    }
    return "postgresql://\(found.3)@/\(database)?host=\(found.1)&port=\(found.2)"
  }

  /// Names of a table's columns, sorted; empty when there is no such table.
  func columns(of table: String) async throws -> [String] {
    let address = server.address(of: Self.name)
    return try await BlockingThread.run {
      try PostgresConnection(address).query(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1 ORDER BY 1",
        [table]
      ).rows.compactMap { $0.first ?? nil }
    }
  }

  func stop() async { await server.stop() }
}
