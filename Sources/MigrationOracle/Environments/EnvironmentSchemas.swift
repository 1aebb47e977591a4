import Foundation
import Kernel
import Migrations

/// The databases of the environments on PostgreSQL, and one shadow server for all of them.
///
/// What is judged is the schema that is really there: the shadow is built from the live database's own definitions, its
/// owners and rights among them. No row leaves the database.
package final class EnvironmentSchemas: SchemaServer {
  /// Longest that one statement of a look may take, in seconds.
  private static let lookSeconds = 60
  /// Longest that one statement of a migration may take, in seconds: an index of a large table takes hours.
  private static let migrationSeconds = 12 * 3600
  /// Dumps of a schema that moves while it is looked at.
  private static let looks = 3

  private let blobs: any BlobStore
  private let databases: @Sendable (SchemaPlace) throws(Outage) -> EnvironmentDatabase
  private let patience: LockPatience
  private let now: @Sendable () -> Instant
  let shadows: ShadowSchemas
  private let line = ExaminationLine()

  /// - Parameters:
  ///   - databases: where a place's database is, and as whom its applications use it.
  ///   - binaries: the folder of `postgres` and `pg_dump`; nil finds the newest that is installed.
  package init(
    blobs: any BlobStore, binaries: String? = nil, patience: LockPatience = LockPatience(),
    now: @escaping @Sendable () -> Instant,
    databases: @escaping @Sendable (SchemaPlace) throws(Outage) -> EnvironmentDatabase
  ) {
    self.blobs = blobs
    self.databases = databases
    self.patience = patience
    self.now = now
    shadows = ShadowSchemas(binaries: binaries)
  }

  /// Stops the shadow server. The next examination would start another.
  package func stop() async {
    // Stopping throws nothing.
    try? await line.next { await self.shadows.stop() }
  }

  // MARK: The live database

  package func survey(_ place: SchemaPlace) async throws(Outage) -> SchemaSurvey {
    try await look(at: reach(place)).survey
  }

  package func apply(_ order: MigrationOrder, fence: Fence) async throws(Outage) -> MigrationOutcome {
    let application = LiveApplication(
      order: order, texts: try texts(order.migrations), fence: fence, patience: patience,
      role: try databases(order.place).role, now: now)
    return try await change(order.place, fence) { try application.run(on: $0) }
  }

  package func adopt(
    _ migrations: [MigrationMark], in place: SchemaPlace, fence: Fence
  ) async throws(Outage) -> SchemaSurvey {
    let now = now
    return try await change(place, fence) { connection in
      let book = try LiveApplication.open(connection, place, fence)
      try connection.query("BEGIN")
      try book.raise(to: fence)
      try book.replace(by: migrations, fence: fence)
      try connection.query("COMMIT")
      return try LiveDatabase.read(place, role: nil, at: now(), connection).survey
    }
  }

  private func reach(_ place: SchemaPlace) throws(Outage) -> ReachedDatabase {
    try ReachedDatabase(place, try databases(place))
  }

  private func look(at reached: ReachedDatabase) async throws(Outage) -> LiveDatabase {
    let (now, place, role) = (now, reached.place, reached.database.role)
    return try await reached.run(seconds: Self.lookSeconds) { connection in
      try LiveDatabase.read(place, role: role, at: now(), connection)
    }
  }

  private func change<Answer: Sendable>(
    _ place: SchemaPlace, _ fence: Fence, _ work: @escaping @Sendable (PostgresConnection) throws -> Answer
  ) async throws(Outage) -> Answer {
    try await reach(place).run(seconds: Self.migrationSeconds) { connection in
      do {
        return try work(connection)
      } catch let stale as MigrationBook.StaleFence {
        throw Outage(
          "fence",
          "an order of position \(stale.seen.position) has been here, and this one is of \(fence.position): it came too"
            + " late and was not carried out")
      }
    }
  }

  // MARK: The shadow

  package func examine(_ question: SchemaQuestion) async throws -> SchemaExamination {
    try await line.next { try await self.answer(question) }
  }

  private func answer(_ question: SchemaQuestion) async throws -> SchemaExamination {
    let reached = try reach(question.place)
    let chain = try question.migrations.map { try texts($0) }
    let base = try question.base.map { try texts($0) }
    let statements = try statements(of: PlaceExamination.clients(of: question))
    var live = try await look(at: reached)
    if let role = reached.database.role, !live.roles.contains(where: { $0.name == role }) {
      throw Refusal(
        .unknown,
        "the role \(role), as which the applications of \(question.place) connect, does not exist there; correct 'role' in"
          + " plimsoll.yaml")
    }
    var counted: CountedStatements?
    for _ in 1..<Self.looks {
      var examination = PlaceExamination(
        question: question, live: live, reached: reached, chain: chain, base: base,
        statements: statements.mapValues { $0.inPath(live.applicationPath) })
      // Of a version that brings no migration nobody asks who would be held up.
      let isPending = try examination.isPending()
      if counted == nil, isPending || question.leastCoverage != nil {
        counted = try await self.counted(question, live, reached)
      }
      if isPending { examination.rates = try await rates(counted, live) }
      let answer = try await examination.run(shadows)
      // It moved between the look and the dump: what was judged is neither.
      let later = answer.report.findings.contains { $0.rule == "shadow-differs" } ? try await look(at: reached) : live
      guard later.hash == live.hash else {
        live = later
        continue
      }
      return try examined(answer, question, live, recordedShare(question, statements, counted))
    }
    throw Outage("postgres", "\(question.place) changes while it is looked at; wait for whoever migrates it")
  }

  /// What the place is sent.
  private func counted(
    _ question: SchemaQuestion, _ live: LiveDatabase, _ reached: ReachedDatabase
  ) async throws -> CountedStatements {
    let role = reached.database.role ?? live.migrator
    do {
      return try await reached.run(seconds: Self.lookSeconds) { try CountedStatements.read(of: role, $0) }
    } catch {
      guard question.leastCoverage == nil else { throw error }
      // Nobody's verdict waits for what only makes it richer.
      return .unseen(why: "its pg_stat_statements could not be read: \(error)")
    }
  }

  private func rates(_ counted: CountedStatements?, _ live: LiveDatabase) async throws -> [String: Double] {
    guard let counted else { return [:] }
    let path = live.applicationPath.map(Candidate.schemas(of:)) ?? Candidate.usualPath
    // Reading thousands of statements takes a second.
    return try await BlockingThread.run { counted.rates(on: live.schema, searchPath: path) }
  }

  /// Nil where nobody wants to know.
  private func recordedShare(
    _ question: SchemaQuestion, _ statements: [String: StatementSet], _ counted: CountedStatements?
  ) -> RecordedShare? {
    guard let counted else { return nil }
    let clients = PlaceExamination.clients(of: question)
    let recorded = question.versions.compactMap { statements[PlaceExamination.label(of: $0, among: clients)] }
    // Where nothing lives, nothing is sent that counts; and who is not recorded cannot be told anyway.
    guard !recorded.isEmpty else { return nil }
    return RecordedShare(counted, least: question.leastCoverage, recorded: recorded, at: question.place)
  }

  private func examined(
    _ answer: PlaceExamination.Answer, _ question: SchemaQuestion, _ live: LiveDatabase, _ share: RecordedShare?
  ) throws(Outage) -> SchemaExamination {
    var report = answer.report
    if let objection = share?.objection { report.add([objection]) }
    return SchemaExamination(
      survey: live.survey, pending: answer.pending, after: answer.after, migration: answer.migration.fit,
      why: answer.migration.why, verdicts: share?.limited(answer.verdicts) ?? answer.verdicts, coming: answer.coming,
      comingBefore: answer.comingBefore, report: try blobs.put(StableJSON.bytes(report)),
      coverage: question.leastCoverage.flatMap { _ in share?.coverage })
  }

  // MARK: Blobs

  package func migrations(in folder: String, layout: String?) async throws -> Digest {
    let named = try layout.map { name in
      guard let layout = MigrationLayout(rawValue: name) else {
        let names = MigrationLayout.allCases.map(\.rawValue)
        let near = nearestMatch(to: name, among: names).map { "; did you mean \($0)?" } ?? ""
        throw Refusal(.unknown, "there is no layout '\(name)'; there are \(names.joined(separator: ", "))\(near)")
      }
      return layout
    }
    let texts = try await BlockingThread.run { try Self.read(folder, named) }
    return try blobs.put(StableJSON.bytes(texts))
  }

  private static func read(_ folder: String, _ layout: MigrationLayout?) throws(Refusal) -> [MigrationText] {
    let found = try MigrationFolder(folder, layout: layout)
    var texts: [MigrationText] = []
    for file in found.files {
      if let place = file.text.unicodeScalars.firstIndex(of: "\0") {
        let line = 1 + file.text.unicodeScalars[..<place].count { $0 == "\n" }
        throw Refusal(
          .malformed, "\(file.path):\(line): here is a zero byte, at which the server would stop; remove it")
      }
      texts.append(MigrationText(file, in: folder))
    }
    return texts
  }

  package func statements(at path: String, version: Digest) async throws -> Digest {
    let set = try await BlockingThread.run {
      let found = try StatementImport(reading: path)
      return StatementSet(version: version.rawValue, statements: found.statements, leftOut: found.leftOut)
    }
    return try blobs.put(StableJSON.bytes(set))
  }

  package func marks(of migrations: Digest) async throws(Outage) -> [MigrationMark] {
    try texts(migrations).map(\.mark)
  }

  private func texts(_ blob: Digest) throws(Outage) -> [MigrationText] {
    try StableJSON.value([MigrationText].self, of: blob, in: blobs)
  }

  private func statements(of clients: [SchemaClient]) throws(Outage) -> [String: StatementSet] {
    var all: [String: StatementSet] = [:]
    for client in clients {
      guard let blob = client.statements else { continue }
      let label = PlaceExamination.label(of: client, among: clients)
      var set = try KeptStatements.joined(blob) { (part) throws(Outage) in
        try StableJSON.value(KeptStatements.self, of: part, in: blobs)
      }
      set.version = label
      all[label] = set.statements.isEmpty && set.leftOut == 0 ? nil : set
    }
    return all
  }
}

