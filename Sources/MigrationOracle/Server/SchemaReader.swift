import Crypto
import Foundation

/// Reads a `Schema` from a database, in one round trip.
package enum SchemaReader {
  package static func read(_ connection: PostgresConnection) throws -> Schema {
    let replies = try connection.pipeline(queries.map { [.run($0)] })
    for reply in replies { if let error = reply.error { throw error } }
    let rows = replies.map { $0.answers.first?.rows.map(Row.init) ?? [] }
    var schema = Schema()
    var index: [UInt32: Int] = [:]
    for row in rows[0] {
      index[row.oid(0)] = schema.relations.count
      schema.relations.append(
        Schema.Relation(
          oid: row.oid(0), schema: row[1], name: row[2], kind: row[3], rowSecurity: row.isTrue(4),
          rights: row.optional(5), owner: row[6], rows: row.optional(7).flatMap { Int($0) },
          bytes: row.optional(8).flatMap { Int($0) }, file: row.oid(9), definition: row.optional(10)))
    }
    func each(_ query: Int, _ body: (inout Schema.Relation, Row) -> Void) {
      for row in rows[query] { if let place = index[row.oid(0)] { body(&schema.relations[place], row) } }
    }
    each(1) { relation, row in
      relation.columns.append(
        Schema.Column(
          number: row.int(1), name: row[2], type: row.oid(3), modifier: row.int(4), typeName: row[5],
          notNull: row.isTrue(6), defaultText: row.optional(7), identity: row[8], generated: !row[9].isEmpty,
          rights: row.optional(10)))
    }
    let relations = schema.relations.reduce(into: [UInt32: Schema.Relation]()) { $0[$1.oid] = $1 }
    func columns(_ numbers: [Int], of relation: UInt32) -> [String] { relations[relation]?.names(numbers) ?? [] }
    each(2) { relation, row in
      relation.constraints.append(
        Schema.Constraint(
          oid: row.oid(1), name: row[2], kind: row[3], columns: relation.names(row.numbers(4)), target: row.oid(5),
          targetColumns: columns(row.numbers(6), of: row.oid(5)), validated: row.isTrue(7), definition: row[8]))
    }
    each(3) { relation, row in
      relation.indexes.append(
        Schema.Index(
          name: row[1], columns: relation.names(row.numbers(2)), unique: row.isTrue(3), valid: row.isTrue(4),
          definition: row[5]))
    }
    each(4) { relation, row in
      relation.triggers.append(Schema.Trigger(name: row[1], function: row.oid(2), definition: row[3]))
    }
    each(5) { relation, row in relation.policies.append(row[1]) }
    for row in rows[6] {
      schema.types[row.oid(0)] = Schema.TypeEntry(
        oid: row.oid(0), schema: row[1], name: row[2], kind: row[3], category: row[4], base: row.oid(5),
        element: row.oid(6), labels: row.list(7), checks: row[8])
    }
    for row in rows[7] {
      schema.functions.append(
        Schema.FunctionEntry(
          oid: row.oid(0), schema: row[1], signature: row[2], result: row[3], language: row[4], body: row[5],
          isTrigger: row.isTrue(6), rights: row.optional(7)))
    }
    schema.other = rows[8].map { $0[0] }
    return schema
  }

  private struct Row {
    let values: [String?]
    init(_ values: [String?]) { self.values = values }
    subscript(column: Int) -> String { values[column] ?? "" }
    func optional(_ column: Int) -> String? { values[column] }
    func int(_ column: Int) -> Int { Int(self[column]) ?? 0 }
    func oid(_ column: Int) -> UInt32 { UInt32(self[column]) ?? 0 }
    func isTrue(_ column: Int) -> Bool { self[column] == "t" }
    /// Of columns: `{1,2}` or `1 2`.
    func numbers(_ column: Int) -> [Int] {
      (values[column] ?? "").split { !$0.isNumber && $0 != "-" }.compactMap { Int($0) }
    }
    /// Lists of names come as JSON: names may hold any character.
    func list(_ column: Int) -> [String] {
      guard let text = values[column] else { return [] }
      return (try? JSONDecoder().decode([String].self, from: Data(text.utf8))) ?? []
    }
  }

  /// PostgreSQL's own schemas, Plimsoll's book, and what an extension brought, are no part of it.
  private static let ours = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'plimsoll')"

  private static func notOfExtension(_ catalog: String, _ oid: String) -> String {
    "NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '\(catalog)'::regclass AND d.objid = \(oid)"
      + " AND d.deptype = 'e')"
  }

  /// Who may do what, without the owner, who may do all, and without the oracle's own roles.
  private static func rights(_ list: String, _ kind: String, owner: String) -> String {
    """
    (SELECT string_agg(concat_ws(' ', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END,
      a.privilege_type, a.is_grantable), ','
      ORDER BY CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee)::text END COLLATE "C", a.privilege_type)
    FROM aclexplode(coalesce(\(list), acldefault('\(kind)', \(owner)))) a
    WHERE a.grantee <> \(owner) AND (a.grantee = 0 OR pg_get_userbyid(a.grantee) !~ '^plimsoll_'))
    """
  }

  private static let queries = [
    """
    WITH acl AS MATERIALIZED (
      SELECT d.list, d.owner, \(rights("d.list", "r", owner: "d.owner")) AS rights
      FROM (SELECT DISTINCT relacl AS list, relowner AS owner FROM pg_class WHERE relacl IS NOT NULL) d
    )
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relrowsecurity, acl.rights, pg_get_userbyid(c.relowner),
      CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END, c.relpages::bigint * 8192,
      CASE WHEN c.relkind IN ('r', 'm') THEN c.relfilenode ELSE 0 END,
      CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN acl ON acl.list = c.relacl AND acl.owner = c.relowner
    WHERE \(ours) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND \(notOfExtension("pg_class", "c.oid"))
    ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
    """,
    """
    SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod), a.attnotnull,
      CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END, a.attidentity, a.attgenerated,
      CASE WHEN a.attacl IS NOT NULL THEN \(rights("a.attacl", "c", owner: "c.relowner")) END
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE \(ours) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum
    """,
    """
    SELECT t.conrelid, t.oid, t.conname, t.contype, t.conkey, t.confrelid, t.confkey, t.convalidated, pg_get_constraintdef(t.oid)
    FROM pg_constraint t JOIN pg_namespace n ON n.oid = t.connamespace
    WHERE \(ours) AND t.conrelid <> 0 ORDER BY t.conrelid, t.conname COLLATE "C"
    """,
    """
    SELECT i.indrelid, c.relname, i.indkey, i.indisunique, i.indisvalid,
      pg_get_indexdef(i.indexrelid)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE \(ours) ORDER BY i.indrelid, c.relname COLLATE "C"
    """,
    """
    SELECT t.tgrelid, t.tgname::text, t.tgfoid, pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
    FROM pg_trigger t WHERE NOT t.tgisinternal
    UNION ALL SELECT r.ev_class, 'rule ' || r.rulename, 0, pg_get_ruledef(r.oid) || ' ' || r.ev_enabled::text
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE r.rulename <> '_RETURN' AND \(ours) ORDER BY 1, 2
    """,
    """
    SELECT p.polrelid, concat_ws(' ', p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[]::text,
      pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_policy p ORDER BY p.polrelid, p.polname COLLATE "C"
    """,
    """
    SELECT t.oid, n.nspname, t.typname, t.typtype, t.typcategory, t.typbasetype,
      CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END,
      (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
      (SELECT string_agg(pg_get_constraintdef(k.oid), ' ' ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid)
        || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname !~ '^pg_toast' AND t.typtype IN ('b', 'd', 'e', 'r', 'm', 'c')
      AND (t.typtype <> 'c' OR (\(ours))) ORDER BY t.oid
    """,
    """
    SELECT p.oid, n.nspname, p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
      coalesce(pg_get_function_result(p.oid), ''), l.lanname,
      CASE WHEN p.prokind IN ('f', 'p') THEN md5(pg_get_functiondef(p.oid)) ELSE md5(p.proname) END,
      p.prorettype = 'trigger'::regtype, \(rights("p.proacl", "f", owner: "p.proowner"))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
    WHERE \(ours) AND \(notOfExtension("pg_proc", "p.oid"))
    ORDER BY n.nspname COLLATE "C", p.proname COLLATE "C", p.oid
    """,
    """
    SELECT 'extension ' || extname || ' ' || extversion FROM pg_extension
    UNION ALL SELECT 'schema ' || n.nspname || ' ' || coalesce(\(rights("n.nspacl", "n", owner: "n.nspowner")), '') FROM pg_namespace n WHERE \(ours)
    ORDER BY 1
    """,
  ]
}

extension Schema.Relation {
  /// Of the columns with these numbers, in their order; an index's expressions have the number 0 and are left out.
  fileprivate func names(_ numbers: [Int]) -> [String] { numbers.compactMap { column(number: $0)?.name } }
}
