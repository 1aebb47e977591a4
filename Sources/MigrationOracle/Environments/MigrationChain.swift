import Kernel

/// A folder's migrations in order, against what a database's book says.
struct MigrationChain: Equatable {
  let marks: [MigrationMark]

  /// What the book lacks, in order.
  ///
  /// A folder that is shorter than the book is an older commit: nothing is pending. What a repeatable migration of Flyway
  /// says may change; it is pending again.
  ///
  /// - Throws: `Refusal` when one that is applied has changed since, or when the folder lacks applied ones and adds
  ///   others: then it grew from another branch than the database.
  func pending(after book: [MigrationMark], in place: SchemaPlace) throws(Refusal) -> [MigrationMark] {
    let own = Dictionary(marks.map { ($0.name, $0) }) { first, _ in first }
    let changed = book.filter { mark in own[mark.name].map { $0.content != mark.content } ?? false }
      .filter { !Self.isRepeatable($0.name) }
    guard changed.isEmpty else {
      throw Refusal(
        .notNow,
        "\(Self.list(changed)) \(changed.count == 1 ? "has" : "have") another text than was applied to \(place); give"
          + " \(changed.count == 1 ? "it its" : "them their") text back and write the change as a new migration")
    }
    let known = Set(book)
    let pending = marks.filter { !known.contains($0) }
    let lost = book.filter { own[$0.name] == nil }
    guard lost.isEmpty || pending.isEmpty else {
      throw Refusal(
        .notNow,
        "\(place) has \(Self.list(lost)), which this commit lacks while it adds \(Self.list(pending)); take in the"
          + " commits that brought \(lost.count == 1 ? "it" : "them"), or tell the book with plimsoll migrate adopt")
    }
    return pending
  }

  /// Migrations of a base that the book lacks and this folder has unchanged: they come first and are not its own.
  func landed(in base: [MigrationMark], butNotIn book: [MigrationMark]) -> [MigrationMark] {
    let (own, applied) = (Set(marks), Set(book))
    return base.filter { own.contains($0) && !applied.contains($0) }
  }

  private static func isRepeatable(_ name: String) -> Bool {
    FlywayName(name.split(separator: "/").last.map(String.init) ?? name)?.kind == .repeatable
  }

  /// Names shown in a sentence.
  private static let shown = 3

  static func list(_ marks: [MigrationMark]) -> String {
    let names = marks.prefix(shown).map(\.name).joined(separator: ", ")
    return marks.count > shown ? "\(names) and \(marks.count - shown) more" : names
  }
}
