import Foundation
import Kernel
import Migrations
import MigrationOracle
import Simulator
import Synchronization

/// A real database for one story, behind the driver that the product uses. The application's statements come over
/// connections of their own, as its role.
///
/// Used by the one thread that tells the story; the driver's answers are waited for there.
final class OrdersDatabase: SchemaPeer {
  /// SQLSTATE classes of a statement that the schema fails: 42 names, types and rights, 23 constraints, 22 values
  /// (PostgreSQL manual, appendix A).
  static let schemaClasses: Set<Substring> = ["42", "23", "22"]

  private let driver: EnvironmentSchemas
  private let clock: TrialClock
  private let folder: String
  /// The database as its server's superuser reaches it, and as the application does.
  private let root: ServerAddress
  private let application: ServerAddress
  private var connections: (root: PostgresConnection?, application: PostgresConnection?) = (nil, nil)
  private var chains: [String: Digest] = [:]
  private var recordings: [Digest: Digest] = [:]
  private(set) var met = InterleavingTally()

  init(driver: EnvironmentSchemas, clock: TrialClock, folder: String, root: ServerAddress) {
    self.driver = driver
    self.clock = clock
    self.folder = folder
    self.root = root
    application = ServerAddress("\(root.place) user=\(OrdersTable.role)", database: root.database)
  }

  /// Nobody is connected any more.
  func close() { connections = (nil, nil) }

  // MARK: The driver

  func survey(_ place: SchemaPlace, at: Instant) throws(Outage) -> SchemaSurvey {
    clock.now = at
    return try waited { [driver] in try await driver.survey(place) }
  }

  func examine(_ question: PeerQuestion, at: Instant) throws(Outage) -> PeerAnswer {
    clock.now = at
    met.examinations += 1
    let began = ContinuousClock.now
    defer { met.examinationMs.append((ContinuousClock.now - began).milliseconds) }
    let chain = try question.chain.map { all throws(Outage) in try migrations(all) }
    let base = try question.base.map { all throws(Outage) in try migrations(all) }
    var versions: [SchemaClient] = []
    for version in question.versions { versions.append(try known(version)) }
    let coming = try question.coming.map { version throws(Outage) in try known(version) }
    let asked = SchemaQuestion(
      place: question.place, migrations: chain, base: base, versions: versions, coming: coming)
    do {
      let examination = try waiting { [driver] in try await driver.examine(asked) }
      return .examined(examination, migrations: chain)
    } catch let refusal as Refusal {
      met.unexaminable += 1
      return .unexaminable(refusal.sentence, ofPlace: refusal.kind == .notNow)
    } catch let outage as Outage {
      throw outage
    } catch {
      throw Outage("trial", "the driver could not answer", sources: ["\(error)"])
    }
  }

  func apply(_ order: MigrationOrder, fence: Fence, at: Instant) throws(Outage) -> MigrationOutcome? {
    clock.now = at
    return try fenced { [driver] in try await driver.apply(order, fence: fence) }
  }

  func adopt(
    _ chain: [PeerMigration], in place: SchemaPlace, fence: Fence, at: Instant
  ) throws(Outage) -> PeerAdoption? {
    clock.now = at
    let blob = try migrations(chain)
    return try fenced { [driver] in
      let marks = try await driver.marks(of: blob)
      return PeerAdoption(survey: try await driver.adopt(marks, in: place, fence: fence), marks: marks)
    }
  }

  /// nil for an order that came too late.
  private func fenced<Answer: Sendable>(
    _ work: @escaping @Sendable () async throws -> Answer
  ) throws(Outage) -> Answer? {
    do { return try waited(work) } catch {
      if error.subject == "fence" { return nil }
      throw error
    }
  }

  private func waited<Answer: Sendable>(
    _ work: @escaping @Sendable () async throws -> Answer
  ) throws(Outage) -> Answer {
    do { return try waiting(work) } catch let outage as Outage { throw outage } catch {
      throw Outage("trial", "the driver could not answer", sources: ["\(error)"])
    }
  }

