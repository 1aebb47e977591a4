import Migrations
import Testing

@testable import StatementProxy

@Suite("Texts")
struct TextTests {
  private func check(_ text: String, _ expected: String, _ at: SourceLocation = #_sourceLocation) {
    #expect(LiteralMask.masked(text, .stringsAndNumbers) == expected, sourceLocation: at)
  }

  @Test("literals are taken out without a grammar")
  func masks() {
    check("SELECT 'a', 12, 1.5e3 FROM t1", "SELECT '***', 0, 0 FROM t1")
    check("SELECT 'it''s' || 'x'", "SELECT '***' || '***'")
    check(#"SELECT E'a\'b', 'c\', d"#, "SELECT E'***', '***', d")
    check("SELECT $1, $12, $$se'cret$$, $a$ $$ $a$", "SELECT $1, $12, '***', '***'")
    check(#"SELECT "my 'col'" -- it's 5"#, #"SELECT "my 'col'"  "#)
    check("SELECT /* don't /* 7 */ */ 7", "SELECT   0")
    check("SELECT 1 -- user ann\nFROM t", "SELECT 0  \nFROM t")
    check("SELECT 'open and never closed", "SELECT '***'")
    check("SELECT $tag$ never closed", "SELECT '***'")
    check("SELECT naïve, t2.x1", "SELECT naïve, t2.x1")
    check("'", "'***'")
    check("", "")
  }

  private func effect(_ text: String, _ expected: StatementEffect?, _ at: SourceLocation = #_sourceLocation) {
    #expect(StatementEffect.read(text) == expected, sourceLocation: at)
  }

  @Test("what concerns the session alone")
  func effects() {
    for control in [
      "BEGIN", " commit;", "/* a */ START TRANSACTION", "-- b\nSAVEPOINT s", "RELEASE s", "end",
      "ROLLBACK TO s", "PREPARE TRANSACTION 'x'", "ROLLBACK PREPARED 'x'",
    ] { effect(control, .transactionControl) }
    effect("ROLLBACK", .rollback)
    effect("abort work", .rollback)
    effect("SET search_path = a, \"B c\"", .searchPath("a, B c", scope: .session))
    effect("set local search_path to x", .searchPath("x", scope: .transaction))
    effect("SET SESSION search_path TO DEFAULT", .searchPath(nil, scope: .session))
    effect("SET ROLE ann", .role("ann", scope: .session))
    effect("SET LOCAL ROLE 'ann'", .role("ann", scope: .transaction))
    effect("SET SESSION AUTHORIZATION bob", .role("bob", scope: .session))
    effect("RESET ROLE", .role(nil, scope: .session))
    effect("DISCARD ALL", .resetAll)
    effect("SET statement_timeout = 5", .setting)
    effect("SHOW server_version", .setting)
    effect("SET CONSTRAINTS ALL DEFERRED", nil)
    effect("SELECT 1", nil)
    effect("PREPARE p AS SELECT 1", nil)
    effect("", nil)
  }

  private func settings(_ steps: [String], _ role: String?, _ path: String?, _ at: SourceLocation = #_sourceLocation) {
    var settings = SessionSettings(.init(role: "ann", searchPath: nil))
    for step in steps {
      switch step {
      case "committed": settings.transactionEnded(rolledBack: false)
      case "rolled back": settings.transactionEnded(rolledBack: true)
      default: StatementEffect.read(step).map { settings.apply($0) }
      }
    }
    #expect(settings.current == .init(role: role, searchPath: path), sourceLocation: at)
  }

  @Test("role and path follow the transaction")
  func sessionSettings() {
    settings(["SET search_path = a", "committed"], "ann", "a")
    settings(["SET search_path = a", "rolled back"], "ann", nil)
    settings(["SET LOCAL search_path = a"], "ann", "a")
    settings(["SET LOCAL search_path = a", "committed"], "ann", nil)
    settings(["SET LOCAL search_path = a", "SET ROLE bob"], "bob", "a")
    settings(["SET LOCAL search_path = a", "SET ROLE bob", "committed"], "bob", nil)
    settings(["SET ROLE bob", "committed", "RESET ROLE"], "ann", nil)
    settings(["SET ROLE bob", "SET search_path = a", "committed", "DISCARD ALL"], "ann", nil)
  }

  private func value(
    _ bytes: [UInt8], _ type: UInt32, binary: Bool = true, _ expected: SampleValue,
    _ at: SourceLocation = #_sourceLocation
  ) {
    let sample = bytes.withUnsafeBytes { BoundValue.sample($0, isBinary: binary, type: type, policy: .keep) }
    #expect(sample == expected, sourceLocation: at)
  }

  @Test("values that are kept")
  func values() {
    value(Array("née".utf8), 0, binary: false, .text("née"))
    value([0xFF], 0, binary: false, .redacted(bytes: 1))
    value(Array(repeating: 65, count: 1025), 25, .redacted(bytes: 1025))
    value([0xFF, 0xFE], 21, .text("-2"))
    value(Wire.int32(70_000), 23, .text("70000"))
    value([0, 0, 0, 1, 0, 0, 0, 0], 20, .text("4294967296"))
    value([0x3F, 0xF8, 0, 0, 0, 0, 0, 0], 701, .text("1.5"))
    value([1], 16, .text("true"))
    value(Array(0...15), 2950, .text("00010203-0405-0607-0809-0a0b0c0d0e0f"))
    value([1] + Array("{}".utf8), 3802, .text("{}"))
    value([0, 9], 17, .text("\\x0009"))
    value([0, 0, 0, 0, 0, 0, 0, 9], 1114, .redacted(bytes: 8))
    value([0, 0, 0], 23, .redacted(bytes: 3))
  }

  @Test("by default a value is its length")
  func redacted() {
    let secret = Array("hunter2".utf8)
    let sample = secret.withUnsafeBytes { BoundValue.sample($0, isBinary: false, type: 25, policy: .types) }
    #expect(sample == .redacted(bytes: 7))
  }
}
