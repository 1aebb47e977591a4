import ControlPlane
import Foundation
import Kernel
import MergeQueues
import Migrations
import Promotions
import Rollouts
import Testing

private let orders = Facts.parsed(DatabaseName(rawValue: "orders"))
private let place = SchemaPlace(Facts.production, orders)
private let schema = StreamID.schema(place)
private let mark = MigrationMark(name: "0002_totals.sql", content: Facts.digest("2"))
private let review = DatabaseSchema.Review(
  repository: Facts.repository, trunk: Facts.trunk, entry: 1, head: Facts.commit("c"))

private func ask(_ letter: String) -> DatabaseSchema.Ask {
  DatabaseSchema.Ask(
    service: Facts.harbor, commit: Facts.commit(letter), digest: Facts.digest(letter), ordinal: 7, title: "Tides")
}
private func survey(_ schema: String, applied: Int = 1) -> SchemaSurvey {
  SchemaSurvey(schema: Facts.digest(schema), applied: applied, last: mark, at: Facts.start)
}
private func examination(
  _ verdicts: [SchemaVerdict] = [], pending: [MigrationMark] = [], coming: SchemaVerdict? = nil
) -> SchemaExamination {
  SchemaExamination(
    survey: survey("1"), pending: pending, after: Facts.digest(pending.isEmpty ? "1" : "3"), migration: .compatible,
    why: "", verdicts: verdicts, coming: coming, comingBefore: .compatible, report: Facts.digest("5"))
}
private let policy = DatabaseSchema.Policy(
  place: place, repository: Facts.repository, trunk: Facts.trunk, path: "db",
  services: [DatabaseSchema.Use(service: Facts.harbor, repository: Facts.repository, statements: "sql")])

/// The usual topology, whose service lives on a database in production.
private func topology() -> Topology {
  var topology = Facts.topology()
  topology.queues[0].requirements = MergeQueue.Policy.Requirements(schemas: ["production/orders"])
  topology.services = topology.services.map { service in
    Topology.Service(
      name: service.name, repository: service.repository, trunk: service.trunk, build: service.build,
      environments: service.environments.map {
        Topology.Environment(
          stage: Promotion.Stage(environment: $0.name, checks: [], soak: .zero, database: orders),
          rollout: Facts.rollout($0.name, database: orders))
      })
  }
  topology.databases = [policy]
  return topology
}

@Suite("What a database's facts mean elsewhere") struct SchemaWiringTests {
  private func check(
    _ event: StreamEvent, of stream: StreamID, _ expected: [StreamID: StreamInput],
    _ location: SourceLocation = #_sourceLocation
  ) {
    let routed = Wiring.route(event, of: stream, at: 7, on: Facts.start, topology())
    #expect(
      routed.map(\.stream) == expected.keys.sorted() && routed.allSatisfy { expected[$0.stream] == $0.input },
      "\(routed)", sourceLocation: location)
  }
  private let build = Facts.build("d")

  @Test("a promotion asks, and ends what it was granted when it ends") func promotion() {
    let order = Promotion.Order(
      service: Facts.harbor, repository: Facts.repository, commit: Facts.commit("d"), ordinal: 7, title: "Tides",
      author: "ada", landedAt: Facts.start, build: topology().services[0].build, stages: [])
    let asked = Promotion.SchemaAsk(
      order, digest: Facts.digest("d"), environment: Facts.production, database: orders)
    check(.build(.schemaAsked(asked)), of: build, [schema: .schema(.ask(ask("d")))])
    let released = StreamInput.schema(.released(service: Facts.harbor, commit: Facts.commit("d")))
    for event in [
      Promotion.Event.completed, .halted(reason: "x"),
      .superseded(environment: Facts.production, by: Facts.commit("b")),
    ] { check(.build(event), of: build, [schema: released]) }
    check(.build(.schemaGranted(environment: Facts.production, at: Facts.start)), of: build, [:])
    check(.build(.schemaRefused(environment: Facts.production, reason: "x")), of: build, [:])
    check(
      .build(.halted(reason: "x")), of: .build(Facts.parsed(ServiceName(rawValue: "crane")), Facts.commit("d")), [:])
  }

  @Test("its answer reaches the promotion, its review the queue, its bars the delivery") func answers() {
    check(.schema(.granted(ask("d"))), of: schema, [build: .build(.schemaGranted(environment: Facts.production))])
    let refused = DatabaseSchema.RefusedAsk(
      ask: ask("d"), examination: examination(), why: "It breaks.", at: Facts.start)
    let told = StreamInput.build(.schemaRefused(environment: Facts.production, reason: "It breaks."))
    check(.schema(.refused(refused)), of: schema, [build: told])
    check(.schema(.turnedAway(ask("d"), why: "It breaks.")), of: schema, [build: told])
    check(
      .schema(.reconsidered(ask("d"))), of: schema,
      [build: .build(.schemaReconsidered(environment: Facts.production))])
    let verdict = SchemaReview(fit: .breaks, passes: false, why: "x", report: Facts.digest("5"))
    check(
      .schema(.reviewed(review, verdict)), of: schema,
      [
        Facts.queue: .queue(
          .schemaReviewed(
            entry: 1, head: Facts.commit("c"), place: "production/orders",
            verdict: SchemaReview(fit: .breaks, passes: false, why: "x", report: Facts.digest("5"))))
      ])
    let bars = [SchemaBar(digest: Facts.digest("d"), why: "x")]
    check(
      .schema(.barred(service: Facts.harbor, bars: bars)), of: schema,
      [Facts.delivery: .delivery(.schemaBars(bars))])
    check(.schema(.granted(ask("d"))), of: StreamID(.schema, "production"), [:])
  }

  @Test("what a queue takes in and what a delivery holds reach the database") func questions() {
    let facts = MergeQueue.EntryFacts(
      id: 1, branch: Facts.trunk, head: Facts.commit("c"), author: "ada", title: "Tides", submittedAt: Facts.start)
    check(.queue(.submitted(facts)), of: Facts.queue, [schema: .schema(.review(review))])
    check(.queue(.submitted(facts)), of: StreamID(.queue, "harbor/other"), [:])
    let held = [
      HeldVersion(digest: Facts.digest("d"), commit: Facts.commit("d"), ordinal: 7, standing: .serving)
    ]
    check(
      .delivery(.versionsHeld(held)), of: Facts.delivery,
      [schema: .schema(.held(service: Facts.harbor, versions: held))])
    check(.delivery(.versionsHeld(held)), of: .delivery(Facts.harbor, Facts.staging), [:])
    check(.settings(.left([schema])), of: .settings, [schema: .schema(.unconfigure)])
  }

  @Test("on the wire") func golden() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let event = StreamEvent.schema(.audited(number: 3))
    let data = try encoder.encode(event)
    #expect(event.type == "schema.audited")
    #expect(String(decoding: data, as: UTF8.self) == #"{"schema":{"audited":{"number":3}}}"#)
    #expect(try JSONDecoder().decode(StreamEvent.self, from: data) == event)
  }
}

