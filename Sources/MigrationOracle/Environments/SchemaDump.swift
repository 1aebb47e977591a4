import Foundation
import Kernel

/// A live database's schema as SQL, by the installed `pg_dump`: definitions, owners and rights, not one row.
struct SchemaDump {
  /// How long `pg_dump` waits for a table that somebody changes, in milliseconds.
  private static let lockWaitMs = 5_000

  let binaries: ServerBinaries

  /// - Throws: `Refusal` when the database runs a newer version than is installed here, or `pg_dump` is missing.
  func take(of live: LiveDatabase, _ reached: ReachedDatabase) async throws -> String {
    guard FileManager.default.isExecutableFile(atPath: "\(binaries.folder)/pg_dump") else {
      throw Refusal(
        .notNow, "\(binaries.folder) holds no pg_dump, which reads \(live.place)'s schema; install the client's package"
      )
    }
    let tool = ServerTool(binaries: binaries, environment: variables(reached))
    let installed = try await major(tool)
    guard live.major <= installed else {
      throw Refusal(
        .notNow,
        "\(live.place) runs PostgreSQL \(live.major) and this machine has \(installed), which cannot try its migrations;"
          + " install postgresql-\(live.major) here")
    }
    let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-dump-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
      try await tool.run(
        "pg_dump",
        [
          "--dbname=\(words(reached))", "--file=\(folder)/schema.sql", "--schema-only", "--no-password",
          "--no-comments", "--encoding=UTF8", "--no-publications", "--no-subscriptions", "--no-security-labels",
          "--no-tablespaces",
          "--exclude-schema=plimsoll", "--lock-wait-timeout=\(Self.lockWaitMs)",
        ])
      return try String(contentsOfFile: "\(folder)/schema.sql", encoding: .utf8)
    } catch let outage as Outage {
      throw Outage(
        "postgres", "\(live.place): its schema cannot be read; see that its role may read all tables, and try again",
        sources: [outage.sentence] + outage.sources)
    } catch {
      throw Outage("disk", "the schema of \(live.place) cannot be kept in \(folder); make room", sources: ["\(error)"])
    }
  }

  private func major(_ tool: ServerTool) async throws -> Int {
    let said = try await tool.run("pg_dump", ["--version"])
    guard let number = said.firstMatch(of: /\(PostgreSQL\) ([0-9]+)/).flatMap({ Int($0.1) }) else {
      throw Outage("postgres", "pg_dump did not tell its version; check \(binaries.folder)", sources: [said])
    }
    return number
  }

  /// The address without its password: everyone may read the arguments of a process.
  private func words(_ reached: ReachedDatabase) -> String {
    reached.words.filter { $0.key != "password" && !$0.value.isEmpty }.sorted { $0.key < $1.key }.map {
      let value = $0.value.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
      return "\($0.key)='\(value)'"
    }.joined(separator: " ")
  }

  /// libpq's own variables, and the home that holds `.pgpass` and certificates.
  private func variables(_ reached: ReachedDatabase) -> [String: String] {
    var kept = ProcessInfo.processInfo.environment.filter { $0.key.hasPrefix("PG") || $0.key == "HOME" }
    if let password = reached.words["password"] { kept["PGPASSWORD"] = password }
    return kept
  }
}
