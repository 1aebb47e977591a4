import Kernel
import Testing

@testable import Migrations

@Suite struct GrantRules {
  @Test func aVersionAsksBeforeItComes() {
    check("it is examined", given: settled, when: .ask(ask("c")), then: ["queued c", "examine 2 c"])
    check(
      "what nobody minds is applied", given: settled + [.ask(ask("c"))],
      when: found(2, coming: bears("c"), bears("a"), bears("b")), then: ["examined 2", "migrating c 0002.sql"])
    check(
      "and then it may come", given: settled + [.ask(ask("c")), found(2, coming: bears("c"), bears("a"), bears("b"))],
      when: .migrated(number: 2, .applied(survey("2", at: 20, applied: 2))), then: ["migrated 0002.sql", "granted c"])
    check(
      "at once where nothing is pending", given: settled + [.ask(ask("c"))],
      when: found(2, pending: [], coming: bears("c"), bears("a"), bears("b")), then: ["examined 2", "granted c"])
    check("asking twice is asking once", given: settled + [.ask(ask("c"))], when: .ask(ask("c")), then: [])
    check(
      "who was granted it is told again", given: granted, when: .ask(ask("c")), then: ["granted c"])
  }

  @Test func whatBreaksALiveVersionIsRefused() {
    let asked = settled + [.ask(ask("c"))]
    check(
      "the one that serves", given: asked, when: found(2, coming: bears("c"), bears("a"), fails("b")),
      then: [
        "examined 2",
        "refused c: its migration breaks harbor bbbbbbbbbb, which serves: its INSERT fails with 23502.",
      ])
    check(
      "and one that is only kept", given: asked, when: found(2, coming: bears("c"), fails("a"), bears("b")),
      then: [
        "examined 2",
        "refused c: its migration breaks harbor aaaaaaaaaa, a rollback target (raise the floor above it if it may go): "
          + "its INSERT fails with 23502.",
      ])
    check(
      "once that was given up it passes", given: asked + [held(lives("b", 2, .serving))],
      when: found(2, coming: bears("c"), bears("b")), then: ["examined 2", "migrating c 0002.sql"])
    check(
      "a version whose schema is missing", given: asked,
      when: found(2, pending: [], coming: fails("c"), bears("a"), bears("b")),
      then: ["examined 2", "refused c: production/orders lacks what it needs: its INSERT fails with 23502."])
    check(
      "a migration that fails on rows", given: asked,
      when: found(2, migration: .breaks, why: "23502", coming: bears("c"), bears("a"), bears("b")),
      then: ["examined 2", "refused c: its migration cannot be applied to production/orders: 23502"])
    check(
      "what nobody can tell", given: asked,
      when: found(
        2, coming: bears("c"), bears("a"), SchemaVerdict(client("b"), .unknown, why: "Nothing was recorded.")),
      then: [
        "examined 2",
        "refused c: whether harbor bbbbbbbbbb, which serves bears its migration cannot be told: Nothing was recorded.",
      ])
  }

  @Test func whatTheTeamAccepts() {
    let hazard = SchemaVerdict(client("b"), .hazard, why: "It may read NULL.")
    check(
      "a hazard", given: settled + [.ask(ask("c"))], when: found(2, coming: bears("c"), bears("a"), hazard),
      then: ["examined 2", "migrating c 0002.sql"])
    check(
      "not when it is strict", given: settled + [.configure(policy(strict: true)), .ask(ask("c"))],
      when: found(2, coming: bears("c"), bears("a"), hazard),
      then: [
        "examined 2", "refused c: its migration endangers harbor bbbbbbbbbb, which serves: It may read NULL.",
      ])
    check(
      "what nobody can tell, where it trusts", given: settled + [.configure(policy(trusting: true)), .ask(ask("c"))],
      when: found(2, coming: bears("c"), bears("a"), SchemaVerdict(client("b"), .unknown, why: "Nothing.")),
      then: ["examined 2", "migrating c 0002.sql"])
  }

