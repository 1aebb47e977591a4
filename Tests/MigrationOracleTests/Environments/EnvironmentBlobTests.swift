import Foundation
import Kernel
import Migrations
import Testing

@testable import MigrationOracle

/// Migrations and statements as blobs, and what of a folder is pending.
struct EnvironmentBlobTests {
  @Test("equal folders are one blob, with names below the folder")
  func migrations() async throws {
    let texts = ["0001_a.sql": "CREATE TABLE a (b int);", "0002_b.sql": "CREATE INDEX CONCURRENTLY i ON a (b);"]
    let schemas = EnvironmentFixture.server(TestPlaces())
    let (one, other) = (try folder(texts), try folder(texts))
    let digest = try await schemas.migrations(in: one, layout: nil)
    #expect(try await schemas.migrations(in: other + "/", layout: "plain") == digest)
    let read = try StableJSON.value([MigrationText].self, of: digest, in: EnvironmentTrait.blobs)
    #expect(read.map(\.name) == ["0001_a.sql", "0002_b.sql"])
    #expect(read.map(\.isTransactional) == [true, false])
    #expect(try await schemas.marks(of: digest) == read.map(\.mark))
  }

  @Test("what forbids a transaction, and what only says itself what its tool would say")
  func transactions() {
    check("CREATE TABLE a (b int);", isTransactional: true)
    check("CREATE INDEX CONCURRENTLY i ON a (b);", isTransactional: false)
    check("BEGIN; CREATE TABLE a (b int); COMMIT;", isTransactional: true, statements: 1)
    check("\\set ON_ERROR_STOP on\nBEGIN;\nSELECT 1;\nCOMMIT;", isTransactional: true, statements: 2)
    check("BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT;", isTransactional: false, statements: 6)
    check("BEGIN; SELECT 1;", isTransactional: false, statements: 2)
    check("SELECT 1; BEGIN; SELECT 1; COMMIT;", isTransactional: false, statements: 4)
  }

  @Test("a layout that does not exist, a zero byte and a folder without migrations are refused, with the place")
  func unreadable() async throws {
    let schemas = EnvironmentFixture.server(TestPlaces())
    let good = try folder(["0001.sql": "SELECT 1;"])
    let layout = await #expect(throws: Refusal.self) { try await schemas.migrations(in: good, layout: "flywey") }
    #expect(layout?.sentence.contains("did you mean flyway") == true)
    let zero = try folder(["0001.sql": "SELECT 1;\nSELECT '\0';"])
    let refusal = await #expect(throws: Refusal.self) { try await schemas.migrations(in: zero, layout: nil) }
    #expect(refusal?.sentence.contains("0001.sql:2:") == true)
    await #expect(throws: Refusal.self) { try await schemas.migrations(in: good + "/nowhere", layout: nil) }
  }

  @Test("statements recorded in any order are one blob")
  func statements() async throws {
    let schemas = EnvironmentFixture.server(TestPlaces())
    let folder = try folder(["a.sql": "SELECT b FROM a;\nSELECT 1;", "b.sql": "SELECT 1;\nSELECT b FROM a;"])
    let version = Digest.of([1])
    let one = try await schemas.statements(at: folder + "/a.sql", version: version)
    #expect(try await schemas.statements(at: folder + "/b.sql", version: version) == one)
    #expect(try await schemas.statements(at: folder + "/a.sql", version: Digest.of([2])) != one)
  }

  @Test("pending is what the book lacks; a folder that contradicts the book is refused")
  func pending() throws {
    try check(["a", "b"], book: [], pending: ["a", "b"])
    try check(["a", "b"], book: ["a"], pending: ["b"])
    try check(["a"], book: ["a", "b"], pending: [])
    try check(["a", "a2", "b"], book: ["a", "b"], pending: ["a2"])
    try check(["a", "c"], book: ["a", "b"], refused: ["b", "c", "migrate adopt"])
    try check(["a=changed", "b"], book: ["a"], refused: ["a has another text"])
    try check(["V1__a.sql", "R__view.sql=new"], book: ["V1__a.sql", "R__view.sql"], pending: ["R__view.sql"])
    let (chain, base) = (MigrationChain(marks: marks(["a", "b", "c=new", "d"])), marks(["a", "b", "c"]))
    #expect(chain.landed(in: base, butNotIn: marks(["a"])).map(\.name) == ["b"])
  }

  private func check(_ text: String, isTransactional: Bool, statements: Int? = nil) {
    let migration = MigrationText(MigrationFile(path: "folder/m.sql", text: text), in: "folder")
    #expect(migration.isTransactional == isTransactional, "\(text)")
    if let statements { #expect(MigrationScript(migration).statements.count == statements, "\(text)") }
  }

  /// Names with `=` have another text than those without.
  private func marks(_ names: [String]) -> [MigrationMark] {
    names.map { name in
      MigrationMark(name: String(name.prefix { $0 != "=" }), content: .of(Array(name.utf8)))
    }
  }

  private func check(
    _ chain: [String], book: [String], pending: [String] = [], refused words: [String] = []
  ) throws {
    let place = try SchemaPlace(
      #require(EnvironmentName(rawValue: "production")), #require(DatabaseName(rawValue: "orders")))
    do {
      let found = try MigrationChain(marks: marks(chain)).pending(after: marks(book), in: place)
      #expect(found.map(\.name) == pending)
      #expect(words.isEmpty)
    } catch {
      #expect(!words.isEmpty && words.allSatisfy { error.sentence.contains($0) }, "\(error.sentence)")
    }
  }

  private func folder(_ texts: [String: String]) throws -> String {
    let path = FileManager.default.temporaryDirectory.appending(path: "blobs-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for (name, text) in texts { try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8) }
    return path
  }
}
