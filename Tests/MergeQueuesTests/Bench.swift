import Kernel
import Testing

@testable import MergeQueues

/// A commit with a readable name of at most 20 bytes: `t0`, `t0+a`.
func c(_ name: String) -> CommitID {
  CommitID(rawValue: padded(name, to: 40))!
}

func tree(_ name: String) -> TreeID { TreeID(rawValue: padded(name, to: 40))! }
func digest(_ name: String) -> Digest { Digest(rawValue: "sha256:" + padded(name, to: 64))! }
func branch(_ name: String) -> BranchName { BranchName(rawValue: name)! }

private func padded(_ name: String, to length: Int) -> String {
  let digits = Array("0123456789abcdef")
  let hex = name.utf8.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
  return String(hex) + String(repeating: "0", count: length - hex.count)
}

/// The name that made a commit.
func name(_ commit: CommitID) -> String {
  let digits = Array(commit.rawValue)
  let bytes = stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16)! }
  return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
}

func policy(
  trunk: String = "main", slots: Int = 2, method: MergeMethod = .mergeCommit, command: String = "make test",
  capacity: Int = 10, timeLimit: Span = .minutes(10), scheduling: SchedulingRules = atOnce, strict: Bool = true,
  lanes: LaneRules = .oneLane, freezes: [FreezeWindow] = [], requirements: MergeQueue.Policy.Requirements = .none,
  longestWait: MergeQueue.Policy.LongestWait? = nil, reusedCheck: String? = nil, hotfixesPreempt: Bool = false,
  notes: Bool = false
) -> MergeQueue.Policy {
  MergeQueue.Policy(
    repository: RepositoryName(rawValue: "harbor")!, trunk: branch(trunk), slots: slots, method: method,
    messageTemplate: "{title}", command: command, timeLimit: timeLimit, capacity: capacity, scheduling: scheduling,
    strict: strict, lanes: lanes, freezes: Freezes(freezes), requirements: requirements, longestWait: longestWait,
    reusedCheck: reusedCheck, hotfixesPreempt: hotfixesPreempt, notes: notes)
}

/// One red run is enough to send a change away.
let atOnce = SchedulingRules(
  mode: .auto, batchLimit: 16, threshold: 0.1, bypassDepth: 3, isOptimistic: false, ejectionConfidence: 0.5)
/// It takes two.
let careful = SchedulingRules(
  mode: .auto, batchLimit: 16, threshold: 0.1, bypassDepth: 3, isOptimistic: false, ejectionConfidence: 0.95)

// MARK: - What is told, in short

/// An input, which may name builds and versions of the state that it meets.
struct Told: Sendable {
  let input: @Sendable (MergeQueue.State) -> MergeQueue.Input
  init(_ input: @escaping @Sendable (MergeQueue.State) -> MergeQueue.Input) { self.input = input }
  init(_ input: MergeQueue.Input) { self.input = { _ in input } }
}

let open = [Told(.configure(policy())), Told(.trunkObserved(c("t0")))]
func open(_ policy: MergeQueue.Policy) -> [Told] { [Told(.configure(policy)), Told(.trunkObserved(c("t0")))] }

/// Branch `name` at commit `head`, else at a commit of the same name.
func submit(
  _ name: String, at head: String? = nil, _ priority: MergeQueue.Priority = .normal, after: [Int] = []
) -> Told {
  Told(
    .submit(
      MergeQueue.Submission(
        branch: branch(name), head: c(head ?? name), author: "Ada", title: "Change \(name)", priority: priority,
        after: after)))
}

/// What a planner proposes for the state as it is, worthiest first.
func plan(_ builds: [Int]..., purpose: Plan.Purpose = .head) -> Told {
  let proposals = builds.map { Plan.Proposal(members: $0, purpose: purpose, worth: 1) }
  return Told { .planned(Plan(builds: proposals), version: $0.planVersion) }
}

/// What our own planner proposes for the state as it is.
func planned() -> Told {
  Told { .planned(Planner.plan($0.situation(at: Instant(milliseconds: 0))), version: $0.planVersion) }
}

/// The candidate of entry `id` on `base` is `commit`, whose tree has the same name unless another is given.
func made(_ id: Int, _ base: String, _ commit: String, tree: String? = nil, recipe: Int = 1) -> Told {
  let outcome = CandidateOutcome.prepared(commit: c(commit), tree: MergeQueuesTests.tree(tree ?? commit))
  return Told(.prepared(entry: id, base: c(base), outcome: outcome, recipe: recipe))
}

func clash(_ id: Int, _ base: String) -> Told {
  Told(
    .prepared(
      entry: id, base: c(base), outcome: .conflicted(paths: ["a.txt"], detail: "CONFLICT (content)"), recipe: 1))
}

