import CPgQuery
import Crypto
import Foundation

/// PostgreSQL's own grammar (version 15), through libpg_query. All functions may be called from any thread: the library
/// keeps its state per thread.
package enum SQLParser {
  /// The version whose grammar this is. What a newer one allows is a syntax error here, never proof of a mistake.
  package static let grammar = PG_MAJORVERSION

  /// The statements' nodes, one for each statement of `text`; empty for a text of comments. Parts that are nested more
  /// than about a hundred operators deep read as `.null`.
  package static func parse(_ text: String) throws(SQLSyntaxError) -> [SQLNode] {
    try checkBytes(text)
    let answer: Result<SQLNode?, SQLSyntaxError> = onStack(for: text) {
      let result = pg_query_parse(text)
      defer { pg_query_free_parse_result(result) }
      if let error = result.error { return .failure(SQLSyntaxError(error.pointee, in: text)) }
      guard let tree = result.parse_tree else { return .success(nil) }
      return UnsafeRawPointer(tree).withMemoryRebound(to: UInt8.self, capacity: strlen(tree)) {
        .success(SQLNodeReader.read(UnsafeBufferPointer(start: $0, count: strlen(tree))))
      }
    }
    guard let tree = try answer.get() else {
      throw SQLSyntaxError(message: "the parser's answer could not be read", offset: 0)
    }
    return tree.items("stmts").compactMap { $0["stmt"] }
  }

  /// Only whether `text` can be read, without a tree: a third of the time, and none of the memory, for bulk data.
  package static func check(_ text: String) throws(SQLSyntaxError) {
    try checkBytes(text)
    let answer: SQLSyntaxError? = onStack(for: text) {
      let result = pg_query_split_with_parser(text)
      defer { pg_query_free_split_result(result) }
      return result.error.map { SQLSyntaxError($0.pointee, in: text) }
    }
    if let answer { throw answer }
  }

  /// Equal for statements that differ only in constants: 16 hexadecimal digits; for a text that cannot be read `text-`
  /// and the first 16 digits of its SHA-256.
  package static func fingerprint(_ text: String) -> String {
    let known: String? = onStack(for: text) {
      guard !text.utf8.contains(0) else { return nil }
      let result = pg_query_fingerprint(text)
      defer { pg_query_free_fingerprint_result(result) }
      guard result.error == nil, let digits = result.fingerprint_str else { return nil }
      return String(cString: digits)
    }
    if let known { return known }
    let hash = SHA256.hash(data: Data(text.utf8))
    return "text-" + hash.prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// The functions of a `CREATE FUNCTION … LANGUAGE plpgsql` statement as the PL/pgSQL parser reads them; nil where it
  /// cannot.
  package static func proceduralTree(_ text: String) -> SQLNode? {
    guard !text.utf8.contains(0) else { return nil }
    return onStack(for: text) {
      let result = pg_query_parse_plpgsql(text)
      defer { pg_query_free_plpgsql_parse_result(result) }
      guard result.error == nil, let tree = result.plpgsql_funcs else { return nil }
      return UnsafeRawPointer(tree).withMemoryRebound(to: UInt8.self, capacity: strlen(tree)) {
        SQLNodeReader.read(UnsafeBufferPointer(start: $0, count: strlen(tree)))
      }
    }
  }

  private static func checkBytes(_ text: String) throws(SQLSyntaxError) {
    guard let found = text.utf8.firstIndex(of: 0) else { return }
    throw SQLSyntaxError(
      message: "a NUL byte cannot stand in SQL", offset: text.utf8.distance(from: text.startIndex, to: found))
  }

  /// Texts up to this many bytes are parsed on the caller's thread.
  private static let shortText = 2048
  /// The library walks its tree by recursion and does not look at the stack: 5,000 terms of a sum (10 kB of text)
  /// overflowed 512 kB, about 64 bytes of stack for each byte of text. A kilobyte for each leaves a margin of 16.
  private static let stackPerByte = 1024
  private static let leastStack = 1 << 20
  /// Only addresses are reserved; pages are taken as they are touched.
  private static let mostStack = 1 << 30

  /// On a thread of its own where the caller's stack might not do.
  static func onStack<Answer>(for text: String, _ body: @escaping () -> Answer) -> Answer {
    guard text.utf8.count > shortText else { return body() }
    let box = Box(body)
    let thread = Thread { box.run() }
    thread.stackSize = min(leastStack + stackPerByte * text.utf8.count, mostStack)
    thread.start()
    return box.wait()
  }

  /// Carries one answer from the thread that computes it to the one that waits: the semaphore orders the two accesses.
  private final class Box<Answer>: @unchecked Sendable {
    private let body: () -> Answer
    private var answer: Answer?
    private let done = DispatchSemaphore(value: 0)

    init(_ body: @escaping () -> Answer) {
      self.body = body
    }

    func run() {
      answer = body()
      done.signal()
    }

    func wait() -> Answer {
      done.wait()
      guard let answer else { preconditionFailure("the thread signalled without an answer") }
      return answer
    }
  }
}

/// Why a text is no SQL that can be read, and where.
package struct SQLSyntaxError: Error, Equatable, Sendable {
  /// As the parser says it, such as `syntax error at or near "{"`, with what it looks like where that is known.
  package var message: String
  /// Bytes from the start of the text, from 0.
  package var offset: Int

  package init(message: String, offset: Int) {
    self.message = message
    self.offset = offset
  }

  /// The library counts characters (code points) from 1, and 0 is "nowhere".
  fileprivate init(_ error: PgQueryError, in text: String) {
    message = error.message.map { String(cString: $0) } ?? "syntax error"
    offset = text.unicodeScalars.prefix(max(0, Int(error.cursorpos) - 1)).reduce(0) { $0 + UTF8.width($1) }
  }
}