  @Test func whoIsOnTheWayIsLive() {
    check(
      "a grant lasts until its place shows it", given: granted, when: held(lives("a", 1), lives("b", 2, .serving)),
      then: [])
    check(
      "then it is as any other", given: granted,
      when: held(lives("a", 1), lives("b", 2, .serving), lives("c", 9, .rollingOut)), then: ["live a b c"])
    check(
      "or until its promotion ends", given: granted, when: .released(service: harbor, commit: commit("c")),
      then: ["live a b"])
    check(
      "a promotion that ended asks no more", given: settled + [.ask(ask("c"))],
      when: .released(service: harbor, commit: commit("c")), then: ["abandoned c"])
    let applying = settled + [.ask(ask("c")), found(2, coming: bears("c"), bears("a"), bears("b"))]
    check(
      "what is being applied is", given: applying + [.released(service: harbor, commit: commit("c"))],
      when: .migrated(number: 2, .applied(survey("2", at: 20, applied: 2))), then: ["migrated 0002.sql"])
    check(
      "a service that uses it no more", given: settled, when: .held(service: pier, versions: [lives("d", 3)]), then: [])
    check(
      "a version that came meanwhile is asked too", given: granted + [.ask(ask("d", ordinal: 10))],
      when: found(3, on: "2", pending: [3], coming: bears("d"), bears("a"), bears("b")), then: ["examine 4 d"])
  }
}

private let granted =
  settled + [
    .ask(ask("c")), found(2, coming: bears("c"), bears("a"), bears("b")),
    .migrated(number: 2, .applied(survey("2", at: 20, applied: 2))),
  ]
private let refused = settled + [.ask(ask("c")), found(2, coming: bears("c"), fails("a"), bears("b"))]

@Suite struct OverrideRules {
  private func override(_ version: Character = "c") -> Told {
    .override(.init(commit: commit(version), actor: "Ada", reason: "v41 is gone for good"))
  }

  @Test func aPersonMayTakeTheRisk() throws {
    check("it names who is put at risk", given: refused, when: override(), then: ["overridden a"])
    check("twice is once", given: refused + [override()], when: override(), then: [])
    check(
      "then it is applied, and nobody goes back to it meanwhile", given: refused + [override(), .ask(ask("c"))],
      when: found(3, coming: bears("c"), fails("a"), bears("b")),
      then: ["examined 3", "migrating c 0002.sql", "barred a"])
    check(
      "not for others", given: refused + [override(), .ask(ask("c"))],
      when: found(3, coming: bears("c"), fails("a"), fails("b")),
      then: [
        "examined 3",
        "refused c: its migration breaks harbor bbbbbbbbbb, which serves (and 1 more): its INSERT fails with 23502.",
      ])
    check(
      "nor for other migrations", given: refused + [override(), .ask(ask("c"))],
      when: found(3, pending: [2, 3], coming: bears("c"), fails("a"), bears("b")),
      then: [
        "examined 3",
        "refused c: its migration breaks harbor aaaaaaaaaa, a rollback target (raise the floor above it if it may go): "
          + "its INSERT fails with 23502.",
      ])
    try checkRefused("nothing was refused", given: settled, when: override(), .notNow, saying: "Promote it")
    try checkRefused(
      "what was read was of another schema", given: refused + [.surveyed(survey("3", at: 30))], when: override(),
      .notNow, saying: "is another schema since cccccccccc was refused: promote it again")
    try checkRefused("another was", given: refused, when: override("d"), .notNow, saying: "the last was cccccccccc")
    try checkRefused(
      "without a reason", given: refused, when: .override(.init(commit: commit("c"), actor: "Ada", reason: "")),
      .malformed, saying: "give both")
    try checkRefused(
      "what cannot work is no risk",
      given: settled + [.ask(ask("c")), found(2, migration: .breaks, why: "23502", bears("a"), bears("b"))],
      when: override(), .notNow, saying: "Land a fix")
  }

  @Test func whatItBreaksIsNoTargetAnyMore() {
    let overridden = refused + [override(), .ask(ask("c")), found(3, coming: bears("c"), fails("a"), bears("b"))]
    check(
      "nor when it failed", given: overridden,
      when: .migrated(number: 3, .failed(name: "0002.sql", why: "lock timeout", survey("1", at: 20))),
      then: ["failed 0002.sql: lock timeout", "barred "])
    check(
      "the delivery was told", given: overridden,
      when: .migrated(number: 3, .applied(survey("2", at: 20, applied: 2))),
      then: ["migrated 0002.sql", "granted c"])
    let applied =
      overridden + [
        .migrated(number: 3, .applied(survey("2", at: 20, applied: 2))), held(lives("a", 1), lives("b", 2, .serving)),
      ]
    check(
      "a later migration acquits nobody: what failed before it was set aside",
      given: applied + [
        .ask(ask("d", ordinal: 10)),
        found(4, on: "2", at: 21, pending: [3], coming: bears("d"), bears("a"), bears("b"), bears("c")),
      ],
      when: .migrated(number: 4, .applied(survey("3", at: 22, applied: 3))), then: ["migrated 0003.sql", "examine 5 d"])
  }

