import Testing

@testable import MigrationOracle

/// Scripts are cut where psql cuts them, and nothing is lost.
struct SplitTests {
  private func check(_ script: String, into expected: [String], _ location: SourceLocation = #_sourceLocation) {
    let found = SQLParser.split(script, file: "m.sql")
    #expect(found.map(\.text) == expected, sourceLocation: location)
  }

  @Test func semicolons() {
    check("select 1; select 2", into: ["select 1", "select 2"])
    check("select 1;;\n ; select 2;", into: ["select 1", "select 2"])
    check("", into: [])
    check("-- only words\n/* and /* more */ words; */", into: [])
    check("\u{FEFF}select 1;", into: ["select 1"])
  }

  @Test func semicolonsThatDoNotCut() {
    check("select ';' , \";\"; select 2", into: ["select ';' , \";\"", "select 2"])
    check("select 'it''s;'; select 2", into: ["select 'it''s;'", "select 2"])
    check("select E'\\';'; select 2", into: ["select E'\\';'", "select 2"])
    check("select 'a\\'; select 2", into: ["select 'a\\'", "select 2"])
    check("select $$a;b$$; select $x$ $$;$$ $x$", into: ["select $$a;b$$", "select $x$ $$;$$ $x$"])
    check("select a$1 -- ; no\n; select $1", into: ["select a$1 -- ; no", "select $1"])
    check(
      "create rule r as on insert to t do (select 1; select 2); select 3",
      into: ["create rule r as on insert to t do (select 1; select 2)", "select 3"])
    let atomic = "create or replace function f() returns int begin atomic select case when true then 1 end; end"
    check(atomic + "; select 1", into: [atomic, "select 1"])
    check("begin; select 1; end; select 2", into: ["begin", "select 1", "end", "select 2"])
  }

  @Test func commentsBeforeAStatementAreNotItsText() {
    let found = SQLParser.split("-- why\n  /* é */ select 1;\n\tselect\n é from t", file: "m.sql")
    #expect(found.map(\.spot.line) == [2, 3])
    #expect(found.map(\.spot.column) == [11, 2])
    #expect(found[1].spot(at: 8).line == 4)
    #expect(found[1].spot(at: 8).column == 2)
    #expect(found[1].spot(at: 11).column == 4)
  }

  @Test func spotsOnOneLongLineAndWithCarriageReturns() {
    let found = SQLParser.split("select 1; select 2;\r\nselect 3", file: "m.sql")
    #expect(found.map(\.spot.line) == [1, 1, 2])
    #expect(found.map(\.spot.column) == [1, 11, 1])
  }

  @Test func copyDataIsNoStatement() {
    let script = "copy t (a, b) from stdin with (format csv);\n1;2\n'\n\\.\nselect 1;"
    let found = SQLParser.split(script, file: "m.sql")
    #expect(found.map(\.text) == ["copy t (a, b) from stdin with (format csv)", "select 1"])
    #expect(found[0].data == "1;2\n'\n")
    #expect(found[0].syntaxError == nil)
    #expect(found[1].spot.line == 5)
    #expect(SQLParser.split("copy t from stdin;\n1\n2", file: "m.sql").map(\.data) == ["1\n2"])
    #expect(SQLParser.split("copy t from '/f';\nselect 1", file: "m.sql").map(\.data) == [nil, nil])
  }

  @Test(arguments: [
    ("\\set ON_ERROR_STOP on", MigrationStatement.MetaCommand.harmless), ("\\restrict x1", .harmless),
    ("\\i other.sql", .decisive), ("\\set table users", .decisive), ("\\connect db", .decisive),
  ])
  func metaCommandsAreNamed(_ line: String, _ kind: MigrationStatement.MetaCommand) {
    let found = SQLParser.split("\(line)\nselect 1;", file: "m.sql")
    #expect(found.map(\.text) == [line, "select 1"])
    #expect(found[0].metaCommand == kind)
    #expect(found[0].syntaxError?.message.contains("command of psql") == true)
    #expect(found[1].tree != nil && found[1].syntaxError == nil)
  }

  @Test func aMetaCommandThatEndsAStatementTakesItAlong() {
    let found = SQLParser.split("select 'drop table ' || t from x \\gexec\nselect 1;", file: "m.sql")
    #expect(found.count == 2)
    #expect(found[0].metaCommand == .decisive)
    #expect(found[0].syntaxError?.offset == 33)
  }

