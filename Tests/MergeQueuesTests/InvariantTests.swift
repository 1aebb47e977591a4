import Kernel
import Testing

@testable import MergeQueues

/// Each planted history breaks one promise; the checker must name it.
@Suite struct InvariantTests {
  private let at = Instant(milliseconds: 9000)

  private func check(
    _ part: String, given: [Told], planting events: [MergeQueue.Event],
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
        tree: tree(commit), previousTrunk: c(base), submittedAt: at, at: at, build: 1))
  }
  private func pushing(_ commit: String, on base: String) -> MergeQueue.Event {
    .landingBegan(build: 1, members: [1], commit: c(commit), expecting: c(base), at: at)
  }

  @Test func plantedFaultsAreFound() {
    check("had not passed", given: two, planting: [landing("t0+a", on: "t0")])
    check("had not passed", given: two, planting: [pushing("t0+a", on: "t0"), landing("t0+a", on: "t0")])
    check("had not passed", given: two + [passed(1)], planting: [landing("t0+z", on: "t0")])
    check("its tree had not passed", given: two, planting: [pushing("t0+a", on: "t0")])
    check("was tested on", given: two + [passed(1)], planting: [landing("t0+a", on: "x")])
    check("onto what is not the trunk", given: two + [passed(1)], planting: [pushing("t0+a", on: "x")])
    check("not on the trunk", given: two, planting: [.trunkMoved(from: c("t0"), to: c("x"), at: at)])
    check("which is not in line", given: two, planting: [.withdrawn(entry: 1, reason: "no", at: at)])
    check(
      "clashes, but is not in line", given: two,
      planting: [
        .conflicted(entry: 9, base: c("t0"), assumed: [1], paths: [], detail: "", at: at)
      ])
    let high = MergeQueue.EntryFacts(
      id: 3, branch: branch("z"), head: c("z"), author: "Ada", title: "z", submittedAt: at, priority: .high, after: [2])
    check("out of order", given: two, planting: [.submitted(high)])
    let again = MergeQueue.EntryFacts(
      id: 3, branch: branch("a"), head: c("a"), author: "Ada", title: "a", submittedAt: at)
    check("queued twice", given: two, planting: [.submitted(again)])
    let planned = MergeQueue.Event.Planned(
      version: 9,
      builds: [MergeQueue.PlannedBuild(id: 2, members: [2], purpose: .head, worth: 1)], dropped: [], reruns: [],
      order: [], at: at)
    check("exists twice", given: two, planting: [.planned(planned)])
  }

  @Test func countersAndTroublesOutOfStepAreFound() {
    var state = play(two)
    state.troubles = [MergeQueue.Trouble(key: EffectKey("test/9"), entry: 9, why: "", since: at)]
    state.nextEntry = 2
    state.nextBuild = 2
    #expect(
      MergeQueue.violations(in: state) == [
        "the next build exists already", "the next entry would be #2, but #2 exists",
        "test/9 is in trouble, but not wanted",
      ])
  }

  @Test func aBuildOfAHalfStackIsFound() {
    var state = play(open + [submit("a"), submit("b", after: [1]), plan([1])])
    state.builds[0].members = [2]
    #expect(MergeQueue.violations(in: state).contains { $0.contains("without #1, on which it stands") })
    state.builds[0].steps = [MergeQueue.Step(entry: 2, base: c("x"), commit: c("y"), tree: tree("y"))]
    #expect(MergeQueue.violations(in: state).contains { $0.contains("does not stand on") })
  }
}
