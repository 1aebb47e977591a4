import Kernel
import Statistics
import Testing

@testable import Ramps

/// Whatever comes in whatever order, late, twice or never: the invariants hold, the recorded events lead to the same
/// state again, and nothing that was withdrawn is given out without a person.
@Suite("Any story of a flag") struct FlagExplorerTests {
  struct World {
    var chance: Chance
    var state = FeatureFlag.initial
    var events: [FeatureFlag.Event] = []
    var clock = 0.0
    /// Observations on their way: they come late, twice, or not at all.
    var mail: [FeatureFlag.Input] = []
    /// Environments in which a variant was withdrawn and no person has asked for anything since.
    var withdrawn: Set<EnvironmentName> = []
    var kinds: [String: Int] = [:]

    mutating func below(_ count: Int) -> Int { Int(chance.next() % UInt64(count)) }

    mutating func take(_ input: FeatureFlag.Input, isRequest: Bool = false) throws {
      clock += 1
      let turn = TurnContext(now: at(clock), chance: chance.next())
      let before = state
      let next: [FeatureFlag.Event]
      do { next = try FeatureFlag.decide(input, in: state, turn) } catch {
        #expect(isRequest, "an observation was refused: \(error)")
        return
      }
      for event in next {
        FeatureFlag.evolve(&state, event)
        kinds[event.name, default: 0] += 1
        watch(event, isRequest)
      }
      events += next
      #expect(FeatureFlag.violations(in: state) == [])
      for placement in state.placements {
        let old = before.placement(in: placement.environment)
        #expect(placement.epoch >= old?.epoch ?? 0, "an epoch fell")
        let isGrown = placement.allocation.size(of: "on") > old?.allocation.size(of: "on") ?? 0
        #expect(!(isGrown && withdrawn.contains(placement.environment)), "\(placement.environment): it came back alone")
        if old?.epoch == placement.epoch, let old {
          #expect(
            old.allocation == placement.allocation && old.isOn == placement.isOn, "shares changed without an epoch")
        }
      }
    }

    private mutating func watch(_ event: FeatureFlag.Event, _ isRequest: Bool) {
      switch event {
      case .rampStopped(let environment, _), .killed(let environment, _, _, _): withdrawn.insert(environment)
      case .rampStarted(let plan, _, _): withdrawn.remove(plan.environment)
      case .stageBegan(let environment, let begin):
        // A stage is passed by evidence, or by a person whose name is kept.
        #expect(begin.stage == 0 || begin.passed != nil || begin.by != nil, "\(environment) advanced by nobody")
      default: break
      }
    }

    /// Does some of what the state wants, well or badly.
    mutating func work() {
      for effect in FeatureFlag.effects(of: state) {
        if below(3) == 0 { continue }
        switch effect {
        case .sight(let source):
          mail.append(
            below(6) == 0
              ? .exhausted(effect.key, why: "no route")
              : .trafficTold(source.environment, ramp: source.ramp, [below(3) == 0 ? nil : busy]))
        case .watch(let order):
          let environment = order.source.environment
          let standing = below(2) == 0 ? everybody : nearly
          mail.append(.acknowledged(environment, epoch: order.epoch, standing, at: at(clock)))
          let verdicts = [good, good, good, undecided, undecided, untrusted(.telemetry), untrusted(.sampleRatio), bad]
          let verdict = verdicts[below(below(3) == 0 ? 8 : 6)]
          mail.append(.judged(environment, epoch: order.epoch, verdict, RampRecord(), at: at(clock)))
        case .prove(let order):
          // Who has not heard begins the wait anew, so most have.
          let standing = below(6) != 0 ? everybody : nearly
          let shownAt = below(3) == 0 ? at(clock) : nil
          mail.append(.proofTold(order.environment, epoch: order.epoch, standing, shownAt: shownAt, at: at(clock)))
        case .wake(at: _, let key): mail.append(.woke(key))
        case .announce(let announcement, let target):
          mail.append(
            below(5) == 0
              ? .exhausted(effect.key, why: "no answer") : .announced(id: announcement.id, target: target))
        }
      }
    }

