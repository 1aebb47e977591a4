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
  capacity: Int = 10, timeLimit: Span = .minutes(10)
) -> MergeQueue.Policy {
  MergeQueue.Policy(
    repository: RepositoryName(rawValue: "harbor")!, trunk: branch(trunk), slots: slots, method: method,
    messageTemplate: "{title}", command: command, timeLimit: timeLimit, capacity: capacity)
}

// MARK: - Inputs in short

let open: [MergeQueue.Input] = [.configure(policy()), .trunkObserved(c("t0"))]

/// Branch `name` at commit `head`, else at a commit of the same name.
func submit(_ name: String, at head: String? = nil) -> MergeQueue.Input {
  .submit(MergeQueue.Submission(branch: branch(name), head: c(head ?? name), author: "Ada", title: "Change \(name)"))
}

/// The candidate of entry `id` on `base` is `commit`.
func made(_ id: Int, _ base: String, _ commit: String, recipe: Int = 1) -> MergeQueue.Input {
  .prepared(
    entry: id, base: c(base), outcome: .prepared(commit: c(commit), tree: tree(commit)), recipe: recipe)
}

func clash(_ id: Int, _ base: String) -> MergeQueue.Input {
  .prepared(
    entry: id, base: c(base), outcome: .conflicted(paths: ["a.txt"], detail: "CONFLICT (content)"), recipe: 1)
}

func contained(_ id: Int, _ base: String) -> MergeQueue.Input {
  .prepared(entry: id, base: c(base), outcome: .alreadyContained, recipe: 1)
}

func ended(_ id: Int, _ commit: String, _ end: RunEnd, recipe: Int = 1) -> MergeQueue.Input {
  .tested(
    entry: id, commit: c(commit),
    report: MergeQueue.TestReport(
      end: end, log: digest("log"), summary: "1 test", startedAt: Instant(milliseconds: 1),
      endedAt: Instant(milliseconds: 2), recipe: recipe))
}

func passed(_ id: Int, _ commit: String, recipe: Int = 1) -> MergeQueue.Input {
  ended(id, commit, .exited(code: 0), recipe: recipe)
}
func failed(_ id: Int, _ commit: String) -> MergeQueue.Input { ended(id, commit, .exited(code: 1)) }
func landed(_ id: Int, _ commit: String) -> MergeQueue.Input { .landed(entry: id, commit: c(commit)) }

// MARK: - Events and effects in short

func brief(_ event: MergeQueue.Event) -> String {
  switch event {
  case .configured(let policy): "configured \(policy.command)"
  case .trunkMoved(let from, let to, _): "trunk \(from.map(name) ?? "-") > \(name(to))"
  case .submitted(let facts): "submitted \(facts.id) \(facts.branch)"
  case .withdrawn(let entry, _, _): "withdrawn \(entry)"
  case .prepared(let entry, let base, let assumed, let commit, _, _):
    "prepared \(entry) \(name(commit)) on \(name(base)) assuming \(assumed)"
  case .conflicted(let entry, let base, let assumed, _, _, _):
    "conflicted \(entry) on \(name(base)) assuming \(assumed)"
  case .contained(let entry, let base, _, _): "contained \(entry) in \(name(base))"
  case .testPassed(let entry, let commit, _, _, _): "passed \(entry) \(name(commit))"
  case .testFailed(let entry, let commit, _, let reason, _, _, _): "failed \(entry) \(name(commit)): \(reason)"
  case .candidateDropped(let entry, _, let cause, _):
    switch cause {
    case .trunkMoved(let commit): "dropped \(entry), trunk at \(name(commit))"
    case .culprit(let culprit): "dropped \(entry), without \(culprit)"
    case .withdrawn(let other): "dropped \(entry), withdrawn \(other)"
    case .recipeChanged: "dropped \(entry), recipe"
    }
  case .landed(let landing): "landed \(landing.entry) \(name(landing.commit)) on \(name(landing.previousTrunk))"
  case .ejected(let ejection): "ejected \(ejection.entry) \(ejection.reason) against \(ejection.against)"
  case .troubled(let entry, _, let why, _): "troubled \(entry.map(String.init) ?? "-"): \(why)"
  case .recovered(let key, _): "recovered \(key)"
  case .retired: "retired"
  case .recalled(let trunk, let services, _): "recalled \(name(trunk)) for \(services.map(\.rawValue))"
  }
}

func brief(_ effect: MergeQueue.Effect) -> String {
  switch effect {
  case .watchTrunk: "watch"
  case .prepare(let order, _): "prepare \(order.entry) on \(name(order.base))"
  case .test(let entry, let commit, _, _, _, _): "test \(entry) \(name(commit))"
  case .land(let entry, let commit, _, _, let expecting): "land \(entry) \(name(commit)) on \(name(expecting))"
  }
}

// MARK: - Playing

func turn(_ count: Int) -> TurnContext { TurnContext(now: Instant(milliseconds: Int64(count) * 1000), chance: 0) }

/// The state after `inputs`, one second apart; refused ones change nothing. Every state on the way is checked.
func play(_ inputs: [MergeQueue.Input], _ location: SourceLocation = #_sourceLocation) -> MergeQueue.State {
  var state = MergeQueue.initial
  for (index, input) in inputs.enumerated() {
    for event in (try? MergeQueue.decide(input, in: state, turn(index))) ?? [] { MergeQueue.evolve(&state, event) }
    #expect(MergeQueue.violations(in: state) == [], "after \(input)", sourceLocation: location)
  }
  return state
}

/// Given what was told before, `input` leads to these events, and then these effects are wanted.
func check(
  _ words: Comment, given: [MergeQueue.Input], when input: MergeQueue.Input, then expected: [String],
  wants: [String]? = nil, _ location: SourceLocation = #_sourceLocation
) {
  let before = play(given, location)
  do {
    let events = try MergeQueue.decide(input, in: before, turn(given.count))
    #expect(events.map(brief) == expected, words, sourceLocation: location)
  } catch {
    Issue.record("\(words): refused: \(error)", sourceLocation: location)
  }
  if let wants {
    let after = play(given + [input], location)
    #expect(MergeQueue.effects(of: after).map(brief) == ["watch"] + wants, words, sourceLocation: location)
  }
}

/// Given what was told before, `input` is refused, with a sentence that holds `part`.
func check(
  _ words: Comment, given: [MergeQueue.Input], when input: MergeQueue.Input, refused kind: Refusal.Kind,
  saying part: String, _ location: SourceLocation = #_sourceLocation
) {
  do {
    let events = try MergeQueue.decide(input, in: play(given, location), turn(given.count))
    Issue.record("\(words): not refused, but \(events.map(brief))", sourceLocation: location)
  } catch {
    #expect(error.kind == kind, words, sourceLocation: location)
    #expect(error.sentence.contains(part), words, sourceLocation: location)
  }
}