/// The engine and all machines together.
@Suite("A version, its migrations and those who live on the schema") struct SchemaFlowTests {
  private let verified = StreamInput.build(
    .provenanceFound(environment: Facts.production, finding: .verified(builder: "plimsoll")))

  private func settled() throws -> Bench {
    let bench = Bench()
    try bench.engine.recover(now: bench.now)
    bench.post(.settings(.apply(topology())), to: .settings)
    bench.run()
    bench.observe(.schema(.surveyed(survey("1"))), "watch", of: schema)
    bench.observe(.queue(.trunkObserved(Facts.commit("a"))), "watch-trunk", of: Facts.queue)
    bench.run()
    return bench
  }

  /// `letter` is built and verified, and its database is asked.
  private func asked(_ letter: String, on bench: Bench) {
    bench.observe(Facts.built(letter), "build", of: Facts.build(letter))
    bench.run()
    bench.observe(verified, "provenance/production", of: Facts.build(letter))
    bench.run()
  }

  /// Whatever is examined now: those who live there get on with it as told.
  private func examine(
    _ bench: Bench, pending: [MigrationMark] = [], fit: SchemaFit = .compatible, coming: SchemaFit? = .compatible
  ) throws {
    guard case .schema(let state)? = bench.engine.state(of: schema) else { throw Outage("test", "no schema") }
    for case .examine(let order) in DatabaseSchema.effects(of: state) {
      var comer: SchemaVerdict?
      if case .ask(let ask) = order.errand {
        let client = SchemaClient(
          service: ask.service, digest: ask.digest, commit: ask.commit, statements: Facts.digest("6"))
        comer = coming.map { SchemaVerdict(client, $0, why: $0 == .compatible ? "" : "no column total") }
      }
      let verdicts = order.versions.map { SchemaVerdict($0, fit, why: fit == .compatible ? "" : "total is gone") }
      bench.observe(
        .schema(
          .examined(
            number: order.number, examination(verdicts, pending: pending, coming: comer), migrations: Facts.digest("4"))
        ),
        "examine/\(order.number)", of: schema)
      bench.run()
    }
  }
  private func halt(_ letter: String, _ bench: Bench) -> String? {
    guard case .build(let state)? = bench.engine.state(of: Facts.build(letter)), case .halted(_, let why) = state.phase
    else { return nil }
    return why
  }

  @Test("asked, granted, requested") func granted() throws {
    let bench = try settled()
    asked("a", on: bench)
    #expect(bench.ledger.types(Facts.build("a")).last == "build.schemaAsked")
    #expect(bench.ledger.types(Facts.delivery).contains("delivery.offered") == false)
    try examine(bench)
    #expect(bench.ledger.types(schema).contains("schema.granted"))
    #expect(bench.ledger.types(Facts.build("a")).suffix(2) == ["build.schemaGranted", "build.requested"])
    #expect(bench.ledger.types(Facts.delivery).contains("delivery.offered"))
  }

