import ControlPlane
import Foundation
import Kernel
import Migrations
import Testing

@testable import Server

/// A database over the real machine: what is shown of it, and what people may ask.
@Suite struct SchemaTests {
  private static let place = SchemaPlace(
    Harbor.parsed(EnvironmentName(rawValue: "production")), Harbor.parsed(DatabaseName(rawValue: "orders")))
  private static let stream = StreamID.schema(place)
  private static let repository = Harbor.parsed(RepositoryName(rawValue: "harbor"))
  private static let mark = MigrationMark(name: "0002_total.sql", content: Harbor.digest("two"))
  private static let policy = DatabaseSchema.Policy(
    place: place, repository: repository, trunk: Harbor.parsed(BranchName(rawValue: "main")), path: "db/migrations",
    services: [
      DatabaseSchema.Use(
        service: Harbor.parsed(ServiceName(rawValue: "harbor")), repository: repository, statements: "sql")
    ])
  private static let survey = SchemaSurvey(
    schema: Harbor.digest("schema"), applied: 1,
    last: MigrationMark(name: "0001_orders.sql", content: Harbor.digest("one")),
    at: Instant(milliseconds: 1_767_225_600_000))
  private static let live = HeldVersion(
    digest: Harbor.digest("v1"), commit: Harbor.commit("v1"), ordinal: 3, standing: .serving)
  private static let ask = DatabaseSchema.Ask(
    service: Harbor.parsed(ServiceName(rawValue: "harbor")), commit: Harbor.commit("v2"), digest: Harbor.digest("v2"),
    ordinal: 9, title: "Totals")

  /// One version lives there; another was refused, because it breaks the first.
  private func refuse(_ backend: ScriptedBackend) async throws {
    func tell(_ input: DatabaseSchema.Input) async throws { try await backend.tell(Self.stream, .schema(input)) }
    func examine(_ number: Int, pending: [MigrationMark], fit: SchemaFit, coming: Bool) async throws {
      let first = SchemaClient(
        service: Self.ask.service, digest: Self.live.digest, commit: Self.live.commit, statements: Harbor.digest("s"))
      let second = SchemaClient(
        service: Self.ask.service, digest: Self.ask.digest, commit: Self.ask.commit, statements: Harbor.digest("t"))
      let examination = SchemaExamination(
        survey: Self.survey, pending: pending, after: pending.isEmpty ? Self.survey.schema : Harbor.digest("after"),
        migration: .compatible, why: "",
        verdicts: [SchemaVerdict(first, fit, why: fit == .breaks ? "its INSERT has no total" : "")],
        coming: coming ? SchemaVerdict(second, .compatible) : nil, comingBefore: .compatible,
        report: Harbor.digest("report"))
      try await tell(.examined(number: number, examination, migrations: Harbor.digest("migrations")))
    }
    try await tell(.configure(Self.policy))
    try await tell(.held(service: Self.ask.service, versions: [Self.live]))
    try await tell(.surveyed(Self.survey))
    try await examine(1, pending: [], fit: .compatible, coming: false)
    try await tell(.ask(Self.ask))
    try await examine(2, pending: [Self.mark], fit: .breaks, coming: true)
  }

  private func check(
    _ wire: Wire, _ method: String, _ path: String, body: String? = nil, answers status: Int = 200,
    saying words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let answer = try await wire.send(method, "/v1/schemas\(path)", headers: authorized, body: body)
    #expect(answer.status == status, "\(answer.body)", sourceLocation: sourceLocation)
    #expect(answer.body.contains(words), "\(answer.body)", sourceLocation: sourceLocation)
  }

