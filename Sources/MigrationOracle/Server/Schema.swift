/// A database's schema with the server's own numbers, which a clone shares with its template: so a renamed column is
/// known as the same column. The oracle's working form; `Catalog` is what it tells others.
package struct Schema: Equatable, Sendable {
  /// Sorted by schema and name.
  package var relations: [Relation] = []
  /// Sorted by OID; PostgreSQL's own are left out unless a column is of them.
  package var types: [UInt32: TypeEntry] = [:]
  /// Sorted by schema and signature; those of extensions are left out.
  package var functions: [FunctionEntry] = []
  /// Lines for what is hashed and not modelled: policies, extensions, schemas' rights.
  package var other: [String] = []

  package struct Relation: Equatable, Sendable {
    package var oid: UInt32
    package var schema: String
    package var name: String
    /// `pg_class.relkind`: r, p, v, m, f, S.
    package var kind: String
    package var rowSecurity: Bool
    /// Who may do what besides the owner, nil for nobody.
    package var rights: String?
    package var owner: String
    package var rows: Int?
    package var bytes: Int?
    package var file: UInt32
    package var columns: [Column] = []
    package var constraints: [Constraint] = []
    package var indexes: [Index] = []
    package var triggers: [Trigger] = []
    package var policies: [String] = []
    package var definition: String?

    package var label: String { schema == "public" ? name : "\(schema).\(name)" }
    package var identifier: String { "\(quoted(schema)).\(quoted(name))" }
    package var isTable: Bool { kind == "r" || kind == "p" }
    package func column(_ name: String) -> Column? { columns.first { $0.name == name } }
    package func column(number: Int) -> Column? { columns.first { $0.number == number } }
  }

  package struct Column: Equatable, Sendable {
    package var number: Int
    package var name: String
    package var type: UInt32
    package var modifier: Int
    /// As `format_type` prints it.
    package var typeName: String
    package var notNull: Bool
    package var defaultText: String?
    /// `a` always, `d` by default, empty for none.
    package var identity: String
    package var generated: Bool
    package var rights: String?

    /// The application may not write it.
    package var generatedAlways: Bool { generated || identity == "a" }
    /// An INSERT that leaves it out fails.
    package var required: Bool { notNull && defaultText == nil && identity.isEmpty && !generated }
    /// Characters that fit, for `varchar(n)` and `char(n)`: the modifier counts a header of 4.
    package var length: Int? {
      (type == PostgresType.varchar || type == PostgresType.bpchar) && modifier >= 4 ? modifier - 4 : nil
    }
  }

  package struct Constraint: Equatable, Sendable {
    package var oid: UInt32
    package var name: String
    /// `pg_constraint.contype`: p, u, c, f, x, t.
    package var kind: String
    package var columns: [String]
    package var target: UInt32
    package var targetColumns: [String]
    package var validated: Bool
    package var definition: String
  }

  package struct Index: Equatable, Sendable {
    package var name: String
    /// Plain columns; expressions are left out.
    package var columns: [String]
    package var unique: Bool
    package var valid: Bool
    package var definition: String

    /// Its method, columns, expressions and condition, without its name and its table's.
    package var rule: String {
      guard let start = definition.firstRange(of: " USING ") else { return definition }
      return String(definition[start.upperBound...])
    }
  }

  package struct Trigger: Equatable, Sendable {
    package var name: String
    package var function: UInt32
    package var definition: String
  }

  package struct TypeEntry: Equatable, Sendable {
    package var oid: UInt32
    package var schema: String
    package var name: String
    /// `pg_type.typtype`: b, c, d, e, r, m.
    package var kind: String
    /// `pg_type.typcategory`: N numbers, S strings, B booleans, D dates, A arrays, …
    package var category: String
    /// A domain's base, else 0.
    package var base: UInt32
    /// An array's element, else 0.
    package var element: UInt32
    package var labels: [String]
    /// A domain's checks.
    package var checks: String
    package var label: String { schema == "public" || schema == "pg_catalog" ? name : "\(schema).\(name)" }
  }

  package struct FunctionEntry: Equatable, Sendable {
    package var oid: UInt32
    package var schema: String
    package var signature: String
    package var result: String
    package var language: String
    /// MD5 of its definition.
    package var body: String
    package var isTrigger: Bool
    package var rights: String?
    package var name: String { String(signature.prefix { $0 != "(" }) }
  }

  package func relation(_ oid: UInt32) -> Relation? { relations.first { $0.oid == oid } }

  /// A table by its name; without a schema the first of the search path that has it.
  package func relation(_ name: String, schema: String?, searchPath: [String]) -> Relation? {
    for candidate in schema.map({ [$0] }) ?? searchPath {
      if let found = relations.first(where: { $0.name == name && $0.schema == candidate && $0.kind != "S" }) {
        return found
      }
    }
    return nil
  }

  /// The type behind domains.
  package func base(of type: UInt32) -> UInt32 {
    var current = type
    // Domains over domains end; the bound only guards against a catalog that is damaged.
    for _ in 0..<32 {
      guard let entry = types[current], entry.kind == "d", entry.base != 0 else { return current }
      current = entry.base
    }
    return current
  }
}

/// OIDs of built-in types, fixed since they were introduced (pg_type.dat).
package enum PostgresType {
  package static let bool: UInt32 = 16
  package static let bytea: UInt32 = 17
  package static let int8: UInt32 = 20
  package static let int2: UInt32 = 21
  package static let int4: UInt32 = 23
  package static let text: UInt32 = 25
  package static let float4: UInt32 = 700
  package static let float8: UInt32 = 701
  package static let bpchar: UInt32 = 1042
  package static let varchar: UInt32 = 1043
  package static let numeric: UInt32 = 1700
  package static let regclass: UInt32 = 2205
  /// timestamp and timestamptz.
  package static let times: Set<UInt32> = [1114, 1184]
  /// Alike for a reader: text on the wire, any length.
  package static let strings: Set<UInt32> = [text, varchar, bpchar, 19]
  /// By the range they hold, narrowest first.
  package static let integers = [int2, int4, int8]
}