func contained(_ id: Int, _ base: String) -> Told {
  Told(.prepared(entry: id, base: c(base), outcome: .alreadyContained, recipe: 1))
}

/// The run that the build has now ends.
func ended(_ build: Int, _ end: RunEnd, recipe: Int? = nil) -> Told {
  Told { state in
    let known = state.build(build)
    return .tested(
      build: build, run: known?.attempts ?? 1, commit: known?.subject?.commit ?? c("none"),
      report: MergeQueue.TestReport(
        end: end, log: digest("log"), summary: "1 test", startedAt: Instant(milliseconds: 1),
        endedAt: Instant(milliseconds: 2001), recipe: recipe ?? state.recipe))
  }
}

/// What the database of that name says of the migrations of entry `id` at `head`.
func reviewed(
  _ id: Int, _ head: String, by place: String = "production/orders", refusing why: String? = nil,
  fit: SchemaFit? = nil
) -> Told {
  let review = SchemaReview(
    fit: fit ?? (why == nil ? .compatible : .breaks), passes: why == nil, why: why ?? "",
    report: why == nil ? nil : digest("report"))
  return Told(.schemaReviewed(entry: id, head: c(head), place: place, verdict: review))
}

func passed(_ build: Int, recipe: Int? = nil) -> Told { ended(build, .exited(code: 0), recipe: recipe) }
func failed(_ build: Int) -> Told { ended(build, .exited(code: 1)) }
func landed(_ commit: String) -> Told { Told(.landed(build: 0, commit: c(commit))) }
func seen(_ commit: String) -> Told { Told(.trunkObserved(c(commit))) }

// MARK: - Events and effects in short

func brief(_ event: MergeQueue.Event) -> String {
  switch event {
  case .configured(let policy): "configured \(policy.command)"
  case .trunkMoved(let from, let to, _): "trunk \(from.map(name) ?? "-") > \(name(to))"
  case .submitted(let facts): "submitted \(facts.id) \(facts.branch)"
  case .withdrawn(let entry, _, _, _): "withdrawn \(entry)"
  case .prepared(let entry, let base, let assumed, let commit, _, _):
    "prepared \(entry) \(name(commit)) on \(name(base)) assuming \(assumed)"
  case .conflicted(let entry, let base, let assumed, _, _, _):
    "conflicted \(entry) on \(name(base)) assuming \(assumed)"
  case .contained(let entry, let base, _, _): "contained \(entry) in \(name(base))"
  case .testPassed, .testFailed, .candidateDropped: "old \(event.name)"
  case .landed(let landing):
    "landed \(landing.entry) \(name(landing.commit)) on \(name(landing.previousTrunk))\(landing.isTip ? "" : " inside")"
  case .ejected(let ejection): "ejected \(ejection.entry) \(ejection.reason) against \(ejection.against)"
  case .troubled(let entry, _, let why, _): "troubled \(entry.map(String.init) ?? "-"): \(why)"
  case .recovered(let key, _): "recovered \(key)"
  case .retired: "retired"
  case .recalled(let trunk, let services, _): "recalled \(name(trunk)) for \(services.map(\.rawValue))"
  case .planned(let planned):
    "planned" + planned.builds.map { " \($0.id)=\($0.members)" }.joined()
      + planned.dropped.map { " drop \($0)" }.joined() + planned.reruns.map { " again \($0)" }.joined()
  case .runBegan(let build, let run, let subject, _): "run \(run) of \(build) \(name(subject.commit))"
  case .runEnded(let build, let run, _): "ended \(build) \(run.reason)"
  case .runStopped(let build, _, let cause, _): "stopped \(build), \(words(cause))"
  case .recognised(let build, let passed, _): "recognised \(build) by \(words(passed.source))"
  case .buildDropped(let build, let cause, _): "dropped \(build), \(words(cause))"
  case .buildCarried(let build, let over, let to, _): "carried \(build) over \(over) to \(name(to))"
  case .landingBegan(_, let members, let commit, let expecting, _):
    "pushing \(members) \(name(commit)) on \(name(expecting))"
  case .flakeFound(let flake): "flake \(flake.members) red \(flake.red) green \(flake.green)"
  case .stackLoosened(_, let members, _): "loosened \(members)"
  case .reported(let entry, let approvals, let checks, _):
    "reported \(entry) \(approvals) \(checks.map { "\($0.name) \($0.state)" })"
  case .treePassed(let passed): "tree \(words(passed.source))"
  case .surveyed(let entry, let lanes, _): "surveyed \(entry) \(lanes.labels)"
  case .targetsReported(let entry, let targets, _): "targets \(entry) \(targets)"
  case .held(let hold): "\(hold.kind) \(hold.reason)"
  case .resumed: "resumed"
  case .frozen(let freeze): "frozen \(freeze.reason)"
  case .thawed: "thawed"
  case .overdue(let entry, _, _): "overdue \(entry)"
  case .noted(let note): "noted \(note.entry) \(words(note.standing))"
  case .noteWritten(let note, _): "written \(note.entry) \(words(note.standing))"
  case .noteAbandoned(let note, let why, _): "abandoned \(note.entry): \(why)"
  case .runnerLost(let loss, _): "runner lost, \(loss.isSilent ? "silent" : "idle")"
  case .runnerFound: "runner found"
  case .trunkSighted(let commit, _): "sighted \(name(commit))"
  case .trunkTraced(let push, _): "traced \(push.how) \(push.lanes.labels)"
  case .reviewsAsked(let entry, let head, let places, _): "asked \(places) about \(entry) \(name(head))"
  case .schemaReviewed(let entry, _, let place, let review, _): "reviewed \(entry) \(place) \(review.fit)"
  }
}

