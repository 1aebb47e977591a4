import Migrations
import Testing

@testable import StatementProxy

/// Conversations as scripts: what the client and the server send, and what is recorded of it.
@Suite("Following")
struct FollowerTests {
  enum Step {
    case client([[UInt8]])
    case server([[UInt8]])
  }

  @discardableResult
  private func check(
    _ steps: [Step], policy: RecordingPolicy = .types, _ expected: [String], transactions: [String] = [],
    _ at: SourceLocation = #_sourceLocation
  ) -> Recording {
    let recorder = StatementRecorder(version: "v1", policy: policy, reading: .words)
    var start = SessionStart(reading: UnsafeRawBufferPointer(start: nil, count: 0))
    start.user = "ann"
    let follower = ConversationFollower(recorder, start) { Issue.record("lost: \($0)", sourceLocation: at) }
    for step in [.server([Wire.ready()])] + steps {
      switch step {
      case .client(let messages): Array(messages.joined()).withUnsafeBytes { follower.client(sent: $0) }
      case .server(let messages): Array(messages.joined()).withUnsafeBytes { follower.server(sent: $0) }
      }
    }
    let recording = recorder.recording()
    let found = recording.statements.map { statement in
      let failed = statement.failures > 0 ? " failed \(statement.failures) \(statement.lastFailure ?? "")" : ""
      return "\(statement.text) ×\(statement.count)\(failed)"
    }
    #expect(found.sorted() == expected.sorted(), sourceLocation: at)
    let texts = Dictionary(recording.statements.map { ($0.fingerprint, $0.text) }) { first, _ in first }
    let shapes = recording.transactions.map { shape in
      shape.statements.map { texts[$0] ?? $0 }.joined(separator: ", ") + " ×\(shape.count)"
        + (shape.failed > 0 ? " failed \(shape.failed)" : "")
    }
    #expect(shapes == transactions, sourceLocation: at)
    return recording
  }

  @Test("simple queries, one and several in a message")
  func simple() {
    check([.client([Wire.query("SELECT a")]), .server([Wire.complete(), Wire.ready()])], ["SELECT a ×1"])
    check(
      [
        .client([Wire.query("SELECT a; SELECT b; SELECT c")]),
        .server([Wire.complete(), Wire.error("42703"), Wire.ready()]),
      ],
      ["SELECT a ×1", "SELECT b ×0 failed 1 42703"])
    check([.client([Wire.query("")]), .server([Wire.message("I"), Wire.ready()])], [])
    check(
      [.client([Wire.query("INSERT INTO t VALUES ('secret', 5)")]), .server([Wire.complete(), Wire.ready()])],
      ["INSERT INTO t VALUES ('***', 0) ×1"])
    check(
      [.client([Wire.query("SELECT 'newer grammar'")]), .server([Wire.complete(), Wire.ready()])], ["SELECT '***' ×1"])
  }

  @Test("a transaction's statements in their order")
  func transaction() {
    check(
      [
        .client([Wire.query("BEGIN")]), .server([Wire.complete(), Wire.ready("T")]),
        .client([Wire.query("SELECT a")]), .server([Wire.complete(), Wire.ready("T")]),
        .client([Wire.query("SELECT b")]), .server([Wire.complete(), Wire.ready("T")]),
        .client([Wire.query("COMMIT")]), .server([Wire.complete(), Wire.ready()]),
      ], ["SELECT a ×1", "SELECT b ×1"], transactions: ["SELECT a, SELECT b ×1"])
  }

  private static let prepared = [Wire.parsed, Wire.bound, Wire.noData, Wire.complete(), Wire.ready()]

