import Kernel
import Testing

@testable import MergeQueues

/// Changes whose migrations a database has to let pass.
@Suite struct SchemaReviewRules {
  private let orders = "production/orders"
  private func policyAsking(
    _ schemas: [String] = ["production/orders"], notes: Bool = false, reusedCheck: String? = nil
  ) -> MergeQueue.Policy {
    policy(
      requirements: MergeQueue.Policy.Requirements(schemas: schemas), reusedCheck: reusedCheck, notes: notes)
  }
  private var asked: [Told] { open(policyAsking()) + [submit("a")] }

  @Test func nothingIsBuiltBeforeItsReview() {
    check("at first", given: asked, when: plan([1]), then: ["planned"])
    check(
      "it is told, and asks for a plan", given: asked, when: reviewed(1, "a"),
      then: ["reviewed 1 production/orders compatible"], wants: ["plan"])
    check("then it is built", given: asked + [reviewed(1, "a")], when: plan([1]), then: ["planned 1=[1]"])
    check(
      "a hotfix no sooner", given: open(policyAsking()) + [submit("h", .hotfix)], when: plan([1], purpose: .hotfix),
      then: ["planned"])
    let two = open(policyAsking([orders, "staging/orders"])) + [submit("a"), reviewed(1, "a")]
    check("each place is asked", given: two, when: plan([1]), then: ["planned"])
    check(
      "and has a word", given: two + [reviewed(1, "a", by: "staging/orders")], when: plan([1]), then: ["planned 1=[1]"])
    let line = MergeQueue.explanation(of: play(asked)).entries[0]
    #expect(line.activity == .missing)
    #expect(
      line.reason == "It may not be built yet: the review of its migrations by production/orders has not come yet.")
    #expect(play(asked).entry(1)?.waits.cause == .missingCheck)
    #expect(play(asked).entry(1)?.waits.detail == orders)
  }

  @Test func whatDoesNotPassLeaves() {
    check(
      "with a reason of its own", given: asked, when: reviewed(1, "a", refusing: "SELECT total FROM orders fails."),
      then: ["reviewed 1 production/orders breaks", "ejected 1 migrationRefused against []"])
    let state = play(asked + [reviewed(1, "a", refusing: "SELECT total FROM orders fails.")])
    guard case .ejected(let ejection)? = state.finished.first?.outcome else {
      Issue.record("it did not leave")
      return
    }
    #expect(
      ejection.sentence == "The migrations of #1 (a) would break what lives on production/orders: SELECT total FROM "
        + "orders fails. Mend them and submit it again.")
    #expect(ejection.report == digest("report") && ejection.log == nil && !ejection.isGuilty)
    #expect(ejection.stay?.waits == [WaitPart(cause: .missingCheck, span: .seconds(1))])
    #expect(state.rates == play(asked).rates, "CI says nothing of it")
    check(
      "a danger that policy refuses", given: asked, when: reviewed(1, "a", refusing: "locks", fit: .hazard),
      then: ["reviewed 1 production/orders hazard", "ejected 1 migrationRefused against []"])
    check(
      "who stands on it leaves, too", given: asked + [submit("b", after: [1])], when: reviewed(1, "a", refusing: "no"),
      then: [
        "reviewed 1 production/orders breaks", "ejected 1 migrationRefused against []",
        "ejected 2 predecessorLeft against []",
      ])
    let busy = asked + [submit("b"), reviewed(1, "a"), reviewed(2, "b"), plan([1], [1, 2]), made(1, "t0", "1")]
    check(
      "a later word takes the place of the earlier", given: busy, when: reviewed(1, "a", refusing: "it changed"),
      then: [
        "reviewed 1 production/orders breaks", "ejected 1 migrationRefused against []", "dropped 1, without 1",
        "dropped 2, without 1",
      ])
    check(
      "before the trunk was seen, too", given: [asked[0], submit("a"), reviewed(1, "a", refusing: "no")],
      when: seen("t0"), then: ["trunk - > t0", "ejected 1 migrationRefused against []"])
  }

  @Test func itIsSaidOnTheChange() {
    let state = play(open(policyAsking(notes: true)) + [submit("a"), reviewed(1, "a", refusing: "no")])
    #expect(state.notes.last?.text.contains("would break what lives on production/orders: no. Mend them") == true)
    #expect(
      state.notes.last?.text.contains("The report on its migrations: plimsoll queue --log \(digest("report"))") == true)
  }

  @Test func onlyTheHeadAndThePlaceThatWereAskedCount() {
    check("of another head", given: asked, when: reviewed(1, "z"), then: [])
    check("of who left", given: asked + [Told(.withdraw(entry: 1, reason: "no"))], when: reviewed(1, "a"), then: [])
    check("of a place that is not required", given: asked, when: reviewed(1, "a", by: "staging/orders"), then: [])
    check("the same again", given: asked + [reviewed(1, "a")], when: reviewed(1, "a"), then: [])
    check(
      "a new head is asked about anew", given: asked + [reviewed(1, "a")],
      when: Told(.changeObserved(entry: 1, ChangeState(branch: branch("a"), head: c("a2")))),
      then: ["withdrawn 1", "submitted 2 a"])
    let resubmitted = asked + [reviewed(1, "a", refusing: "no"), submit("a")]
    check("so is one that comes back", given: resubmitted, when: plan([2]), then: ["planned"])
    check(
      "and the old review is of the old entry", given: resubmitted, when: reviewed(1, "a", refusing: "no"), then: [])
  }

  @Test func whatIsPushedCannotBeCalledBack() {
    let pushing = asked + [reviewed(1, "a"), plan([1]), made(1, "t0", "1"), passed(1)]
    check(
      "it is kept in mind", given: pushing, when: reviewed(1, "a", refusing: "it changed"),
      then: ["reviewed 1 production/orders breaks"])
    let refused = pushing + [reviewed(1, "a", refusing: "it changed")]
    check("it may land", given: refused, when: landed("1"), then: ["landed 1 1 on t0"])
    check(
      "or the push is given up", given: refused, when: seen("x"),
      then: ["trunk t0 > x", "ejected 1 migrationRefused against []", "dropped 1, without 1"])
  }

  @Test func aTreeThatPassedWaitsForItsReview() {
    let ci = CheckResult(name: "ci", state: .passed, commit: c("a"), reporter: "jenkins")
    let known =
      open(policyAsking(reusedCheck: "ci")) + [
        submit("a"), Told(.report(entry: 1, .checked(ci, tree: tree("1")))),
      ]
    check("nothing is begun", given: known, when: plan([1]), then: ["planned"])
    check(
      "with the review it lands without a run", given: known + [reviewed(1, "a"), plan([1])], when: made(1, "t0", "1"),
      then: ["prepared 1 1 on t0 assuming []", "recognised 1 by check ci", "pushing [1] 1 on t0"])
    // The place became required while its build ran.
    let late = two + [Told(.configure(policyAsking())), passed(1)]
    check(
      "a build that passed waits, too", given: Array(late.dropLast()), when: passed(1),
      then: ["ended 1 exited with 0: 1 test"])
    check(
      "until the review comes", given: late, when: reviewed(1, "a"),
      then: ["reviewed 1 production/orders compatible", "pushing [1] t0+a on t0"])
  }

  @Test func aPlaceThatBecomesRequiredIsAskedAboutThoseInLine() {
    let line = open + [submit("a"), submit("b")]
    check(
      "each once", given: line, when: Told(.configure(policyAsking())),
      then: [
        "configured make test", #"asked ["production/orders"] about 1 a"#, #"asked ["production/orders"] about 2 b"#,
      ])
    let asking = line + [Told(.configure(policyAsking()))]
    check("not again", given: asking, when: Told(.configure(policyAsking(notes: true))), then: ["configured make test"])
    let back = asking + [reviewed(1, "a"), Told(.configure(policy()))]
    #expect(play(back).entry(1)?.reviews == [])
    check(
      "but when it had not been required meanwhile", given: back, when: Told(.configure(policyAsking())),
      then: [
        "configured make test", #"asked ["production/orders"] about 1 a"#, #"asked ["production/orders"] about 2 b"#,
      ])
  }

  @Test func aReviewThatDoesNotComeIsNamed() {
    let state = play(asked + [submit("b"), plan([])])
    func stalls(_ state: MergeQueue.State, after seconds: Int64) -> [Stall] {
      let now = Instant(milliseconds: seconds * 1000)
      return Watchdog.stalls(in: state.sight(at: now), at: now)
    }
    #expect(stalls(state, after: 40) == [])
    let named = stalls(state, after: 60)
    #expect(named.map(\.cause) == [.missingReview])
    #expect(named.first?.entries == [1, 2])
    #expect(
      named.first?.sentence
        == "2 entries, from #1 on, have waited 58 s for production/orders to review their migrations.")
    // It is asked about only from then on.
    let line = open + [submit("a")] + Array(repeating: Told(.ticked), count: 90)
    let late = play(line + [Told(.configure(policyAsking())), plan([])])
    #expect(stalls(late, after: 130) == [])
    #expect(stalls(late, after: 140).map(\.cause) == [.missingReview])
  }
}
