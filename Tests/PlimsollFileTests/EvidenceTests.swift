import Foundation
import Kernel
import Rollouts
import Testing

@testable import PlimsollFile

@Suite("Guards and checks of a watch in plimsoll.yaml") struct EvidenceTests {
  private let prometheus = "prometheus: { url: 'http://127.0.0.1:9090', token: 'env:TOKEN' }"

  private func guards(_ keys: String, then document: String = "") throws -> [GuardPolicy?] {
    let parsed = try parse(file(then: "environments: [{ name: staging }, { name: production, \(keys) }]\n\(document)"))
    return parsed.topology.services.flatMap { $0.environments.map(\.rollout.judge.guards) }
  }

  @Test("judged places are watched beside requests unless they say otherwise") func standard() throws {
    #expect(try guards("soak: 0") == [nil, GuardPolicy()])
    #expect(try guards("guards: []") == [nil, GuardPolicy(rules: [])])
    #expect(try guards("guards: [processor, memory]") == [nil, GuardPolicy(rules: [.memory, .processor])])
  }

  @Test("checks are queries or commands") func checks() throws {
    let found = try guards(
      """
      watch: {
          rows: ./rows,
          orders: { query: 'sum(orders)', above: 5, lookback: 30s, every: 5s, fails: 3 },
          books: { run: ./books, time-limit: 20s, every: 1m } }
      """, then: prometheus)
    func name(_ text: String) throws -> CheckName { try #require(CheckName(rawValue: text)) }
    let query = QueryCheck(query: "sum(orders)", mustBe: .above, threshold: 5, lookback: .seconds(30))
    #expect(
      found.last??.checks == [
        WatchCheck(
          name: try name("books"), question: .command("./books", timeLimit: .seconds(20)), every: .minutes(1)),
        WatchCheck(name: try name("orders"), question: .query(query), every: .seconds(5), fails: 3),
        WatchCheck(
          name: try name("rows"), question: .command("./rows", timeLimit: .seconds(30)), every: .seconds(30)),
      ])
  }

  @Test("a service's check replaces the environment's of the same name") func nearer() throws {
    let text = file(
      "environments: { production: { watch: { rows: ./own } } }",
      then: "environments: [{ name: production, watch: { rows: ./shared, more: ./more } }]")
    let checks = try parse(text).topology.services.first?.environments.first?.rollout.judge.guards?.checks ?? []
    #expect(
      checks.map(\.question) == [
        .command("./more", timeLimit: .seconds(30)), .command("./own", timeLimit: .seconds(30)),
      ])
  }

  @Test("the Prometheus server and its token stay out of the ledger") func secrets() throws {
    let parsed = try parse(file(then: prometheus))
    let place = PlimsollFile.PrometheusPlace(url: .value("http://127.0.0.1:9090"), token: .environment("TOKEN"))
    #expect(parsed.prometheus == place)
    let json = String(decoding: try JSONEncoder().encode(parsed.topology), as: UTF8.self)
    #expect(!json.contains("9090") && !json.contains("TOKEN"))
    let catalog = ServiceCatalog(parsed, folder: "/srv", serverEnvironment: ["TOKEN": "t"])
    #expect(try catalog.prometheusAddress() == "http://127.0.0.1:9090" && catalog.prometheusToken() == "t")
    #expect(try ServiceCatalog(try parse(file()), folder: "/", serverEnvironment: [:]).prometheusAddress() == nil)
  }

  @Test("what is wrong is named where it stands") func problems() {
    func check(_ keys: String, _ expected: String, _ location: SourceLocation = #_sourceLocation) {
      let text = file(then: "environments:\n  - name: production\n    \(keys)\n\(prometheus)")
      let found = PlimsollFileTests.problems(text).map(\.description)
      #expect(found.count == 1 && found.first?.contains(expected) == true, "\(found)", sourceLocation: location)
    }
    check("guards: [cpu]", "production.guards: expected some of throughput, memory, processor, found 'cpu'")
    check("watch: { a: { every: 5s } }", "watch.a: expected either 'run: COMMAND' or 'query: QUERY'")
    check("watch: { a: { run: ./a, query: q } }", "watch.a: expected either 'run: COMMAND' or 'query: QUERY'")
    check("watch: { a: { query: q } }", "watch.a: expected one of below, at-most, above, at-least")
    check("watch: { a: { query: q, above: 1, below: 2 } }", "watch.a: expected one of below, at-most, above, at-least")
    check("watch: { a: { query: q, above: many } }", "watch.a.above: expected a number, found 'many'")
    check("watch: { a: { query: q, above: .inf } }", "watch.a.above: expected a number")
    check("watch: { a: { query: q, above: 1, time-limit: 5s } }", "watch.a.time-limit: belongs to a command")
    check("watch: { a: { run: ./a, above: 1 } }", "watch.a.above: belongs to a query")
    check("watch: { a: { run: ./a, every: 10ms } }", "watch.a.every: expected 1s or more")
    check("watch: { a: { run: ./a, fails: 0 } }", "watch.a.fails: expected a whole number from 1 to 100")
    check("watch: { A B: ./a }", "'A B' is no name")
    let nobody = file(then: "environments: [{ name: production, watch: { a: { query: q, above: 1 } } }]")
    #expect(
      PlimsollFileTests.problems(nobody).map(\.sentence) == [
        "environments.production.watch.a.query: nobody answers queries; add 'prometheus: { url: … }' to the file"
      ])
    let noURL = file(then: "prometheus: { token: x }")
    #expect(PlimsollFileTests.problems(noURL).first?.sentence.hasPrefix("prometheus: expected 'url'") == true)
  }

  @Test("a watch where nothing is judged is told to have no effect") func unjudged() throws {
    let parsed = try parse(
      file(then: "environments: [{ name: staging, judged: false, watch: { a: ./a } }, { name: production }]"))
    #expect(parsed.warnings.contains { $0.sentence.contains("nothing is judged here, so 'watch' has no effect") })
  }
}
