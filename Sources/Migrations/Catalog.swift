/// A database's schema as a check needs it: what is there, not how it came to be.
package struct Catalog: Codable, Equatable, Sendable {
  package var tables: [Table]
  package var functions: [Function]
  package var enums: [EnumType]

  package init(tables: [Table] = [], functions: [Function] = [], enums: [EnumType] = []) {
    self.tables = tables
    self.functions = functions
    self.enums = enums
  }

  /// Tables, partitioned tables, views, materialised views.
  package struct Table: Codable, Equatable, Sendable {
    package var schema: String
    package var name: String
    package var kind: Kind
    package var columns: [Column]
    package var constraints: [Constraint]
    package var indexes: [Index]
    /// Names of triggers that are no constraint's.
    package var triggers: [String]
    package var rowSecurity: Bool
    /// Estimated rows (`pg_class.reltuples`); nil before the first ANALYZE.
    package var rows: Int?
    package var bytes: Int?

    package init(
      schema: String, name: String, kind: Kind = .table, columns: [Column] = [], constraints: [Constraint] = [],
      indexes: [Index] = [], triggers: [String] = [], rowSecurity: Bool = false, rows: Int? = nil, bytes: Int? = nil
    ) {
      self.schema = schema
      self.name = name
      self.kind = kind
      self.columns = columns
      self.constraints = constraints
      self.indexes = indexes
      self.triggers = triggers
      self.rowSecurity = rowSecurity
      self.rows = rows
      self.bytes = bytes
    }

    package enum Kind: String, Codable, Equatable, Sendable {
      case table
      case partitioned
      case view
      case materialisedView
      case foreign
    }
  }

  package struct Column: Codable, Equatable, Sendable {
    package var name: String
    /// As `format_type` prints it, such as `character varying(20)`.
    package var type: String
    package var notNull: Bool
    package var hasDefault: Bool
    /// GENERATED ALWAYS AS IDENTITY or AS (…): the application may not write it.
    package var generatedAlways: Bool

    package init(
      name: String, type: String, notNull: Bool = false, hasDefault: Bool = false, generatedAlways: Bool = false
    ) {
      self.name = name
      self.type = type
      self.notNull = notNull
      self.hasDefault = hasDefault
      self.generatedAlways = generatedAlways
    }
  }

  package struct Constraint: Codable, Equatable, Sendable {
    package var name: String
    package var kind: Kind
    package var columns: [String]
    package var validated: Bool
    /// As `pg_get_constraintdef` prints it.
    package var definition: String

    package init(name: String, kind: Kind, columns: [String], validated: Bool = true, definition: String) {
      self.name = name
      self.kind = kind
      self.columns = columns
      self.validated = validated
      self.definition = definition
    }

    package enum Kind: String, Codable, Equatable, Sendable {
      case primaryKey
      case unique
      case check
      case foreignKey
      case exclusion
    }
  }

  package struct Index: Codable, Equatable, Sendable {
    package var name: String
    package var columns: [String]
    package var unique: Bool
    package var valid: Bool
    package var definition: String

    package init(name: String, columns: [String], unique: Bool, valid: Bool = true, definition: String) {
      self.name = name
      self.columns = columns
      self.unique = unique
      self.valid = valid
      self.definition = definition
    }
  }

  package struct Function: Codable, Equatable, Sendable {
    package var schema: String
    /// With its argument types, such as `total(integer, text)`.
    package var signature: String
    package var result: String
    package var language: String
    /// Hash of its body.
    package var body: String

    package init(schema: String, signature: String, result: String, language: String, body: String) {
      self.schema = schema
      self.signature = signature
      self.result = result
      self.language = language
      self.body = body
    }
  }

  package struct EnumType: Codable, Equatable, Sendable {
    package var schema: String
    package var name: String
    /// In their order.
    package var labels: [String]

    package init(schema: String, name: String, labels: [String]) {
      self.schema = schema
      self.name = name
      self.labels = labels
    }
  }

  /// Finds a table by its name, with or without schema; without one the first of `searchPath` that has it.
  package func table(_ name: String, schema: String?, searchPath: [String] = ["public"]) -> Table? {
    if let schema { return tables.first { $0.schema == schema && $0.name == name } }
    for candidate in searchPath {
      if let found = tables.first(where: { $0.schema == candidate && $0.name == name }) { return found }
    }
    return nil
  }
}
