import Kernel
import Testing

@testable import MergeQueues

/// Each planted history breaks one promise; the checker must name it.
@Suite struct InvariantTests {
  private let at = Instant(milliseconds: 9000)
  private let two = open + [submit("a"), submit("b"), made(1, "t0", "t0+a"), made(2, "t0+a", "t0+a+b")]

  private func check(
    _ part: String, given: [MergeQueue.Input], planting events: [MergeQueue.Event],
    _ location: SourceLocation = #_sourceLocation
  ) {
    var state = play(given, location)
    for event in events { MergeQueue.evolve(&state, event) }
    let violations = MergeQueue.violations(in: state)
    #expect(violations.contains { $0.contains(part) }, "\(violations)", sourceLocation: location)
  }

  private func landing(_ commit: String, on base: String) -> MergeQueue.Event {
    .landed(
      MergeQueue.Landing(
        entry: 1, branch: branch("a"), head: c("a"), author: "Ada", title: "a", commit: c(commit),
        tree: tree(commit), previousTrunk: c(base), submittedAt: at, at: at))
  }

  @Test func plantedFaultsAreFound() {
    check("had not passed", given: two, planting: [landing("t0+a", on: "t0")])
    check("had not passed", given: two + [passed(1, "t0+a")], planting: [landing("t0+z", on: "t0")])
    check("was tested on", given: two + [passed(1, "t0+a")], planting: [landing("t0+a", on: "x")])
    check("stands on", given: two, planting: [.trunkMoved(from: c("t0"), to: c("x"), at: at)])
    check("stands on", given: two, planting: [.withdrawn(entry: 1, reason: "no", at: at)])
    check(
      "#2 assumes [] ahead of it, but alive are [#1]", given: open + [submit("a"), submit("b"), made(1, "t0", "t0+a")],
      planting: [
        .prepared(entry: 2, base: c("t0+a"), assumed: [], commit: c("k"), tree: tree("k"), at: at)
      ])
    check(
      "failed on the trunk itself", given: open + [submit("a")],
      planting: [.contained(entry: 1, base: c("t0"), assumed: [], at: at)])
    let again = MergeQueue.EntryFacts(
      id: 1, branch: branch("a"), head: c("a"), author: "Ada", title: "a", submittedAt: at)
    check("ids do not rise", given: two, planting: [.submitted(again)])
    check("queued twice", given: two, planting: [.submitted(again)])
  }

  @Test func anEntryTwiceInLineIsFound() {
    var state = play(open + [submit("a"), made(1, "t0", "t0+a")])
    state.entries.append(state.entries[0])
    #expect(MergeQueue.violations(in: state).contains { $0.contains("is wanted twice") })
  }

  @Test func countersAndTroublesOutOfStepAreFound() {
    var state = play(two)
    state.troubles = [MergeQueue.Trouble(key: EffectKey("test/9"), entry: 9, why: "", since: at)]
    state.nextEntry = 1
    #expect(
      MergeQueue.violations(in: state) == [
        "the next entry would be #1, but #2 exists", "test/9 is in trouble, but not wanted",
      ])
  }
}
