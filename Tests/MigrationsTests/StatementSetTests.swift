import Migrations
import Testing

@Suite("A version's statements")
struct StatementSetTests {
  private func statement(
    _ fingerprint: String, count: Int = 1, types: [UInt32] = [], samples: [[SampleValue]] = [], name: String? = nil
  ) -> CapturedStatement {
    CapturedStatement(
      fingerprint: fingerprint, text: "text of \(fingerprint)", name: name, parameterTypes: types, samples: samples,
      count: count, source: .proxy)
  }

  @Test("alike statements become one, with their counts, samples and first name")
  func merging() {
    let set = StatementSet(
      version: "v1",
      statements: [
        statement("b", samples: [[.null]]), statement("a"),
        statement("b", count: 4, samples: [[.text("1")]], name: "q"),
      ])
    #expect(set.statements.map(\.fingerprint) == ["a", "b"])
    #expect(set.statements[1].count == 5)
    #expect(set.statements[1].samples == [[.null], [.text("1")]])
    #expect(set.statements[1].name == "q")
  }

  private func of(
    _ text: String, role: String? = nil, path: String? = nil, count: Int = 1, source: StatementSource = .proxy
  ) -> CapturedStatement {
    CapturedStatement(fingerprint: "a", text: text, count: count, source: source, role: role, searchPath: path)
  }

  @Test("of one fingerprint every text, role and search path is kept that a schema may tell apart")
  func apart() {
    let all = [
      of("SELECT f($1)"), of("SELECT f($1, $2)"), of("SELECT f($1)", role: "ann"), of("SELECT f($1)", path: "depot"),
    ]
    let set = StatementSet(version: "v1", statements: all + [of("select F($7) -- again")])
    #expect(set.statements.count == 4)
    #expect(set.statements.map(\.count).reduce(0, +) == 5)
    #expect(set.joined(by: StatementSet(version: "v1", statements: [of("SELECT f($1)", role: "bob")])) != nil)
    #expect(set.joined(by: StatementSet(version: "v1", statements: all.reversed())) == nil)
  }

  @Test("a client that declares types sends one statement with lists of any length")
  func typedLists() {
    let lists = (1...40).map { count in
      let list = (1...count).map { "$\($0)" }.joined(separator: ", ")
      return CapturedStatement(
        fingerprint: "a", text: "SELECT a FROM t WHERE b IN (\(list))",
        parameterTypes: Array(repeating: 20, count: count), source: .proxy)
    }
    let set = StatementSet(version: "v1", statements: lists)
    #expect(set.statements.map(\.count) == [40])
    #expect(set.joined(by: StatementSet(version: "v1", statements: lists.suffix(1))) == nil)
  }

  @Test("constants are the program's until they vary; those of its source always")
  func constants() throws {
    func many(_ source: StatementSource, _ numbers: Range<Int>) -> StatementSet {
      StatementSet(version: "v1", statements: numbers.map { of("SELECT \($0)", source: source) })
    }
    let most = StatementSet.maximalTexts
    #expect(many(.proxy, 0..<most).statements.count == most)
    let more = many(.proxy, 0..<most + 5)
    #expect(more.statements.map(\.count).sorted() == Array(repeating: 1, count: most - 1) + [6])
    #expect(more.joined(by: many(.proxy, 50..<60)) == nil)
    let half = try #require(many(.proxy, 0..<5).joined(by: many(.proxy, 50..<60)))
    #expect(half.statements.count == most && half.joined(by: many(.proxy, 50..<60)) == nil)
    #expect(many(.sql, 0..<most + 5).statements.count == most + 5)
  }

