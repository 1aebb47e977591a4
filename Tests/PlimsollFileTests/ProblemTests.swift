import Foundation
import Kernel
import PlimsollFile
import Testing

@Suite("plimsoll.yaml, as it should not be") struct ProblemTests {
  @Test("an unknown key has its place and its nearest match") func unknownKeys() {
    check(file("redy: /healthz"), "plimsoll.yaml:8:5: services.harbor: unknown key 'redy'; did you mean 'ready'?")
    check(file("slo: { p9: 1s }"), "plimsoll.yaml:8:12: services.harbor.slo: unknown key 'p9'; did you mean 'p99'?")
    check(
      file(then: "environment: []"), "plimsoll.yaml:9:1: plimsoll.yaml: unknown key 'environment'; did you mean 'env")
    check(file(then: "server: { lisen: x }"), "plimsoll.yaml:9:11: server: unknown key 'lisen'; did you mean 'listen'?")
    check(file("zzzzzz: 1"), "plimsoll.yaml:8:5: services.harbor: unknown key 'zzzzzz'; known are repository,")
  }

  @Test("an unknown environment has its nearest match") func unknownEnvironment() {
    check(
      file("environments: { prodution: {} }"),
      "plimsoll.yaml:8:21: services.harbor.environments: no environment is named 'prodution'; did you mean 'production'?"
    )
  }

  @Test(
    "a value of another kind says what was expected",
    arguments: [
      ("instances: many", "8:16: services.harbor.instances: expected a whole number from 1 to 32, found 'many'"),
      ("instances: 33", "8:16: services.harbor.instances: expected a whole number from 1 to 32, found '33'"),
      ("slo: fast", "8:10: services.harbor.slo: expected keys and values, found 'fast'"),
      ("slo: { p99: soon }", "8:17: services.harbor.slo.p99: expected a duration such as 250ms, 30s, 15m or 2h"),
      ("slo: { p99: 0 }", "8:17: services.harbor.slo.p99: expected a time above zero"),
      ("slo: { availability: 2 }", "8:26: services.harbor.slo.availability: expected a share such as 5% or 0.05"),
      ("ready: healthz", "8:12: services.harbor.ready: expected a path such as /healthz, found 'healthz'"),
      ("trunk: a..b", "8:12: services.harbor.trunk: expected a branch name, found 'a..b'"),
      ("memory-limit: lots", "8:19: services.harbor.memory-limit: expected a size such as 256MB, found 'lots'"),
      ("build-time-limit: 0s", "8:23: services.harbor.build-time-limit: expected a time above zero"),
      ("port-variable: 1A", "8:20: services.harbor.port-variable: expected a variable name such as PORT"),
      ("variables: [A]", "8:16: services.harbor.variables: expected keys and values, found a list"),
    ]) func wrongTypes(line: String, expected: String)
  { check(file(line), "plimsoll.yaml:\(expected)") }

  @Test(
    "environments are checked as closely",
    arguments: [
      ("start-limit: 0", "expected a time above zero"),
      ("keep: 0", "expected a whole number from 1 to 20, found '0'"),
      ("judged: maybe", "expected true or false, found 'maybe'"),
      ("soak: -5m", "expected a duration"),
      ("checks: { load: { time-limit: 5m } }", "expected 'run: COMMAND'"),
      ("checks: { load: { run: x, time-limit: 0 } }", "expected a time above zero"),
      ("checks: { Load: x }", "'Load' is no name"),
      ("rollback: { ceiling: 95% }", "expected a share from 0.1% to 90.0%, found 95.0%"),
      ("rollback: { ceiling: 0.01% }", "expected a share from 0.1% to 90.0%"),
      ("rollback: { error-ratio: 1 }", "expected a number from 1.1 to 1000.0"),
    ]) func environments(line: String, expected: String)
  {
    let found = problems(file(then: "environments:\n  - name: production\n    \(line)"))
    #expect(found.count == 1, "\(found)")
    #expect(found.first?.line == 11 && (found.first?.column ?? 0) > 4, "\(found)")
    #expect(found.first?.sentence.contains(expected) == true, "\(found)")
  }

  @Test("what has no default is asked for", arguments: ["repository", "test", "build", "output", "run"])
  func missing(key: String) {
    let text = file().split(separator: "\n").filter { !$0.hasPrefix("    \(key):") }.joined(separator: "\n")
    check(text, "plimsoll.yaml:3:5: services.harbor: expected '\(key)', which has no default")
  }