/// One examination after the other: they share roles and templates of the shadow, and the machine's cores.
private actor ExaminationLine {
  private var last: Task<Void, Never>?

  func next<Answer: Sendable>(_ work: @escaping @Sendable () async throws -> Answer) async throws -> Answer {
    let before = last
    let task = Task {
      await before?.value
      return try await work()
    }
    last = Task { _ = try? await task.value }
    return try await task.value
  }
}

/// JSON with one spelling for equal values, so that equal values are one blob.
package enum StableJSON {
  package static func bytes(_ value: some Encodable) throws(Outage) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do { return try Array(encoder.encode(value)) } catch {
      throw Outage("blobs", "a value could not be written as JSON", sources: ["\(error)"])
    }
  }

  package static func value<Value: Decodable>(
    _ type: Value.Type, of blob: Digest, in blobs: any BlobStore
  ) throws(Outage) -> Value {
    let bytes = try blobs.get(blob)
    do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch {
      throw Outage("blobs", "\(blob) does not hold what was put there; check the disk", sources: ["\(error)"])
    }
  }
}

extension StatementSet {
  /// Statements whose search path was not recorded have the one that their role gets.
  fileprivate func inPath(_ path: String?) -> StatementSet {
    guard let path else { return self }
    var copy = self
    for index in copy.statements.indices where copy.statements[index].searchPath == nil {
      copy.statements[index].searchPath = path
    }
    return copy
  }
}