  @Test(arguments: [
    ("alter table {{ .Table }} add a int", "template"), ("alter table ${schema}.t add a int", "template"),
    ("create table %(name)s (a int)", "template"), ("insert into t values (:'name')", "psql variable"),
  ])
  func templatesAreCalledTemplates(_ text: String, _ word: String) {
    let found = SQLParser.split("select 1; \(text); select 2", file: "m.sql")
    #expect(found.count == 3)
    #expect(found[1].syntaxError?.message.contains("looks like a \(word)") == true)
    #expect(found[2].tree != nil)
  }

  @Test func anUnreadableStatementLeavesTheOthersAlone() {
    let found = SQLParser.split("select 1;\nalter tabel t add a int;\nselect 'open", file: "m.sql")
    #expect(found.map { $0.tree != nil } == [true, false, false])
    #expect(found[1].syntaxError?.message == "syntax error at or near \"tabel\"")
    #expect(found[1].syntaxError?.offset == 6)
    #expect(found[2].syntaxError?.message.hasPrefix("unterminated quoted string") == true)
  }

  @Test func tenMegabytesOfRowsAreCheckedWithoutTrees() {
    let row = "insert into t (a, b) values (1, '" + String(repeating: "x", count: 968) + "');\n"
    let many = SQLParser.split(String(repeating: row, count: 10_000) + "insert into t values (;", file: "m.sql")
    #expect(many.count == 10_001)
    #expect(many.last?.syntaxError != nil)
    #expect(many.last?.spot.line == 10_001)
    #expect(many.count { $0.tree != nil } == SQLParser.maximalInsertTrees)
    #expect(many[5_000].isBulk && many[5_000].syntaxError == nil)
    let one = "insert into t values " + Array(repeating: "(1, 'x')", count: 100_000).joined(separator: ", ")
    #expect(SQLParser.split(one, file: "m.sql").map(\.isBulk) == [true])
    #expect(SQLParser.split(one + ", (", file: "m.sql").map { $0.syntaxError != nil } == [true])
  }

  /// Whatever stands in a script: each part is in it, in order, at its spot, and what is left out is blank, a comment or
  /// a semicolon.
  @Test func anyTextIsCutWithoutLoss() throws {
    let scraps = [
      "'", "\"", "$$", "$a$", ";", "(", ")", "--", "/*", "*/", "\\", "\n", " ", "e'", "select 1", "é", "begin",
      "atomic",
      "end", "create function f()", "copy t from stdin", "\\.", "case", "{{", "0", "\r\n", "\u{0}", "insert into t",
    ]
    var state: UInt64 = 5
    for _ in 0..<400 {
      let text = (0..<12).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return scraps[Int((state >> 33) % UInt64(scraps.count))]
      }.joined()
      var rest = Substring(text)
      for part in SQLParser.split(text, file: "m.sql") {
        let found = try #require(rest.utf8.firstRange(of: part.text.utf8), "\(text.debugDescription)")
        let skipped = rest[..<found.lowerBound]
        #expect(
          skipped.contains(where: { !$0.isWhitespace && $0 != ";" }) == false || skipped.contains("-")
            || skipped.contains("/") || skipped.contains("\\."), "\(text.debugDescription)")
        rest = rest[found.upperBound...]
        if let data = part.data, let range = rest.utf8.firstRange(of: data.utf8) { rest = rest[range.upperBound...] }
        #expect(part.tree != nil || part.syntaxError != nil || part.isBulk, "\(text.debugDescription)")
      }
    }
  }

  @Test(arguments: [
    ("alter table t add a int", MigrationFile.Transaction.one),
    ("create index concurrently i on t (a)", .none), ("drop index concurrently i", .none),
    ("reindex table concurrently t", .none), ("vacuum t", .none), ("analyze t", .one),
    ("alter table t detach partition p concurrently", .none),
    ("begin; create table t (a int); commit", .own), ("create table t (a int); savepoint s", .one),
  ])
  func transactionsFollowFromTheStatements(_ script: String, _ expected: MigrationFile.Transaction) {
    #expect(MigrationFile(path: "m.sql", text: script).transaction == expected)
    #expect(MigrationFile(path: "m.sql", text: script, transaction: .some(.none)).transaction == .none)
  }
}
