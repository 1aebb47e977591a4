import Kernel
import Testing

@testable import Migrations

@Suite struct RecordingRules {
  @Test func whatIsSentOfAVersionJudgesItAnew() throws {
    check(
      "who lives here is judged by all that is known", given: settled, when: record("b", "6"),
      then: ["recorded b", "examine 2 all"])
    check("the same again is no news", given: settled + [record("b", "6")], when: record("b", "6"), then: [])
    check(
      "more of it is", given: settled + [record("b", "6"), found(2, pending: [], bears("a"), bears("b"))],
      when: record("b", "4", over: "6"), then: ["recorded b", "examine 3 all"])
    check(
      "who has not come yet is judged when it asks", given: settled, when: record("c", "6"), then: ["recorded c"])
    let asked = try play(settled + [record("c", "6"), record("d", "6"), .ask(ask("c"))])
    #expect(orders(asked) == ["c"], "and what was sent of others is not its business")
    #expect(orders(try play(settled + [record("b", "6")])) == ["b"])
    let state = try play(settled + [record("b", "6")])
    #expect(
      state.versions.map(\.statements) == [digest("5"), nil], "it is collected again, with what its artifact holds")
    #expect(state.verdict(on: client("b")) == nil && state.verdict(on: client("a")) != nil)
  }

  @Test func whoeverIsJudgedIsJudgedByAllThatIsKnown() {
    let asked = settled + [.ask(ask("c"))]
    let answer = found(2, coming: bears("c"), bears("a"), bears("b"))
    check("of one that lives here", given: asked + [record("b", "6")], when: answer, then: ["examine 3 c"])
    check("of the one that asks", given: asked + [record("c", "6")], when: answer, then: ["examine 3 c"])
    check(
      "and then it is judged", given: asked + [record("b", "6"), answer],
      when: found(3, coming: bears("c"), bears("a"), bears("b")), then: ["examined 3", "migrating c 0002.sql"])
    check(
      "of a third it does not matter", given: asked + [record("d", "6")], when: answer,
      then: ["examined 2", "migrating c 0002.sql"])
    check(
      "what comes while it is applied is judged after", given: asked + [answer, record("b", "6")],
      when: .migrated(number: 2, .applied(survey("2", at: 20, applied: 2))),
      then: ["migrated 0002.sql", "granted c", "examine 3 all"])
  }

  @Test func nobodyWhoWaitsToGoOutStandsBehindWhatIsJudgedAgain() {
    let audited = settled + [record("b", "6"), record("b", "4", over: "6")]
    check(
      "an audit ends, and the one that asks is next", given: audited + [.ask(ask("c"))],
      when: found(2, pending: [], bears("a"), bears("b")), then: ["examined 2", "audited 2", "examine 3 c"])
  }

  /// Each examination but the last meets new statements, and so does `last`.
  private func busy(_ errand: [Told], last: Told) -> [Told] {
    var (told, known) = (settled + errand, Character?.none)
    for number in 0...DatabaseSchema.restartLimit {
      let blob = Character("\(number)")
      told.append(record("b", blob, over: known))
      known = blob
      if number < DatabaseSchema.restartLimit {
        told.append(found(2 + number, coming: bears("c"), bears("a"), bears("b")))
      }
    }
    return told + [last]
  }

  @Test func aBusySidecarHoldsNobodyUpForEver() throws {
    let asked = busy([.ask(ask("c"))], last: .ask(ask("c")))
    #expect(try play(asked).restarts?.count == DatabaseSchema.restartLimit)
    let answer = found(5, coming: bears("c"), bears("a"), bears("b"))
    let told =
      "refused c: whether harbor bbbbbbbbbb, which serves bears its migration cannot be told: it keeps sending "
      + "statements that were never recorded before, and the last were not judged: promote it again when that has ended"
    check(
      "nobody migrates on less than is known", given: asked, when: answer,
      then: ["postponed 5 b", "examined 5", told, "examine 6 all"])
    check(
      "but who trusts what nobody can tell", given: asked + [.configure(policy(trusting: true))], when: answer,
      then: ["postponed 5 b", "examined 5", "migrating c 0002.sql"])
    check(
      "and where nothing is pending nothing happens to anybody", given: asked,
      when: found(5, pending: [], coming: bears("c"), bears("a"), bears("b")),
      then: ["postponed 5 b", "examined 5", "granted c", "examine 6 all"])
    let refused = asked + [answer, found(6, pending: [], bears("a"), bears("b"))]
    #expect(try play(refused).restarts == nil)
    check(
      "in peace it is judged as ever", given: refused + [.ask(ask("c"))],
      when: found(7, coming: bears("c"), bears("a"), bears("b")), then: ["examined 7", "migrating c 0002.sql"])
    var stubborn = refused + [.override(.init(commit: commit("c"), actor: "Ada", reason: "it logs")), .ask(ask("c"))]
    for (number, blob) in ["4", "5", "6", "7"].enumerated() {
      stubborn.append(record("b", Character(blob), over: Character("\(number + 3)")))
      if number < DatabaseSchema.restartLimit {
        stubborn.append(found(7 + number, coming: bears("c"), bears("a"), bears("b")))
      }
    }
    let taken = found(10, coming: bears("c"), bears("a"), bears("b"))
    check(
      "a person may take that risk", given: stubborn, when: taken,
      then: ["postponed 10 b", "examined 10", "migrating c 0002.sql"])
    let state = try play(stubborn + [taken, .migrated(number: 10, .applied(survey("2", at: 20, applied: 2)))])
    #expect(orders(state) == ["b"] && state.restarts == nil, "and what came since is judged next")
    #expect(state.verdict(on: client("a"))?.fit == .compatible && state.verdict(on: client("b")) == nil)
    check(
      "a break on less is one on more", given: asked, when: found(5, coming: bears("c"), bears("a"), fails("b")),
      then: [
        "postponed 5 b", "examined 5",
        "refused c: its migration breaks harbor bbbbbbbbbb, which serves: its INSERT "
          + "fails with 23502.", "examine 6 all",
      ])
    check(
      "what was told too late to be counted is asked about anew", given: asked + [record("a", "6")],
      when: found(5, coming: bears("c"), unrecorded("a"), bears("b")),
      then: [
        "postponed 5 b a", "examined 5", told.replacing("serves bears", with: "serves (and 1 more) bears"),
        "reconsidered c", "examine 6 all",
      ])
    check(
      "a review likewise", given: busy([.review(review(7))], last: .review(review(7))),
      when: found(5, bears("a"), bears("b")),
      then: ["postponed 5 b", "examined 5", "reviewed 7 compatible passes ", "examine 6 all"])
    check(
      "who asks anew begins to count anew",
      given: asked + [found(5, coming: fails("c"), bears("a"), bears("b")), .ask(ask("c"))]
        + [record("b", "e", over: "3")], when: found(6, pending: [], bears("a"), bears("b")),
      then: ["examined 6", "audited 6", "examine 7 c"])
  }

  @Test func howOldAShareIsIsKnown() throws {
    let measured = SchemaCoverage(share: 0.9, least: 0.5, counted: 10, unrecorded: 1, examples: [])
    let answer = Told.examined(
      number: 1,
      SchemaExamination(
        survey: survey("1", at: 77), pending: [], after: digest("1"), migration: .compatible, why: "",
        verdicts: [bears("a")], coming: nil, comingBefore: nil, report: digest("7"), coverage: measured),
      migrations: nil)
    let told: [Told] = [
      .configure(policy(coverage: 0.5)), .surveyed(survey("1", at: 1)), held(lives("a", 1, .serving)), answer,
    ]
    #expect(try play(told).coverageAt == at(77) && play(told).coverage == measured)
    #expect(try play(told + [.configure(policy())]).coverageAt == nil)
  }

  @Test func aBreakIsTakenAsItWasRead() {
    func verdict(_ fit: SchemaFit, sends: Character, _ why: String) -> SchemaVerdict {
      SchemaVerdict(
        SchemaClient(service: harbor, digest: digest("b"), commit: commit("b"), statements: digest(sends)), fit,
        why: why)
    }
    let doubted = found(2, coming: bears("c"), bears("a"), verdict(.unknown, sends: "5", "Little was recorded."))
    let taken =
      settled + [.ask(ask("c")), doubted, .override(.init(commit: commit("c"), actor: "Ada", reason: "it is nothing"))]
    check(
      "what recordings prove since was not",
      given: taken + [
        record("b", "6"), found(3, pending: [], bears("a"), verdict(.compatible, sends: "6", "")), .ask(ask("c")),
      ],
      when: found(4, coming: bears("c"), bears("a"), verdict(.breaks, sends: "6", "its INSERT fails with 23502.")),
      then: [
        "examined 4", "refused c: its migration breaks harbor bbbbbbbbbb, which serves: its INSERT fails with 23502.",
      ])
  }

  @Test func aBarStaysUntilItIsJudgedAnew() throws {
    let barred =
      settled + [.surveyed(survey("3", at: 50)), found(2, on: "3", at: 51, pending: [], fails("a"), bears("b"))]
    #expect(try play(barred + [record("a", "6")]).bars(of: harbor).map(\.digest) == [digest("a")])
    check(
      "and falls with the verdict", given: barred + [record("a", "6")],
      when: found(3, on: "3", at: 52, pending: [], bears("a"), bears("b")),
      then: ["examined 3", "audited 3", "barred "])
  }

  @Test func whatCannotBeTakenIsRefused() throws {
    try checkRefused(
      "two that were joined with the same", given: settled + [record("b", "6")], when: record("b", "4"), .notNow,
      saying: "at the same time")
    let stranger = DatabaseSchema.Upload(service: pier, digest: digest("b"), statements: digest("6"))
    try checkRefused(
      "a service that does not use it", given: settled, when: .record(stranger, over: nil), .notNow,
      saying: "does not say that pier uses production/orders")
    try checkRefused(
      "a database that is named no more", given: settled + [.unconfigure], when: record("b", "6"), .notNow,
      saying: "closed")
  }

  @Test func whatIsKeptIsBounded() {
    var state = DatabaseSchema.initial
    func tell(_ event: DatabaseSchema.Event) { DatabaseSchema.evolve(&state, event) }
    tell(.configured(policy()))
    tell(
      .versionsChanged([
        .init(service: harbor, version: lives("a", 1), statements: nil, isGranted: false)
      ]))
    tell(.recorded(.init(service: harbor, digest: digest("a"), statements: digest("5"))))
    let builds = (0...DatabaseSchema.uploadLimit).map { number in
      Digest(rawValue: "sha256:" + String(repeating: "b", count: 60) + String(format: "%04d", number))!
    }
    for build in builds { tell(.recorded(.init(service: harbor, digest: build, statements: digest("5")))) }
    #expect(state.uploads.count == DatabaseSchema.uploadLimit)
    #expect(state.upload(of: harbor, digest("a")) != nil, "of who lives here nothing is dropped")
    #expect(state.uploads.last?.digest == builds.last && state.upload(of: harbor, builds[1]) == nil)
  }

  private func orders(_ state: DatabaseSchema.State) -> [String] {
    DatabaseSchema.effects(of: state).flatMap { effect -> [String] in
      guard case .examine(let order) = effect else { return [] }
      return order.uploads.map { String($0.digest.hex.prefix(1)) }
    }
  }
}

