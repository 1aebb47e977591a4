import Kernel
import MergeQueues
import Testing

@testable import PlimsollFile

/// The policy that `queue: { pairs }` makes.
private func queue(_ pairs: String) throws -> MergeQueue.Policy {
  try #require(parse(file(then: "queue: { \(pairs) }")).topology.queues.first)
}

/// The one problem of `queue: { pairs }`, which stands in line 9 and whose pairs begin in column 10.
private func check(_ pairs: String, says expected: String, _ location: SourceLocation = #_sourceLocation) {
  check(file(then: "queue: { \(pairs) }"), "plimsoll.yaml:9:\(expected)", location)
}

/// Warnings of `queue: { pairs }`, those of the service left out.
private func warnings(_ pairs: String) throws -> [String] {
  try parse(file(then: "queue: { \(pairs) }")).warnings.filter { $0.line == 9 }.map(\.description)
}

private func rules(_ change: (inout SchedulingRules) -> Void) -> SchedulingRules {
  var rules = SchedulingRules.usual
  change(&rules)
  return rules
}

@Suite("queue") struct QueueTests {
  @Test("what is not said has its default") func defaults() throws {
    let policy = try queue("")
    #expect(policy.slots == MergeQueue.Policy.defaultSlots && policy.capacity == 200)
    #expect(policy.scheduling == .usual && policy.strict && policy.lanes == .oneLane)
    #expect(policy.freezes.windows.isEmpty && policy.requirements.isEmpty && policy.longestWait == nil)
    #expect(policy.reusedCheck == nil && !policy.hotfixesPreempt && policy.notes)
  }

  @Test("numbers reach to the machine's limits") func limits() throws {
    let policy = try queue("slots: 64, capacity: 10000, reuse-check: ci/full, hotfix-preempts: true, notes: false")
    #expect(policy.slots == MergeQueue.slotLimit && policy.capacity == MergeQueue.capacityLimit)
    #expect(policy.reusedCheck == "ci/full" && policy.hotfixesPreempt && !policy.notes)
    try policy.validate()
  }

  @Test(
    "how builds are chosen",
    arguments: [
      ("mode: auto", rules { $0.mode = .auto }), ("mode: fifo", rules { $0.mode = .fifo }),
      ("mode: speculate", rules { $0.mode = .speculate }), ("mode: batch", rules { $0.mode = .batch }),
      ("batch-limit: 1", rules { $0.batchLimit = 1 }), ("batch-limit: 64", rules { $0.batchLimit = 64 }),
      ("worth: 25%", rules { $0.threshold = 0.25 }), ("worth: 0", rules { $0.threshold = 0 }),
      ("worth: 1", rules { $0.threshold = 1 }), ("pass-over: 0", rules { $0.bypassDepth = 0 }),
      ("pass-over: 3", rules { $0.bypassDepth = 3 }), ("optimistic: true", rules { $0.isOptimistic = true }),
      ("certainty: 51%", rules { $0.ejectionConfidence = 0.51 }),
      ("certainty: 0.999", rules { $0.ejectionConfidence = 0.999 }),
    ]) func scheduling(pairs: String, expected: SchedulingRules) throws
  {
    let policy = try queue(pairs)
    #expect(policy.scheduling == expected)
    try policy.validate()
  }

