import Kernel
import Rollouts
import Testing

@Suite("Ramp plan")
struct RampPlanTests {
  private let policy = JudgePolicy(sloP99: .seconds(0.25))
  private let baseline = Baseline.known(errorRate: 0.001)

  private func plan(_ ratio: Double, _ rate: Double, longest: Span = RampPlan.defaultLongestStep) -> RampPlan {
    RampPlan(
      toSee: ratio, totalRequestsPerSecond: rate, baseline: baseline, policy: policy, longestStep: longest)
  }

  @Test(
    "each step lasts until the wanted worsening would have been seen", arguments: [5.0, 20.0], [40.0, 400.0, 4000.0])
  func power(_ ratio: Double, _ rate: Double) throws {
    let plan = plan(ratio, rate)
    let needed = try #require(JudgePlan(policy: policy, baseline: baseline).requests(toSee: ratio))
    #expect(plan.steps.last?.percent == 100)
    for step in plan.steps {
      let seen = step.requestsPerSecond * step.lasts.seconds
      #expect(seen >= Double(max(needed, policy.minimumRequests)), "\(step.percent) %")
      #expect(step.lasts <= RampPlan.defaultLongestStep)
    }
  }

  @Test("more traffic begins with a smaller share")
  func firstShare() {
    let firsts = [10.0, 100, 1000, 10_000].compactMap { plan(5, $0).steps.first?.percent }
    #expect(firsts == firsts.sorted(by: >))
    #expect(firsts.last == 1)
  }

  @Test("shares grow fivefold at most and end with all", arguments: [3.0, 30, 300, 3000])
  func growth(_ rate: Double) {
    let percents = plan(20, rate).steps.map(\.percent)
    for (before, after) in zip(percents, percents.dropFirst()) {
      #expect(after > before)
      #expect(after <= before * RampPlan.growth)
    }
  }

  @Test("what cannot be seen in time gives no steps, and what can instead")
  func blind() throws {
    let plan = plan(2, 3)
    #expect(plan.steps.isEmpty)
    let instead = try #require(plan.smallestRatio)
    #expect(instead > 2)
    #expect(!self.plan(instead * 1.1, 3).steps.isEmpty)
    #expect(self.plan(2, 3, longest: .minutes(60 * 24 * 30)).steps.last?.percent == 100)
    #expect(self.plan(5, 0).steps.isEmpty)
  }

  @Test("a ratio below what counts is planned as what counts")
  func least() {
    #expect(plan(1.2, 4000).wantedRatio == policy.errorRatio)
  }
}