@Suite struct WaiverRules {
  private func override(_ version: Character = "c") -> Told {
    .override(.init(commit: commit(version), actor: "Ada", reason: "nothing records yet"))
  }
  private var refused: [Told] {
    settled + [.ask(ask("c")), found(2, coming: bears("c"), bears("a"), unrecorded("b"))]
  }
  /// Ada let "b" pass, and 0002.sql is applied.
  private var waived: [Told] {
    refused + [
      override(), .ask(ask("c")), found(3, coming: bears("c"), bears("a"), unrecorded("b")),
      .migrated(number: 3, .applied(survey("2", at: 20, applied: 2))),
    ]
  }

  @Test func whoLetAVersionPassNeedNotSayItAtEachMigration() throws {
    #expect(try play(waived).waived.map(\.digest) == [digest("b")] && play(waived).override == nil)
    check(
      "the next migration passes it", given: waived + [.ask(ask("d", ordinal: 10))],
      when: found(4, on: "2", at: 30, pending: [3], coming: bears("d"), bears("a"), unrecorded("b"), bears("c")),
      then: ["examined 4", "migrating d 0003.sql"])
    check(
      "so does the review of a change", given: waived + [.review(review(7))],
      when: found(4, on: "2", at: 30, pending: [3], bears("a"), unrecorded("b"), bears("c")),
      then: ["examined 4", "reviewed 7 compatible passes "])
    check(
      "another of which nothing is recorded does not", given: waived + [.ask(ask("d", ordinal: 10))],
      when: found(4, on: "2", at: 30, pending: [3], coming: unrecorded("d"), bears("a"), unrecorded("b"), bears("c")),
      then: [
        "examined 4", "refused d: whether harbor dddddddddd bears its migration cannot be told: Nothing was recorded.",
      ])
    check(
      "and what is known to break is refused all the same", given: waived + [.ask(ask("d", ordinal: 10))],
      when: found(4, on: "2", at: 30, pending: [3], coming: bears("d"), bears("a"), fails("b"), bears("c")),
      then: [
        "examined 4", "refused d: its migration breaks harbor bbbbbbbbbb, which serves: its INSERT fails with 23502.",
      ])
  }