  @Test func aRiskIsTakenForWhatItWasTakenFor() {
    check(
      "whoever was only kept serves now",
      given: refused + [override(), held(lives("a", 1, .serving), lives("b", 2)), .ask(ask("c"))],
      when: found(3, coming: bears("c"), fails("a"), bears("b")),
      then: [
        "examined 3", "refused c: its migration breaks harbor aaaaaaaaaa, which serves: its INSERT fails with 23502.",
      ])
    func endangered(_ version: Character, _ fit: SchemaFit) -> SchemaVerdict {
      SchemaVerdict(client(version), fit, why: "Nobody can tell.")
    }
    let doubted = settled + [.ask(ask("c")), found(2, coming: bears("c"), endangered("a", .unknown), bears("b"))]
    check(
      "what could not be told breaks",
      given: doubted + [override(), .ask(ask("c"))], when: found(3, coming: bears("c"), fails("a"), bears("b")),
      then: [
        "examined 3",
        "refused c: its migration breaks harbor aaaaaaaaaa, a rollback target (raise the floor above it if it may go): "
          + "its INSERT fails with 23502.",
      ])
    check(
      "what broke cannot be told any more: that is less",
      given: refused + [override(), .ask(ask("c"))],
      when: found(3, coming: bears("c"), endangered("a", .unknown), bears("b")),
      then: ["examined 3", "migrating c 0002.sql"])
    check(
      "the migration itself became dangerous", given: refused + [override(), .ask(ask("c"))],
      when: found(3, migration: .unknown, why: "it locks", coming: bears("c"), bears("a"), bears("b")),
      then: ["examined 3", "refused c: its migration is dangerous in production/orders: it locks"])
    check(
      "and it was, when it was taken",
      given: settled + [
        .ask(ask("c")), found(2, migration: .unknown, why: "it locks", coming: bears("c"), bears("a"), bears("b")),
        override(), .ask(ask("c")),
      ], when: found(3, migration: .unknown, why: "it locks", coming: bears("c"), bears("a"), bears("b")),
      then: ["examined 3", "migrating c 0002.sql"])
    check(
      "the schema is another than was read of",
      given: refused + [
        override(), .surveyed(survey("3", at: 30)), found(3, on: "3", at: 31, pending: [], bears("a"), bears("b")),
        .ask(ask("c")),
      ], when: found(4, on: "3", at: 32, coming: bears("c"), fails("a"), bears("b")),
      then: [
        "examined 4",
        "refused c: its migration breaks harbor aaaaaaaaaa, a rollback target (raise the floor above it if it may go): "
          + "its INSERT fails with 23502.",
      ])
    check(
      "somebody else's grant spends nothing",
      given: refused + [
        override(), .ask(ask("d", ordinal: 10)), found(3, pending: [], coming: bears("d"), bears("a"), bears("b")),
        .ask(ask("c")),
      ], when: found(4, coming: bears("c"), fails("a"), bears("b"), bears("d")),
      then: ["examined 4", "migrating c 0002.sql", "barred a"])
  }
}