  @Test("prepared statements, named and not")
  func extended() {
    let named = check(
      [
        .client([Wire.parse("s1", "SELECT $1", types: [23]), Wire.sync]), .server([Wire.parsed, Wire.ready()]),
        .client([Wire.bind("s1", ["12"]), Wire.execute(), Wire.sync]),
        .server([Wire.bound, Wire.complete(), Wire.ready()]),
        .client([Wire.bind("s1", [nil]), Wire.execute(), Wire.sync]),
        .server([Wire.bound, Wire.complete(), Wire.ready()]),
      ], ["SELECT $1 ×2"])
    #expect(named.statements.first?.samples == [[.redacted(bytes: 2)], [.null]])
    #expect(named.statements.first?.parameterTypes == [23])
    #expect(named.statements.first?.role == "ann")
    check(
      [
        .client([Wire.parse("", "SELECT a"), Wire.bind(""), Wire.message("D", [80, 0]), Wire.execute(), Wire.sync]),
        .server(Self.prepared),
      ], ["SELECT a ×1"])
  }

  @Test("values in the binary format are kept where their types are known, if only from the server")
  func binary() {
    let described = Wire.message("t", Wire.int16(2) + Wire.int32(23) + Wire.int32(25))
    let kept = check(
      [
        .client([Wire.parse("s", "SELECT $1, $2"), Wire.describe("s"), Wire.sync]),
        .server([Wire.parsed, described, Wire.noData, Wire.ready()]),
        .client([Wire.bind("s", [Wire.int32(7), [104, 105]], format: 1), Wire.execute(), Wire.sync]),
        .server([Wire.bound, Wire.complete(), Wire.ready()]),
      ], policy: .keep, ["SELECT $1, $2 ×1"])
    #expect(kept.statements.first?.samples == [[.text("7"), .text("hi")]])
    #expect(kept.statements.first?.parameterTypes == [])
  }

  @Test("in a pipeline an error skips what follows up to the Sync")
  func pipeline() {
    check(
      [
        .client([
          Wire.parse("", "SELECT a"), Wire.bind(""), Wire.execute(), Wire.parse("", "SELECT b"), Wire.bind(""),
          Wire.execute(), Wire.parse("", "SELECT c"), Wire.bind(""), Wire.execute(), Wire.sync,
          Wire.parse("", "SELECT d"), Wire.bind(""), Wire.execute(), Wire.sync,
        ]),
        .server([Wire.parsed, Wire.bound, Wire.complete(), Wire.parsed, Wire.bound, Wire.error("22012"), Wire.ready()]),
        .server([Wire.parsed, Wire.bound, Wire.complete(), Wire.ready()]),
      ], ["SELECT a ×1", "SELECT b ×0 failed 1 22012", "SELECT d ×1"])
  }

  @Test("a name that could not be taken means what it meant before")
  func restored() {
    check(
      [
        .client([Wire.parse("s", "SELECT a"), Wire.sync]), .server([Wire.parsed, Wire.ready()]),
        .client([Wire.parse("s", "SELECT b"), Wire.sync]), .server([Wire.error("42P05"), Wire.ready()]),
        .client([Wire.bind("s"), Wire.execute(), Wire.sync]), .server([Wire.bound, Wire.complete(), Wire.ready()]),
      ], ["SELECT a ×1", "SELECT b ×0 failed 1 42P05"])
    // The second Parse was skipped after the failed Bind.
    check(
      [
        .client([Wire.parse("s", "SELECT a"), Wire.sync]), .server([Wire.parsed, Wire.ready()]),
        .client([Wire.bind("s", ["x"]), Wire.message("C", [83, 115, 0]), Wire.parse("s", "SELECT b"), Wire.sync]),
        .server([Wire.error("08P01"), Wire.ready()]),
      ], ["SELECT a ×0 failed 1 08P01"])
  }

  @Test("a portal read in parts is one execution")
  func suspended() {
    check(
      [
        .client([Wire.parse("", "SELECT a"), Wire.bind(""), Wire.execute(rows: 5), Wire.sync]),
        .server([Wire.parsed, Wire.bound, Wire.suspended, Wire.ready("T")]),
        .client([Wire.execute(rows: 5), Wire.sync]), .server([Wire.suspended, Wire.ready("T")]),
        .client([Wire.execute(), Wire.sync]), .server([Wire.complete(), Wire.ready()]),
      ], ["SELECT a ×1"])
  }