  @Test func itEndsWhenSomethingIsRecordedOrUsersMeetIt() throws {
    #expect(try play(waived + [record("b", "6")]).waived.isEmpty)
    #expect(try play(waived + [held(lives("a", 1), lives("c", 9, .serving))]).waived.isEmpty, "it left")
    let kept = settled + [.ask(ask("c")), found(2, coming: bears("c"), unrecorded("a"), bears("b")), override()]
    #expect(try play(kept).waived.map(\.digest) == [digest("a")])
    let risen = try play(kept + [held(lives("a", 1, .serving), lives("b", 2))])
    #expect(risen.waived.isEmpty && risen.override == nil, "a way back that users meet now")
  }

  @Test func whatWasRefusedForWantOfStatementsIsAskedAnew() throws {
    let told = refused + [record("b", "6")]
    #expect(try play(refused).refused != nil && play(told).refused == nil)
    check(
      "nobody has to guess that it may pass now", given: refused, when: record("b", "6"),
      then: ["recorded b", "reconsidered c", "examine 3 all"])
    check("of another it says nothing", given: refused, when: record("a", "6"), then: ["recorded a", "examine 3 all"])
    try checkRefused("so nobody takes a risk unread", given: told, when: override(), .notNow, saying: "Nothing of")
    #expect(try play(refused + [override(), record("b", "6")]).override == nil)
  }