@Suite struct DriftRules {
  @Test func aSchemaThatMovedVoidsWhatWasSaid() {
    check(
      "all is judged anew", given: settled, when: .surveyed(survey("3", at: 30)),
      then: ["drifted 1-3", "examine 2 all"])
    check(
      "who fails now is no target", given: settled + [.surveyed(survey("3", at: 30))],
      when: found(2, on: "3", at: 31, pending: [], fails("a"), bears("b")),
      then: ["examined 2", "audited 2", "barred a"])
    let fallen =
      settled + [.surveyed(survey("3", at: 30)), found(2, on: "3", at: 31, pending: [], fails("a"), bears("b"))]
    check(
      "and stays none until somebody looked again", given: fallen, when: .surveyed(survey("6", at: 40)),
      then: ["drifted 3-6", "examine 3 all"])
    check(
      "what was given up is tried again after a while",
      given: fallen + [
        .surveyed(survey("6", at: 40)), .unexaminable(number: 3, why: "an extension is missing", ofPlace: false),
      ], when: .surveyed(survey("6", at: 641)), then: ["surveyed 6", "examine 4 all"])
    check("a late look says nothing", given: settled, when: .surveyed(survey("3", at: 1)), then: [])
    check("an equal one neither", given: settled, when: .surveyed(survey("1", at: 30)), then: [])
    check(
      "moved between the verdict and its use",
      given: settled + [.ask(ask("c")), found(2, coming: bears("c"), bears("a"), bears("b"))],
      when: .migrated(number: 2, .drifted(survey("3", at: 30))), then: ["drifted 1-3", "examine 3 c"])
    check(
      "moved before the verdict", given: settled + [.ask(ask("c"))],
      when: found(2, on: "3", at: 30, coming: bears("c"), bears("a"), bears("b")), then: ["drifted 1-3", "examine 3 c"])
    check(
      "another schema than was foretold",
      given: settled + [.ask(ask("c")), found(2, coming: bears("c"), bears("a"), bears("b"))],
      when: .migrated(number: 2, .applied(survey("4", at: 30, applied: 2))), then: ["migrated 0002.sql", "examine 3 c"])
  }

  @Test func theFloorIsWhereNothingFailsAnyMore() throws {
    let moved = try play(
      settled + [
        held(lives("a", 1), lives("b", 2), lives("d", 3, .serving)),
        found(2, at: 1, pending: [], bears("a"), bears("b"), bears("d")), .surveyed(survey("3", at: 30)),
        found(3, on: "3", at: 31, pending: [], bears("a"), fails("b"), bears("d")),
      ])
    #expect(
      moved.floor(of: harbor)?.digest == digest("d"), "what is older than a failing version stays a target by name")
    #expect(moved.bars(of: harbor).map(\.digest) == [digest("b")])
    #expect(try play(settled).floor(of: harbor) == nil)
  }
}

@Suite struct ReviewRules {
  private let asked = settled + [.review(review(7))]

  @Test func aChangeIsJudgedBeforeItLands() {
    check("it is examined", given: settled, when: .review(review(7)), then: ["queued #7", "examine 2 #7"])
    check(
      "without migrations it passes", given: asked, when: found(2, pending: [], bears("a"), bears("b")),
      then: ["examined 2", "reviewed 7 compatible passes "])
    check(
      "what breaks a live version does not", given: asked, when: found(2, bears("a"), fails("b")),
      then: [
        "examined 2",
        "reviewed 7 breaks stays harbor bbbbbbbbbb in production/orders: its INSERT fails with 23502.",
      ])
    check(
      "its verdicts are not the schema's", given: asked + [found(2, bears("a"), fails("b"))],
      when: .ask(ask("c")), then: ["queued c", "examine 3 c"])
    check(
      "one that cannot be read", given: asked,
      when: .unexaminable(number: 2, why: "0002.sql:3: no such table", ofPlace: false),
      then: ["reviewed 7 unknown stays 0002.sql:3: no such table"])
    check(
      "a server that is away keeps it waiting, behind others", given: asked + [.ask(ask("c"))],
      when: .exhausted(key: EffectKey("examine/2"), why: "no route"),
      then: ["trouble examine/2: no route", "queued #7", "examine 3 c"])
    check(
      "alone it is tried again as it is", given: asked, when: .exhausted(key: EffectKey("examine/2"), why: "no route"),
      then: ["trouble examine/2: no route"])
    check(
      "no change is to blame for the place", given: asked,
      when: .unexaminable(number: 2, why: "it has tables and no book", ofPlace: true),
      then: ["reviewed 7 unknown passes it has tables and no book"])
    check(
      "who left its queue is dropped", given: asked + [.review(review(8))],
      when: .reviewEnded(entry: 7, repository: repository, trunk: trunk), then: ["dropped #7", "examine 3 #8"])
    check(
      "who waits to go out is asked before who waits to land", given: asked + [.review(review(8)), .ask(ask("c"))],
      when: found(2, pending: [], bears("a"), bears("b")),
      then: ["examined 2", "reviewed 7 compatible passes ", "examine 3 c"])
    check(
      "where no database is named nothing holds it up", given: [], when: .review(review(7)),
      then: ["reviewed 7 unknown passes plimsoll.yaml names no such database here"])
  }
}