  /// Blocks this thread, which is none of the pool that the work needs.
  private func waiting<Answer: Sendable>(_ work: @escaping @Sendable () async throws -> Answer) throws -> Answer {
    let done = DispatchSemaphore(value: 0)
    let answer = HeldAnswer<Answer>()
    Task {
      do { answer.result = .success(try await work()) } catch { answer.result = .failure(error) }
      done.signal()
    }
    done.wait()
    guard let result = answer.result else { throw Outage("trial", "nobody answered") }
    return try result.get()
  }

  // MARK: Files

  /// The folder of a commit's migrations, read by the driver.
  func migrations(_ chain: [PeerMigration]) throws(Outage) -> Digest {
    let key = chain.map { "\($0.change)" }.joined(separator: ",")
    if let known = chains[key] { return known }
    let files =
      [("0000_open_the_book.sql", OrdersTable.base)]
      + chain.enumerated().map { (Self.name($0.element, at: $0.offset), OrdersTable.text(of: $0.element.steps)) }
    let path = "\(folder)/migrations-\(chains.count)"
    try written {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      for (name, text) in files { try Data(text.utf8).write(to: URL(filePath: "\(path)/\(name)")) }
    }
    let blob = try waited { [driver] in try await driver.migrations(in: path, layout: nil) }
    chains[key] = blob
    return blob
  }

  static func name(_ migration: PeerMigration, at index: Int) -> String {
    let number = String(index + 1)
    return "\(String(repeating: "0", count: max(0, 4 - number.count)))\(number)_m\(migration.change).sql"
  }

  /// The version with the blob of what it sends, recorded as `plimsoll db record` would have.
  private func known(_ version: PeerVersion) throws(Outage) -> SchemaClient {
    let client = version.client
    let blob: Digest
    if let known = recordings[client.digest] {
      blob = known
    } else {
      let path = "\(folder)/statements-\(recordings.count).jsonl"
      let lines = OrdersTable.recording(version.sends, of: client.digest).lines
      try written {
        let encoder = JSONEncoder()
        let texts = try lines.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
        try Data((texts.joined(separator: "\n") + "\n").utf8).write(to: URL(filePath: path))
      }
      blob = try waited { [driver] in try await driver.statements(at: path, version: client.digest) }
      recordings[client.digest] = blob
    }
    return SchemaClient(service: client.service, digest: client.digest, commit: client.commit, statements: blob)
  }

  private func written(_ work: () throws -> Void) throws(Outage) {
    do { try work() } catch { throw Outage("disk", "\(folder) cannot be written", sources: ["\(error)"]) }
  }

  // MARK: Past the driver

  func alter(_ place: SchemaPlace, by steps: [SimulatedSchema.Step]) throws(Outage) {
    try asked {
      _ = try rootConnection().query(
        "BEGIN; SET LOCAL SESSION AUTHORIZATION \(OrdersTable.owner); \(OrdersTable.text(of: steps)) COMMIT")
    }
  }

  func send(_ statements: SimulatedStatements, to place: SchemaPlace) throws(Outage) -> String? {
    try asked {
      let connection = try connections.application ?? PostgresConnection(application)
      connections.application = connection
      let all = OrdersTable.statements(statements)
      return try outcomes(all, try connection.pipeline(all.map(\.messages))).compactMap(\.self).first
    }
  }

  func rehearse(_ trial: PeerTrial) throws(Outage) -> PeerTrial.Outcome {
    try asked {
      let connection = try rootConnection()
      try connection.query("BEGIN")
      do {
        let outcome = try rehearse(trial, connection)
        try connection.query("ROLLBACK")
        return outcome
      } catch {
        connections.root = nil
        throw error
      }
    }
  }