private func words(_ standing: MergeQueue.Note.Standing?) -> String {
  guard let standing else { return "left" }
  let long = standing.doublings.map { " long \($0)" } ?? ""
  return (standing.stall?.rawValue ?? "moves") + long
}

private func words(_ source: MergeQueue.PassedTree.Source) -> String {
  switch source {
  case .run(let build, _, _): "run of \(build)"
  case .check(let name, _, _): "check \(name)"
  }
}

private func words(_ cause: MergeQueue.DropCause) -> String {
  switch cause {
  case .trunkMoved(let commit): "trunk at \(name(commit))"
  case .culprit(let culprit): "without \(culprit)"
  case .withdrawn(let other): "withdrawn \(other)"
  case .recipeChanged: "recipe"
  case .landed(let entry): "landed \(entry)"
  case .lineChanged: "line"
  case .outranked(let by): "outranked by \(by)"
  case .forgotten: "forgotten"
  }
}

func brief(_ effect: MergeQueue.Effect) -> String {
  switch effect {
  case .watchTrunk: "watch"
  case .watchChanges: "changes"
  case .watchClock: "clock"
  case .watchRunner: "runner"
  case .trace(let from, let to, _): "trace \(name(from)) to \(name(to))"
  case .comment(let note, _): "comment \(note.entry) \(words(note.standing))"
  case .plan: "plan"
  case .survey(let entry, _, _, _): "survey \(entry)"
  case .prepare(let order, _): "prepare \(order.entry) on \(name(order.base))"
  case .test(let build, _, let commit, _, _, _, _): "test \(build) \(name(commit))"
  case .land(_, let commit, _, _, let expecting): "land \(name(commit)) on \(name(expecting))"
  }
}

// MARK: - Playing

func turn(_ count: Int) -> TurnContext { TurnContext(now: Instant(milliseconds: Int64(count) * 1000), chance: 0) }

/// The state after `told`, one second apart; refused ones change nothing. Every state on the way is checked.
func play(_ told: [Told], _ location: SourceLocation = #_sourceLocation) -> MergeQueue.State {
  var state = MergeQueue.initial
  for (index, told) in told.enumerated() {
    let input = told.input(state)
    for event in (try? MergeQueue.decide(input, in: state, turn(index))) ?? [] { MergeQueue.evolve(&state, event) }
    #expect(MergeQueue.violations(in: state) == [], "after \(input)", sourceLocation: location)
  }
  return state
}

/// Given what was told before, `told` leads to these events, and then this work is wanted besides the watches.
func check(
  _ words: Comment, given: [Told], when told: Told, then expected: [String], wants: [String]? = nil,
  _ location: SourceLocation = #_sourceLocation
) {
  let before = play(given, location)
  do {
    let events = try MergeQueue.decide(told.input(before), in: before, turn(given.count))
    #expect(events.map(brief) == expected, words, sourceLocation: location)
  } catch {
    Issue.record("\(words): refused: \(error)", sourceLocation: location)
  }
  if let wants {
    let after = play(given + [told], location)
    #expect(work(of: after) == wants, words, sourceLocation: location)
  }
}

/// What is wanted besides the watches.
func work(of state: MergeQueue.State) -> [String] {
  MergeQueue.effects(of: state).map(brief).filter { !["watch", "changes", "clock", "runner"].contains($0) }
}

/// Given what was told before, `told` is refused, with a sentence that holds `part`.
func check(
  _ words: Comment, given: [Told], when told: Told, refused kind: Refusal.Kind, saying part: String,
  _ location: SourceLocation = #_sourceLocation
) {
  let before = play(given, location)
  do {
    let events = try MergeQueue.decide(told.input(before), in: before, turn(given.count))
    Issue.record("\(words): not refused, but \(events.map(brief))", sourceLocation: location)
  } catch {
    #expect(error.kind == kind, words, sourceLocation: location)
    #expect(error.sentence.contains(part), words, sourceLocation: location)
  }
}