  @Test(
    "what is wrong is said where it stands, with the nearest match",
    arguments: [
      (
        "mode: batc",
        "16: queue.mode: expected one of auto, fifo, speculate, batch, found 'batc'; did you mean 'batch'?"
      ),
      ("mode: [fifo]", "16: queue.mode: expected a text, found a list"),
      ("batch-limt: 2", "10: queue: unknown key 'batch-limt'; did you mean 'batch-limit'?; known are slots"),
      ("slots: 65", "17: queue.slots: expected a whole number from 1 to 64, found '65'"),
      ("capacity: 10001", "20: queue.capacity: expected a whole number from 1 to 10000, found '10001'"),
      ("capacity: 0", "20: queue.capacity: expected a whole number from 1 to 10000, found '0'"),
      ("batch-limit: 0", "23: queue.batch-limit: expected a whole number from 1 to 64, found '0'"),
      ("batch-limit: 65", "23: queue.batch-limit: expected a whole number from 1 to 64, found '65'"),
      ("worth: 101%", "17: queue.worth: expected a share such as 5% or 0.05, found '101%'"),
      ("pass-over: 4", "21: queue.pass-over: expected a whole number from 0 to 3, found '4'"),
      ("pass-over: -1", "21: queue.pass-over: expected a whole number from 0 to 3, found '-1'"),
      ("optimistic: maybe", "22: queue.optimistic: expected true or false, found 'maybe'"),
      ("certainty: 50%", "21: queue.certainty: expected more than 50% and less than 100%"),
      ("certainty: 1", "21: queue.certainty: expected more than 50% and less than 100%"),
      ("certainty: 2", "21: queue.certainty: expected a share such as 5% or 0.05, found '2'"),
      ("reuse-check: ''", "23: queue.reuse-check: expected a text, found nothing"),
      ("hotfix-preempts: 1", "27: queue.hotfix-preempts: expected true or false, found '1'"),
    ]) func wrong(pairs: String, expected: String)
  { check(pairs, says: expected) }

  // MARK: Lanes

  private static let api = try? PathPattern("api/")
  private static let schemas = try? PathPattern("*.proto")

  @Test("lanes by folders, by what CI reports and by name, with barriers") func lanes() throws {
    #expect(try queue("strict: false, lanes: { directories: 1 }").lanes == LaneRules(division: .directories(depth: 1)))
    #expect(try queue("strict: false, lanes: { directories: 8 }").lanes == LaneRules(division: .directories(depth: 8)))
    #expect(try queue("strict: false, lanes: reported").lanes == LaneRules(division: .reported))
    let (api, schemas) = try (#require(Self.api), #require(Self.schemas))
    let named = try queue("strict: false, lanes: { api: api/, all: [api/, '*.proto'] }, barriers: ['*.proto', api/]")
    #expect(
      named.lanes
        == LaneRules(
          division: .named([
            NamedLane(name: "api", patterns: [api]), NamedLane(name: "all", patterns: [api, schemas]),
          ]), barriers: [schemas, api]))
    #expect(!named.strict)
    #expect(try queue("strict: false, lanes: reported, barriers: api/").lanes.barriers == [api], "one without a list")
    try named.validate()
  }

  @Test(
    "lanes that cannot be",
    arguments: [
      ("lanes: { directories: 9 }", "32: queue.lanes.directories: expected a whole number from 1 to 8, found '9'"),
      ("lanes: { directories: 0 }", "32: queue.lanes.directories: expected a whole number from 1 to 8, found '0'"),
      (
        "lanes: { directorys: 2 }",
        "19: queue.lanes: expected patterns of lane 'directorys', found '2'; did you mean 'dir"
      ),
      ("lanes: { api: 2 }", "19: queue.lanes: expected patterns of lane 'api', found '2'"),
      ("lanes: { api: api/, directories: 2 }", "30: queue.lanes: 'directories' stands alone"),
      (
        "lanes: reportd",
        "17: queue.lanes: expected 'reported', 'directories: DEPTH' or named lanes, found 'reportd'; did y"
      ),
      ("lanes: [api]", "17: queue.lanes: expected keys and values, found a list"),
      ("lanes: {}", "17: queue.lanes: The queue names 0 lanes; name 1 to 200."),
      ("lanes: { '': api/ }", "17: queue.lanes: A lane has no name; give it one."),
      ("lanes: { api: [] }", "24: queue.lanes.api: expected at least one pattern, found none"),
      ("lanes: { api: { a: b } }", "24: queue.lanes.api: expected a list, found keys and values"),
      ("lanes: { api: [api/, '!api/x'] }", "31: queue.lanes.api: The path pattern '!api/x' begins with '!'"),
      ("lanes: { api: 'a[b' }", "24: queue.lanes.api: The path pattern 'a[b' has a class '[' that does not close"),
      ("barriers: [a//b]", "21: queue.barriers: The path pattern 'a//b' has two slashes in a row."),
      ("barriers: /", "20: queue.barriers: The path pattern '/' names nothing; write '**' for every path."),
      ("strict: no", "18: queue.strict: expected true or false, found 'no'"),
      ("strict: false", "18: queue.strict: false needs 'lanes'; without them all changes share one"),
      ("strict: false, barriers: [api/]", "18: queue.strict: false needs 'lanes'"),
      ("strict: false, lanes: { api: [] }", "39: queue.lanes.api: expected at least one pattern, found none"),
    ]) func wrongLanes(pairs: String, expected: String)
  { check(pairs, says: expected) }

