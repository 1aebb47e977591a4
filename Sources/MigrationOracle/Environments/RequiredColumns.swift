import Migrations

/// INSERTs that leave out a column which must have a value: on the schema as it is they fail with whatever values, and
/// no comparison with a schema before would show it.
struct RequiredColumns {
  let schema: Schema

  func findings(in sets: [StatementSet]) -> [Finding] {
    var known: [String: [String]] = [:]
    return sets.flatMap { set in
      set.statements.compactMap { statement -> Finding? in
        guard statement.text.contains(/(?i)insert/) else { return nil }
        let key = "\(statement.searchPath ?? "") \(statement.text)"
        let missing = known[key] ?? missing(in: statement)
        known[key] = missing
        guard !missing.isEmpty else { return nil }
        let candidate = Candidate(statement, of: set.version)
        return Finding(
          .breaks, .execute, rule: "sqlstate-23502",
          "“\(OracleFindings.title(candidate))” leaves out \(missing.joined(separator: ", ")), which must have a value",
          statement: candidate.references.first, sqlState: "23502")
      }
    }
  }

  /// Empty too where it cannot be told: a trigger or a rule may fill the column in.
  private func missing(in statement: CapturedStatement) -> [String] {
    let candidate = Candidate(statement, of: "")
    guard candidate.reading.kind == .insert,
      let insert = (try? SQLParser.parse(candidate.text))?.first?.fields(of: "InsertStmt"),
      let target = insert["relation"], let name = target.string("relname"),
      let table = schema.relation(name, schema: target.string("schemaname"), searchPath: candidate.searchPath),
      table.isTable, table.triggers.isEmpty
    else { return [] }
    let named = insert.items("cols").compactMap { $0.fields(of: "ResTarget")?.string("name") }
    guard !named.isEmpty else { return [] }
    return table.columns.filter { $0.required && !named.contains($0.name) }.map(\.name)
  }
}
