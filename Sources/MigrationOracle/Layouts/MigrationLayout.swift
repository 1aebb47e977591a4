import Migrations

extension MigrationLayout {
  /// What a file's place and text say about the layout; nil where they say nothing.
  init?(of path: String, _ text: String) {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let isInFolder = path.contains("/")
    if isInFolder, name == "migration.sql" {
      self = .prisma
    } else if isInFolder, name == "up.sql" {
      self = .diesel
    } else if name.hasSuffix(".up.sql") {
      self = .golangMigrate
    } else if FlywayName(name) != nil {
      self = .flyway
    } else if Section.goose.begins(in: text) {
      self = .goose
    } else if Section.sqlMigrate.begins(in: text) {
      self = .sqlMigrate
    } else if Section.dbmate.begins(in: text) {
      self = .dbmate
    } else {
      return nil
    }
  }
}

/// The name of a Flyway migration: prefix, version in numbers, description.
struct FlywayName: Equatable {
  enum Kind: Character { case versioned = "V", repeatable = "R", undo = "U", baseline = "B" }
  let kind: Kind
  let version: [String]
  let description: String

  init?(_ name: String) {
    guard let match = name.wholeMatch(of: /([VRUB])([0-9._]*)__(.+)\.sql/), let letter = match.1.first,
      let kind = Kind(rawValue: letter), (kind == .repeatable) == match.2.isEmpty
    else { return nil }
    self.kind = kind
    version = match.2.split { $0 == "." || $0 == "_" }.map(String.init)
    description = String(match.3)
  }
}
