import Foundation
import Kernel
import MigrationOracle
import Migrations
import Testing

@Suite("Migration folders")
struct MigrationFolderTests {
  /// A folder with these files, read.
  private func read(
    _ files: [String: String], layout: MigrationLayout? = nil
  ) throws -> (folder: MigrationFolder, path: String) {
    let path = FileManager.default.temporaryDirectory.appending(path: "layout-\(UUID().uuidString)").path
    for (name, text) in files {
      let file = URL(filePath: path).appending(path: name)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    return (try MigrationFolder(path, layout: layout), path)
  }

  private func names(_ folder: MigrationFolder, in path: String) -> [String] {
    folder.files.map { String($0.path.dropFirst(path.count + 1)) }
  }

  private func check(
    _ files: [String: String], are layout: MigrationLayout, inOrder expected: [String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let (folder, path) = try read(files)
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(folder.layout == layout, sourceLocation: sourceLocation)
    #expect(names(folder, in: path) == expected, sourceLocation: sourceLocation)
  }

  private let create = "CREATE TABLE t (id int);"

  @Test("plain files go by number, not by letters")
  func plain() throws {
    try check(
      ["2_b.sql": create, "10_c.sql": create, "1_a.sql": create, "README.md": "x"], are: .plain,
      inOrder: ["1_a.sql", "2_b.sql", "10_c.sql"])
    try check(
      ["20240101_a.sql": create, "20231231_b.sql": create], are: .plain, inOrder: ["20231231_b.sql", "20240101_a.sql"])
  }

  @Test("Flyway: versions by their parts, what is repeated last, undo and baseline passed over")
  func flyway() throws {
    try check(
      [
        "V1.10__c.sql": create, "V1.9__b.sql": create, "V1__a.sql": create, "R__views.sql": create,
        "U1__a.sql": "DROP TABLE t;", "B1__base.sql": create,
      ], are: .flyway, inOrder: ["V1__a.sql", "V1.9__b.sql", "V1.10__c.sql", "R__views.sql"])
  }

  @Test("Flyway switches a transaction off in a file beside")
  func flywayTransaction() throws {
    let (folder, path) = try read([
      "V1__a.sql": create, "V2__b.sql": create, "V2__b.sql.conf": "executeInTransaction=false\n",
    ])
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(folder.files.map(\.transaction) == [.one, MigrationFile.Transaction.none])
  }

  @Test("golang-migrate: only what goes up")
  func golangMigrate() throws {
    try check(
      ["001_a.up.sql": create, "001_a.down.sql": "DROP TABLE t;", "002_b.up.sql": create], are: .golangMigrate,
      inOrder: ["001_a.up.sql", "002_b.up.sql"])
  }

  @Test("two files of one number are refused by name")
  func twins() {
    #expect {
      try read(["001_a.up.sql": create, "01_b.up.sql": create])
    } throws: { "\($0)".contains("001_a.up.sql and 01_b.up.sql have one number") }
  }

  @Test("goose: the part that goes up keeps its line, and the transaction can be switched off")
  func goose() throws {
    let text = """
      -- +goose NO TRANSACTION
      -- +goose Up

      CREATE INDEX CONCURRENTLY i ON t (id);
      -- +goose Down
      DROP INDEX i;
      """
    let (folder, path) = try read(["1_a.sql": text])
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(folder.layout == .goose)
    #expect(folder.files[0].statements.map(\.spot.line) == [4])
    #expect(folder.files[0].transaction == MigrationFile.Transaction.none)
  }

  @Test("dbmate: the part that goes up, with its transaction")
  func dbmate() throws {
    let text = "-- migrate:up\nALTER TABLE t ADD x int;\n-- migrate:down transaction:false\nALTER TABLE t DROP x;\n"
    let (folder, path) = try read(["1_a.sql": text])
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(folder.layout == .dbmate)
    #expect(folder.files[0].statements.map(\.spot.line) == [2])
    #expect(folder.files[0].transaction == .one)
  }

  @Test("sql-migrate: the part that goes up, with its transaction")
  func sqlMigrate() throws {
    let text =
      "-- +migrate Up notransaction\nCREATE INDEX CONCURRENTLY i ON t (x);\n\n-- +migrate Down\nDROP INDEX i;\n"
    let (folder, path) = try read(["1_a.sql": text, "2_b.sql": "-- +migrate Up\nSELECT 1;\n"])
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(folder.layout == .sqlMigrate)
    #expect(folder.files[0].statements.map(\.spot.line) == [2])
    #expect(folder.files.map(\.transaction) == [MigrationFile.Transaction.none, .one])
  }

  @Test("diesel and Prisma keep each migration in a folder")
  func folders() throws {
    try check(
      ["2024-01-02_b/up.sql": create, "2024-01-02_b/down.sql": "x", "2024-01-01_a/up.sql": create], are: .diesel,
      inOrder: ["2024-01-01_a/up.sql", "2024-01-02_b/up.sql"])
    try check(
      ["20240102_b/migration.sql": create, "20240101_a/migration.sql": create, "migration_lock.toml": "x"],
      are: .prisma, inOrder: ["20240101_a/migration.sql", "20240102_b/migration.sql"])
  }

  @Test("diesel's metadata switches the transaction off")
  func diesel() throws {
    let (folder, path) = try read([
      "1_a/up.sql": create, "1_a/metadata.toml": "# why\nrun_in_transaction = false\n", "2_b/up.sql": create,
      "3_c/up.sql": create, "3_c/metadata.toml": "# run_in_transaction = false\n",
    ])
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(folder.files.map(\.transaction) == [MigrationFile.Transaction.none, .one, .one])
  }

  @Test("sqlx's comment switches the transaction off")
  func sqlx() throws {
    let (folder, path) = try read(["1_a.sql": "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON t (id);"])
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(folder.files[0].transaction == MigrationFile.Transaction.none)
  }

  @Test("a migration that lies in its own history ends it")
  func splitting() throws {
    let (folder, path) = try read(["1_a.sql": create, "2_b.sql": create, "3_c.sql": create])
    defer { try? FileManager.default.removeItem(atPath: path) }
    let split = try #require(folder.split(at: path + "/./2_b.sql"))
    #expect(split.before.count == 1)
    #expect(split.migration.path.hasSuffix("2_b.sql"))
    #expect(folder.split(at: "/elsewhere/2_b.sql") == nil)
  }

  @Test("what cannot be read is refused in words")
  func refusals() throws {
    #expect { try MigrationFolder("/no/such/folder") } throws: { "\($0)".contains("There is no /no/such/folder") }
    #expect { try read(["a.rb": "x"]) } throws: { "\($0)".contains("holds no .sql file") }
    let file = FileManager.default.temporaryDirectory.appending(path: "latin-\(UUID().uuidString).sql")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data("SELECT 1;\n-- caf".utf8 + [0xE9] + "\n".utf8).write(to: file)
    #expect { try MigrationFolder(file.path) } throws: { "\($0)".contains(".sql:2: this is not UTF-8") }
  }
}
