import Kernel
import MergeQueues
import Testing

/// Issue 4: 10,000 queued entries do not slow a turn beyond 5 ms.
@Suite struct LongLineTests {
  private static let count = 10_000
  /// Five times the promise: this is a debug build on a busy machine, where the code is some ten times slower.
  private static let limit = Duration.milliseconds(250)

  private func long() throws -> MergeQueue.State {
    var state = MergeQueue.initial
    let start = Instant(milliseconds: 0)
    func tell(_ event: MergeQueue.Event) { MergeQueue.evolve(&state, event) }
    tell(.configured(policy(slots: 16, capacity: Self.count + 10)))
    tell(.trunkMoved(from: nil, to: c("t0"), at: start))
    for id in 1...Self.count {
      tell(
        .submitted(
          MergeQueue.EntryFacts(
            id: id, branch: branch("b\(id)"), head: c("h\(id)"), author: "Ada", title: "Change \(id)",
            submittedAt: start)))
    }
    return state
  }

  /// Decide, evolve, derive effects and check, as the engine does.
  private func turn(_ told: Told, _ state: inout MergeQueue.State, _ words: String) throws -> Duration {
    let input = told.input(state)
    let before = state
    let clock = ContinuousClock()
    let took = try clock.measure {
      let events = try MergeQueue.decide(input, in: state, MergeQueuesTests.turn(1))
      for event in events { MergeQueue.evolve(&state, event) }
      _ = MergeQueue.effects(of: state)
      #expect(MergeQueue.violations(in: state).isEmpty)
      #expect(!events.isEmpty || before == state)
    }
    print("with \(Self.count) entries, \(words): \(took)")
    return took
  }

  @Test func aTurnIsShort() throws {
    var state = try long()
    let clock = ContinuousClock()
    var proposed: Plan?
    let planning = clock.measure {
      guard case .plan(let order)? = MergeQueue.effects(of: state).first(where: { $0.key.text.hasPrefix("plan/") })
      else { return }
      proposed = Planner.plan(order.situation(at: Instant(milliseconds: 1000)))
    }
    print("with \(Self.count) entries, planning outside of the turn: \(planning)")
    let plan = try #require(proposed)
    var longest = try turn(Told { .planned(plan, version: $0.planVersion) }, &state, "a plan")
    longest = max(longest, try turn(submit("new"), &state, "a submission"))
    var guardrail = 0
    while state.push == nil, guardrail < 2000 {
      guardrail += 1
      if let build = state.builds.first(where: \.isRunning) {
        longest = max(longest, try turn(passed(build.id), &state, "a run's end"))
      } else if let build = state.builds.first(where: { !$0.isAssembled }), build.steps.count < build.members.count {
        let base = build.steps.last?.commit ?? build.base
        let entry = build.members[build.steps.count]
        let outcome = CandidateOutcome.prepared(commit: c("k\(guardrail)"), tree: tree("k\(guardrail)"))
        let recipe = state.recipe
        longest = max(
          longest,
          try turn(Told(.prepared(entry: entry, base: base, outcome: outcome, recipe: recipe)), &state, "a merge"))
      }
    }
    let push = try #require(state.push)
    longest = max(longest, try turn(Told(.landed(build: push.build, commit: push.tip)), &state, "a landing"))
    #expect(MergeQueue.effects(of: state).count < 200)
    #expect(longest < Self.limit)
  }
}