    /// Delivers one of what is on its way: in any order, at times twice, at times never.
    mutating func deliver() throws {
      guard !mail.isEmpty else { return }
      let index = below(mail.count)
      let input = mail[index]
      if below(4) != 0 { mail.remove(at: index) }
      if below(10) != 0 { try take(input) }
      if mail.count > 40 { mail.removeFirst(20) }
    }

    mutating func step() throws {
      switch below(36) {
      case 0: try ask()
      case 1, 2, 3: clock += Double(below(120))
      case 4..<14: work()
      default: try deliver()
      }
    }

    mutating func ask() throws {
      let environment = below(4) == 0 ? staging : production
      let requests: [FeatureFlag.Input] = [
        .startRamp(plan(), ada), .startRamp(plan(stages: [50, 100], guardrails: 0), ada), .startRamp(plan(), ada),
        .advance(environment, ada), .hold(environment, ada), .resume(environment, ada), .stopRamp(environment, ada),
        .kill(.init(environment: below(2) == 0 ? nil : environment, announceTargets: 1, by: ada)),
        .place(.init(environment: environment, isOn: true, by: ada)),
        .place(.init(environment: environment, isOn: true, by: ada)),
        .place(.init(environment: environment, isOn: false, by: ada)),
        .edit(.init(definition: definition(below(2) == 0 ? "a" : "b"), over: state.revision, by: ada)),
        .restore(revision: 1, ada), .claimed(by: basket), .unclaimed(by: basket),
        .schedule(.init(at: at(clock + Double(below(60))), change: .place(environment, isOn: below(2) == 0), by: ada)),
        .schedule(.init(at: at(clock + Double(below(60))), change: .ramp(plan()), by: ada)),
      ]
      let request = requests[below(requests.count)]
      try take(request, isRequest: true)
      if below(400) == 0 { try take(.archive(ada), isRequest: true) }
    }
  }

  @Test(arguments: 0..<300) func everythingHoldsWhateverComes(seed: Int) throws {
    var world = World(chance: Chance(seed: UInt64(seed)))
    try world.take(
      .create(
        .init(
          key: checkout, definition: definition(),
          environments: [.init(environment: production, isOn: true), .init(environment: staging, isOn: true)], by: ada))
    )
    for _ in 0..<250 { try world.step() }
    var again = FeatureFlag.initial
    for event in world.events { FeatureFlag.evolve(&again, event) }
    #expect(again == world.state)
    // Left alone, with clients that answer, what was withdrawn is proved.
    for _ in 0..<200 {
      world.clock += 5
      for effect in FeatureFlag.effects(of: world.state) {
        guard case .prove(let order) = effect else { continue }
        try world.take(
          .proofTold(order.environment, epoch: order.epoch, everybody, shownAt: nil, at: at(world.clock)))
      }
    }
    #expect(world.state.placements.allSatisfy { $0.proof == nil })
  }

  @Test func storiesMeetWhatMatters() throws {
    var kinds: [String: Int] = [:]
    for seed in 0..<60 {
      var world = World(chance: Chance(seed: UInt64(1000 + seed)))
      try world.take(
        .create(
          .init(
            key: checkout, definition: definition(), environments: [.init(environment: production, isOn: true)], by: ada
          )
        ))
      for _ in 0..<400 { try world.step() }
      kinds.merge(world.kinds) { $0 + $1 }
    }
    for name in [
      "rampStarted", "sighted", "stageBegan", "settled", "asked", "held", "resumed", "rampStopped", "rolledOut",
      "killed",
      "proved", "proofNoted", "fellDue", "announcementAbandoned",
    ] {
      #expect(kinds[name, default: 0] >= 5, "\(name): \(kinds[name, default: 0])")
    }
  }
}
