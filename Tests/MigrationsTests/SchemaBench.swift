import Foundation
import Kernel
import Testing

@testable import Migrations

// A database, versions and migrations by one letter or number each, and a line of inputs played through the machine.

typealias Told = DatabaseSchema.Input

let harbor = ServiceName(rawValue: "harbor")!
let pier = ServiceName(rawValue: "pier")!
let place = SchemaPlace(EnvironmentName(rawValue: "production")!, DatabaseName(rawValue: "orders")!)
let repository = RepositoryName(rawValue: "harbor")!
let trunk = BranchName(rawValue: "main")!

func digest(_ letter: Character) -> Digest { Digest(rawValue: "sha256:" + String(repeating: hex(letter), count: 64))! }
func commit(_ letter: Character) -> CommitID { CommitID(rawValue: String(repeating: hex(letter), count: 40))! }
private func hex(_ letter: Character) -> Character { letter.isHexDigit ? Character(letter.lowercased()) : "f" }
func at(_ seconds: Int64) -> Instant { Instant(milliseconds: seconds * 1000) }

func policy(strict: Bool = false, trusting: Bool = false, coverage: Double? = nil) -> DatabaseSchema.Policy {
  DatabaseSchema.Policy(
    place: place, repository: repository, trunk: trunk, path: "db",
    services: [.init(service: harbor, repository: repository, statements: "statements.jsonl")], strict: strict,
    trusting: trusting, coverage: coverage)
}

func survey(_ schema: Character, at seconds: Int64, applied: Int = 1, unfinished: String? = nil) -> SchemaSurvey {
  SchemaSurvey(
    schema: digest(schema), applied: applied, last: mark(applied), unfinished: unfinished, at: at(seconds))
}
func mark(_ number: Int) -> MigrationMark { MigrationMark(name: "000\(number).sql", content: digest("9")) }

func ask(_ version: Character, ordinal: Int64 = 9) -> DatabaseSchema.Ask {
  DatabaseSchema.Ask(
    service: harbor, commit: commit(version), digest: digest(version), ordinal: ordinal, title: "Add a column")
}
func review(_ entry: Int) -> DatabaseSchema.Review {
  DatabaseSchema.Review(repository: repository, trunk: trunk, entry: entry, head: commit("e"))
}
func client(_ version: Character, of service: ServiceName = harbor) -> SchemaClient {
  SchemaClient(service: service, digest: digest(version), commit: commit(version), statements: digest("5"))
}
func lives(_ version: Character, _ ordinal: Int64, _ standing: HeldVersion.Standing = .target) -> HeldVersion {
  HeldVersion(digest: digest(version), commit: commit(version), ordinal: ordinal, standing: standing)
}
func held(_ versions: HeldVersion...) -> Told { .held(service: harbor, versions: versions) }

/// An examination of `pending` on the schema "1", after which it is "2".
func found(
  _ number: Int, on schema: Character = "1", at seconds: Int64 = 10, pending: [Int] = [2],
  migration: SchemaFit = .compatible, why: String = "", coming: SchemaVerdict? = nil, _ verdicts: SchemaVerdict...
) -> Told {
  .examined(
    number: number,
    SchemaExamination(
      survey: survey(schema, at: seconds), pending: pending.map(mark), after: digest(pending.isEmpty ? schema : "2"),
      migration: migration, why: why, verdicts: verdicts, coming: coming, comingBefore: nil, report: digest("7")),
    migrations: digest("8"))
}
func bears(_ version: Character) -> SchemaVerdict { SchemaVerdict(client(version), .compatible) }
func fails(_ version: Character) -> SchemaVerdict {
  SchemaVerdict(client(version), .breaks, why: "its INSERT fails with 23502.")
}

/// v41 = "a" is kept, v42 = "b" serves, the schema is "1" and both were judged on it.
let settled: [Told] = [
  .configure(policy()), .surveyed(survey("1", at: 1)), held(lives("a", 1), lives("b", 2, .serving)),
  found(1, at: 1, pending: [], bears("a"), bears("b")),
]

