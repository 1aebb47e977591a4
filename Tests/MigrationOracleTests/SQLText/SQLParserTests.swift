import Testing

@testable import MigrationOracle

/// libpg_query's trees, fingerprints and errors, as the rest of the oracle sees them.
struct SQLParserTests {
  @Test func nodesAreThoseOfTheGrammar() throws {
    let trees = try SQLParser.parse("alter table \"Ünter\" drop column a cascade; select -1.5, 'a\"\\b\n', null")
    #expect(trees.map(\.kind) == ["AlterTableStmt", "SelectStmt"])
    let alter = try #require(trees[0].fields(of: "AlterTableStmt"))
    #expect(alter["relation"]?.string("relname") == "Ünter")
    let command = alter["cmds"]?[0]?.fields(of: "AlterTableCmd")
    #expect(command?.string("subtype") == "AT_DropColumn")
    #expect(command?.string("name") == "a")
    var strings: [String] = []
    trees[1].walk { kind, fields in
      if kind == "A_Const", let text = fields["sval"]?.string("sval") { strings.append(text) }
    }
    #expect(strings == ["a\"\\b\n"])
  }

  @Test func whatIsAbsentIsFalseOrEmpty() {
    let node = SQLNode.object(["DropStmt": .object(["objects": .array([])])])
    #expect(node.fields(of: "DropStmt")?.items("objects") == [])
    #expect(node.fields(of: "DropStmt")?.isTrue("concurrent") == false)
    #expect(node.fields(of: "IndexStmt") == nil)
    #expect(SQLNode.null["a"] == nil && SQLNode.null[0] == nil)
  }

  @Test(arguments: [
    ("select 1 from; x", 13), ("alter table ünter add é é é", 29), ("select '", 7), ("select \u{0}", 7),
  ])
  func errorsPointAtBytes(_ text: String, _ offset: Int) {
    let error = #expect(throws: SQLSyntaxError.self) { try SQLParser.parse(text) }
    #expect(error?.offset == offset)
  }

  @Test func fingerprintsLookThroughConstantsOnly() {
    let one = SQLParser.fingerprint("select a from t where b = 1")
    #expect(one.count == 16 && one.allSatisfy(\.isHexDigit))
    #expect(one == SQLParser.fingerprint("SELECT a  FROM t WHERE b = 'x' -- y"))
    #expect(one != SQLParser.fingerprint("select a from t where c = 1"))
    let unread = SQLParser.fingerprint("selekt 1")
    #expect(unread.hasPrefix("text-") && unread.count == 21)
    #expect(unread == SQLParser.fingerprint("selekt 1") && unread != SQLParser.fingerprint("selekt 2"))
  }

  @Test func normalisingTakesTheConstantsOut() {
    #expect(SQLParser.normalise("select 'secret', 7 from t where a = $1") == "select $2, $3 from t where a = $1")
    #expect(SQLParser.normalise("selekt 1") == nil)
  }

  @Test(
    "a constant behind its type leaves a text that is still read, with the same fingerprint",
    arguments: [
      ("select now() - interval '1 day'", "select now() - $1::interval"),
      ("select * from t where a > date '2026-01-01' limit 5", "select * from t where a > $1::date limit $2"),
      ("select interval '1' day", "select $1::interval day"),
      ("select timestamp with time zone '2026-01-01', 'interval $1'", "select $1::timestamp with time zone, $2"),
      ("select INTERVAL(3) '1 s', a from t", "select $1::INTERVAL(3), a from t"),
    ]) func typedConstants(_ sent: String, _ expected: String) throws
  {
    let normal = try #require(SQLParser.normalise(sent))
    #expect(normal == expected)
    #expect(try SQLParser.parse(normal).count == 1)
    #expect(SQLParser.fingerprint(normal) == SQLParser.fingerprint(sent))
  }

  @Test("what pg_stat_statements shows of it is read, and nothing else is touched") func shownConstants() {
    let shown = "SELECT id FROM orders WHERE at > now() - interval $1 AND state = $2"
    #expect(SQLParser.normalise(shown) == "SELECT id FROM orders WHERE at > now() - $1::interval AND state = $2")
    #expect(
      SQLParser.fingerprint(SQLParser.readable(shown))
        == SQLParser.fingerprint("SELECT id FROM orders WHERE at > now() - interval '7 days' AND state = 'new'"))
    for text in ["SELECT 'interval $1', $1", "selekt date $1", "SELECT $1::interval"] {
      #expect(SQLParser.readable(text) == text)
    }
  }

  /// Nested as deep as the grammar allows; the parser's own recursion must not meet a small stack.
  @Test func deepTreesDoNotOverflowTheStack() async throws {
    let sum = "select 1" + String(repeating: "+1", count: 20_000)
    let parts = await Task.detached { ((try? SQLParser.parse(sum)) ?? [], SQLParser.fingerprint(sum)) }.value
    #expect(parts.0.map(\.kind) == ["SelectStmt"])
    #expect(parts.1.count == 16)
    let nested = "select " + String(repeating: "(", count: 100_000)
    #expect(throws: SQLSyntaxError.self) { try SQLParser.parse(nested) }
  }

  @Test func threadsDoNotDisturbEachOther() async {
    let answers = await withTaskGroup(of: [String].self) { group in
      for number in 0..<8 {
        group.addTask {
          (0..<200).map { turn in
            turn.isMultiple(of: 3)
              ? ((try? SQLParser.parse("select from where \(number)")) == nil ? "refused" : "read")
              : SQLParser.fingerprint("select a from t\(number) where b = \(turn)")
          }
        }
      }
      return await group.reduce(into: [[String]]()) { $0.append($1) }
    }
    for answer in answers { #expect(Set(answer).count == 2 && answer[0] == "refused") }
    #expect(Set(answers.map { $0[1] }).count == 8)
  }
}
