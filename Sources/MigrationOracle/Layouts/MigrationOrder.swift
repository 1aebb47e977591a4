import Foundation
import Kernel
import Migrations

extension MigrationLayout {
  /// What goes forward among `files`, in the tool's order.
  ///
  /// - Throws: `Refusal` when two of them claim one place in the order.
  func migrations(among files: [ReadFile], in folder: String) throws(Refusal) -> [MigrationFile] {
    switch self {
    case .plain:
      // Down files lie beside the others where a tool has them; applied in order they would undo each other.
      return files.filter { !$0.name.hasSuffix(".down.sql") }.sorted { $0.number < $1.number }
        .map { MigrationFile(path: $0.file.path, text: $0.text, transaction: $0.transaction) }
    case .golangMigrate:
      let ups = files.filter { $0.name.hasSuffix(".up.sql") }.sorted { $0.number < $1.number }
      try Self.refuseTwins(ups) { $0.number.digits }
      return ups.map { MigrationFile(path: $0.file.path, text: $0.text, transaction: $0.transaction) }
    case .flyway:
      return try Self.flyway(files)
    case .goose:
      return Self.sections(.goose, files)
    case .sqlMigrate:
      return Self.sections(.sqlMigrate, files)
    case .dbmate:
      return Self.sections(.dbmate, files)
    case .diesel:
      return files.filter { $0.name == "up.sql" }.sorted { $0.number < $1.number }
        .map { file in
          let isAlone = Self.dieselSwitchesOff(beside: file.file.path)
          return MigrationFile(
            path: file.file.path, text: file.text, transaction: isAlone ? MigrationFile.Transaction.none : nil)
        }
    case .prisma:
      return files.filter { $0.name == "migration.sql" }.sorted { $0.number < $1.number }
        .map { MigrationFile(path: $0.file.path, text: $0.text) }
    }
  }

  private static func sections(_ section: Section, _ files: [ReadFile]) -> [MigrationFile] {
    files.sorted { $0.number < $1.number }.filter { section.begins(in: $0.text) }.map { file in
      let forward = section.forward(of: file.text)
      return MigrationFile(
        path: file.file.path, text: forward.text,
        transaction: forward.hasTransaction ? nil : MigrationFile.Transaction.none)
    }
  }

  /// Versions in order, then what is repeated on each change, by description (Flyway's documentation, "Migrations").
  private static func flyway(_ files: [ReadFile]) throws(Refusal) -> [MigrationFile] {
    let named = files.compactMap { file in FlywayName(file.name).map { (file: file, name: $0) } }
    let versioned = named.filter { $0.name.kind == .versioned }
      .sorted { MigrationNumber.isBefore($0.name.version, $1.name.version) }
    try refuseTwins(versioned.map(\.file)) { FlywayName($0.name)?.version ?? [] }
    let repeatable = named.filter { $0.name.kind == .repeatable }
      .sorted { $0.name.description < $1.name.description }
    return (versioned + repeatable).map { entry in
      MigrationFile(
        path: entry.file.file.path, text: entry.file.text,
        transaction: flywaySwitchesOff(beside: entry.file.file.path) ? MigrationFile.Transaction.none : nil)
    }
  }

  /// `V1__x.sql.conf` may say `executeInTransaction=false`.
  private static func flywaySwitchesOff(beside path: String) -> Bool {
    says(path + ".conf", /^\s*executeInTransaction\s*=\s*false/.anchorsMatchLineEndings())
  }

  /// `metadata.toml` may say `run_in_transaction = false`.
  private static func dieselSwitchesOff(beside path: String) -> Bool {
    says(
      URL(filePath: path).deletingLastPathComponent().appending(path: "metadata.toml").path,
      /^\s*run_in_transaction\s*=\s*false/.anchorsMatchLineEndings())
  }

  private static func says(_ path: String, _ words: Regex<Substring>) -> Bool {
    guard let text = try? String(contentsOf: URL(filePath: path), encoding: .utf8) else { return false }
    return text.contains(words)
  }

  private static func refuseTwins(_ sorted: [ReadFile], place: (ReadFile) -> [String]) throws(Refusal) {
    for (one, next) in zip(sorted, sorted.dropFirst()) {
      let (left, right) = (place(one), place(next))
      guard !left.isEmpty, !MigrationNumber.isBefore(left, right), !MigrationNumber.isBefore(right, left) else {
        continue
      }
      throw Refusal(
        .malformed,
        "\(one.file.relative) and \(next.file.relative) have one number, so their order is open; give one another.")
    }
  }
}

extension ReadFile {
  var number: MigrationNumber { MigrationNumber(file.relative) }

  /// sqlx switches the transaction off with this comment in the first line.
  fileprivate var transaction: MigrationFile.Transaction? {
    text.hasPrefix("-- no-transaction") ? MigrationFile.Transaction.none : nil
  }
}

/// The place of a file among others: by its leading number, then by its name.
struct MigrationNumber: Comparable {
  /// Groups of the leading number, without leading zeros; empty where the name has none.
  let digits: [String]
  let name: String

  init(_ relative: String) {
    name = relative
    let leading = relative.prefix { $0.isASCII && $0.isNumber }
    digits = leading.isEmpty ? [] : [String(leading)]
  }

  static func < (left: Self, right: Self) -> Bool {
    if isBefore(left.digits, right.digits) { return true }
    if isBefore(right.digits, left.digits) { return false }
    return left.name < right.name
  }

  /// Numbers of any length, group by group; a missing group is 0.
  static func isBefore(_ left: [String], _ right: [String]) -> Bool {
    for index in 0..<max(left.count, right.count) {
      let one = stripped(index < left.count ? left[index] : "")
      let other = stripped(index < right.count ? right[index] : "")
      if one == other { continue }
      return one.count == other.count ? one < other : one.count < other.count
    }
    return false
  }

  private static func stripped(_ digits: String) -> Substring { digits.drop { $0 == "0" } }
}
