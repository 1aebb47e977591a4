import Migrations
import Testing

@Suite("Forms of statements")
struct StatementFormTests {
  private func isOne(_ texts: [String], _ constants: StatementForm.Constants, _ at: SourceLocation = #_sourceLocation) {
    let forms = Set(texts.map { StatementForm($0, constants: constants) })
    #expect(forms.count == 1, "\(texts)", sourceLocation: at)
  }

  private func areApart(
    _ texts: [String], _ constants: StatementForm.Constants = .open, _ at: SourceLocation = #_sourceLocation
  ) {
    #expect(Set(texts.map { StatementForm($0, constants: constants) }).count == texts.count, sourceLocation: at)
  }

  @Test("what no schema can tell apart is one form", arguments: [StatementForm.Constants.told, .open])
  func one(_ constants: StatementForm.Constants) {
    isOne(["SELECT a FROM t", "select  A\n from T -- user ann", "/* request 7 */SELECT a FROM t"], constants)
    isOne(["SELECT $1, $2", "SELECT $2, $1", "SELECT $7, $3"], constants)
    isOne(["a IN ($1)", "a IN ($1, $2)", "a in($3,$4,$5)"], constants)
    isOne(["(a, b) IN (($1, $2))", "(a, b) IN (($1, $2), ($3, $4), ($5, $6))"], constants)
    isOne(["a = ANY(ARRAY[$1])", "a = ANY(ARRAY[$1, $2])"], constants)
    isOne(
      [
        "INSERT INTO t (a, b) VALUES ($1, lower($2)) ON CONFLICT DO NOTHING",
        "INSERT INTO t (a, b) VALUES ($1, lower($2)), ($3, lower($4)), ($5, lower($6)) ON CONFLICT DO NOTHING",
      ], constants)
  }

  @Test("declared types are of the parameters that stand, wherever they stand")
  func types() {
    func forms(_ statements: [(String, [UInt32])]) -> Int {
      Set(statements.map { StatementForm($0.0, types: $0.1, constants: .told) }).count
    }
    #expect(forms([("a IN ($1)", [23]), ("a IN ($1, $2, $3)", [23, 23, 23])]) == 1, "a list of any length")
    #expect(forms([("a IN ($1)", [23]), ("a IN ($1)", [20]), ("a IN ($1)", [0]), ("a IN ($1, $2)", [23, 20])]) == 4)
    #expect(forms([("a IN ($1)", []), ("a IN ($1)", [0])]) == 1, "left to the server")
    #expect(forms([("f($1, $2)", [23, 20]), ("f($2, $1)", [20, 23])]) == 1, "whatever their numbers are")
    #expect(forms([("f($1, $2)", [23, 20]), ("f($1, $2)", [20, 23])]) == 2)
    #expect(forms([("SELECT 1", [23]), ("SELECT 1", [])]) == 2, "declared, and nowhere to be seen")
    #expect(forms([("SELECT $99999999999999999999", [23])]) == 1)
  }

  @Test("rows of a few kinds are one form in any number and, but for who comes first, any order")
  func mixedRows() {
    let (plain, cast) = ("($1, $2)", "($3, $4::date)")
    isOne(
      [[plain, cast], [plain, cast, plain], [plain, plain, cast, cast, plain, cast]].map {
        "INSERT INTO t VALUES " + $0.joined(separator: ", ").replacing(/\$\d/, with: "1")
      }, .told)
  }

  @Test("what a fingerprint takes for one and a schema may not is apart")
  func apart() {
    areApart(["SELECT f($1)", "SELECT f($1, $2)", "SELECT f(ARRAY[$1], $2)"])
    areApart(["INSERT INTO t (a, b) VALUES ($1, $2)", "INSERT INTO t (b, a) VALUES ($1, $2)"])
    areApart(["INSERT INTO t VALUES ($1)", "INSERT INTO t VALUES ($1, $2)"])
    areApart(["INSERT INTO t VALUES ($1, $2)", "INSERT INTO t VALUES ($1, $2), ($3, DEFAULT)"])
    areApart(["SELECT a, b", "SELECT b, a", "SELECT a, b, b"])
    areApart(["a = $1 AND b = $2", "a = $1 AND b = $1"])
    areApart(["a IN ((SELECT b) UNION VALUES ($1), ($2))", "a IN ((SELECT b) UNION VALUES ($1, $2))"])
    areApart(["SELECT (a), (a)", "SELECT (a)"])
    areApart(["SELECT \"A\"", "SELECT A"])
    areApart(["a IN (SELECT b)", "a IN (SELECT b, b)"])
    areApart(["WITH t AS (VALUES ($1), ($2)) SELECT f(($1), ($2))", "WITH t AS (VALUES ($1), ($2)) SELECT f(($1))"])
    areApart(["SELECT 1", "SELECT 2", "SELECT 'a'", "SELECT $$b$$"], .told)
    isOne(["SELECT 1", "SELECT 2", "SELECT 'a'", "SELECT $$b$$", "SELECT $1"], .open)
  }

  @Test(
    "half a statement has a form too",
    arguments: [
      "(", "a IN (", "VALUES (1", "))", "a IN ()", "VALUES (), ()", "]", ",", "IN (1 VALUES (1), (1))",
      "IN (1, (VALUES (1), (1)), (VALUES (1), (1))", "ARRAY((SELECT 1) UNION ALL VALUES ($1), ($2))",
    ])
  func half(_ text: String) {
    isOne([text, text + " "], .open)
    areApart([text, text + " x"])
  }

  @Test("any tokens have a form, the same with other blanks and comments")
  func any() {
    let tokens = "in array values select union ( ) [ ] , $1 $2 7 'a' b \"c\"".split(separator: " ").map(String.init)
    var chance = Seeded(seed: 7)
    for _ in 0..<20_000 {
      let text = (0..<Int.random(in: 1...24, using: &chance)).map { _ in tokens.randomElement(using: &chance) ?? "" }
      for constants in [StatementForm.Constants.told, .open] {
        let form = StatementForm(text.joined(separator: " "), constants: constants)
        let other = StatementForm(text.joined(separator: " /* , ( */\n"), constants: constants)
        #expect(form == other, "\(text)")
      }
    }
  }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
private struct Seeded: RandomNumberGenerator {
  var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
