import ControlPlane
import Foundation
import Kernel
import Migrations
import Testing

@testable import PlimsollFile

/// Two environments, one database, one service; `orders` is what `databases.orders` says, `use` what the service does.
private func berth(
  orders: String =
    "{ migrations: db/migrations, environments: { staging: { url: env:A }, production: { url: env:B } } }",
  use: String = "database: { name: orders, statements: db/statements.jsonl }", then document: String = ""
) -> String {
  file(
    use,
    then: """
      environments: [staging, production]
      databases:
        orders: \(orders)
      \(document)
      """)
}

private let places = "environments: { staging: { url: env:A }, production: { url: env:B } }"
private let crane = """
    crane:
      repository: ./crane.git
      test: ./test
      build: ./build
      output: dist
      run: ./run
      slo: { p99: 100ms }
      database: { name: orders, statements: sql }
  """

@Suite("Databases") struct DatabasesTests {
  private func orders(_ environment: String) throws -> SchemaPlace {
    SchemaPlace(
      try #require(EnvironmentName(rawValue: environment)), try #require(DatabaseName(rawValue: "orders")))
  }
  private let harbor = ServiceName(rawValue: "harbor")

  @Test("a database is a schema in each environment, which promotion, delivery and queue know") func read() throws {
    let read = try parse(berth())
    let (staging, production) = (try orders("staging"), try orders("production"))
    #expect(read.topology.databases.map(\.place) == [production, staging])
    let policy = try #require(read.topology.databases.first)
    #expect(policy.repository.rawValue == "harbor" && policy.trunk.rawValue == "main")
    #expect(policy.path == "db/migrations" && policy.layout == nil && !policy.strict && !policy.trusting)
    #expect(policy.coverage == nil)
    #expect(policy.services.map(\.statements) == ["db/statements.jsonl"])
    #expect(policy.services.map(\.service) == [harbor])
    let service = try #require(read.topology.services.first)
    #expect(service.environments.map(\.stage.database) == [production.database, production.database])
    #expect(service.environments.map(\.rollout.database) == [production.database, production.database])
    #expect(read.topology.queues.map(\.requirements.schemas) == [["production/orders", "staging/orders"]])
    #expect(read.topology.database(of: service.name, in: staging.environment) == staging)
    #expect(read.topology.streams.contains(.schema(production)))
    #expect(read.warnings.map(\.sentence).allSatisfy { !$0.contains("orders") })
  }

  @Test("what may be said of it all") func everything() throws {
    let text = berth(
      orders: """
        { migrations: { path: ./db//up/, layout: golang-migrate }, repository: harbor, role: app, hazards: refuse,
          coverage: 95%, environments: { staging: { url: 'postgres://me@db/orders' },
          production: { url: file:url, sizes: sizes.csv } } }
        """, use: "database: { name: orders, statements: recorded/ }")
    let read = try parse(text)
    let policy = try #require(read.topology.databases.first)
    #expect(policy.path == "db/up" && policy.layout == "golang-migrate" && policy.strict && !policy.trusting)
    #expect(policy.coverage == 0.95)
    #expect(policy.services.first?.statements == "recorded")
    #expect(read.databases.map(\.role) == ["app", "app"])
    #expect(read.databases.map(\.sizes) == ["/srv/sizes.csv", nil])
  }

  @Test("what cannot be told may be let pass") func trusting() throws {
    let read = try parse(berth(orders: "{ migrations: m, unknown: allow, \(places) }", use: "database: orders"))
    #expect(read.topology.databases.map(\.trusting) == [true, true])
  }

  @Test("services of several repositories share one database; only the owner's queue asks it") func shared() throws {
    let text = berth(orders: "{ migrations: m, repository: crane, \(places) }", use: "database: orders")
    let read = try parse(text.replacingOccurrences(of: "services:", with: "services:\n" + crane))
    #expect(read.topology.databases.map(\.repository.rawValue) == ["crane", "crane"])
    #expect(read.topology.databases.first?.services.map(\.service.rawValue) == ["crane", "harbor"])
    #expect(read.topology.queues.map(\.repository.rawValue) == ["crane", "harbor"])
    #expect(read.topology.queues.map(\.requirements.schemas.count) == [2, 0])
  }

  @Test(
    "mistakes have their place and their nearest match",
    arguments: [
      ("{ migrations: m, enviroments: {} }", "unknown key 'enviroments'; did you mean 'environments'?"),
      ("{ \(places) }", "expected 'migrations', the folder that holds them"),
      ("{ migrations: /m, \(places) }", "expected a path inside the checkout such as db/migrations, found '/m'"),
      ("{ migrations: ../m, \(places) }", "expected a path inside the checkout"),
      ("{ migrations: { layout: goose }, \(places) }", "expected 'path', the folder that holds them"),
      ("{ migrations: { path: m, layout: gose }, \(places) }", "found 'gose'; did you mean 'goose'?"),
      ("{ migrations: m, hazards: maybe, \(places) }", "expected one of allow, refuse, found 'maybe'"),
      ("{ migrations: m, coverage: 1.5, \(places) }", "expected a share such as 5% or 0.05, found '1.5'"),
      ("{ migrations: m, unknown: allow, coverage: 0.9, \(places) }", "'coverage' holds up nothing beside"),
      ("{ migrations: m, repository: habor, \(places) }", "no repository is named 'habor'; did you mean 'harbor'?"),
      (
        "{ migrations: m, environments: { staging: { url: env:A }, prod: { url: env:B } } }",
        "no environment is named 'prod'"
      ),
      ("{ migrations: m, environments: { staging: { url: env:A }, production: {} } }", "expected 'url', such as env:"),
      ("{ migrations: m, environments: { staging: { url: env:A }, production: { uri: x } } }", "did you mean 'url'?"),
      ("{ migrations: m, environments: { staging: { url: env:A } } }", "has no 'production', where harbor goes"),
      (
        "{ migrations: m, environments: { staging: { url: env:A }, production: { url: mysql://x } } }",
        "expected env:NAME, file:PATH or an address that begins with postgres://"
      ),
    ]) func mistakes(orders: String, expected: String)
  {
    let found = problems(berth(orders: orders))
    #expect(found.contains { $0.sentence.contains(expected) }, "\(found)")
    #expect(found.allSatisfy { $0.line >= 8 && $0.column > 0 && !$0.sentence.contains("mysql") }, "\(found)")
  }

  @Test("a service names one that is there") func use() {
    check(
      berth(use: "database: order"),
      "plimsoll.yaml:8:15: services.harbor.database: no database is named 'order'; did you mean 'orders'?")
    check(berth(use: "database: { statements: x }"), "plimsoll.yaml:8:15: services.harbor.database: expected 'name'")
    check(
      file("database: orders"),
      "plimsoll.yaml:8:15: services.harbor.database: no database is named 'orders'; add it to 'databases'")
  }

  @Test("whose migrations they are must be clear, and somebody of theirs promoted") func owner() {
    func problem(_ orders: String) -> [String] {
      problems(
        berth(orders: orders, use: "database: orders")
          .replacingOccurrences(of: "services:", with: "services:\n" + crane)
      ).map(\.description)
    }
    let unclear = problem("{ migrations: m, \(places) }")
    #expect(unclear.count == 1 && unclear[0].contains("services of crane, harbor use it"), "\(unclear)")
    let elsewhere = problems(
      berth(orders: "{ migrations: m, repository: shore, \(places) }", then: "repositories: { shore: ./shore.git }"))
    #expect(
      elsewhere.map(\.sentence).contains { $0.contains("nothing would ever apply its migrations") }, "\(elsewhere)")
  }

