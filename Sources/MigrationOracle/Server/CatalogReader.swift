import Crypto
import Foundation
import Migrations

extension Schema {
  /// SHA-256 over every object's definition, 64 hexadecimal digits: equal for databases of equal schema, whatever
  /// their rows, numbers and sizes. Rights and owners are part of it, names of triggers and policies too.
  package var hash: String {
    let digest = SHA256.hash(data: Data(lines.joined(separator: "\n").utf8))
    return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// What is hashed: a line for each object.
  var lines: [String] {
    var lines = other.sorted()
    for relation in relations {
      let name = "\(relation.schema).\(relation.name)"
      lines.append(
        "relation \(name) \(relation.kind) \(relation.rowSecurity) \(relation.rights ?? "") \(relation.definition ?? "")"
      )
      for column in relation.columns {
        // Not its number: a column that was dropped before it leaves a hole that nobody sees.
        lines.append(
          "column \(name).\(column.name) \(column.typeName) \(column.notNull) \(column.defaultText ?? "")"
            + " \(column.identity) \(column.generated) \(column.rights ?? "")")
      }
      lines += relation.constraints.map { "constraint \(name) \($0.name) \($0.validated) \($0.definition)" }
      lines += relation.indexes.map { "index \(name) \($0.valid) \($0.definition)" }
      lines += relation.triggers.map { "trigger \(name) \($0.definition)" }
      lines += relation.policies.map { "policy \(name) \($0)" }
    }
    let own = types.values.filter { $0.oid >= CapturedStatement.firstOwnOID && ["d", "e"].contains($0.kind) }
    lines += own.map { "type \($0.schema).\($0.name) \($0.labels.joined(separator: ",")) \($0.checks)" }.sorted()
    lines += functions.map { "function \($0.schema).\($0.signature) \($0.body) \($0.rights ?? "")" }.sorted()
    return lines
  }
}

extension Catalog {
  package init(_ schema: Schema) {
    self.init(
      tables: schema.relations.compactMap(Table.init),
      functions: schema.functions.map {
        Function(schema: $0.schema, signature: $0.signature, result: $0.result, language: $0.language, body: $0.body)
      },
      enums: schema.types.values.filter { $0.kind == "e" }
        .map { EnumType(schema: $0.schema, name: $0.name, labels: $0.labels) }
        .sorted { ($0.schema, $0.name) < ($1.schema, $1.name) })
  }
}

extension Catalog.Table {
  fileprivate init?(_ relation: Schema.Relation) {
    let kinds: [String: Kind] = [
      "r": .table, "p": .partitioned, "v": .view, "m": .materialisedView, "f": .foreign,
    ]
    guard let kind = kinds[relation.kind] else { return nil }
    self.init(
      schema: relation.schema, name: relation.name, kind: kind,
      columns: relation.columns.map {
        Catalog.Column(
          name: $0.name, type: $0.typeName, notNull: $0.notNull,
          hasDefault: $0.defaultText != nil || !$0.identity.isEmpty, generatedAlways: $0.generatedAlways)
      },
      constraints: relation.constraints.compactMap(Catalog.Constraint.init),
      indexes: relation.indexes.map {
        Catalog.Index(
          name: $0.name, columns: $0.columns, unique: $0.unique, valid: $0.valid, definition: $0.definition)
      },
      triggers: relation.triggers.map(\.name), rowSecurity: relation.rowSecurity, rows: relation.rows,
      bytes: relation.bytes)
  }
}

extension Catalog.Constraint {
  fileprivate init?(_ constraint: Schema.Constraint) {
    let kinds: [String: Kind] = [
      "p": .primaryKey, "u": .unique, "c": .check, "f": .foreignKey, "x": .exclusion,
    ]
    guard let kind = kinds[constraint.kind] else { return nil }
    self.init(
      name: constraint.name, kind: kind, columns: constraint.columns, validated: constraint.validated,
      definition: constraint.definition)
  }
}
