import Kernel
import Testing

@testable import MergeQueues

/// Issue 4: 10,000 queued entries do not slow a turn beyond 5 ms.
@Suite struct LongLineTests {
  private static let count = 10_000
  /// Five times the promise: this is a debug build on a busy machine, where the code is some ten times slower.
  private static let limit = Duration.milliseconds(250)

  private func long(_ needs: MergeQueue.Policy.Requirements = .none) throws -> MergeQueue.State {
    var state = MergeQueue.initial
    let start = Instant(milliseconds: 0)
    func tell(_ event: MergeQueue.Event) { MergeQueue.evolve(&state, event) }
    tell(.configured(policy(slots: 16, capacity: Self.count + 10, requirements: needs, notes: !needs.isEmpty)))
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

  /// Nobody may be built: each turn passes over all of them, and the clock's looks for what stands still.
  @Test func aTurnIsShortWhereAllLackSomething() throws {
    let needs = MergeQueue.Policy.Requirements(approvals: 1, checks: ["lint", "unit"], schemas: ["production/orders"])
    var state = try long(needs)
    let approved = Told(.report(entry: Self.count, .approved(by: "Grace")))
    var longest = try turn(approved, &state, "an approval")
    longest = max(longest, try turn(reviewed(Self.count, "h\(Self.count)"), &state, "a review"))
    longest = max(longest, try turn(plan([]), &state, "a plan of nothing"))
    longest = max(longest, try turn(Told(.ticked), &state, "a tick"))
    #expect(state.builds.isEmpty && longest < Self.limit)
    let sight = state.sight(at: Instant(milliseconds: 1_000_000))
    #expect(sight.waiting == 0)
    #expect(sight.checks.count == 2 * MergeQueue.noteHorizon && sight.reviews.count == MergeQueue.noteHorizon)
  }

  /// Of a landing's events, who is looked at for what they wait for: counted, because time says little on a busy machine.
  @Test func aLandingLooksAtEachMemberOnce() throws {
    var state = play(open(policy(slots: 8, capacity: 200)) + (1...160).map { submit("b\($0)") })
    func tell(_ event: MergeQueue.Event) { MergeQueue.evolve(&state, event) }
    let at = Instant(milliseconds: 1_000_000)
    let members = (1...8).map { Array(1...($0 * 16)) }
    let builds = members.enumerated().map { index, members in
      MergeQueue.PlannedBuild(id: index + 1, members: members, purpose: .head, worth: 1)
    }
    tell(
      .planned(
        MergeQueue.Event.Planned(
          version: state.planVersion, builds: builds, dropped: [], reruns: [], order: builds.map(\.id), at: at)))
    var base = "t0"
    for id in 1...128 {
      tell(.prepared(entry: id, base: c(base), assumed: [], commit: c("k\(id)"), tree: tree("k\(id)"), at: at))
      base = "k\(id)"
    }
    for build in state.builds.prefix(8) {
      let tip = try #require(build.tip)
      let subject = MergeQueue.Subject(commit: tip.commit, tree: tip.tree)
      tell(.runBegan(build: build.id, run: 1, subject: subject, at: at))
    }
    var looked = 0
    for told in [passed(1), landed("k16")] {
      for event in try MergeQueue.decide(told.input(state), in: state, MergeQueuesTests.turn(2000)) {
        looked += state.waitersTouched(by: event).count
        tell(event)
        looked += state.waitersTouched(by: event).count
      }
    }
    #expect(state.entries.count == 144 && MergeQueue.violations(in: state) == [])
    let inBuilds = Set(members.joined()).count
    #expect(looked < 6 * inBuilds, "\(looked) looks at \(inBuilds) members")
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
