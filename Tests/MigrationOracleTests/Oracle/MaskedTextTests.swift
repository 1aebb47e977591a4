import Testing

@testable import MigrationOracle

struct MaskedTextTests {
  private func check(
    _ text: String, _ expected: String, _ parameters: Set<Int>, location: SourceLocation = #_sourceLocation
  ) {
    let unmasked = MaskedText(text)
    #expect(unmasked.text == expected, sourceLocation: location)
    #expect(unmasked.parameters == parameters, sourceLocation: location)
  }

  @Test func stringsBecomeParametersBehindThoseThatAreThere() {
    check("SELECT a FROM b WHERE c = $1", "SELECT a FROM b WHERE c = $1", [])
    check("SELECT a FROM b WHERE c = '***' AND d = $2", "SELECT a FROM b WHERE c = $3 AND d = $2", [3])
    check("SELECT E'***' || '***'", "SELECT $1 || $2", [1, 2])
    check("SELECT at + INTERVAL '***', date '***'", "SELECT at + CAST($1 AS INTERVAL), CAST($2 AS date)", [1, 2])
    check("SELECT json_build_object('***', lower('***'))", "SELECT json_build_object('***', lower($1))", [1])
    check("SELECT concat(lower(a), '***'), ('***')", "SELECT concat(lower(a), '***'), ($1)", [1])
  }

  @Test func aParameterBehindItsTypesNameIsCast() {
    check("SELECT now() - interval $1", "SELECT now() - CAST($1 AS interval)", [])
    check("SELECT INTERVAL $2 day, date\n$1", "SELECT CAST($2 AS INTERVAL day), CAST($1 AS date)", [])
    check("SELECT timestamp with time zone $1", "SELECT CAST($1 AS timestamp with time zone)", [])
    check("SELECT timestamp with time zone '***'", "SELECT CAST($1 AS timestamp with time zone)", [1])
    check("SELECT a AT TIME ZONE $1 FROM b LIMIT $2", "SELECT a AT TIME ZONE $1 FROM b LIMIT $2", [])
    check("SELECT a FROM b WHERE date = $1", "SELECT a FROM b WHERE date = $1", [])
  }
}