@Suite struct TroubleRules {
  private let asked = settled + [.ask(ask("c"))]
  private let applying = settled + [.ask(ask("c")), found(2, coming: bears("c"), bears("a"), bears("b"))]

  @Test func whatFailsIsSaid() {
    check(
      "a migration", given: applying,
      when: .migrated(number: 2, .failed(name: "0002.sql", why: "lock timeout", survey("1", at: 20))),
      then: ["failed 0002.sql: lock timeout"])
    check(
      "half of one", given: applying,
      when: .migrated(
        number: 2, .failed(name: "0002.sql", why: "deadlock", survey("6", at: 20, unfinished: "0002.sql"))),
      then: ["failed 0002.sql: deadlock", "examine 3 all"])
    check(
      "the server, while it examines", given: asked, when: .exhausted(key: EffectKey("examine/2"), why: "no route"),
      then: ["trouble examine/2: no route", "turned away c: it could not be examined: no route"])
    check(
      "the server, while it applies", given: applying, when: .exhausted(key: EffectKey("migrate/2"), why: "no route"),
      then: ["trouble migrate/2: no route", "failed 0002.sql: no route"])
    check("of something else", given: asked, when: .exhausted(key: EffectKey("examine/1"), why: "no route"), then: [])
    check(
      "migrations that nobody can read", given: asked,
      when: .unexaminable(number: 2, why: "0001.sql was changed", ofPlace: false),
      then: ["turned away c: 0001.sql was changed"])
    check(
      "an audit does not go round for ever",
      given: settled + [.surveyed(survey("3", at: 30))],
      when: .unexaminable(number: 2, why: "an extension is missing", ofPlace: false),
      then: ["trouble examine/2: an extension is missing", "audited 2"])
  }

  @Test func whatIsLateSaysNothing() {
    check("an examination", given: asked, when: found(1, bears("a"), bears("b")), then: [])
    check("an application", given: asked, when: .migrated(number: 2, .applied(survey("2", at: 20))), then: [])
    check("an adoption", given: asked, when: .adopted(number: 1, survey("2", at: 20), marks: []), then: [])
  }
}

@Suite struct PlaceRules {
  @Test func aDatabaseThatIsNamedNoMore() {
    let waiting = settled + [.ask(ask("c")), .review(review(7))]
    check(
      "whoever waits is told", given: waiting, when: .unconfigure,
      then: [
        "turned away c: plimsoll.yaml no longer names production/orders",
        "reviewed 7 unknown passes plimsoll.yaml no longer names production/orders", "closed",
      ])
    check("nobody is asked any more", given: waiting + [.unconfigure], when: .surveyed(survey("3", at: 40)), then: [])
    check("twice is once", given: settled + [.unconfigure], when: .unconfigure, then: [])
    check("it may come back", given: settled + [.unconfigure], when: .configure(policy()), then: ["configured"])
    check(
      "targets are free again",
      given: settled + [
        .surveyed(survey("3", at: 30)), found(2, on: "3", at: 31, pending: [], fails("a"), bears("b")),
      ],
      when: .unconfigure, then: ["closed", "barred "])
  }

  @Test func aBookForADatabaseThatHasTables() throws {
    let adoption = DatabaseSchema.Adoption(
      commit: commit("c"), through: "0001.sql", actor: "Ada", reason: "from before")
    check("it is ordered", given: settled, when: .adopt(adoption), then: ["adopt through 0001.sql"])
    check(
      "and written", given: settled + [.adopt(adoption)],
      when: .adopted(number: 2, survey("1", at: 30), marks: [mark(1)]),
      then: ["adopted 1"])
    check(
      "or not", given: settled + [.adopt(adoption)], when: .unadoptable(number: 2, why: "there is no 0001.sql"),
      then: ["not adopted: there is no 0001.sql"])
    try checkRefused(
      "not while something is applied", given: settled + [.ask(ask("c"))], when: .adopt(adoption), .notNow,
      saying: "the migrations of harbor cccccccccc are examined")
    try checkRefused("nowhere", given: [], when: .adopt(adoption), .notNow, saying: "add it to 'databases'")
  }
}
