import Migrations

/// A statement on trial: captured from one version or several, all of which it stands for.
struct Candidate: Sendable {
  var statement: CapturedStatement
  /// Each version that sends it, with the statement as that version's set holds it; in the order asked.
  var references: [StatementReference]
  var reading: StatementReading
  /// The text that is prepared.
  var text: String

  init(_ statement: CapturedStatement, of version: String) {
    self.statement = statement
    references = [StatementReference(statement, of: version)]
    reading = StatementReading.of(statement.text)
    text = reading.surrogate ?? statement.text
  }

  /// Numbers of types that a database gives for itself differ from one to the next: those are left to the server.
  var types: [UInt32] {
    reading.surrogate != nil ? [] : statement.parameterTypes.map { $0 >= PostgresType.firstOfDatabase ? 0 : $0 }
  }

  var searchPath: [String] {
    let given = statement.searchPath?.split(separator: ",").map {
      $0.trimmingSpace.replacing("\"", with: "")
    }
    return given ?? ["public"]
  }

  /// The same statement of several versions is tried once.
  static func all(of sets: [StatementSet]) -> [Candidate] {
    var places: [Key: Int] = [:]
    var all: [Candidate] = []
    for set in sets {
      for statement in set.statements {
        let key = Key(text: statement.text, types: statement.parameterTypes, path: statement.searchPath)
        if let place = places[key] {
          all[place].references.append(StatementReference(statement, of: set.version))
          all[place].statement.samples += statement.samples
        } else {
          places[key] = all.count
          all.append(Candidate(statement, of: set.version))
        }
      }
    }
    return all
  }

  private struct Key: Hashable {
    var text: String
    var types: [UInt32]
    var path: String?
  }
}

extension Substring {
  var trimmingSpace: String {
    String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }
}
