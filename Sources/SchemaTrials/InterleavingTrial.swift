import Foundation
import Kernel
import MigrationOracle
import Simulator
import Synchronization

/// Stories of the simulator told on a real PostgreSQL: the machines, the engine and the wiring are the product's, and so
/// is the driver that surveys, examines and applies. Each version that gets requests really sends its statements, and
/// each refusal is tried.
///
/// One server holds the databases of all stories, each a copy of one template; a second is the driver's own shadow.
package final class InterleavingTrial: Sendable {
  private let server: ShadowServer
  private let driver: EnvironmentSchemas
  private let current: CurrentDatabase
  private let clock: TrialClock
  /// Removed by `stop`.
  private let folder: String
  private let template: String

  private init(
    _ server: ShadowServer, _ driver: EnvironmentSchemas, _ current: CurrentDatabase, _ clock: TrialClock,
    folder: String, template: String
  ) {
    (self.server, self.driver, self.current, self.clock) = (server, driver, current, clock)
    (self.folder, self.template) = (folder, template)
  }

  /// - Throws: `Refusal` where no PostgreSQL is installed, `Outage` where it does not start.
  package static func start() async throws -> InterleavingTrial {
    let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-trial-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let (current, clock) = (CurrentDatabase(), TrialClock())
    let driver = EnvironmentSchemas(
      blobs: HeldBlobs(), now: { clock.now }, databases: { place throws(Outage) in try current.reached(place) })
    do {
      let server = try await ShadowServer.start()
      do {
        let template = try await makeTemplate(on: server)
        let trial = InterleavingTrial(server, driver, current, clock, folder: folder, template: template)
        try await trial.openTheBook()
        return trial
      } catch {
        await server.stop()
        throw error
      }
    } catch {
      await driver.stop()
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
  }

  package func stop() async {
    await driver.stop()
    await server.stop()
    try? FileManager.default.removeItem(atPath: folder)
  }

  private static func makeTemplate(on server: ShadowServer) async throws -> String {
    try await server.template { connection, name in
      try connection.query(
        """
        CREATE ROLE \(OrdersTable.owner) LOGIN;
        CREATE ROLE \(OrdersTable.role) LOGIN;
        ALTER DATABASE \(name) OWNER TO \(OrdersTable.owner)
        """)
      return name
    }
  }

  /// The driver itself applies the first migration, and its book begins with it.
  private func openTheBook() async throws {
    current.name = server.address(of: template)
    let (driver, clock, folder) = (driver, clock, "\(folder)/first")
    let first = try await BlockingThread.run {
      let database = OrdersDatabase(driver: driver, clock: clock, folder: folder, root: ServerAddress(""))
      return try database.migrations([])
    }
    let place = InterleavingRun.place
    let examination = try await driver.examine(
      SchemaQuestion(place: place, migrations: first, versions: [], coming: nil))
    let order = MigrationOrder(
      place: place, migrations: first, pending: examination.pending, on: examination.survey.schema)
    guard case .applied = try await driver.apply(order, fence: Fence(0)) else {
      throw Outage("trial", "the first migration was not applied: \(examination.why)")
    }
  }

  // MARK: One story

  /// Tells one seed's story; a few seconds.
  /// - Parameter disguise: what the story meets in place of the database; tests put a defect there.
  package func tell(
    _ seed: UInt64, plant: Plant? = nil, disguise: @escaping @Sendable (any SchemaPeer) -> any SchemaPeer = { $0 }
  ) async throws -> Told {
    let name = try await server.clone(of: template)
    await server.prepareClones(of: template, count: 1)
    let root = server.address(of: name)
    current.name = root
    let (driver, clock, folder) = (driver, clock, "\(folder)/\(seed)")
    let began = ContinuousClock.now
    let told: Told
    do {
      told = try await BlockingThread.run {
        try PostgresConnection(root).query("ALTER DATABASE \(name) OWNER TO \(OrdersTable.owner)")
        let database = OrdersDatabase(driver: driver, clock: clock, folder: folder, root: root)
        let result = InterleavingRun(seed: seed, plant: plant).run(on: disguise(database))
        database.close()
        var met = database.met
        met.story = result.tally
        return Told(
          seed: seed, violations: result.violations, met: met, transcriptHash: result.transcriptHash,
          report: result.ok ? "" : result.report, milliseconds: (ContinuousClock.now - began).milliseconds)
      }
    } catch {
      await finish(name, folder)
      throw error
    }
    await finish(name, folder)
    return told
  }

  private func finish(_ database: String, _ folder: String) async {
    await server.discard(database)
    try? FileManager.default.removeItem(atPath: folder)
  }

  package struct Told: Sendable {
    package let seed: UInt64
    package let violations: [Violation]
    package let met: InterleavingTally
    /// Equal for equal seeds: a real database changes nothing about a story.
    package let transcriptHash: UInt64
    /// What to print of a failure; empty when every promise held.
    package let report: String
    package let milliseconds: Int64
    package var ok: Bool { violations.isEmpty }
  }
}

/// What stories met on real databases.
package struct InterleavingTally: Codable, Equatable, Sendable {
  package var story = SchemaTally()
  /// Questions to the driver.
  package var examinations = 0
  /// Of them: those that the commit or the database does not allow.
  package var unexaminable = 0
  /// Statements that versions sent, or that were tried for them.
  package var statements = 0
  /// Migrations and statements tried and taken back.
  package var rehearsals = 0
  /// How long each examination took.
  package var examinationMs: [Int64] = []

  package init() {}

  package static func + (left: Self, right: Self) -> Self {
    var sum = left
    sum.story = left.story + right.story
    sum.examinations += right.examinations
    sum.unexaminable += right.unexaminable
    sum.statements += right.statements
    sum.rehearsals += right.rehearsals
    sum.examinationMs += right.examinationMs
    return sum
  }
}

/// Where the database of the story that is told lies.
private final class CurrentDatabase: Sendable {
  private let held = Mutex<ServerAddress?>(nil)
  var name: ServerAddress? {
    get { held.withLock { $0 } }
    set { held.withLock { $0 = newValue } }
  }

  func reached(_ place: SchemaPlace) throws(Outage) -> EnvironmentDatabase {
    guard let address = name, let database = address.database else {
      throw Outage("trial", "\(place) has no database")
    }
    return EnvironmentDatabase(
      url: "\(address.place) user=\(OrdersTable.owner) dbname=\(database)", role: OrdersTable.role)
  }
}

private final class HeldBlobs: BlobStore {
  private let held = Mutex<[Digest: [UInt8]]>([:])

  func put(_ bytes: [UInt8]) throws(Outage) -> Digest {
    let digest = Digest.of(bytes)
    held.withLock { $0[digest] = bytes }
    return digest
  }

  func get(_ digest: Digest) throws(Outage) -> [UInt8] {
    guard let bytes = held.withLock({ $0[digest] }) else { throw Outage("blobs", "there is no \(digest)") }
    return bytes
  }

  func contains(_ digest: Digest) -> Bool { held.withLock { $0[digest] != nil } }
}
