import Foundation
import Kernel
import MigrationOracle
import Migrations
import Testing

@Suite("Statements from what a team has already")
struct StatementImportTests {
  private func read(_ name: String, _ text: String, form: StatementImport.Form? = nil) throws -> StatementImport {
    let folder = FileManager.default.temporaryDirectory.appending(path: "import-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: name)
    try text.write(to: file, atomically: true, encoding: .utf8)
    return try StatementImport(reading: file.path, form: form)
  }

  private func refusal(_ name: String, _ text: String) -> String {
    do {
      return "read: \(try read(name, text).statements.map(\.text))"
    } catch {
      return "\(error)"
    }
  }

  @Test("sqlx: a query with the types of its parameters")
  func sqlx() throws {
    let one = """
      {"db_name": "PostgreSQL", "query": "SELECT id FROM t WHERE a = $1 AND b = $2",
       "describe": {"columns": [], "parameters": {"Left": ["Int8", {"Custom": {"name": "mood", "kind": {}}}]}}}
      """
    let imported = try read("query-0a1b.json", one)
    #expect(imported.form == .sqlx)
    #expect(imported.statements.map(\.parameterTypes) == [[20, 0]])
    #expect(imported.leftOut == 0)
    let older = #"{"db": "PostgreSQL", "ff00": {"query": "SELECT 1"}, "aa00": {"query": "SELECT a FROM t"}}"#
    #expect(try read("sqlx-data.json", older).statements.map(\.text) == ["SELECT a FROM t", "SELECT 1"])
  }

  @Test("sqlx: a query that cannot be read counts as missing, and the others stand")
  func unreadableSqlx() throws {
    let half = #"{"db": "PostgreSQL", "ff00": {"query": "SELECT 1"}, "aa00": {"quer": "SELECT a FROM t"}}"#
    let imported = try read("sqlx-data.json", half)
    #expect(imported.statements.map(\.text) == ["SELECT 1"])
    #expect(imported.leftOut == 1)
    #expect(imported.notes.contains { $0.contains("aa00") })
  }

  @Test("sqlc: the queries in the code that it made, by name")
  func sqlcCode() throws {
    let code = """
      package db

      const getUser = `-- name: GetUser :one
      SELECT id, name FROM users
      WHERE id = $1
      `

      func (q *Queries) GetUser() {}

      const addUser = `-- name: AddUser :exec
      INSERT INTO users (name) VALUES ($1)
      `
      """
    let imported = try read("users.sql.go", code)
    #expect(imported.form == .sqlc)
    #expect(imported.statements.map(\.name) == ["GetUser", "AddUser"])
    #expect(imported.statements[0].text == "SELECT id, name FROM users\nWHERE id = $1")
  }

  @Test("sqlc: named parameters in its own files become numbers")
  func sqlcNames() throws {
    let text = """
      -- name: Find :many
      SELECT * FROM t WHERE a = @low AND b = sqlc.arg('high') AND c @> @low;
      """
    #expect(try read("q.sql", text).statements[0].text == "SELECT * FROM t WHERE a = $1 AND b = $2 AND c @> $1")
  }

  @Test("pg_stat_statements: texts over several lines with their counts; what was never called is left out")
  func statistics() throws {
    let text = "query,calls,rolname\n\"SELECT 1,\n 2\",500,app\nSELECT 3,0,app\n"
    let imported = try read("s.csv", text)
    #expect(imported.form == .statistics)
    #expect(imported.statements.map(\.count) == [500])
    #expect(imported.statements[0].role == "app")
    #expect(refusal("s.csv", "query,calls\nSELECT 1,many\n").contains(":2: the calls are 'many'"))
    #expect(refusal("s.csv", "query,calls\n<insufficient privilege>,5\n").contains("pg_read_all_stats"))
  }

  @Test("the server's log: statements and executions with their values, nothing twice")
  func log() throws {
    func line(_ message: String, _ detail: String = "", severity: String = "LOG") -> String {
      var fields = [String](repeating: "", count: 26)
      fields[1] = "app"
      fields[11] = severity
      fields[13] = "\"" + message.replacingOccurrences(of: "\"", with: "\"\"") + "\""
      fields[14] = "\"" + detail.replacingOccurrences(of: "\"", with: "\"\"") + "\""
      return fields.joined(separator: ",")
    }
    let imported = try read(
      "server.csv",
      [
        line("statement: SELECT 1"), line("connection received"),
        line("duration: 0.05 ms  parse <unnamed>: SELECT $1"), line("duration: 0.05 ms  bind <unnamed>: SELECT $1"),
        line("execute <unnamed>: SELECT $1, $2", "parameters: $1 = 'it''s', $2 = NULL"),
        line("relation missing", severity: "ERROR"),
      ].joined(separator: "\n"))
    #expect(imported.form == .log)
    #expect(imported.statements.map(\.text) == ["SELECT 1", "SELECT $1, $2"])
    #expect(imported.statements[1].samples == [[.text("it's"), .null]])
    #expect(imported.statements[1].role == "app")
    #expect(imported.notes.count == 1)
  }

  @Test("plain SQL, one statement after the other")
  func sql() throws {
    #expect(try read("q.sql", "SELECT 1; SELECT ';' ;\n").statements.map(\.text) == ["SELECT 1", "SELECT ';'"])
  }

  @Test("what holds nothing is refused in words")
  func refusals() {
    #expect(refusal("q.sql", "-- nothing\n").contains("holds no statement"))
    #expect(refusal("q.txt", "SELECT 1").contains("in no form that is known"))
    #expect(refusal("l.csv", "a,b\n").contains("has 23 or more"))
    #expect(refusal("l.csv", "\"a").contains(":1: a quote is opened and never closed"))
  }
}