  @Test func aPromotionOfAnUnrecordedVersionIsLetPassOnce() {
    let coming = settled + [.ask(ask("c")), found(2, pending: [], coming: unrecorded("c"), bears("a"), bears("b"))]
    check(
      "it is granted", given: coming + [override(), .ask(ask("c"))],
      when: found(3, pending: [], coming: unrecorded("c"), bears("a"), bears("b")),
      then: ["examined 3", "granted c"])
  }
}

@Suite struct ReachRules {
  @Test func howFarBackAServiceMayGo() throws {
    func words(_ reach: DatabaseSchema.State.Reach?) -> String {
      func letter(_ version: HeldVersion) -> String { String(version.digest.hex.prefix(1)) }
      return "\(reach?.floor.map(letter) ?? "none") without \(reach?.barred.map(letter).joined() ?? "")"
    }
    let state = try play(settled)
    #expect(state.reaches().map { words($0.reach) } == ["a without "])
    guard case .examined(_, let contract, _) = found(2, fails("a"), bears("b")) else { return }
    #expect(state.reaches(after: contract).map { words($0.reach) } == ["b without a"], "before it is applied")
    guard case .examined(_, let worst, _) = found(2, fails("a"), fails("b")) else { return }
    #expect(state.reaches(after: worst).map { words($0.reach) } == ["none without ab"])
    let moved = try play(
      settled + [.surveyed(survey("3", at: 50)), found(2, on: "3", at: 51, pending: [], fails("a"), bears("b"))])
    #expect(moved.reaches().map { words($0.reach) } == ["b without a"])
    #expect(moved.floor(of: harbor)?.digest == digest("b"))
  }
}
