import Foundation
import Kernel
import Testing

@testable import MergeQueues

@Suite("What a queue learns of times") struct LearningTests {
  /// One change after another comes to an empty queue, is tested and lands after `seconds` each.
  private func after(_ count: Int, each seconds: Int, holding: Bool = false) throws -> MergeQueue.State {
    var state = MergeQueue.initial
    var now = 0
    func tell(_ told: Told, after pause: Int = 0) throws {
      now += pause
      for event in try MergeQueue.decide(told.input(state), in: state, turn(now)) { MergeQueue.evolve(&state, event) }
    }
    for told in open { try tell(told) }
    for id in 1...count {
      try tell(submit("b\(id)"))
      if holding {
        try tell(Told(.hold(.paused, reason: "lunch", by: "Ada")))
        try tell(Told(.resume(reason: "", by: "Ada")), after: 10)
      }
      try tell(plan([id]))
      try tell(made(id, id == 1 ? "t0" : "k\(id - 1)", "k\(id)"))
      let build = try #require(state.builds.first { $0.isRunning })
      let subject = try #require(build.subject)
      let report = MergeQueue.TestReport(
        end: .exited(code: 0), log: digest("log"), summary: "", startedAt: Instant(milliseconds: Int64(now) * 1000),
        endedAt: Instant(milliseconds: Int64(now + 100) * 1000), recipe: state.recipe)
      let run = build.attempts
      try tell(
        Told(.tested(build: build.id, run: run, commit: subject.commit, report: report)), after: seconds)
      try tell(Told(.landed(build: build.id, commit: subject.commit)))
      #expect(MergeQueue.violations(in: state) == [])
    }
    return state
  }

  @Test("forecasts learn from landings and are kept in the state")
  func forecasts() throws {
    // Each lands after three times what its run takes.
    let state = try after(40, each: 300)
    #expect(state.forecasts.outcomes(of: .first) >= ForecastBook.least)
    var next = state
    for told in [submit("next")] {
      for event in try MergeQueue.decide(told.input(next), in: next, turn(99_000)) { MergeQueue.evolve(&next, event) }
    }
    let entry = try #require(next.entries.first)
    let forecast = try #require(next.forecast(of: entry.id, at: entry.facts.submittedAt))
    #expect(forecast.covers(.seconds(300)) && forecast.estimate < .seconds(200), "\(forecast.words)")
    #expect(entry.forecasts.map(\.forecast) == [forecast])
    let copy = try JSONDecoder().decode(MergeQueue.State.self, from: JSONEncoder().encode(next))
    #expect(copy == next && copy.forecast(of: entry.id, at: entry.facts.submittedAt) == forecast)
  }

  @Test("who was held up by people teaches nothing, and is told nothing")
  func held() throws {
    let state = try after(5, each: 300, holding: true)
    #expect(state.forecasts.outcomes(of: .first) == 0)
    let paused = play(two + [passed(1), landed("t0+a"), Told(.hold(.paused, reason: "lunch", by: "Ada"))])
    #expect(paused.forecast(of: 2, at: Instant(milliseconds: 99_000)) == nil)
  }

  @Test("the watchdog knows how long a check of others takes, and since when it runs")
  func checks() throws {
    var told = open(policy(requirements: MergeQueue.Policy.Requirements(checks: ["lint"])))
    func report(_ id: Int, _ branch: String, _ state: CheckResult.State) -> Told {
      Told(
        .report(
          entry: id,
          .checked(CheckResult(name: "lint", state: state, commit: c(branch), reporter: "ci"), tree: nil)))
    }
    for id in 1...6 { told += [submit("b\(id)"), report(id, "b\(id)", .pending), report(id, "b\(id)", .passed)] }
    let before = play(told + [submit("late")])
    #expect(before.checkTimes.map(\.name) == ["lint"])
    let state = play(told + [submit("late"), report(7, "late", .pending), Told(.ticked)])
    let began = Instant(milliseconds: Int64(told.count + 1) * 1000)
    let check = try #require(state.sight(at: began).checks.first)
    #expect(check.startedAt == began)
    // Each took a second; of so few, 99 of 100 are thought to take less than two.
    let usual = try #require(check.usual)
    #expect(Span.seconds(1) < usual && usual < .seconds(3))
    let stalls = Watchdog.stalls(in: state.sight(at: began + .seconds(10)), at: began + .seconds(10))
    #expect(stalls.map(\.cause).contains(.slowCheck))
    let without = play(told + [Told(.configure(policy()))])
    #expect(without.checkTimes.isEmpty, "what is not required is forgotten")
  }
}