  @Test("the same text with other parameter types is another statement")
  func types() {
    #expect(
      StatementSet(version: "v1", statements: [statement("a"), statement("a", types: [23])]).statements.count == 2)
  }

  @Test("samples are bounded, and counts do not overflow")
  func bounds() {
    let many = (0..<20).map { statement("a", count: .max, samples: [[.text("\($0)")]]) }
    let set = StatementSet(version: "v1", statements: many)
    #expect(set.statements[0].samples.count == CapturedStatement.maximalSamples)
    #expect(set.statements[0].count == .max)
  }

  @Test("coverage weighs by how often production sends a statement")
  func coverage() {
    let captured = StatementSet(version: "v1", statements: [statement("a")])
    func production(_ statements: [CapturedStatement]) -> Double? {
      captured.coverage(of: StatementSet(version: "production", statements: statements))
    }
    #expect(production([]) == nil)
    #expect(production([statement("a", count: 3), statement("b", count: 1)]) == 0.75)
    #expect(production([statement("b")]) == 0)
  }

  @Test("what is sent again brings nothing new, and of two counts the larger stays")
  func joining() throws {
    let known = StatementSet(version: "v1", statements: [statement("b", count: 7, samples: [[.null]])])
    #expect(known.joined(by: known) == nil)
    #expect(known.joined(by: StatementSet(version: "v1", statements: [statement("b", count: 90)])) == nil)
    let more = StatementSet(version: "v1", statements: [statement("a"), statement("b", count: 9)])
    let joined = try #require(known.joined(by: more))
    #expect(joined.statements.map(\.fingerprint) == ["a", "b"] && joined.statements.map(\.count) == [1, 9])
    #expect(joined.joined(by: more) == nil && joined.joined(by: known) == nil)
    let sampled = StatementSet(version: "v1", statements: [statement("b", samples: [[.redacted(bytes: 3)]])])
    #expect(known.joined(by: sampled) == nil, "every other call has values of other lengths")
    let both = StatementSet(version: "v1", statements: sampled.statements + [statement("c")])
    #expect(known.joined(by: both)?.statements.first?.samples == [[.null], [.redacted(bytes: 3)]], "they ride along")
    let typed = StatementSet(version: "v1", statements: [statement("b", types: [23])])
    #expect(known.joined(by: typed)?.statements.map(\.parameterTypes) == [[], [23]])
  }

  @Test("without values only their lengths are left, each once")
  func bare() {
    let set = StatementSet(
      version: "v1", statements: [statement("a", samples: [[.text("abc"), .null], [.text("xyz"), .null]])])
    #expect(set.withoutValues.statements.first?.samples == [[.redacted(bytes: 3), .null]])
  }
}

@Suite("A report of a check")
struct MigrationReportTests {
  private func finding(_ kind: Finding.Kind, line: Int? = nil) -> Finding {
    Finding(
      kind, .parse, rule: "rule", "It is so.", migration: line.map { SourceSpot(file: "m.sql", line: $0, text: "x") })
  }

  @Test(
    "the worst finding is the verdict; notes decide nothing",
    arguments: [
      ([], .compatible), ([.note], .compatible), ([.note, .hazard], .hazard),
      ([.hazard, .inconclusive], .inconclusive),
      ([.inconclusive, .breaks, .note], .breaks),
    ] as [([Finding.Kind], MigrationReport.Verdict)])
  func verdict(kinds: [Finding.Kind], verdict: MigrationReport.Verdict) {
    let report = MigrationReport(findings: kinds.map { finding($0) }, checked: [], migrations: [])
    #expect(report.verdict == verdict)
  }

  @Test("worst first, then by the migration's lines")
  func order() {
    let report = MigrationReport(
      findings: [finding(.note, line: 1), finding(.breaks, line: 9), finding(.breaks, line: 2)], checked: [],
      migrations: [])
    #expect(report.findings.map { $0.migration?.line } == [2, 9, 1])
  }

  @Test("a spot's text is shortened")
  func spot() {
    let spot = SourceSpot(file: "m.sql", line: 1, text: String(repeating: "x", count: 1000))
    #expect(spot.text.count == SourceSpot.maximalText)
  }
}
