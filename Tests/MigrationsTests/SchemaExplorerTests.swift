import Kernel
import Testing

@testable import Migrations

/// Whatever comes in whatever order: what is applied is borne by all that lives there, somebody who waits is served, and
/// everybody who asked gets one answer.
@Suite struct SchemaExplorerTests {
  /// The world in small: a migration breaks a version when their numbers say so.
  struct World {
    var chance: Chance
    var state = DatabaseSchema.initial
    var schema = 1
    var now: Int64 = 100
    var answered: [Int64: Int] = [:]
    var applied = 0
    var recordings = 0
    var kinds: [String: Int] = [:]

    static func breaks(_ version: Int64, on schema: Int) -> Bool { (version * 7 + Int64(schema) * 3) % 5 == 0 }
    func hash(_ schema: Int) -> Digest {
      Digest(rawValue: "sha256:" + String(repeating: "0", count: 60) + pad(schema))!
    }
    private func pad(_ number: Int) -> String { String(String(10_000 + number % 10_000, radix: 10).suffix(4)) }

    mutating func take(_ input: Told) throws {
      now += 1
      let events = try DatabaseSchema.decide(input, in: state, TurnContext(now: at(now), chance: 0))
      for event in events {
        switch event {
        case .granted(let ask): answered[ask.ordinal, default: 0] += 1
        case .refused(let refused): answered[refused.ask.ordinal, default: 0] += 1
        case .turnedAway(let ask, _), .abandoned(let ask): answered[ask.ordinal, default: 0] += 1
        case .migrationFailed(let ask, name: _, why: _, _): answered[ask.ordinal, default: 0] += 1
        case .migrated: applied += 1
        default: break
        }
        kinds[event.name, default: 0] += 1
        DatabaseSchema.evolve(&state, event)
      }
      #expect(DatabaseSchema.violations(in: state) == [])
    }

    /// Does one of the things that the state wants, well or badly.
    mutating func work() throws {
      for effect in DatabaseSchema.effects(of: state) {
        switch effect {
        case .watch:
          if chance.below(4) == 0 { try take(.surveyed(seen)) }
        case .examine(let order):
          if chance.below(12) == 0 { return try take(.exhausted(key: effect.key, why: "no route")) }
          if chance.below(12) == 0 {
            return try take(.unexaminable(number: order.number, why: "no such table", ofPlace: false))
          }
          let pending = order.errand == .audit || chance.below(3) == 0 ? [] : [mark(2)]
          let after = pending.isEmpty ? schema : schema + 1
          func verdict(_ client: SchemaClient, _ number: Int64) -> SchemaVerdict {
            // Of some nothing is recorded until a sidecar sends it.
            let sent = order.uploads.first { $0.isOf(client.service, client.digest) }?.statements
            let isUnrecorded = number % 3 == 0 && sent == nil
            let known = SchemaClient(
              service: client.service, digest: client.digest, commit: client.commit,
              statements: isUnrecorded ? nil : sent ?? digest("5"))
            if isUnrecorded { return SchemaVerdict(known, .unknown, why: "nothing was recorded") }
            return SchemaVerdict(known, Self.breaks(number, on: after) ? .breaks : .compatible, why: "42703")
          }
          let verdicts = order.versions.map { client in
            verdict(client, state.versions.first { $0.version.digest == client.digest }?.version.ordinal ?? 0)
          }
          let examination = SchemaExamination(
            survey: seen, pending: pending, after: hash(after), migration: .compatible, why: "", verdicts: verdicts,
            coming: nil, comingBefore: nil, report: digest("7"))
          if chance.below(10) == 0 { schema += 1 }
          return try take(.examined(number: order.number, examination, migrations: digest("8")))
        case .migrate(let order, let number):
          if chance.below(10) == 0 { return try take(.exhausted(key: effect.key, why: "no route")) }
          guard order.on == hash(schema) else { return try take(.migrated(number: number, .drifted(seen))) }
          if chance.below(8) == 0 {
            return try take(.migrated(number: number, .failed(name: "0002.sql", why: "deadlock", seen)))
          }
          schema += 1
          return try take(.migrated(number: number, .applied(seen)))
        case .adopt: break
        }
      }
    }

    /// A sidecar tells of somebody who lives here or asks, or a person takes the risk of the last refusal.
    mutating func hear() throws {
      if chance.below(2) == 0, let refused = state.refused,
        refused.examination.survey.schema == state.survey?.schema
      {
        return try take(.override(.init(commit: refused.ask.commit, actor: "Ada", reason: "it is nothing")))
      }
      let asked = (state.waiting + [state.current].compactMap(\.self)).compactMap { errand in
        if case .ask(let ask) = errand { ask.digest } else { nil }
      }
      let known = state.versions.map(\.version.digest) + asked
      guard !known.isEmpty else { return }
      let version = known[chance.below(known.count)]
      recordings += 1
      try take(
        .record(
          .init(service: harbor, digest: version, statements: hash(5_000 + recordings)),
          over: state.upload(of: harbor, version)))
    }

    private var seen: SchemaSurvey { SchemaSurvey(schema: hash(schema), applied: 1, last: nil, at: at(now)) }
  }

  @Test(arguments: 0..<300) func everythingHoldsWhateverComes(seed: Int) throws {
    var world = World(chance: Chance(UInt64(seed)))
    var ordinal: Int64 = 0
    var asked: [Int64] = []
    var living: [HeldVersion] = []
    try world.take(.configure(policy()))
    for _ in 0..<120 {
      switch world.chance.below(10) {
      case 0:
        ordinal += 1
        asked.append(ordinal)
        let digest = Digest(rawValue: "sha256:" + String(repeating: "b", count: 60) + String(1000 + ordinal))!
        let commit = CommitID(rawValue: String(repeating: "c", count: 36) + String(1000 + ordinal))!
        try world.take(.ask(.init(service: harbor, commit: commit, digest: digest, ordinal: ordinal, title: "x")))
      case 1: try world.take(.review(review(world.chance.below(5))))
      case 2:
        // The place takes what was granted, and forgets its oldest.
        for live in world.state.versions where live.isGranted { living.append(live.version) }
        if living.count > 3 { living.removeFirst() }
        try world.take(.held(service: harbor, versions: living))
      case 3:
        let commits =
          world.state.versions.filter(\.isGranted).map(\.version.commit)
          + (world.state.waiting + [world.state.current].compactMap(\.self)).compactMap { errand in
            if case .ask(let ask) = errand { ask.commit } else { nil }
          }
        if let commit = commits.first, world.chance.below(3) == 0 {
          try world.take(.released(service: harbor, commit: commit))
        }
      case 4: if world.chance.below(6) == 0 { world.schema += 1 }
      case 5: try world.hear()
      default: try world.work()
      }
    }
    // Left alone it comes to rest, and whoever asked was answered.
    for _ in 0..<400 where world.state.phase != .idle || !world.state.waiting.isEmpty { try world.work() }
    #expect(world.state.phase == .idle)
    #expect(asked.allSatisfy { world.answered[$0, default: 0] >= 1 }, "\(asked) \(world.answered)")
    #expect(Set(asked).isSuperset(of: world.answered.keys))
  }

  /// A small generator of its own: the same seed, the same story (splitmix64).
  struct Chance {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }
    mutating func below(_ bound: Int) -> Int {
      state &+= 0x9E37_79B9_7F4A_7C15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
    }
  }
}
