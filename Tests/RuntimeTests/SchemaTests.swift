import ControlPlane
import Foundation
import Kernel
import Migrations
import Testing

@testable import Runtime

private let orders = Facts.parsed(DatabaseName(rawValue: "orders"))
private let place = SchemaPlace(Facts.production, orders)
private let schema = StreamID.schema(place)
private let crane = Facts.parsed(ServiceName(rawValue: "crane"))
private let elsewhere = Facts.parsed(RepositoryName(rawValue: "yard"))
private let one = ["db/1.sql": "create table t (a int)"]
private let two = one.merging(["db/2.sql": "alter table t add b int"]) { $1 }
private let sends = ["sql/all": "select a from t"]

private func survey(_ schema: String, at second: Double = 0) -> SchemaSurvey {
  SchemaSurvey(schema: Facts.digest(schema), applied: 1, last: nil, at: Facts.start + .seconds(second))
}
private let examination = SchemaExamination(
  survey: survey("1"), pending: [], after: Facts.digest("1"), migration: .compatible, why: "", verdicts: [],
  coming: nil, comingBefore: nil, report: Facts.digest("5"))
private let policy = DatabaseSchema.Policy(
  place: place, repository: Facts.repository, trunk: Facts.trunk, path: "db",
  services: [
    DatabaseSchema.Use(service: crane, repository: elsewhere, statements: nil),
    DatabaseSchema.Use(service: Facts.harbor, repository: Facts.repository, statements: "sql/all"),
  ], coverage: 0.9)
private func client(_ letter: String, _ statements: Digest? = nil, of service: ServiceName = Facts.harbor)
  -> SchemaClient
{
  SchemaClient(service: service, digest: Facts.digest(letter), commit: Facts.commit(letter), statements: statements)
}
private func ask(_ letter: String, of service: ServiceName = Facts.harbor) -> DatabaseSchema.Errand {
  .ask(
    DatabaseSchema.Ask(
      service: service, commit: Facts.commit(letter), digest: Facts.digest(letter), ordinal: 7, title: "Tides"))
}
private func examine(
  _ errand: DatabaseSchema.Errand, _ versions: [SchemaClient] = [], sent: [DatabaseSchema.Upload] = [],
  seen: SchemaSurvey? = nil
) -> StreamEffect {
  .schema(
    .examine(
      DatabaseSchema.ExamineOrder(
        number: 3, policy: policy, errand: errand, versions: versions, uploads: sent, survey: seen)))
}
private func upload(_ letter: String, _ statements: Digest) -> DatabaseSchema.Upload {
  DatabaseSchema.Upload(service: Facts.harbor, digest: Facts.digest(letter), statements: statements)
}
private let reviewOfC = DatabaseSchema.Errand.review(
  DatabaseSchema.Review(repository: Facts.repository, trunk: Facts.trunk, entry: 1, head: Facts.commit("c")))

/// What the last answer says that cannot be done.
private func refusal(_ bench: Bench) -> String? {
  switch bench.posted.inputs.last {
  case .schema(.unexaminable(number: _, let why, ofPlace: _)), .schema(.unadoptable(number: _, let why)): why
  default: nil
  }
}

/// A commit that can never be judged, and how that is said.
struct Spoiled: Sendable {
  let files: [String: String]
  let why: String
}

@Suite("What a schema hears of its database", .timeLimit(.minutes(2)))
struct SchemaTests {
  @Test("it is told of at once, and not again while it stays the same") func watch() async throws {
    let bench = try Bench()
    bench.schemas.survey.now(.gives(survey("1")))
    bench.start(.schema(.watch(place)), of: schema)
    try await eventually("it is told") { !bench.posted.inputs.isEmpty }
    #expect(bench.posted.inputs == [.schema(.surveyed(survey("1")))])
    bench.cancel(.schema(.watch(place)), of: schema)
    await bench.performer.stopAll()
    #expect(bench.posted.ends.isEmpty)
  }