  @Test("a database that nobody uses, and one whose statements nobody knows, are warned of") func warnings() throws {
    let unused = try parse(berth(use: "slo: { p99: 1s }"))
    #expect(unused.topology.databases.isEmpty && unused.databases.isEmpty)
    #expect(unused.warnings.contains { $0.sentence.contains("no service uses it") })
    let unrecorded = try parse(berth(use: "database: orders"))
    #expect(unrecorded.warnings.contains { $0.sentence.contains("each of its versions needs an override by name") })
  }

  @Test("its address is looked up when it is needed, and is nowhere in the ledger") func secret() throws {
    let text = berth(
      orders:
        "{ migrations: m, environments: { staging: { url: 'postgres://me:hunter2@db/o' }, production: { url: env:B } } }"
    )
    let read = try parse(text)
    let json = String(
      decoding: try JSONEncoder().encode(StreamEvent.settings(.applied(read.topology))), as: UTF8.self)
    #expect(json.contains("orders") && !json.contains("hunter2") && !json.contains("env:B"))
    let known = ServiceCatalog(read, folder: "/srv", serverEnvironment: ["B": "postgresql://you@db/o"])
    #expect(try known.address(of: orders("staging")) == "postgres://me:hunter2@db/o")
    #expect(try known.address(of: orders("production")) == "postgresql://you@db/o")
    let unset = ServiceCatalog(read, folder: "/srv", serverEnvironment: [:])
    let absent = #expect(throws: Outage.self) { try unset.address(of: orders("production")) }
    #expect(absent?.sentence.contains("env:B") == true)
    let wrong = ServiceCatalog(read, folder: "/srv", serverEnvironment: ["B": "hunter2"])
    let other = #expect(throws: Outage.self) { try wrong.address(of: orders("production")) }
    #expect(other?.sentence.contains("postgres://") == true && other?.sentence.contains("hunter2") == false)
    #expect(throws: Outage.self) { try known.address(of: orders("integration")) }
  }

  @Test("the topology is written as it was where there is no database, and read back where there is one")
  func wire() throws {
    let without = try JSONEncoder().encode(try parse(tenLines).topology)
    #expect(!String(decoding: without, as: UTF8.self).contains("database"))
    let with = try parse(berth()).topology
    #expect(try JSONDecoder().decode(Topology.self, from: JSONEncoder().encode(with)) == with)
  }
}