  @Test("COPY in, simple and extended, done and failed")
  func copyIn() {
    let after: [Step] = [.client([Wire.query("SELECT z")]), .server([Wire.complete(), Wire.ready()])]
    let rows = Wire.message("d", [1, 2, 3])
    check(
      [
        .client([Wire.query("COPY t FROM STDIN")]), .server([Wire.copyIn]), .client([rows, rows, Wire.copyDone]),
        .server([Wire.complete(), Wire.ready()]),
      ] + after, ["COPY t FROM STDIN ×1", "SELECT z ×1"])
    check(
      [
        .client([Wire.query("COPY t FROM STDIN")]), .server([Wire.copyIn]), .client([rows]),
        .server([Wire.error("22P04"), Wire.ready()]), .client([rows, Wire.copyDone]),
      ] + after, ["COPY t FROM STDIN ×0 failed 1 22P04", "SELECT z ×1"])
    let extended: [Step] = [
      .client([Wire.parse("", "COPY t FROM STDIN"), Wire.bind(""), Wire.execute(), Wire.sync]),
      .server([Wire.parsed, Wire.bound, Wire.copyIn]),
    ]
    // The server ignored the first Sync: it came during the COPY.
    check(
      extended + [.client([rows, Wire.copyDone, Wire.sync]), .server([Wire.complete(), Wire.ready()])] + after,
      ["COPY t FROM STDIN ×1", "SELECT z ×1"])
    check(
      extended + [
        .client([rows]), .server([Wire.error("22P04")]), .client([Wire.copyDone, Wire.sync]), .server([Wire.ready()]),
      ] + after, ["COPY t FROM STDIN ×0 failed 1 22P04", "SELECT z ×1"])
  }

  @Test("role and path as the session sets them")
  func settings() {
    let recording = check(
      [
        .client([Wire.query("SET search_path TO depot; SET ROLE bob")]),
        .server([Wire.complete(), Wire.complete(), Wire.ready()]),
        .client([Wire.query("SELECT a")]), .server([Wire.complete(), Wire.ready()]),
      ], ["SELECT a ×1"])
    #expect(recording.statements.first?.role == "bob")
    #expect(recording.statements.first?.searchPath == "depot")
  }

  @Test("passwords are kept under no policy", arguments: RecordingPolicy.allCases)
  func passwords(_ policy: RecordingPolicy) {
    for statement in ["ALTER ROLE ann PASSWORD 'x'", "CREATE USER b WITH ENCRYPTED password $$x$$"] {
      let steps: [[Step]] = [
        [.client([Wire.query(statement)]), .server([Wire.complete(), Wire.ready()])],
        [
          .client([Wire.parse("", statement), Wire.bind(""), Wire.execute(), Wire.sync]),
          .server([Wire.parsed, Wire.bound, Wire.complete(), Wire.ready()]),
        ],
      ]
      for step in steps {
        check(step, policy: policy, [String(statement.dropLast(statement.hasSuffix("$$") ? 5 : 3)) + "'***' ×1"])
      }
    }
  }

  @Test("strings and comments of a prepared text are not kept, from the first on")
  func prepared() {
    let steps: [Step] = [
      .client([Wire.parse("", "SELECT 'ann', 5 /* for bob */"), Wire.bind(""), Wire.execute(), Wire.sync]),
      .server([Wire.parsed, Wire.bound, Wire.complete(), Wire.ready()]),
    ]
    check(steps, ["SELECT '***', 5   ×1"])
    check(steps, policy: .keep, ["SELECT 'ann', 5 /* for bob */ ×1"])
  }

