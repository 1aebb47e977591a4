import Kernel
import Rollouts
import Testing

@testable import PlimsollFile

private func rollback(_ keys: String) -> String {
  file("slo: { p99: 1s }", then: "environments:\n  - name: production\n    rollback: { \(keys) }")
}

private func place(_ keys: String) throws -> PlimsollFile.JudgedPlace {
  try #require(parse(rollback(keys)).judged.first)
}

@Suite("The false-rollback budget in plimsoll.yaml") struct BudgetTests {
  @Test(
    "in plain words",
    arguments: [
      ("1 in 200", 0.005), ("1 in 200 deploys", 0.005), ("at most 1 in 1000 deploys", 0.001),
      ("at most 1 needless rollback in 200 deploys", 0.005), ("2 needless rollbacks in 100 deploys", 0.02),
      ("0.5%", 0.005), ("0.005", 0.005), ("1  in  200", 0.005), ("5 in 4", nil), ("0 in 4", nil), ("1 in 0", nil),
      ("-1 in 4", nil), ("1 of 200", nil), ("in 200", nil), ("1 in 200 years", nil), ("one in ten", nil), ("", nil),
      ("1 in 99999999999999999999", nil), ("at most", nil),
    ] as [(String, Double?)]) func odds(text: String, share: Double?)
  {
    #expect(parseOdds(text) == share)
  }

  @Test("stated, derived or by default, it reaches the judge and is told with its reason")
  func origins() throws {
    func check(_ keys: String, _ share: Double, _ words: String) throws {
      let place = try place(keys)
      #expect(abs(place.policy.judge.falseRollbackBudget / share - 1) < 1e-9, "\(keys)")
      #expect(place.budget.sentence.hasPrefix(words), "\(place.budget.sentence)")
    }
    try check(
      "must-detect: 10", 0.005,
      "At most 1 needless rollback in 200 deploys, by default; rollback.needless or rollback.costs changes it.")
    try check(
      "needless: 1 in 500 deploys", 0.002,
      "At most 1 needless rollback in 500 deploys, because rollback.needless says so.")
    try check("needless: 0.5%", 0.005, "At most 1 needless rollback in 200 deploys, because")
    try check(
      "costs: { needless: 5m, bad: 25m, bad-deploys: 1 in 20 }", MistakeCosts().budget,
      """
      At most 1 needless rollback in 407 deploys, because one costs 5 min, a bad version that people must find costs \
      25 min, and one of 20 deploys is bad.
      """)
    try check("costs: {}", MistakeCosts().budget, "At most 1 needless rollback in 407 deploys")
    try check(
      "costs: { needless: 90s, bad-deploys: 2% }", MistakeCosts(needless: .seconds(90), badDeploys: 0.02).budget,
      "At most 1 needless rollback in")
  }

  @Test("what is no budget is told where it stands")
  func wrong() {
    func check(_ keys: String, at column: Int, _ expected: String, _ location: SourceLocation = #_sourceLocation) {
      PlimsollFileTests.check(
        rollback(keys), "plimsoll.yaml:11:\(column): environments.production.rollback\(expected)", location)
    }
    check("needless: seldom", at: 27, ".needless: expected '1 in 200' or a share such as 0.5%, found 'seldom'")
    check(
      "needless: 1 in 5", at: 27, ".needless: expected from 1 in 1000000000000 to 1 in 10 deploys (10%), found 20.0%")
    check("needless: 0", at: 27, ".needless: expected from 1 in 1000000000000")
    check("needles: 1 in 200", at: 17, ": unknown key 'needles'; did you mean 'needless'?")
    check(
      "needless: 1 in 200, costs: { bad: 1h }", at: 44,
      ": 'needless' says the budget and 'costs' derives one; give one of the two")
    check("costs: 5m", at: 24, ".costs: expected keys and values, found '5m'")
    check("costs: { needles: 5m }", at: 26, ".costs: unknown key 'needles'; did you mean 'needless'?")
    check("costs: { needless: 0 }", at: 36, ".costs.needless: expected a time above zero")
    check("costs: { bad: dear }", at: 31, ".costs.bad: expected a duration such as 250ms")
    check("costs: { bad-deploys: many }", at: 39, ".costs.bad-deploys: expected '1 in 200' or a share")
    check(
      "costs: { bad-deploys: 0 }", at: 39, ".costs.bad-deploys: expected from 1 in 10000 to 1 in 2 deploys, found 0.0%")
    check("costs: { bad-deploys: 2 in 3 }", at: 39, ".costs.bad-deploys: expected from 1 in 10000 to 1 in 2")
  }

  @Test("an availability of nothing is refused")
  func availability() {
    PlimsollFileTests.check(
      file("slo: { availability: 0% }"),
      "plimsoll.yaml:8:26: services.harbor.slo.availability: expected a share above 0%, such as 99.9%")
  }
}

@Suite("What check says of a judged place") struct JudgedPlaceTests {
  @Test("whole sentences, from the strategy to what is planned with")
  func sentences() throws {
    let text = file(
      "slo: { p99: 1s, availability: 99.9% }",
      then: "environments:\n  - { name: production, traffic: 40, baseline: 0.2% }")
    let place = try #require(parse(text).judged.first)
    #expect(
      place.sentences == [
        """
        canary: 10 % for 60 s or more, then 50 % for 60 s or more, then 95 % while the old version keeps 5 % for 5 min \
        or more and then all.
        """,
        """
        At most 1 needless rollback in 200 deploys, by default; rollback.needless or rollback.costs changes it. \
        The old version beside the new tells a worse version from a bad hour.
        """,
        "Errors above 1.44% roll a version back, by slo.availability 99.9%: 14.4 times what it allows, within 1% to 5%.",
        "Planned with 'traffic' 40 requests/s, and with 'baseline' 0.2%.",
      ])
    #expect(place.sight.steps.map(\.percent) == [10, 50, 95])
    #expect(place.sight.steps.allSatisfy { !$0.isBlind })
  }

  @Test("without traffic it tells from which on a step sees")
  func noTraffic() throws {
    let place = try #require(parse(tenLines).judged.first)
    #expect(place.sentences.last == "Planned without a 'traffic', and with 'baseline' 0.1%, the default.")
    #expect(place.sight.steps.first?.sentence.hasPrefix("10 %: below ") == true)
  }

  @Test("only judged places are told, in the file's order")
  func places() throws {
    let text = file("environments: { staging: { judged: true } }")
    #expect(try parse(text).judged.map(\.environment.rawValue) == ["staging", "production"])
  }
}