  @Test("a database that cannot be reached is an outage") func away() async throws {
    let bench = try Bench()
    let outage = Outage("postgres", "it refuses the connection")
    bench.schemas.survey.now(.fails(outage))
    try await bench.carryOut(.schema(.watch(place)), of: schema)
    #expect(bench.posted.inputs.isEmpty)
    #expect(bench.posted.ends.map(\.failure) == [outage])
  }

  @Test("a version is examined with its commit's migrations, and what it and the others send") func asked() async throws
  {
    let bench = try Bench()
    bench.trees.set(two, of: Facts.commit("b"))
    // The artifact has what `b` sends, the commit what `a` sends.
    bench.trees.set(sends, of: Facts.digest("b"))
    bench.trees.set(["sql/all": "select 1"], of: Facts.commit("a"))
    bench.schemas.examine.now(.gives(examination))
    let known = Facts.digest("9")
    try await bench.carryOut(
      examine(ask("b"), [client("a"), client("d", known), client("e", of: crane)]), of: schema)
    let question = try #require(bench.schemas.examine.asked.first)
    #expect(question.place == place && question.base == nil && question.leastCoverage == 0.9)
    #expect(
      question.versions == [
        client("a", bench.schemas.digest(of: "select 1")), client("d", known), client("e", of: crane),
      ])
    #expect(question.coming == client("b", bench.schemas.digest(of: "select a from t")))
    let migrations = try #require(question.migrations)
    #expect(try await bench.schemas.marks(of: migrations).map(\.name) == ["1.sql", "2.sql"])
    #expect(
      bench.posted.inputs == [.schema(.examined(number: 3, examination, migrations: migrations))])
    for folder in bench.trees.folders { #expect(!FileManager.default.fileExists(atPath: folder)) }
  }

  @Test("what was sent of a version counts with what its artifact holds") func sent() async throws {
    let bench = try Bench()
    bench.trees.set(two, of: Facts.commit("b"))
    bench.trees.set(sends, of: Facts.digest("b"))
    bench.trees.set(["README": "x"], of: Facts.commit("a"))
    bench.schemas.examine.now(.gives(examination))
    func lay(_ fingerprints: String..., at blob: Digest) throws {
      let statements = fingerprints.map { CapturedStatement(fingerprint: $0, text: $0, source: .proxy) }
      bench.blobs.lay(
        Array(try JSONEncoder().encode(StatementSet(version: "b", statements: statements))), at: blob)
    }
    let (own, known, more) = (bench.schemas.digest(of: "select a from t"), Facts.digest("7"), Facts.digest("8"))
    try lay("f1", at: own)
    try lay("f1", at: known)
    try lay("f1", "f2", at: more)
    func statements(sent: DatabaseSchema.Upload...) async throws -> Digest? {
      try await bench.carryOut(examine(ask("b"), [client("a")], sent: sent), of: schema)
      return bench.schemas.examine.asked.last?.coming?.statements
    }
    #expect(try await statements() == own)
    #expect(try await statements(sent: upload("b", known)) == own, "which holds it already")
    // `e` is where this store puts everything.
    #expect(try await statements(sent: upload("b", more)) == Facts.digest("e"))
    let both = try JSONDecoder().decode(KeptStatements.self, from: Data(try #require(bench.blobs.put.last)))
    #expect(both == .parts([.init(statements: own, count: 1), .init(statements: more, count: 2)]), "neither is copied")
    #expect(try await statements(sent: upload("a", more)) == own)
    #expect(
      bench.schemas.examine.asked.last?.versions == [client("a", more)], "and alone where it holds nothing")
  }

  @Test("one from another repository brings no migrations") func guest() async throws {
    let bench = try Bench()
    bench.schemas.examine.now(.gives(examination))
    try await bench.carryOut(examine(ask("e", of: crane)), of: schema)
    #expect(bench.schemas.examine.asked.map(\.migrations) == [nil])
    #expect(bench.posted.inputs == [.schema(.examined(number: 3, examination, migrations: nil))])
  }

  @Test(
    "what the commit itself makes impossible is said once, in the repository's own paths",
    arguments: [
      Spoiled(files: [:], why: "bbbbbbbbbb has no db, where its migrations should be"),
      Spoiled(files: ["db/1.sql": "!"], why: "db/1.sql:1: this is no SQL"),
    ]) func unexaminable(spoiled: Spoiled) async throws
  {
    let bench = try Bench()
    bench.trees.set(spoiled.files, of: Facts.commit("b"))
    try await bench.carryOut(examine(ask("b")), of: schema)
    #expect(refusal(bench)?.hasPrefix(spoiled.why) == true, "\(bench.posted.inputs)")
    #expect(bench.posted.ends.map(\.failure) == [nil])
  }

  @Test("a database without a book is at fault itself, and not who asked") func bookless() async throws {
    let bench = try Bench()
    bench.trees.set(one, of: Facts.commit("b"))
    for (kind, ofPlace) in [(Refusal.Kind.notNow, true), (.malformed, false)] {
      bench.schemas.examine.now(.fails(Refusal(kind, "it cannot be judged")))
      try await bench.carryOut(examine(ask("b")), of: schema)
      #expect(
        bench.posted.inputs.last
          == .schema(.unexaminable(number: 3, why: "it cannot be judged", ofPlace: ofPlace)))
    }
  }

  @Test("a recording that cannot be read counts as none for who lives already, and stops who comes") func unreadable()
    async throws
  {
    let bench = try Bench()
    bench.trees.set(one, of: Facts.commit("b"))
    bench.trees.set(["sql/all": "!"], of: Facts.digest("a"))
    bench.schemas.examine.now(.gives(examination))
    try await bench.carryOut(examine(ask("b"), [client("a")]), of: schema)
    #expect(bench.schemas.examine.asked.map(\.versions) == [[client("a")]])
    bench.trees.set(["sql/all": "!"], of: Facts.digest("b"))
    try await bench.carryOut(examine(ask("b")), of: schema)
    #expect(refusal(bench) == "sql/all:1: this is no SQL")
  }

  @Test("a change that touches no migration passes without a look at its files") func untouched() async throws {
    let bench = try Bench()
    bench.forge.head.now(.gives(Facts.commit("a")))
    bench.forge.changedPaths.now(.gives(ChangedPaths(paths: ["db.md", "src/main"], isComplete: true)))
    bench.schemas.survey.now(.gives(survey("1")))
    try await bench.carryOut(examine(reviewOfC, [client("d", Facts.digest("9"))]), of: schema)
    guard case .schema(.examined(_, let answer, let migrations))? = bench.posted.inputs.first, migrations == nil else {
      Issue.record("\(bench.posted.inputs)")
      return
    }
    #expect(answer.pending.isEmpty && answer.migration == .compatible && answer.after == answer.survey.schema)
    #expect(answer.verdicts == [SchemaVerdict(client("d", Facts.digest("9")), .compatible)])
    #expect(bench.trees.folders.isEmpty && bench.schemas.examine.asked.isEmpty)
    // Nor does it wait for a database that is away, once that was seen.
    bench.schemas.survey.now(.fails(Outage("postgres", "it refuses the connection")))
    try await bench.carryOut(examine(reviewOfC, seen: survey("1")), of: schema)
    #expect(bench.posted.ends.map(\.failure) == [nil, nil])
  }

  @Test("a change is judged as it will be on the trunk, which went on meanwhile") func merged() async throws {
    let bench = try Bench()
    bench.forge.head.now(.gives(Facts.commit("a")))
    bench.trees.set(two, of: Facts.commit("a"))
    // It left the trunk before 2.sql came, and brings 3.sql.
    bench.trees.set(one.merging(["db/3.sql": "drop table t"]) { $1 }, of: Facts.commit("c"))
    bench.forge.changedPaths.now(.gives(ChangedPaths(paths: ["db/3.sql"], isComplete: true)))
    bench.schemas.examine.now(.gives(examination))
    try await bench.carryOut(examine(reviewOfC), of: schema)
    let question = try #require(bench.schemas.examine.asked.first)
    let (base, all) = (try #require(question.base), try #require(question.migrations))
    #expect(try await bench.schemas.marks(of: base).map(\.name) == ["1.sql", "2.sql"])
    #expect(try await bench.schemas.marks(of: all).map(\.name) == ["1.sql", "2.sql", "3.sql"])
    #expect(question.coming == nil)
  }

  @Test("the first migrations ever find a trunk without any") func first() async throws {
    let bench = try Bench()
    bench.forge.head.now(.gives(Facts.commit("a")))
    bench.trees.set(["README": "x"], of: Facts.commit("a"))
    bench.trees.set(one, of: Facts.commit("c"))
    bench.forge.changedPaths.now(.gives(ChangedPaths(paths: ["db/1.sql"], isComplete: true)))
    bench.schemas.examine.now(.gives(examination))
    try await bench.carryOut(examine(reviewOfC), of: schema)
    #expect(bench.blobs.put == [Array("[]".utf8)])
    #expect(bench.schemas.examine.asked.map(\.base) == [Facts.digest("e")])
  }

  @Test("a migration that a change removes or renames is seen so") func removed() async throws {
    let bench = try Bench()
    bench.forge.head.now(.gives(Facts.commit("a")))
    bench.trees.set(two, of: Facts.commit("a"))
    bench.trees.set(one.merging(["db/2b.sql": "alter table t add b int"]) { $1 }, of: Facts.commit("c"))
    bench.forge.changedPaths.now(.gives(ChangedPaths(paths: ["db/2.sql", "db/2b.sql"], isComplete: true)))
    bench.schemas.examine.now(.gives(examination))
    try await bench.carryOut(examine(reviewOfC), of: schema)
    let all = try #require(bench.schemas.examine.asked.first?.migrations)
    #expect(try await bench.schemas.marks(of: all).map(\.name) == ["1.sql", "2b.sql"])
  }

  @Test("migrations are applied under the fence of their effect") func migrate() async throws {
    let bench = try Bench()
    let order = MigrationOrder(place: place, migrations: Facts.digest("4"), pending: [], on: Facts.digest("1"))
    bench.schemas.apply.now(.gives(.applied(survey("2"))))
    try await bench.carryOut(.schema(.migrate(order, number: 8)), of: schema)
    #expect(bench.schemas.apply.asked == [order])
    #expect(bench.schemas.fencesSeen == [Bench.fence])
    #expect(bench.posted.inputs == [.schema(.migrated(number: 8, .applied(survey("2"))))])
  }

  @Test("a book is written up to the migration that a person named, or not at all") func adopt() async throws {
    let bench = try Bench()
    bench.trees.set(two, of: Facts.commit("b"))
    bench.schemas.adopt.now(.gives(survey("2")))
    func adopt(_ through: String?) -> StreamEffect {
      .schema(
        .adopt(
          DatabaseSchema.Adoption(commit: Facts.commit("b"), through: through, actor: "ada", reason: "as it is"),
          policy, number: 2))
    }
    try await bench.carryOut(adopt("1.sql"), of: schema)
    try await bench.carryOut(adopt(nil), of: schema)
    #expect(bench.schemas.adopt.asked.map { $0.map(\.name) } == [["1.sql"], []])
    #expect(bench.schemas.fencesSeen == [Bench.fence, Bench.fence])
    try await bench.carryOut(adopt("2.sq"), of: schema)
    #expect(
      refusal(bench) == "bbbbbbbbbb has no migration '2.sq' in db; did you mean '2.sql'?")
  }

  @Test("where no database is named, every question says so") func nothing() async throws {
    let none = NoSchemaServer()
    let outage = await #expect(throws: Outage.self) { try await none.survey(place) }
    #expect(outage?.sentence.contains("no database is named") == true)
  }
}
