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
    isOne(["SELECT $1, $2", "SELECT $2, $2"], constants)
    isOne(["a IN ($1)", "a IN ($1, $2)", "a in($3,$4,$5)"], constants)
    isOne(["(a, b) IN (($1, $2))", "(a, b) IN (($1, $2), ($3, $4), ($5, $6))"], constants)
    isOne(["a = ANY(ARRAY[$1])", "a = ANY(ARRAY[$1, $2])"], constants)
    isOne(
      [
        "INSERT INTO t (a, b) VALUES ($1, lower($2)) ON CONFLICT DO NOTHING",
        "INSERT INTO t (a, b) VALUES ($1, lower($2)), ($3, lower($4)), ($5, lower($6)) ON CONFLICT DO NOTHING",
      ], constants)
  }

  @Test("what a fingerprint takes for one and a schema may not is apart")
  func apart() {
    areApart(["SELECT f($1)", "SELECT f($1, $2)", "SELECT f(ARRAY[$1], $2)"])
    areApart(["INSERT INTO t (a, b) VALUES ($1, $2)", "INSERT INTO t (b, a) VALUES ($1, $2)"])
    areApart(["INSERT INTO t VALUES ($1)", "INSERT INTO t VALUES ($1, $2)"])
    areApart(["INSERT INTO t VALUES ($1, $2)", "INSERT INTO t VALUES ($1, $2), ($3, DEFAULT)"])
    areApart(["SELECT a, b", "SELECT b, a", "SELECT a, b, b"])
    areApart(["SELECT (a), (a)", "SELECT (a)"])
    areApart(["SELECT \"A\"", "SELECT A"])
    areApart(["a IN (SELECT b)", "a IN (SELECT b, b)"])
    areApart(["WITH t AS (VALUES ($1), ($2)) SELECT f(($1), ($2))", "WITH t AS (VALUES ($1), ($2)) SELECT f(($1))"])
    areApart(["SELECT 1", "SELECT 2", "SELECT 'a'", "SELECT $$b$$"], .told)
    isOne(["SELECT 1", "SELECT 2", "SELECT 'a'", "SELECT $$b$$", "SELECT $1"], .open)
  }

  @Test(
    "half a statement has a form too",
    arguments: ["(", "a IN (", "VALUES (1", "))", "a IN ()", "VALUES (), ()", "]", ","])
  func half(_ text: String) {
    isOne([text, text + " "], .open)
    areApart([text, text + " x"])
  }
}