  @Test("numbers of a prepared text are the program's until they vary")
  func varying() {
    func steps(_ count: Int) -> [Step] {
      (0..<count).flatMap { number -> [Step] in
        [
          .client([Wire.parse("", "SELECT \(number)"), Wire.bind(""), Wire.execute(), Wire.sync]),
          .server([Wire.parsed, Wire.bound, Wire.complete(), Wire.ready()]),
        ]
      }
    }
    let most = StatementSet.maximalTexts
    check(steps(most), (0..<most).map { "SELECT \($0) ×1" })
    check(steps(most + 5), ["SELECT 0 ×\(most + 5)"])
  }

  @Test("lists of any length and comments make no other statement")
  func forms() {
    let lists = (1...20).map { count in
      "SELECT a FROM t WHERE b IN (\((1...count).map { "$\($0)" }.joined(separator: ", "))) -- request \(count)"
    }
    let steps = lists.flatMap { text -> [Step] in
      [
        .client([Wire.parse("", text), Wire.bind(""), Wire.execute(), Wire.sync]),
        .server([Wire.parsed, Wire.bound, Wire.complete(), Wire.ready()]),
      ]
    }
    check(steps, ["SELECT a FROM t WHERE b IN ($1)   ×20"])
  }

  @Test("what is too long is counted and not kept")
  func oversized() {
    let long = String(repeating: "a", count: StatementRecorder.maximalTextBytes)
    let texts = check(
      [
        .client([Wire.query("SELECT '\(long)'")]), .server([Wire.complete(), Wire.ready()]),
        .client([Wire.query("SELECT b")]), .server([Wire.complete(), Wire.ready()]),
      ], ["SELECT b ×1"])
    #expect(texts.heading.leftOut.oversizedTexts == 1)
    let bind = check(
      [
        .client([Wire.parse("", "SELECT $1"), Wire.bind("", [long]), Wire.execute(), Wire.sync]),
        .server([Wire.parsed, Wire.bound, Wire.complete(), Wire.ready()]),
      ], ["SELECT $1 ×1"])
    #expect(bind.statements.first?.samples == [])
  }

  @Test(
    "function calls are counted, but for those of the server's own functions", arguments: [(16_383, 0), (16_384, 1)])
  func functionCall(oid: Int, lost: Int) {
    let number = [0, 0, UInt8(oid >> 8), UInt8(oid & 255)]
    let recording = check(
      [
        .client([Wire.message("F", number)]), .server([Wire.message("V", [0, 0, 0, 0]), Wire.ready()]),
        .client([Wire.query("SELECT a")]), .server([Wire.complete(), Wire.ready()]),
      ], ["SELECT a ×1"])
    #expect(recording.heading.leftOut.functionCalls == lost)
  }

  @Test("a conversation that makes no sense is given up, once, and said")
  func lost() {
    let recorder = StatementRecorder(version: "v1", policy: .types, reading: .words)
    var said: [String] = []
    let follower = ConversationFollower(recorder, SessionStart(reading: .init(start: nil, count: 0))) {
      said.append($0)
    }
    for bytes in [Wire.ready(), Wire.bound, Wire.bound] { bytes.withUnsafeBytes { follower.server(sent: $0) } }
    Wire.query("SELECT a").withUnsafeBytes { follower.client(sent: $0) }
    #expect(said == ["the server sent BindComplete, which nothing asked for"])
    #expect(recorder.recording().heading.leftOut.unfollowedConnections == 1)
    #expect(!follower.isFollowing)
  }

  @Test("limits of a recording are counted, not passed")
  func limits() {
    let recorder = StatementRecorder(version: "v1", policy: .keep, reading: .words)
    for number in 0..<StatementRecorder.maximalStatements + 3 {
      let found = Array("SELECT c\(number)".utf8).withUnsafeBytes {
        recorder.statements($0, .extended, types: [], session: recorder.session(.init()))
      }
      found.first?.slot.map { recorder.executed($0, sample: nil) }
    }
    let recording = recorder.recording()
    #expect(recording.statements.count == StatementRecorder.maximalStatements)
    #expect(recording.heading.leftOut.surplusStatements == 3)
  }
}
