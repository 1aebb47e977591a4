/// A part of libpg_query's tree: its JSON, unchanged. A node of the grammar is an object of one field, whose name is
/// the node's kind, such as `{"DropStmt": {…}}`.
///
/// libpg_query leaves out what is false, zero or empty, so every reader here has an answer for absence.
package indirect enum SQLNode: Equatable, Sendable {
  case object([String: SQLNode])
  case array([SQLNode])
  case string(String)
  case integer(Int)
  case double(Double)
  case boolean(Bool)
  case null

  package subscript(field: String) -> SQLNode? {
    guard case .object(let fields) = self else { return nil }
    return fields[field]
  }

  package subscript(index: Int) -> SQLNode? {
    guard case .array(let items) = self, items.indices.contains(index) else { return nil }
    return items[index]
  }

  /// Its kind and its fields, where it is a node of the grammar.
  package var node: (kind: String, fields: SQLNode)? {
    guard case .object(let fields) = self, fields.count == 1, let (kind, body) = fields.first,
      case .object = body, kind.first?.isUppercase == true
    else { return nil }
    return (kind, body)
  }

  package var kind: String? { node?.kind }

  /// The fields of this node if it is of `kind`.
  package func fields(of kind: String) -> SQLNode? {
    guard let node, node.kind == kind else { return nil }
    return node.fields
  }

  /// Empty when it is no list.
  package var items: [SQLNode] {
    if case .array(let items) = self { items } else { [] }
  }

  package var string: String? {
    if case .string(let text) = self { text } else { nil }
  }

  package var integer: Int? {
    if case .integer(let number) = self { number } else { nil }
  }

  package var isTrue: Bool { self == .boolean(true) }

  package func items(_ field: String) -> [SQLNode] { self[field]?.items ?? [] }
  package func string(_ field: String) -> String? { self[field]?.string }
  package func integer(_ field: String) -> Int? { self[field]?.integer }
  package func isTrue(_ field: String) -> Bool { self[field]?.isTrue ?? false }

  /// The text of a `String` node, or of each in a list; names with several parts are such lists.
  package var names: [String] {
    switch self {
    case .array(let items): items.flatMap(\.names)
    default: [fields(of: "String")?.string("sval")].compactMap { $0 }
    }
  }

  /// Every node of the tree, from the outside in, fields in the order of their names.
  package func walk(_ visit: (String, SQLNode) -> Void) {
    switch self {
    case .object(let fields):
      if let node { visit(node.kind, node.fields) }
      for name in fields.keys.sorted() { fields[name]?.walk(visit) }
    case .array(let items):
      for item in items { item.walk(visit) }
    default: break
    }
  }
}
