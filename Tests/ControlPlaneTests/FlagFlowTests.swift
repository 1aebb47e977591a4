import ControlPlane
import Kernel
import Ramps
import Testing

private let checkout = Facts.parsed(FlagKey(rawValue: "new-checkout"))
private let basket = Facts.parsed(FlagKey(rawValue: "new-basket"))
private let ada = FeatureFlag.Signature(actor: "Ada", reason: "it is time")

private func definition(_ letter: String = "a", needs: [FlagKey] = []) -> FlagDefinition {
  FlagDefinition(
    members: [
      .init(name: "variants", json: #"{"on":true,"off":false}"#), .init(name: "defaultVariant", json: #""off""#),
    ],
    hash: Facts.digest(letter), variants: ["on", "off"], prerequisites: needs, owner: "payments",
    expiry: Facts.start + .minutes(60 * 24 * 30))
}
private func creation(_ key: FlagKey, needs: [FlagKey] = []) -> StreamInput {
  .flag(
    .create(
      .init(
        key: key, definition: definition(needs: needs),
        environments: [.init(environment: Facts.production, isOn: true)],
        by: ada)))
}

@Suite("Flags in the engine") struct FlagFlowTests {
  private func state(_ key: FlagKey, _ bench: Bench) -> FeatureFlag.State {
    guard case .flag(let state)? = bench.engine.state(of: .flag(key)) else { return FeatureFlag.initial }
    return state
  }

  @Test("who needs a flag has it reserved, until it needs it no more")
  func prerequisites() throws {
    let bench = Bench()
    try bench.engine.recover(now: bench.now)
    bench.ask(creation(basket), of: .flag(basket))
    bench.ask(creation(checkout, needs: [basket]), of: .flag(checkout))
    bench.run()
    #expect(state(basket, bench).dependents == [checkout])
    bench.ask(.flag(.archive(ada)), of: .flag(basket))
    let replies = bench.run()
    guard case .refused(let refusal)? = replies.first?.outcome else {
      Issue.record("\(replies)")
      return
    }
    #expect(refusal.sentence == "Flag new-basket is a prerequisite of new-checkout: take it out there first.")
    bench.ask(.flag(.edit(.init(definition: definition("b"), over: 1, by: ada))), of: .flag(checkout))
    bench.run()
    #expect(state(basket, bench).dependents.isEmpty)
    bench.ask(.flag(.edit(.init(definition: definition("c", needs: [basket]), over: 2, by: ada))), of: .flag(checkout))
    bench.run()
    #expect(state(basket, bench).dependents == [checkout])
    bench.ask(.flag(.archive(ada)), of: .flag(checkout))
    bench.run()
    bench.ask(.flag(.archive(ada)), of: .flag(basket))
    bench.run()
    #expect(state(basket, bench).archived != nil)
  }

  @Test("after a crash a ramp goes on where it was: the same shares are served, and its watch is started again")
  func recovered() throws {
    let bench = Bench()
    try bench.engine.recover(now: bench.now)
    bench.ask(creation(checkout), of: .flag(checkout))
    let policy = RampPolicy(stages: [.init(percent: 25, least: .zero)], guardrails: [Guardrail("errors", .errors)])
    bench.ask(
      .flag(.startRamp(RampPlan(environment: Facts.production, variant: "on", policy: policy), ada)),
      of: .flag(checkout))
    bench.run()
    bench.observe(
      .flag(.trafficTold(Facts.production, ramp: 1, [nil])), "sight/production/1", of: .flag(checkout))
    bench.run()
    let served = try #require(state(checkout, bench).served(in: Facts.production))
    #expect(served.contains(#""allocation":[{"variant":"on","from":0,"to":25000}]"#))
    let again = try bench.restarted()
    #expect(state(checkout, again).served(in: Facts.production) == served)
    #expect(again.dispatcher.effects.map(\.key.text) == ["watch/production/1", "settle/production/1"])
    // What is off stays off.
    again.post(.flag(.kill(.init(environment: nil, by: ada))), to: .flag(checkout), lane: .protect)
    again.run()
    let last = try again.restarted()
    #expect(state(checkout, last).served(in: Facts.production)?.hasPrefix(#"{"state":"DISABLED""#) == true)
    #expect(last.dispatcher.effects.map(\.key.text) == ["prove/production/3"])
  }
}