  @Test("lanes and barriers that change nothing are warned of") func idle() throws {
    let strict = try warnings("lanes: { directories: 2 }, barriers: [go.mod]")
    #expect(strict.count == 1)
    #expect(
      strict.first?.hasPrefix("plimsoll.yaml:9:17: warning: queue.lanes: with 'strict: true'") == true, "\(strict)")
    let alone = try warnings("barriers: [go.mod]")
    #expect(alone.count == 1)
    #expect(alone.first?.hasPrefix("plimsoll.yaml:9:20: warning: queue.barriers: without 'lanes'") == true, "\(alone)")
    #expect(try warnings("strict: false, lanes: { directories: 2 }, barriers: [go.mod]") == [])
  }

  // MARK: What entries need

  @Test(
    "requirements",
    arguments: [
      ("{}", MergeQueue.Policy.Requirements.none), ("{ approvals: 20 }", .init(approvals: 20)),
      ("{ approvals: 0, checks: [] }", .none),
      ("{ approvals: 1, checks: [unit, lint] }", .init(approvals: 1, checks: ["lint", "unit"])),
    ] as [(String, MergeQueue.Policy.Requirements)]) func requirements(
      value: String, expected: MergeQueue.Policy.Requirements
    ) throws
  { #expect(try queue("requires: \(value)").requirements == expected) }

  @Test(
    "requirements that cannot be",
    arguments: [
      ("{ approvals: 21 }", "33: queue.requires.approvals: expected a whole number from 0 to 20, found '21'"),
      ("{ approval: 1 }", "22: queue.requires: unknown key 'approval'; did you mean 'approvals'?"),
      ("{ checks: [lint, unit, lint] }", "43: queue.requires.checks: 'lint' is named twice"),
      ("{ checks: lint }", "30: queue.requires.checks: expected a list, found 'lint'"),
      ("[lint]", "20: queue.requires: expected keys and values, found a list"),
    ]) func wrongRequirements(value: String, expected: String)
  { check("requires: \(value)", says: expected) }

  @Test("no more checks may be required than an entry keeps reports of") func manyChecks() throws {
    func list(_ count: Int) -> String { "[\((1...count).map { "c\($0)" }.joined(separator: ", "))]" }
    #expect(try queue("requires: { checks: \(list(50)) }").requirements.checks.count == 50)
    check(
      "requires: { checks: \(list(51)) }", says: "30: queue.requires.checks: 51 are named; name at most 50")
  }

  @Test(
    "the longest wait, as a time and as an object",
    arguments: [
      ("2h", MergeQueue.Policy.LongestWait(span: .minutes(120), ejects: false)),
      ("{ time: 1d }", .init(span: .minutes(1440), ejects: false)),
      ("{ time: 2h, eject: true }", .init(span: .minutes(120), ejects: true)),
      ("{ eject: false, time: 90m }", .init(span: .minutes(90), ejects: false)),
    ] as [(String, MergeQueue.Policy.LongestWait)]) func longestWait(
      value: String, expected: MergeQueue.Policy.LongestWait
    ) throws
  { #expect(try queue("longest-wait: \(value)").longestWait == expected) }

  @Test(
    "longest waits that cannot be",
    arguments: [
      ("0", "24: queue.longest-wait: expected a time above zero"),
      ("long", "24: queue.longest-wait: expected a duration such as 250ms, 30s, 15m or 2h, found 'long'"),
      ("{ eject: true }", "24: queue.longest-wait: expected 'time'"),
      ("{ time: 0s }", "32: queue.longest-wait.time: expected a time above zero"),
      ("{ time: 2h, ejects: true }", "36: queue.longest-wait: unknown key 'ejects'; did you mean 'eject'?"),
      ("{ time: 2h, eject: 3 }", "43: queue.longest-wait.eject: expected true or false, found '3'"),
    ]) func wrongWaits(value: String, expected: String)
  { check("longest-wait: \(value)", says: expected) }
}