  @Test("what is pending is applied before it is granted") func applied() throws {
    let bench = try settled()
    asked("a", on: bench)
    try examine(bench, pending: [mark])
    #expect(bench.ledger.types(schema).last == "schema.migrating")
    #expect(bench.ledger.types(Facts.build("a")).last == "build.schemaAsked")
    guard case .schema(.migrate(let order, let number))? = bench.dispatcher.effects.last else {
      Issue.record("nothing migrates: \(bench.dispatcher.starts)")
      return
    }
    #expect(order.on == Facts.digest("1") && order.pending == [mark] && order.migrations == Facts.digest("4"))
    bench.observe(
      .schema(.migrated(number: number, .applied(survey("3", applied: 2)))), "migrate/\(number)", of: schema)
    bench.run()
    #expect(bench.ledger.types(schema).contains("schema.migrated"))
    #expect(bench.ledger.types(Facts.build("a")).last == "build.requested")
  }

  @Test("a refusal halts the promotion with its reason; promoted again, it asks again") func refused() throws {
    let bench = try settled()
    asked("a", on: bench)
    try examine(bench, coming: .breaks)
    #expect(bench.ledger.types(Facts.build("a")).suffix(2) == ["build.schemaRefused", "build.halted"])
    #expect(halt("a", bench)?.contains("no column total") == true)
    #expect(!bench.ledger.types(Facts.delivery).contains("delivery.offered"))
    bench.ask(
      .build(.promote(Promotion.PromoteRequest(environment: nil, override: false, reason: "mended"))),
      of: Facts.build("a"))
    bench.run()
    bench.observe(verified, "provenance/production", of: Facts.build("a"))
    bench.run()
    try examine(bench)
    #expect(bench.ledger.types(Facts.build("a")).last == "build.requested")
  }

  @Test("what is delivered lives on the schema, and is barred once the schema would fail it") func barred() throws {
    let bench = try settled()
    asked("a", on: bench)
    try examine(bench)
    bench.rollOut()
    bench.observe(.queue(.trunkObserved(Facts.commit("b"))), "watch-trunk", of: Facts.queue)
    bench.run()
    asked("b", on: bench)
    try examine(bench)
    bench.rollOut()
    guard case .schema(let state)? = bench.engine.state(of: schema) else {
      Issue.record("no schema")
      return
    }
    #expect(state.versions.map(\.version.digest) == [Facts.digest("a"), Facts.digest("b")])
    #expect(state.versions.map(\.version.standing) == [.target, .serving])
    // Somebody else changes the schema: all that lives there is judged anew.
    let moved = SchemaSurvey(schema: Facts.digest("7"), applied: 1, last: mark, at: bench.now + .seconds(1))
    bench.observe(.schema(.surveyed(moved)), "watch", of: schema)
    bench.run()
    #expect(bench.ledger.types(schema).contains("schema.drifted"))
    guard case .schema(let after)? = bench.engine.state(of: schema), case .examining(.audit, let number) = after.phase
    else {
      Issue.record("nothing is audited")
      return
    }
    let fits: [SchemaFit] = [.breaks, .compatible]
    let verdicts = zip(after.versions, fits).map {
      SchemaVerdict($0.client, $1, why: $1 == .breaks ? "total is gone" : "")
    }
    let audit = SchemaExamination(
      survey: moved, pending: [], after: moved.schema, migration: .compatible, why: "", verdicts: verdicts, coming: nil,
      comingBefore: nil, report: Facts.digest("5"))
    bench.observe(.schema(.examined(number: number, audit, migrations: nil)), "examine/\(number)", of: schema)
    bench.run()
    #expect(bench.ledger.types(schema).suffix(2) == ["schema.audited", "schema.barred"])
    #expect(bench.ledger.types(Facts.delivery).last == "delivery.barsNoted")
  }

  @Test("a change is built once its migrations passed, and leaves when they break somebody") func reviewed() throws {
    for (fit, expected) in [(SchemaFit.compatible, "queue.schemaReviewed"), (.breaks, "queue.ejected")] {
      let bench = try settled()
      asked("a", on: bench)
      try examine(bench)
      bench.rollOut()
      try examine(bench)
      bench.ask(Facts.submission(1), of: Facts.queue)
      bench.run()
      #expect(bench.dispatcher.starts(of: "prepare").isEmpty)
      try examine(bench, pending: [mark], fit: fit)
      #expect(bench.ledger.types(schema).last == "schema.reviewed")
      #expect(bench.ledger.types(Facts.queue).contains(expected), "\(bench.ledger.types(Facts.queue))")
      #expect(bench.ledger.types(Facts.queue).contains("queue.ejected") == (fit == .breaks))
    }
  }

  @Test("a crash between any two turns loses no answer") func crash() throws {
    let bench = try settled()
    asked("a", on: bench)
    let next = try bench.restarted()
    next.run()
    try examine(next)
    let last = try next.restarted()
    last.run()
    #expect(last.ledger.types(Facts.build("a")).filter { $0 == "build.requested" }.count == 1)
  }
}
