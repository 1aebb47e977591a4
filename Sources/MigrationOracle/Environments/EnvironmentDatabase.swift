import CLibPQ
import Foundation
import Kernel

/// How the database of a place is reached, and as whom its applications use it.
package struct EnvironmentDatabase: Equatable, Sendable {
  /// `postgresql://…` or libpq's `key=value` words, of a role that may migrate. Straight to the primary: a pooler
  /// between would give each statement another session. It is a secret and never printed.
  package var url: String
  /// Whom the applications connect as; nil where that is not known, see `ApplicationRole`.
  package var role: String?
  /// How large its tables are, where another database's sizes are to count; nil takes its own.
  package var sizes: [TableSize]?

  package init(url: String, role: String? = nil, sizes: [TableSize]? = nil) {
    self.url = url
    self.role = role
    self.sizes = sizes
  }
}

/// A place whose address was read. Its errors name the place and never the URL.
struct ReachedDatabase: Sendable {
  let place: SchemaPlace
  let database: EnvironmentDatabase
  /// What the URL says, by libpq's keywords.
  let words: [String: String]

  /// - Throws: `Outage` when the URL is none. libpq's own words would quote it, with its password.
  init(_ place: SchemaPlace, _ database: EnvironmentDatabase) throws(Outage) {
    var message: UnsafeMutablePointer<CChar>?
    let parsed = database.url.isEmpty ? nil : PQconninfoParse(database.url, &message)
    if let message { PQfreemem(message) }
    guard let parsed else {
      throw Outage(
        "postgres",
        "the URL of \(place) cannot be read; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with % for what is no"
          + " letter or digit")
    }
    defer { PQconninfoFree(parsed) }
    var words: [String: String] = [:]
    var option = parsed
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val { words[String(cString: keyword)] = String(cString: value) }
      option = option.advanced(by: 1)
    }
    self.place = place
    self.database = database
    self.words = words
  }

  /// Runs `work` with a connection of its own, on a thread of its own.
  /// - Parameter seconds: longest that one statement may take.
  func run<Answer: Sendable>(
    seconds: Int, _ work: @escaping @Sendable (PostgresConnection) throws -> Answer
  ) async throws(Outage) -> Answer {
    let address = ServerAddress(database.url)
    do {
      return try await BlockingThread.run { try work(PostgresConnection(address, statementSeconds: seconds)) }
    } catch {
      throw outage(error)
    }
  }

  func outage(_ error: any Error) -> Outage {
    switch error {
    case let outage as Outage: Outage(outage.subject, "\(place): \(outage.sentence)", sources: outage.sources)
    case let error as PostgresError where error.sqlState == "25006":
      Outage(
        "postgres",
        "\(place) takes no writes: \(error); it is a replica or set to read-only, so give the URL of the primary")
    case let error as PostgresError where error.sqlState == "42501":
      Outage("postgres", "\(place) does not let its role do this: \(error); give it the right, or another role's URL")
    case let error as PostgresError where error.sqlState == "22021":
      // Only where the database's own encoding is SQL_ASCII: the server lets such bytes in and not out.
      Outage("postgres", "\(place) has a name or a text that is no UTF-8: \(error); rename what holds it")
    case let error as PostgresError where error.sqlState == "57014":
      Outage("postgres", "\(place) took too long to answer: \(error); look at what it is busy with")
    case let error as PostgresError: Outage("postgres", "\(place) did not answer as it should: \(error)")
    default: Outage("postgres", "\(place) could not be asked", sources: ["\(error)"])
    }
  }
}