  private func rehearse(_ trial: PeerTrial, _ connection: PostgresConnection) throws -> PeerTrial.Outcome {
    met.rehearsals += 1
    var outcome = PeerTrial.Outcome()
    func apply(_ migrations: [PeerMigration]) throws -> Bool {
      for migration in migrations {
        do {
          try connection.query(
            "SET LOCAL SESSION AUTHORIZATION \(OrdersTable.owner); \(OrdersTable.text(of: migration.steps))")
        } catch let error as PostgresError {
          outcome.migration = "m\(migration.change): \(error)"
          return false
        }
        try connection.query("RESET SESSION AUTHORIZATION")
      }
      return true
    }
    guard try apply(trial.landed) else { return outcome }
    let all = trial.versions.map(OrdersTable.statements)
    let before = try all.map { try failures($0, connection) }
    var last = before
    var broken: [String?] = all.map { _ in nil }
    for migration in trial.pending {
      guard try apply([migration]) else { return outcome }
      last = try all.map { try failures($0, connection) }
      for (index, found) in last.enumerated() where broken[index] == nil {
        // What did not run before is no loss.
        broken[index] = zip(found, before[index]).first { $0.0 != nil && $0.1 == nil }?.0
      }
    }
    outcome.versions = all.indices.map { index in
      var fate = PeerTrial.Fate()
      fate.before = before[index].compactMap(\.self).first
      fate.broken = broken[index]
      fate.after = last[index].compactMap(\.self).first
      return fate
    }
    return outcome
  }

  /// What fails of each statement, in a transaction that stays as it was.
  private func failures(_ statements: [OrdersTable.Statement], _ connection: PostgresConnection) throws -> [String?] {
    let back: [PostgresConnection.Message] = [.run("ROLLBACK TO one")]
    let segments: [[PostgresConnection.Message]] =
      [
        [.run("SAVEPOINT one")], [.run("SET LOCAL SESSION AUTHORIZATION \(OrdersTable.role)")],
        [.run("SAVEPOINT each")],
      ]
      + statements.flatMap { [$0.messages, [.run("ROLLBACK TO each")]] } + [back]
    let replies = try connection.pipeline(segments)
    let places = statements.indices.map { Self.opening + 2 * $0 }
    for place in replies.indices where !places.contains(place) { if let error = replies[place].error { throw error } }
    return try outcomes(statements, places.map { replies[$0] })
  }

  /// Segments before the first statement.
  private static let opening = 3

  /// What the schema fails, and how; nil for what runs.
  private func outcomes(
    _ statements: [OrdersTable.Statement], _ replies: [PostgresConnection.Reply]
  ) throws -> [String?] {
    met.statements += statements.count
    return try zip(statements, replies).map { statement, reply in
      guard let error = reply.error else { return nil }
      guard Self.schemaClasses.contains(error.category) else { throw error }
      return "\(statement.text) fails: \(error)"
    }
  }

  private func rootConnection() throws -> PostgresConnection {
    let connection = try connections.root ?? PostgresConnection(root)
    connections.root = connection
    return connection
  }

  private func asked<Answer>(_ work: () throws -> Answer) throws(Outage) -> Answer {
    do { return try work() } catch let outage as Outage { throw outage } catch {
      throw Outage("trial", "the database did not do its part", sources: ["\(error)"])
    }
  }
}

/// One answer, written by the task that works and read by the thread that waited for it.
private final class HeldAnswer<Answer: Sendable>: Sendable {
  private let held = Mutex<Result<Answer, any Error>?>(nil)
  var result: Result<Answer, any Error>? {
    get { held.withLock { $0 } }
    set { held.withLock { $0 = newValue } }
  }
}

/// The story's wall clock, as the driver reads it.
final class TrialClock: Sendable {
  private let held = Mutex(Instant(milliseconds: 0))
  var now: Instant {
    get { held.withLock { $0 } }
    set { held.withLock { $0 = newValue } }
  }
}

extension Duration {
  var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
