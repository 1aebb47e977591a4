import Migrations

/// A statement on trial: captured from one version or several, all of which it stands for.
struct Candidate: Sendable {
  var statement: CapturedStatement
  /// Each version that sends it, with the statement as that version's set holds it; in the order asked.
  var references: [StatementReference]
  var reading: StatementReading
  /// The text that is prepared.
  var text: String
  /// The role that it was recorded with, where statements may run as that one.
  var role: String?

  /// Parameters that stand for strings which a recording does not show: the program's own, so they are always the same.
  var constants: Set<Int> = []

  init(_ statement: CapturedStatement, of version: String) {
    self.statement = statement
    references = [StatementReference(statement, of: version)]
    let unmasked = MaskedText(statement.text)
    constants = unmasked.parameters
    reading = StatementReading.of(unmasked.text)
    text = reading.surrogate ?? unmasked.text
  }

  /// Numbers of types that a database gives for itself differ from one to the next: those are left to the server.
  var types: [UInt32] {
    reading.surrogate != nil ? [] : statement.parameterTypes.map { $0 >= CapturedStatement.firstOwnOID ? 0 : $0 }
  }

  var searchPath: [String] { statement.searchPath.map(Self.schemas(of:)) ?? Self.usualPath }

  static let usualPath = ["public"]

  /// The schemas of a search path as it is set.
  static func schemas(of path: String) -> [String] {
    path.split(separator: ",").map { $0.trimmingSpace.replacing("\"", with: "") }
  }

  private mutating func completeCopy(on schema: Schema) {
    guard let name = reading.copied,
      let table = schema.relation(name.name, schema: name.schema, searchPath: searchPath)
    else { return }
    reading.copies(table.copiedColumns.map(\.name))
    text = reading.surrogate ?? text
  }

  /// The same statement of several versions is tried once.
  ///
  /// - Parameters:
  ///   - schema: before the migration: it says which columns a COPY means that names none.
  ///   - roles: that statements may run as.
  static func all(of sets: [StatementSet], on schema: Schema, roles: Set<String>) -> [Candidate] {
    var places: [Key: Int] = [:]
    var all: [Candidate] = []
    for set in sets {
      for statement in set.statements {
        let role = statement.role.flatMap { roles.contains($0) ? $0 : nil }
        let key = Key(statement, role: role)
        if let place = places[key] {
          // One version may send it as several roles of which the server knows none.
          let reference = StatementReference(statement, of: set.version)
          if !all[place].references.contains(reference) { all[place].references.append(reference) }
          all[place].statement.samples += statement.samples
        } else {
          places[key] = all.count
          var candidate = Candidate(statement, of: set.version)
          candidate.role = role
          candidate.completeCopy(on: schema)
          all.append(candidate)
        }
      }
    }
    return all
  }

  var key: Key { Key(statement, role: role) }

  /// Equal for statements that one trial tells of.
  struct Key: Hashable {
    private var text: String
    private var types: [UInt32]
    private var path: String?
    private var role: String?

    init(_ statement: CapturedStatement, role: String?) {
      text = statement.text
      types = statement.parameterTypes
      path = statement.searchPath
      self.role = role
    }
  }
}

extension Substring {
  var trimmingSpace: String {
    String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }
}