func play(_ inputs: [Told], check: Bool = true) throws -> DatabaseSchema.State {
  var state = DatabaseSchema.initial
  for (index, input) in inputs.enumerated() {
    let turn = TurnContext(now: at(Int64(100 + index)), chance: 0)
    for event in try DatabaseSchema.decide(input, in: state, turn) { DatabaseSchema.evolve(&state, event) }
    if check { #expect(DatabaseSchema.violations(in: state) == []) }
  }
  return state
}

/// What one more input leads to, in words.
func check(
  _ name: Comment, given: [Told], when input: Told, then expected: [String],
  sourceLocation: SourceLocation = #_sourceLocation
) {
  do {
    var state = try play(given)
    let events = try DatabaseSchema.decide(
      input, in: state, TurnContext(now: at(Int64(100 + given.count)), chance: 0))
    #expect(events.map(words) == expected, name, sourceLocation: sourceLocation)
    for event in events { DatabaseSchema.evolve(&state, event) }
    #expect(DatabaseSchema.violations(in: state) == [], name, sourceLocation: sourceLocation)
  } catch { Issue.record(error, name, sourceLocation: sourceLocation) }
}

func checkRefused(
  _ name: Comment, given: [Told], when input: Told, _ kind: Refusal.Kind, saying words: String,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let state = try play(given)
  do {
    let events = try DatabaseSchema.decide(input, in: state, TurnContext(now: at(100), chance: 0))
    Issue.record("\(name): \(events)", sourceLocation: sourceLocation)
  } catch {
    #expect(error.kind == kind, name, sourceLocation: sourceLocation)
    #expect(error.sentence.contains(words), "\(error.sentence)", sourceLocation: sourceLocation)
  }
}

/// What was sent of a version, joined with `known`.
func record(_ version: Character, _ statements: Character, over known: Character? = nil) -> Told {
  .record(.init(service: harbor, digest: digest(version), statements: digest(statements)), over: known.map(digest))
}
/// Nothing was recorded of it.
func unrecorded(_ version: Character) -> SchemaVerdict {
  let client = SchemaClient(service: harbor, digest: digest(version), commit: commit(version), statements: nil)
  return SchemaVerdict(client, .unknown, why: "Nothing was recorded.")
}

private func words(_ event: DatabaseSchema.Event) -> String {
  func version(_ digest: Digest) -> String { String(digest.rawValue.dropFirst(7).prefix(1)) }
  func of(_ ask: DatabaseSchema.Ask) -> String { version(ask.digest) }
  switch event {
  case .configured, .closed: return event.name
  case .versionsChanged(let versions):
    return "live " + versions.map { version($0.version.digest) + ($0.isGranted ? "?" : "") }.joined(separator: " ")
  case .surveyed(let survey): return "surveyed \(version(survey.schema))"
  case .drifted(let drift, _): return "drifted \(version(drift.from))-\(version(drift.to))"
  case .queued(let errand): return "queued \(words(errand))"
  case .examinationBegan(let errand, let number): return "examine \(number) \(words(errand))"
  case .examined(let number, _): return "examined \(number)"
  case .granted(let ask): return "granted \(of(ask))"
  case .refused(let refused): return "refused \(of(refused.ask)): \(refused.why)"
  case .turnedAway(let ask, let why): return "turned away \(of(ask)): \(why)"
  case .abandoned(let ask): return "abandoned \(of(ask))"
  case .migrating(let ask, let examination, migrations: _, number: _):
    return "migrating \(of(ask)) \(examination.pending.map(\.name).joined(separator: " "))"
  case .migrated(let change, _): return "migrated \(change.marks.map(\.name).joined(separator: " "))"
  case .migrationFailed(_, let name, let why, _): return "failed \(name): \(why)"
  case .reviewed(let review, let verdict):
    return "reviewed \(review.entry) \(verdict.fit) \(verdict.passes ? "passes" : "stays") \(verdict.why)"
  case .reviewDropped(let review): return "dropped #\(review.entry)"
  case .audited(let number): return "audited \(number)"
  case .barred(_, let bars): return "barred " + bars.map { version($0.digest) }.joined(separator: " ")
  case .overridden(let override): return "overridden \(override.atRisk.map { version($0.digest) }.joined())"
  case .adoptionOrdered(let adoption, _): return "adopt through \(adoption.through ?? "none")"
  case .adopted(let change, _): return "adopted \(change.marks.count)"
  case .adoptionFailed(_, let why): return "not adopted: \(why)"
  case .troubled(let key, let why): return "trouble \(key): \(why)"
  case .recorded(let upload): return "recorded \(version(upload.digest))"
  case .reconsidered(let ask): return "reconsidered \(version(ask.digest))"
  case .newsPostponed(let number, let news):
    return "postponed \(number) \(news.map { version($0.digest) }.joined(separator: " "))"
  }
}
private func words(_ errand: DatabaseSchema.Errand) -> String {
  switch errand {
  case .ask(let ask): String(ask.digest.rawValue.dropFirst(7).prefix(1))
  case .review(let review): "#\(review.entry)"
  case .audit: "all"
  }
}
