import Kernel
import Testing

@testable import Promotions

/// Through integration, which has no database, up to staging's gate.
private let beforeStaging: [Promotion.Input] =
  [.begin(order(stages: stagesWithDatabase)), .built(build())] + through(integration, checks: [smoke])
private let fitting = beforeStaging + [.provenanceFound(environment: staging, finding: verified)]
private let refused = fitting + [.schemaRefused(environment: staging, reason: "harbor bbbbbbbbbb reads orders.note.")]

/// All the way, with a refusal in it.
let schemaWay: [Promotion.Input] =
  refused + [promote()] + granted(staging)
  + [smoke, load].map { .checked(environment: staging, name: $0, report: report(startedAt: at(9000))) } + [soaked]
  + granted(production)

extension RuleTests {
  @Test("where the service has a database, the database is asked before the environment") func schema() throws {
    try check(
      "after the provenance", given: beforeStaging, when: .provenanceFound(environment: staging, finding: verified),
      decides: ["provenanceVerified", "schemaAsked"], wants: [])
    try check(
      "granted, the environment is asked", given: fitting, when: .schemaGranted(environment: staging),
      decides: ["schemaGranted", "requested"], wants: [])
    try check(
      "refused, it halts and says what to do", given: fitting,
      when: .schemaRefused(environment: staging, reason: "harbor bbbbbbbbbb reads orders.note.\nmore"),
      decides: ["schemaRefused", "halted"], wants: [],
      halting: "harbor aaaaaaaaaa may not go to staging, because orders refused it: harbor bbbbbbbbbb reads "
        + "orders.note; promote again when that is mended or overridden")
    try check(
      "without a database nothing changes", given: begunAndBuilt,
      when: .provenanceFound(environment: integration, finding: verified),
      decides: ["provenanceVerified", "requested"])
    let story = try Story(fitting)
    guard case .schemaAsked(let ask)? = story.events.last else {
      Issue.record("\(story.events)")
      return
    }
    #expect(ask == Promotion.SchemaAsk(order(), digest: digest("1"), environment: staging, database: orders))
    #expect(!story.state.isAtRest)
    #expect(
      Promotion.waitReason(story.state)
        == "Whether all that lives on orders in staging bears its migrations is being found out; what fits is applied.")
  }

  @Test("what its database refused for want of knowledge is asked anew when more is known") func reconsidered() throws {
    try check(
      "by itself, and from its provenance on", given: refused, when: .schemaReconsidered(environment: staging),
      decides: ["schemaReconsidered"], wants: ["provenance/staging"])
    let again = try Story(refused + [.schemaReconsidered(environment: staging)])
    #expect(again.state.course?.stages[1].setback == nil && !again.state.isAtRest)
    for (words, given) in [
      ("not while it goes on", refused + [promote()]), ("nor after it passed", schemaWay), ("nor unknown", []),
      ("nor what was condemned", refused + [promote(), .condemned(environment: staging, reason: "it lost orders")]),
    ] { try check(words, given: given, when: .schemaReconsidered(environment: staging), decides: []) }
    try check("nor another's", given: refused, when: .schemaReconsidered(environment: production), decides: [])
  }

  @Test("a database's answer to something else is late") func schemaLate() throws {
    let asked = fitting + [.schemaGranted(environment: staging)]
    for (words, given) in [
      ("nothing was asked yet", beforeStaging), ("it was granted already", asked),
      ("it was refused already", refused), ("it has passed", schemaWay), ("nothing is known", []),
    ] {
      try check(words, given: given, when: .schemaGranted(environment: staging), decides: [])
      try check(words, given: given, when: .schemaRefused(environment: staging, reason: "late"), decides: [])
    }
    try check("another environment's", given: fitting, when: .schemaGranted(environment: production), decides: [])
    try check(
      "another environment's", given: fitting, when: .schemaRefused(environment: production, reason: "x"), decides: [])
  }

  @Test("while the database is asked, the environment was not") func schemaMeanwhile() throws {
    let elsewhere: [Promotion.Input] = [
      .provenanceFound(environment: staging, finding: verified), .taken(environment: staging),
      .superseded(environment: staging, by: newer, below: 8),
      .served(environment: staging, digest: digest("1"), at: at(9)),
      .checked(environment: staging, name: smoke, report: report()), soaked,
    ]
    for input in elsewhere { try check("\(input)", given: fitting, when: input, decides: []) }
    try check(
      "condemned there halts it", given: fitting, when: .condemned(environment: staging, reason: "crash loop"),
      decides: ["condemned", "halted"])
    try check("withdrawn", given: fitting, when: .withdrawn(environment: staging), decides: ["halted"], wants: [])
    try check(
      "renewed, it goes the whole way again", given: fitting,
      when: .begin(order(stages: stagesWithDatabase, ordinal: 9)), decides: ["renewed"],
      wants: ["provenance/integration"])
    try refuses(
      "promoting it", given: fitting, when: promote(staging), .notNow,
      saying: "already on its way to staging: Whether all that lives on orders")
  }

  @Test("promoted again, the database is asked again, and each environment's has its own word")
  func schemaAgain() throws {
    try check(
      "it goes through the gate anew", given: refused, when: promote(), decides: ["resumed"],
      wants: ["provenance/staging"])
    try check(
      "and asks anew", given: refused + [promote()], when: .provenanceFound(environment: staging, finding: verified),
      decides: ["provenanceVerified", "schemaAsked"])
    try check(
      "an override accepts a condemned digest, not a schema that breaks", given: refused + [promote(override: true)],
      when: .provenanceFound(environment: staging, finding: verified),
      decides: ["provenanceVerified", "schemaAsked"])
    try refuses(
      "not past it", given: refused, when: promote(production), .notNow,
      saying: "staging has not passed: its database refused it: harbor bbbbbbbbbb reads orders.note; promote to")
    let failed =
      fitting + granted(staging).dropFirst() + [
        .checked(environment: staging, name: smoke, report: report(passed: false, reason: "2 of 9 failed"))
      ]
    try check(
      "also after a check failed", given: failed + [promote()],
      when: .provenanceFound(environment: staging, finding: verified), decides: ["provenanceVerified", "schemaAsked"])
    let story = try Story(schemaWay)
    #expect(story.state.course?.stages.map { $0.grantedAt != nil } == [false, true, true])
    #expect(story.state.isAtRest)
    #expect(story.events.count { $0.name == "schemaAsked" } == 3)
  }
}
