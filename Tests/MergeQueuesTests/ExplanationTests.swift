import Kernel
import MergeQueues
import Testing

@Suite struct ExplanationRules {
  private func check(
    _ given: [Told], _ entry: Int, _ activity: MergeQueue.Explanation.Activity, _ reason: String,
    _ location: SourceLocation = #_sourceLocation
  ) {
    let state = play(given, location)
    let line = MergeQueue.explanation(of: state).entries.first { $0.entry == entry }
    #expect(line?.activity == activity, sourceLocation: location)
    #expect(MergeQueue.waitReason(of: entry, in: state) == reason, sourceLocation: location)
    #expect(line?.reason == reason && line?.place == state.place(of: entry), sourceLocation: location)
  }

  @Test func saysWhyEachEntryWaits() {
    let t0 = c("t0").short
    check([Told(.configure(policy())), submit("a")], 1, .waiting, "The trunk has not been seen yet.")
    check(open + [submit("a")], 1, .waiting, "It waits for the next plan of builds.")
    check(open + [submit("a"), plan([1])], 1, .merging, "It is being merged onto main at \(t0).")
    check(two, 2, .testing, "Its build on #1 is being tested.")
    check(
      two + [submit("c"), plan([1], [1, 2], [1, 2, 3]), made(3, "t0+a+b", "abc")], 3, .awaitingSlot,
      "Its build on #1 and #2 waits for one of 2 test slots.")
    check(two + [passed(1)], 1, .landing, "Its test passed; it is being pushed to main.")
    check(
      two + [failed(2)], 2, .undecided,
      "Its test exited with 1: 1 test together with #1; who of them is to blame is being found out.")
    check(
      open + [submit("a"), submit("b"), plan([1], [1, 2]), made(1, "t0", "1"), clash(2, "1")], 2, .undecided,
      "It does not merge together with #1; if they land it is ejected, else it is built anew.")
    check(
      two + [Told(.exhausted(key: EffectKey("test/1/1/\(c("t0+a"))/1"), why: "disk full"))], 1, .testing,
      "The world keeps failing, and it is tried again: disk full.")
    check(
      open + [submit("a"), Told(.hold(.paused, reason: "an incident", by: "Ada"))], 1, .held,
      "It is paused by Ada: an incident.")
    check(
      open(policy(requirements: MergeQueue.Policy.Requirements(approvals: 2))) + [submit("a")], 1, .missing,
      "It may not be built yet: 2 more people must approve of it.")
  }

  @Test func sumsUpTheQueue() {
    let t0 = c("t0").short
    #expect(MergeQueue.explanation(of: MergeQueue.initial).headline == "The queue is not configured.")
    #expect(MergeQueue.explanation(of: play(open)).headline == "The queue is empty; main is at \(t0).")
    #expect(
      MergeQueue.explanation(of: play(two + [passed(1)])).headline
        == "2 entries for main at \(t0): 1 landing, 1 testing.")
    #expect(MergeQueue.waitReason(of: 9, in: play(two)) == nil)
  }

  @Test func saysWhatEachBuildAssumes() {
    let builds = MergeQueue.explanation(of: play(two + [submit("c"), plan([1], [1, 2], [2])])).builds
    #expect(builds.map(\.members) == [[1], [1, 2], [2]])
    #expect(
      builds.map(\.assumes) == [
        "It stands on main: nothing is assumed of others.",
        "It stands on main and holds #1 and #2: nothing is assumed of others.",
        "It stands on main, assuming that #1 will not have landed.",
      ])
    #expect(builds.map(\.activity) == [.testing, .testing, .merging])
  }
}