  @Test func theDatabaseIsShownWithWhoLivesThereAndWhatWasRefused() async throws {
    try await withServer { wire, backend in
      try await check(wire, "GET", "", saying: #""schemas":[]"#)
      try await refuse(backend)
      let answer = try await wire.send("GET", "/v1/schemas/production/orders")
      let view = try #require(try answer.json() as? [String: Any])
      #expect(view["applied"] as? Int == 1 && view["last"] as? String == "0001_orders.sql")
      let version = try #require((view["versions"] as? [[String: Any]])?.first)
      #expect(version["fit"] as? String == "compatible" && version["standing"] as? String == "serving")
      #expect(version["recorded"] as? Bool == true)
      let refused = try #require(view["refused"] as? [String: Any])
      #expect((refused["why"] as? String)?.contains("its INSERT has no total") == true)
      #expect(refused["pending"] as? [String] == ["0002_total.sql"])
      try await check(wire, "GET", "/production/order", answers: 404, saying: "did you mean orders?")
      try await check(wire, "GET", "/prodution/orders", answers: 404, saying: "did you mean production?")
    }
  }

  @Test func migrationStatementAndReasonStandSideBySide() async throws {
    try await withServer { wire, backend in
      let sends = CapturedStatement(
        fingerprint: "f", text: "INSERT INTO orders (id) VALUES ($1)", name: "newOrder", source: .proxy)
      let spot = SourceSpot(file: "0002_total.sql", line: 3, text: "ALTER TABLE orders ALTER total SET NOT NULL")
      let report = MigrationReport(
        findings: [
          Finding(
            .breaks, .execute, rule: "sqlstate-23502", "null value in column \"total\" <b>", migration: spot,
            statement: StatementReference(sends, of: Self.live.digest.rawValue), sqlState: "23502",
            instead: "Write it first."),
          Finding(.hazard, .analysis, rule: "lock", "it holds up whoever writes", migration: spot, sqlState: "55P03"),
        ], checked: [], migrations: ["0002_total.sql"])
      await backend.setLog(Array(try JSONEncoder().encode(report)), at: Harbor.digest("report"))
      let page = try await wire.send("GET", "/migrations/\(Harbor.digest("report").rawValue)").body
      for words in [
        "<strong>0002_total.sql:3 breaks what \(Self.live.digest.short) sends</strong>", "<h3>0002_total.sql:3</h3>",
        "ALTER TABLE orders ALTER total SET NOT NULL", "\(Self.live.digest.short), newOrder sends</h3>",
        "INSERT INTO orders (id) VALUES ($1)", "<h3>Why, SQLSTATE 23502</h3>",
        "Null value in column &quot;total&quot; &lt;b&gt;.", "Instead: Write it first.",
        "<strong>It holds up whoever writes.</strong>", "SQLSTATE 55P03",
      ] { #expect(page.contains(words), "\(words)") }
    }
  }

  @Test func whatWouldBeLeftOfTheWayBackIsShownBeforeAMigration() async throws {
    try await withServer { wire, backend in
      try await refuse(backend)
      let view = try await wire.send("GET", "/v1/schemas/production/orders").json()
      let floor = try #require((view["floors"] as? [[String: Any]])?.first)
      #expect(
        floor["commit"] as? String == Self.live.commit.rawValue && (floor["barred"] as? [String])?.isEmpty == true)
      let refused = try #require(view["refused"] as? [String: Any])
      let coming = try #require((refused["floors"] as? [[String: Any]])?.first)
      #expect(coming["commit"] == nil && coming["barred"] as? [String] == [Self.live.commit.rawValue])
      let atRisk = try #require((refused["atRisk"] as? [[String: Any]])?.first)
      #expect(atRisk["fit"] as? String == "breaks" && atRisk["standing"] as? String == "serving")
      let page = try await wire.send("GET", "/schemas/production/orders").body
      let live = Self.live.commit.short
      #expect(page.contains("harbor may go back as far as \(live)."))
      #expect(page.contains("harbor could not go back at all then; \(live) would fail."), "\(page)")
    }
  }

  @Test func howMuchWasRecordedIsShown() async throws {
    try await withServer { wire, backend in
      try await backend.tell(Self.stream, .schema(.configure(Self.policy)))
      try await backend.tell(Self.stream, .schema(.surveyed(Self.survey)))
      try await backend.tell(Self.stream, .schema(.held(service: Self.ask.service, versions: [Self.live])))
      let examination = SchemaExamination(
        survey: Self.survey, pending: [], after: Self.survey.schema, migration: .compatible, why: "",
        verdicts: [
          SchemaVerdict(
            SchemaClient(
              service: Self.ask.service, digest: Self.live.digest, commit: Self.live.commit, statements: nil),
            .unknown, why: "the recordings cover too little")
        ], coming: nil, comingBefore: nil, report: Harbor.digest("report"),
        coverage: SchemaCoverage(
          share: 0.8996, least: 0.9, counted: 40, unrecorded: 1, examples: ["DELETE FROM <orders>"]))
      try await backend.tell(Self.stream, .schema(.examined(number: 1, examination, migrations: nil)))
      try await check(wire, "GET", "/production/orders", saying: #""least":0.9"#)
      let page = try await wire.send("GET", "/schemas/production/orders").body
      #expect(page.contains("cover 89 % of what the database counted, and 90 % are asked for."), "\(page)")
      #expect(page.contains("Of 40 different statements, 1 was never recorded.") && page.contains("DELETE FROM &lt;"))
    }
  }

  @Test func anOverrideNeedsTheCommitThatWasRefusedAndAReason() async throws {
    try await withServer { wire, backend in
      try await refuse(backend)
      let path = "/production/orders/override"
      let (short, other) = (Self.ask.commit.short, Self.live.commit.short)
      try await check(
        wire, "POST", path, body: #"{"commit":"\#(other)","reason":"x"}"#, answers: 409, saying: "the last was \(short)"
      )
      try await check(
        wire, "POST", path, body: #"{"commit":"\#(short)","reason":""}"#, answers: 400, saying: "needs a name")
      try await check(
        wire, "POST", path, body: #"{"commit":"\#(short)","reason":"v1 leaves today"}"#,
        saying: "at risk: v1 leaves today.")
      try await check(wire, "GET", "/production/orders", saying: #""atRisk":["harbor \#(other)"]"#)
      let bare = try await wire.send(
        "POST", "/v1/schemas\(path)", headers: [("Content-Type", "application/json")], body: "{}")
      #expect(bare.status == 401)
    }
  }

  @Test func aBookIsAdoptedFromACommitOrFromTheTrunk() async throws {
    try await withServer { wire, backend in
      try await refuse(backend)
      let path = "/production/orders/adopt"
      try await check(
        wire, "POST", path, body: #"{"commit":"abc","reason":"x"}"#, answers: 400, saying: "all of a commit's digits")
      try await check(
        wire, "POST", path, body: #"{"through":"0001_orders.sql","reason":"made by hand"}"#,
        saying: "has all migrations up to 0001_orders.sql of ")
      try await check(
        wire, "POST", path, body: #"{"reason":"again"}"#, answers: 409, saying: "is busy")
      try await check(wire, "GET", "/production/orders", saying: #""phase":"adopting""#)
    }
  }

  @Test func everyEventIsOneSentence() {
    let examination = SchemaExamination(
      survey: Self.survey, pending: [Self.mark], after: Harbor.digest("after"), migration: .hazard,
      why: "it locks orders for long", verdicts: [], coming: nil, comingBefore: nil, report: Harbor.digest("report"))
    let refused = DatabaseSchema.RefusedAsk(
      ask: Self.ask, examination: examination, why: "it breaks harbor", at: Self.survey.at)
    let review = DatabaseSchema.Review(
      repository: Self.repository, trunk: Self.policy.trunk, entry: 4, head: Harbor.commit("v3"))
    let change = DatabaseSchema.Change(
      commit: Self.ask.commit, title: "Totals", marks: [Self.mark], before: Harbor.digest("a"),
      after: Harbor.digest("b"), report: nil, override: nil, at: Self.survey.at)
    let events: [(DatabaseSchema.Event, String)] = [
      (.configured(Self.policy), "Migrations of production/orders come from db/migrations of harbor, for harbor."),
      (.surveyed(Self.survey), "production/orders was looked at: 1 migration, the last 0001_orders.sql."),
      (.queued(.review(review)), "The review of #4 at \(review.head.short) waits for production/orders."),
      (
        .examinationBegan(.review(review), number: 2),
        "Examination 2 of production/orders began, for the review of #4 at \(review.head.short)."
      ),
      (
        .examined(number: 2, examination),
        "Examination 2 of production/orders: 0002_total.sql would be applied, and 0 versions can live with that. "
          + "It locks orders for long."
      ),
      (.granted(Self.ask), "harbor \(Self.ask.commit.short) may live on production/orders."),
      (.refused(refused), "production/orders refused harbor \(Self.ask.commit.short): it breaks harbor."),
      (.migrated(change, Self.survey), "0002_total.sql was applied to production/orders."),
      (
        .recorded(
          DatabaseSchema.Upload(
            service: Self.ask.service, digest: Harbor.digest("v1"), statements: Harbor.digest("s"))),
        "More is known of what harbor \(Harbor.digest("v1").short) sends to production/orders: it is judged by all of it."
      ),
      (
        .reviewed(
          review, SchemaReview(fit: .breaks, passes: false, why: "it breaks harbor", report: nil)),
        "production/orders does not let the migrations of #4 pass: it breaks harbor."
      ),
      (
        .barred(service: Self.ask.service, bars: []),
        "Every version of harbor that is kept may come back to production/orders."
      ),
      (
        .barred(service: Self.ask.service, bars: [SchemaBar(digest: Harbor.digest("v1"), why: "total is gone")]),
        "harbor may not come back to production/orders as \(Harbor.digest("v1").short): total is gone."
      ),
    ]
    for (event, expected) in events { #expect(Sentences.sentence(for: .schema(event), of: Self.stream) == expected) }
  }
}
