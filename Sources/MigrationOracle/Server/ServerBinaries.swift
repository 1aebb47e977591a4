import Foundation
import Kernel

/// Where an installed PostgreSQL keeps `initdb`, `pg_ctl` and `postgres`.
package struct ServerBinaries: Equatable, Sendable {
  package var folder: String

  /// Older ones are out of support since November 2025 (postgresql.org/support/versioning).
  package static let oldestVersion = 14

  /// Looks in the folder that was given, else in those that Debian and Red Hat install to, newest version first, else
  /// along `PATH`.
  package static func find(
    given: String? = nil, path: String = ProcessInfo.processInfo.environment["PATH"] ?? "",
    roots: [String] = ["/usr/lib/postgresql", "/usr"]
  ) throws(Refusal) -> ServerBinaries {
    if let given {
      guard isComplete(given) else {
        throw Refusal(.unknown, "\(given) holds no initdb, pg_ctl and postgres; name the folder that does")
      }
      return ServerBinaries(folder: given)
    }
    for folder in roots.flatMap(installed) + path.split(separator: ":").map(String.init) where isComplete(folder) {
      return ServerBinaries(folder: folder)
    }
    throw Refusal(
      .unknown,
      "no PostgreSQL server is installed; install one (Debian: apt-get install postgresql) or give the URL of one")
  }

  private static func isComplete(_ folder: String) -> Bool {
    ["initdb", "pg_ctl", "postgres"].allSatisfy { FileManager.default.isExecutableFile(atPath: "\(folder)/\($0)") }
  }

  /// `15/bin` of Debian, `pgsql-15/bin` of Red Hat.
  private static func installed(under root: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    let versions = names.compactMap { name -> (number: Int, name: String)? in
      let digits = name.hasPrefix("pgsql-") ? String(name.dropFirst("pgsql-".count)) : name
      return Int(digits).map { ($0, name) }
    }
    return versions.filter { $0.number >= oldestVersion }.sorted { $0.number > $1.number }.map {
      "\(root)/\($0.name)/bin"
    }
  }
}
