import Foundation
import Kernel
import Migrations
import Synchronization
import Testing

@testable import MigrationOracle

/// A real server for a whole suite: on it the tests' live databases, beside it the shadow that a schema server starts.
struct EnvironmentTrait: SuiteTrait, TestScoping {
  @TaskLocal static var live: ShadowServer?
  @TaskLocal static var schemas: EnvironmentSchemas?
  @TaskLocal static var places: TestPlaces?
  static let blobs = HeldBlobs()

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    let live = try await ShadowServer.start()
    let places = TestPlaces()
    let schemas = EnvironmentFixture.server(places)
    func end() async {
      await schemas.stop()
      await live.stop()
    }
    do {
      try await Self.$live.withValue(live) {
        try await Self.$places.withValue(places) {
          try await Self.$schemas.withValue(schemas) { try await function() }
        }
      }
    } catch {
      await end()
      throw error
    }
    await end()
  }
}

extension SuiteTrait where Self == EnvironmentTrait {
  static var environment: EnvironmentTrait { EnvironmentTrait() }
}

/// Where places are, as plimsoll.yaml would say.
final class TestPlaces: Sendable {
  private let known = Mutex<[SchemaPlace: EnvironmentDatabase]>([:])
  subscript(place: SchemaPlace) -> EnvironmentDatabase? {
    get { known.withLock { $0[place] } }
    set { known.withLock { $0[place] = newValue } }
  }
}

final class HeldBlobs: BlobStore {
  private let held = Mutex<[Digest: [UInt8]]>([:])
  func put(_ bytes: [UInt8]) throws(Outage) -> Digest {
    let digest = Digest.of(bytes)
    held.withLock { $0[digest] = bytes }
    return digest
  }
  func get(_ digest: Digest) throws(Outage) -> [UInt8] {
    guard let bytes = held.withLock({ $0[digest] }) else { throw Outage("blobs", "no \(digest)") }
    return bytes
  }
  func contains(_ digest: Digest) -> Bool { held.withLock { $0[digest] != nil } }
}

/// One live database with a history of its own.
struct EnvironmentFixture {
  let place: SchemaPlace
  let address: ServerAddress
  let schemas: EnvironmentSchemas
  var blobs: HeldBlobs { EnvironmentTrait.blobs }

  static func server(_ places: TestPlaces, patience: LockPatience = LockPatience()) -> EnvironmentSchemas {
    EnvironmentSchemas(
      blobs: EnvironmentTrait.blobs, patience: patience, now: { Instant(milliseconds: 1_000) },
      databases: { place throws(Outage) in
        guard let database = places[place] else { throw Outage("test", "no place \(place)") }
        return database
      })
  }

  /// A fresh database, as its superuser or as a role of its own that is no superuser and may create schemas.
  init(_ sql: String = "", migrator: String? = nil, role: String? = nil, patience: LockPatience? = nil) async throws {
    let live = try #require(EnvironmentTrait.live)
    let places = try #require(EnvironmentTrait.places)
    let database = "live_\(UUID().uuidString.lowercased().prefix(8))"
    try await Self.run("CREATE DATABASE \(database)", at: live.address(of: nil))
    let root = live.address(of: database)
    if let migrator {
      try await Self.run("CREATE ROLE \(migrator) LOGIN", at: root, unless: "42710")
      try await Self.run("ALTER DATABASE \(database) OWNER TO \(migrator)", at: root)
    }
    if let role { try await Self.run("CREATE ROLE \(role)", at: root, unless: "42710") }
    let url = root.place.replacing(#/user=\w+/#, with: "user=\(migrator ?? "postgres")")
      .replacing(#/dbname=\w+/#, with: "dbname=\(database)")
    address = ServerAddress(url)
    place = SchemaPlace(
      try #require(EnvironmentName(rawValue: "production")),
      try #require(DatabaseName(rawValue: database.replacing("_", with: "-"))))
    places[place] = EnvironmentDatabase(url: url, role: role)
    schemas = try patience.map { Self.server(places, patience: $0) } ?? #require(EnvironmentTrait.schemas)
    if !sql.isEmpty { try await run(sql) }
  }

  func run(_ sql: String) async throws { try await Self.run(sql, at: address) }

  static func run(_ sql: String, at address: ServerAddress, unless state: String? = nil) async throws {
    try await BlockingThread.run {
      do { try PostgresConnection(address).query(sql) } catch let error as PostgresError where error.sqlState == state {
      }
    }
  }

  func value(_ sql: String) async throws -> String? {
    let address = address
    return try await BlockingThread.run { try PostgresConnection(address).query(sql).first }
  }

  // MARK: What is asked

  /// A blob of migrations, by name and text.
  func migrations(_ texts: KeyValuePairs<String, String>) async throws -> Digest {
    let folder = FileManager.default.temporaryDirectory.appending(path: "migrations-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for (name, text) in texts { try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8) }
    return try await schemas.migrations(in: folder, layout: nil)
  }

  /// A version by a letter, and what it sends; nil where nothing is recorded.
  func client(_ letter: String, sends statements: [String]?) async throws -> SchemaClient {
    let digest = Digest.of(Array(letter.utf8))
    var blob: Digest?
    if let statements {
      let path = FileManager.default.temporaryDirectory.appending(path: "statements-\(UUID().uuidString).sql").path
      defer { try? FileManager.default.removeItem(atPath: path) }
      try statements.map { "\($0);\n" }.joined().write(toFile: path, atomically: true, encoding: .utf8)
      blob = try await schemas.statements(at: path, version: digest)
    }
    return SchemaClient(
      service: try #require(ServiceName(rawValue: "harbor")), digest: digest,
      commit: try #require(CommitID(rawValue: String(repeating: "a", count: 40))), statements: blob)
  }

  func examine(
    _ migrations: Digest?, base: Digest? = nil, versions: [SchemaClient] = [], coming: SchemaClient? = nil
  ) async throws -> SchemaExamination {
    try await schemas.examine(
      SchemaQuestion(place: place, migrations: migrations, base: base, versions: versions, coming: coming))
  }

  func report(_ examination: SchemaExamination) throws -> MigrationReport {
    try StableJSON.value(MigrationReport.self, of: examination.report, in: blobs)
  }

  func order(_ migrations: Digest, on examination: SchemaExamination) -> MigrationOrder {
    MigrationOrder(
      place: place, migrations: migrations, pending: examination.pending, on: examination.survey.schema)
  }

  /// Judged, and applied with a fence.
  @discardableResult
  func apply(_ migrations: Digest, fence: Position = 10) async throws -> MigrationOutcome {
    let examination = try await examine(migrations)
    return try await schemas.apply(order(migrations, on: examination), fence: Fence(fence))
  }
}

/// A connection kept open, as a client has one.
actor HeldConnection {
  private let address: ServerAddress
  private nonisolated let box = Box()

  // Used by one call at a time, each on a thread of its own: the actor's callers wait for each answer.
  final class Box: @unchecked Sendable { var connection: PostgresConnection? }

  init(_ address: ServerAddress) { self.address = address }

  @discardableResult
  func query(_ sql: String) async throws -> String? {
    let (address, box) = (address, box)
    return try await BlockingThread.run {
      let connection = try box.connection ?? PostgresConnection(address)
      box.connection = connection
      return try connection.query(sql).first
    }
  }

  func close() { box.connection = nil }
}

/// Until it is so, for as long as a loaded machine may take.
func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  while try await !condition() {
    guard ContinuousClock.now < deadline else {
      Issue.record(what)
      return
    }
    try await Task.sleep(for: .milliseconds(20))
  }
}