  @Test("files that are no configuration") func malformed() {
    check("", "plimsoll.yaml: is empty; 'plimsoll init' writes one")
    check("- a", "plimsoll.yaml:1:1: plimsoll.yaml: expected keys and values, found a list")
    check("services: {}", "plimsoll.yaml:1:11: services: expected at least one service, found none")
    check("queue: {}", "plimsoll.yaml:1:1: services: expected at least one service, found none")
    check("services:\n\tharbor: {}", "plimsoll.yaml:2:1: is not YAML here:")
    check("services: [", "plimsoll.yaml:2:1: is not YAML here:")
    check(file("ready: /a\nready: /b"), "plimsoll.yaml:8:5: the key 'ready' stands here twice")
    check(file(then: "environments: []"), "plimsoll.yaml:9:15: environments: expected at least one")
    check(file(then: "environments: [a, a]"), "plimsoll.yaml:9:19: environments: 'a' stands here twice")
  }

  @Test("what contradicts itself") func contradictions() {
    check(
      file("environments:\n  staging: { port: 8080 }\n  production: { port: 8080 }"),
      "plimsoll.yaml:10:27: services.harbor.environments.production.port: port 8080 is already given to services.harbor.e"
    )
    check(
      file("environments:\n  production: { port: 7000 }", then: "server: { listen: '127.0.0.1:7000' }"),
      "plimsoll.yaml:9:27: services.harbor.environments.production.port: port 7000 is already given to server.listen")
    check(
      file(
        "environments:\n  production: { checks: { load: ./b } }",
        then: "environments: [{ name: production, checks: { load: ./a } }]"),
      "plimsoll.yaml:9:29: services.harbor.environments.production.checks: environments.production already has a check 'load'"
    )
    check(
      file(then: "repositories: { harbor: /elsewhere }").replacingOccurrences(of: "./harbor.git", with: "/srv/other"),
      "plimsoll.yaml:3:17: services.harbor.repository: the repository 'harbor' is already /elsewhere")
    check(
      file(then: "repositories: { harbour: /elsewhere }").replacingOccurrences(of: "./harbor.git", with: "harbor"),
      "plimsoll.yaml:3:17: services.harbor.repository: no repository is named 'harbor'; did you mean 'harbour'?")
    check(
      file("port-variable: LISTEN\nvariables: { LISTEN: 1 }"),
      "plimsoll.yaml:8:20: services.harbor.port-variable: 'LISTEN' is also among the variables")
  }

  @Test(
    "variables",
    arguments: [
      ("PORT: 1", "'PORT' is set by Plimsoll"), ("PLIMSOLL_URL: x", "'PLIMSOLL_URL' is set by Plimsoll"),
      ("1A: x", "'1A' is no variable name"), ("A: [x]", "expected a value, env:NAME or file:PATH, found a list"),
      ("A: 'env:'", "expected a variable's name after 'env:'"),
      ("A: 'env:A-B'", "expected a variable's name after 'env:'"),
      ("A: 'file:'", "expected a path after 'file:'"),
    ]) func variables(pair: String, expected: String)
  {
    let found = problems(file("variables: { \(pair) }"))
    #expect(found.count == 1 && found.first?.line == 8, "\(found)")
    #expect(found.first?.sentence.contains(expected) == true, "\(found)")
  }

  @Test(
    "announcement and listening addresses",
    arguments: [
      ("announce: [{ slack: 'ftp://x' }]", "expected an http(s) address"),
      ("announce: [{}]", "expected one of 'slack:"),
      ("announce: { slack: x }", "expected a list"), ("server: { listen: 7878 }", "expected HOST:PORT"),
      ("server: { listen: 'a:70000' }", "expected HOST:PORT"),
      ("queue: { method: octopus }", "expected one of merge, squash"),
      ("queue: { slots: 0 }", "expected a whole number from 1 to 64"),
      ("queue: { time-limit: 0 }", "expected a time above"),
    ]) func sections(line: String, expected: String)
  {
    let found = problems(file(then: line))
    #expect(found.count == 1 && found.first?.line == 9, "\(found)")
    #expect(found.first?.sentence.contains(expected) == true, "\(found)")
  }

  @Test("one look shows all problems, in the file's order") func several() {
    let text = file("ready: x\ninstances: 0\nredy: /\nvariables: { HOME: x }", then: "queue: { slots: 99 }")
    #expect(problems(text).map(\.line) == [8, 9, 10, 11, 12])
  }

  @Test("unreadable files") func files() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let place = folder.appending(path: "plimsoll.yaml")
    #expect(throws: Refusal.self) { try PlimsollFile.read(place.path) }
    try Data(repeating: UInt8(ascii: "#"), count: PlimsollFile.sizeLimit + 1).write(to: place)
    #expect(throws: Problems.self) { try PlimsollFile.read(place.path) }
    try Data([0x61, 0xff, 0xfe]).write(to: place)
    let error = #expect(throws: Problems.self) { try PlimsollFile.read(place.path) }
    #expect(error?.all.map(\.sentence) == ["is not UTF-8 text"])
  }
}
