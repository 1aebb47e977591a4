import Kernel
import Testing

@testable import Promotions

let harbor = ServiceName(rawValue: "harbor")!
let integration = EnvironmentName(rawValue: "integration")!
let staging = EnvironmentName(rawValue: "staging")!
let production = EnvironmentName(rawValue: "production")!
let smoke = CheckName(rawValue: "smoke")!
let orders = DatabaseName(rawValue: "orders")!
let load = CheckName(rawValue: "load")!
let commit = CommitID(rawValue: String(repeating: "a", count: 40))!
let newer = CommitID(rawValue: String(repeating: "b", count: 40))!
let log = digest("e")

func digest(_ digit: Character) -> Digest { Digest(rawValue: "sha256:" + String(repeating: digit, count: 64))! }
func at(_ seconds: Int64) -> Instant { Instant(milliseconds: seconds * 1000) }

func checkStep(_ name: CheckName) -> Promotion.Check {
  Promotion.Check(name: name, command: "make \(name)", timeLimit: .minutes(1))
}

func order(stages: [Promotion.Stage]? = nil, ordinal: Int64 = 7) -> Promotion.Order {
  Promotion.Order(
    service: harbor, repository: RepositoryName(rawValue: "harbor")!, commit: commit, ordinal: ordinal,
    title: "Add the tide table", author: "ada", landedAt: at(1),
    build: Promotion.BuildStep(command: "make", output: "out", timeLimit: .minutes(5)),
    stages: stages ?? [
      Promotion.Stage(environment: integration, checks: [checkStep(smoke)], soak: .zero),
      Promotion.Stage(environment: staging, checks: [checkStep(smoke), checkStep(load)], soak: .seconds(60)),
      Promotion.Stage(environment: production, checks: [], soak: .zero),
    ])
}

func build(_ digit: Character = "1") -> Promotion.BuildResult {
  Promotion.BuildResult(
    artifact: StoredArtifact(digest: digest(digit), provenance: digest("2"), files: 3, bytes: 4096), log: log,
    startedAt: at(2), endedAt: at(3))
}

func report(passed: Bool = true, reason: String = "", startedAt: Instant = at(1000)) -> Promotion.CheckReport {
  Promotion.CheckReport(passed: passed, reason: reason, log: log, startedAt: startedAt, endedAt: startedAt)
}

func promote(_ environment: EnvironmentName? = nil, override: Bool = false) -> Promotion.Input {
  .promote(Promotion.PromoteRequest(environment: environment, override: override, reason: "the load test was wrong"))
}

let verified = ProvenanceFinding.verified(builder: "plimsoll")

/// What happens to one environment from its gate to having passed (without the soak).
func through(_ environment: EnvironmentName, checks: [CheckName] = []) -> [Promotion.Input] {
  [
    .provenanceFound(environment: environment, finding: verified), .taken(environment: environment),
    .served(environment: environment, digest: digest("1"), at: at(100)),
  ] + checks.map { .checked(environment: environment, name: $0, report: report()) }
}

/// The same way, of a service that lives on a database in staging and production.
let stagesWithDatabase = [
  Promotion.Stage(environment: integration, checks: [checkStep(smoke)], soak: .zero),
  Promotion.Stage(
    environment: staging, checks: [checkStep(smoke), checkStep(load)], soak: .seconds(60), database: orders),
  Promotion.Stage(environment: production, checks: [], soak: .zero, database: orders),
]

/// The same as `through`, with the word of the database.
func granted(_ environment: EnvironmentName, checks: [CheckName] = []) -> [Promotion.Input] {
  var inputs = through(environment, checks: checks)
  inputs.insert(.schemaGranted(environment: environment), at: 1)
  return inputs
}

let soaked = Promotion.Input.woke(key: Promotion.soakKey(staging))
let begunAndBuilt: [Promotion.Input] = [.begin(order()), .built(build())]
let inStaging = begunAndBuilt + through(integration, checks: [smoke])
let inProduction = inStaging + through(staging, checks: [smoke, load]) + [soaked]
let inEveryEnvironment = inProduction + through(production)

/// A promotion told from its first input, with its history.
struct Story {
  var state = Promotion.initial
  var events: [Promotion.Event] = []
  /// Each input comes this much after the one before; more than the soak, so that wakes are in time.
  static let pace = Span.seconds(100)
  var now = at(100)

  init(_ inputs: [Promotion.Input] = []) throws {
    for input in inputs { try tell(input) }
  }

  @discardableResult
  mutating func tell(_ input: Promotion.Input) throws -> [Promotion.Event] {
    now = now + Story.pace
    let decided = try Promotion.decide(input, in: state, TurnContext(now: now, chance: 0))
    for event in decided { Promotion.evolve(&state, event) }
    events += decided
    let violations = Promotion.violations(in: state)
    #expect(violations.isEmpty, "after \(input)")
    return decided
  }
}
