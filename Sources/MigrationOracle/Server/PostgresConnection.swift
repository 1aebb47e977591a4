import CLibPQ
import Foundation
import Kernel

/// Where a database is.
package struct ServerAddress: Equatable, Sendable {
  /// A URL (`postgresql://…`) or libpq's `key=value` words.
  package var place: String
  /// nil: the one that `place` names.
  package var database: String?

  package init(_ place: String, database: String? = nil) {
    self.place = place
    self.database = database
  }
}

/// One connection to a PostgreSQL server, over libpq. Its calls block: use it only on a thread of its own, as
/// `BlockingThread.run` gives, never on the cooperative pool. It belongs to that thread and is not `Sendable`.
///
/// Errors: `PostgresError` for what the server says against a statement, `Outage` when the connection is lost or the
/// server lacks disk, memory or connections.
package final class PostgresConnection {
  /// How long the server may take to accept, in seconds.
  static let connectSeconds = 10
  /// Segments sent before answers are read: enough to hide the round trip, few enough that neither side's buffers
  /// grow without bound.
  static let pipelineDepth = 64
  /// Bytes of copy data handed to libpq at once, which takes no more than an Int32 counts.
  static let copyBytes = 1 << 20

  private let connection: OpaquePointer

  /// Longest that one statement may take, in seconds: a migration of a shadow has few rows.
  package static let statementSeconds = 300

  package init(
    _ address: ServerAddress, statementSeconds: Int = PostgresConnection.statementSeconds
  ) throws(Outage) {
    // libpq expands the first dbname, which may be a URL or `key=value` words; later words go before its own.
    var words = [
      ("dbname", address.place), ("connect_timeout", "\(Self.connectSeconds)"), ("client_encoding", "UTF8"),
      ("options", "-c statement_timeout=\(statementSeconds * 1000)"), ("fallback_application_name", "plimsoll"),
    ]
    if let database = address.database { words.append(("dbname", database)) }
    let names = words.map { strdup($0.0) }
    let values = words.map { strdup($0.1) }
    defer { for text in names + values { free(text) } }
    let opened = PQconnectdbParams(
      names.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 1)
    guard let made = opened else { throw Outage("postgres", "no memory for a connection") }
    guard PQstatus(made) == CONNECTION_OK else {
      let why = Self.line(PQerrorMessage(made))
      PQfinish(made)
      // Whoever answers FATAL is there, and says so in every language.
      guard why.contains("FATAL") else {
        throw Outage("postgres", "the server cannot be reached: \(why); check that it runs, and its host and port")
      }
      throw Outage(
        "postgres",
        "the server turned us away: \(why); correct the role, the password or the database in the URL, or mend what the"
          + " server lacks")
    }
    connection = made
    // libpq would print what the server remarks to standard error.
    PQsetNoticeReceiver(made, { _, _ in }, nil)
  }

  deinit { PQfinish(connection) }

  /// The server's version as a number: 150018 for 15.18.
  package var version: Int { Int(PQserverVersion(connection)) }
  /// The server process behind this connection.
  package var backend: Int { Int(PQbackendPID(connection)) }
  package var inTransaction: Bool {
    let status = PQtransactionStatus(connection)
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR
  }
  package var transactionFailed: Bool { PQtransactionStatus(connection) == PQTRANS_INERROR }

  /// A way to stop what runs here from another thread.
  package func cancellation() -> Cancellation? { PQgetCancel(connection).map(Cancellation.init) }

  package final class Cancellation: @unchecked Sendable {
    // libpq documents PQcancel as safe from any thread; the handle is written once and never changed.
    private let handle: OpaquePointer
    init(_ handle: OpaquePointer) { self.handle = handle }
    deinit { PQfreeCancel(handle) }
    package func cancel() {
      var words = [CChar](repeating: 0, count: 256)
      _ = PQcancel(handle, &words, Int32(words.count))
    }
  }

  /// Runs SQL by the simple protocol; several statements are one transaction unless they say otherwise.
  /// - Returns: the last statement's answer.
  @discardableResult
  package func query(_ sql: String) throws -> PostgresAnswer {
    guard let result = PQexec(connection, sql) else { throw lost() }
    defer { PQclear(result) }
    if [PGRES_COPY_IN, PGRES_COPY_BOTH].contains(PQresultStatus(result)) {
      PQputCopyEnd(connection, "no data is given here")
      return try drainCopy()
    }
    if PQresultStatus(result) == PGRES_COPY_OUT { return try drainCopy() }
    return try answer(result)
  }

  /// Runs `COPY … FROM stdin` with its lines.
  package func copy(_ sql: String, data: String) throws {
    guard let result = PQexec(connection, sql) else { throw lost() }
    defer { PQclear(result) }
    guard PQresultStatus(result) == PGRES_COPY_IN else {
      _ = try answer(result)
      return
    }
    var data = data
    let sent = data.withUTF8 { bytes in
      stride(from: 0, to: bytes.count, by: Self.copyBytes).allSatisfy { start in
        let part = UnsafeRawBufferPointer(bytes)[start..<min(start + Self.copyBytes, bytes.count)]
        return part.withMemoryRebound(to: CChar.self) { PQputCopyData(connection, $0.baseAddress, Int32($0.count)) }
          == 1
      }
    }
    guard sent, PQputCopyEnd(connection, nil) == 1 else { throw lost() }
    _ = try drainCopy()
  }

  /// Runs one statement with parameters in text, by the extended protocol.
  @discardableResult
  package func query(_ sql: String, _ parameters: [String?]) throws -> PostgresAnswer {
    let result = withTexts(parameters) { values in
      PQexecParams(connection, sql, Int32(parameters.count), nil, values, nil, nil, 0)
    }
    guard let result else { throw lost() }
    defer { PQclear(result) }
    return try answer(result)
  }

  // MARK: Pipelines

  package enum Message: Equatable, Sendable {
    /// Types are OIDs; 0 leaves one to the server.
    case prepare(name: String, text: String, types: [UInt32])
    case describe(name: String)
    case execute(name: String, parameters: [String?])
    case run(String)
  }

  /// What came of a segment: answers up to the first error, whose index in the segment is `answers.count`.
  package struct Reply: Equatable, Sendable {
    package var answers: [PostgresAnswer] = []
    package var error: PostgresError?
  }

  /// Sends segments without waiting for each one's answer. A segment stops at its first error and does not harm the
  /// next; outside of a transaction block it is a transaction by itself.
  package func pipeline(_ segments: [[Message]]) throws -> [Reply] {
    guard PQenterPipelineMode(connection) == 1 else { throw lost() }
    // Nonblocking: libpq then reads while it cannot write, so that two full buffers cannot wait for each other.
    PQsetnonblocking(connection, 1)
    defer {
      PQsetnonblocking(connection, 0)
      PQexitPipelineMode(connection)
    }
    var replies: [Reply] = []
    replies.reserveCapacity(segments.count)
    var next = 0
    while next < segments.count {
      let chunk = segments[next..<min(next + Self.pipelineDepth, segments.count)]
      for segment in chunk {
        for message in segment where !send(message) { throw lost() }
        guard PQpipelineSync(connection) == 1 else { throw lost() }
      }
      for segment in chunk { replies.append(try reply(to: segment)) }
      next += chunk.count
    }
    return replies
  }

  private func send(_ message: Message) -> Bool {
    switch message {
    case .prepare(let name, let text, let types):
      PQsendPrepare(connection, name, text, Int32(types.count), types) == 1
    case .describe(let name):
      PQsendDescribePrepared(connection, name) == 1
    case .execute(let name, let parameters):
      withTexts(parameters) { PQsendQueryPrepared(connection, name, Int32(parameters.count), $0, nil, nil, 0) } == 1
    case .run(let text):
      PQsendQueryParams(connection, text, 0, nil, nil, nil, nil, 0) == 1
    }
  }

  private func reply(to segment: [Message]) throws -> Reply {
    var reply = Reply()
    for _ in segment {
      while let result = PQgetResult(connection) {
        defer { PQclear(result) }
        if PQresultStatus(result) == PGRES_PIPELINE_ABORTED { continue }
        do {
          let answer = try answer(result)
          if reply.error == nil { reply.answers.append(answer) }
        } catch let error as PostgresError where reply.error == nil {
          reply.error = error
        }
      }
    }
    guard let sync = PQgetResult(connection) else { throw lost() }
    defer { PQclear(sync) }
    guard PQresultStatus(sync) == PGRES_PIPELINE_SYNC else { throw lost() }
    return reply
  }

  // MARK: Results

  private func answer(_ result: OpaquePointer) throws -> PostgresAnswer {
    switch PQresultStatus(result) {
    case PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: break
    default:
      guard let error = Self.error(result) else { throw lost() }
      if error.isOutage { throw Outage("postgres", "\(error); make room, or start it again, and try again") }
      throw error
    }
    var answer = PostgresAnswer()
    answer.affected = PQcmdTuples(result).flatMap { Int(String(cString: $0)) }
    answer.shape.parameters = (0..<PQnparams(result)).map { PQparamtype(result, $0) }
    let columns = PQnfields(result)
    answer.shape.columns = (0..<columns).map { column in
      StatementShape.Column(
        name: PQfname(result, column).map { String(cString: $0) } ?? "", relation: PQftable(result, column),
        number: Int(PQftablecol(result, column)), type: PQftype(result, column), modifier: Int(PQfmod(result, column)))
    }
    answer.rows = (0..<PQntuples(result)).map { row in
      (0..<columns).map { column in
        PQgetisnull(result, row, column) == 1 ? nil : PQgetvalue(result, row, column).map { String(cString: $0) }
      }
    }
    return answer
  }

  private func drainCopy() throws -> PostgresAnswer {
    var buffer: UnsafeMutablePointer<CChar>?
    while PQgetCopyData(connection, &buffer, 0) > 0 { PQfreemem(buffer) }
    var last = PostgresAnswer()
    var failure: (any Error)?
    while let result = PQgetResult(connection) {
      defer { PQclear(result) }
      do { last = try answer(result) } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
    return last
  }

  private static func error(_ result: OpaquePointer) -> PostgresError? {
    func field(_ letter: Character) -> String? {
      letter.asciiValue.flatMap { PQresultErrorField(result, Int32($0)) }.map { String(cString: $0) }
    }
    guard let state = field("C") else { return nil }
    let position = field("P").flatMap { Int($0) }
    let message = PostgresError.withoutValues(field("M") ?? "", sqlState: state, hasPosition: position != nil)
    var error = PostgresError(sqlState: state, message: message)
    error.detail = field("D").map { PostgresError.withoutValues($0, sqlState: state, hasPosition: position != nil) }
    error.hint = field("H")
    error.position = position
    error.schema = field("s")
    error.table = field("t")
    error.column = field("c")
    error.constraint = field("n")
    return error
  }

  private func lost() -> Outage {
    let why = Self.line(PQerrorMessage(connection))
    return Outage("postgres", "the connection failed: \(why.isEmpty ? "no reason was given" : why); try again")
  }

  private static func line(_ words: UnsafeMutablePointer<CChar>?) -> String {
    guard let words else { return "" }
    return String(cString: words).split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  /// C strings for the time of a call; nil stays NULL.
  private func withTexts<T>(_ texts: [String?], _ body: ([UnsafePointer<CChar>?]) -> T) -> T {
    let copies = texts.map { $0.flatMap { strdup($0) } }
    defer { for copy in copies { free(copy) } }
    return body(copies.map { $0.map { UnsafePointer($0) } })
  }
}

/// As an identifier in SQL, in double quotes.
package func quoted(_ identifier: String) -> String {
  "\"\(identifier.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\""
}

/// As a string constant in SQL, whatever `standard_conforming_strings` says.
package func literal(_ text: String) -> String {
  var quoted = ""
  for character in text.unicodeScalars {
    if character == "'" || character == "\\" { quoted.unicodeScalars.append(character) }
    quoted.unicodeScalars.append(character)
  }
  return text.unicodeScalars.contains("\\") ? " E'\(quoted)'" : "'\(quoted)'"
}
