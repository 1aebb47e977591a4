import Foundation
import Kernel
import Rollouts
import Testing

@Suite("The budget that costs least")
struct FalseRollbackBudgetTests {
  /// What a deploy costs on average with a budget, in seconds: written down apart from the formula under test.
  private func cost(_ budget: Double, _ costs: MistakeCosts, nat: Double = MistakeCosts.secondsPerNat) -> Double {
    let healthy = (1 - costs.badDeploys) * budget * costs.needless.seconds
    let found = log(1 / budget) * nat / (25 * 60)
    return healthy + costs.badDeploys * found * costs.bad.seconds
  }

  private static let cases: [MistakeCosts] = [
    MistakeCosts(), MistakeCosts(badDeploys: 0.02), MistakeCosts(badDeploys: 0.15),
    MistakeCosts(needless: .minutes(60)), MistakeCosts(needless: .minutes(1), bad: .minutes(60)),
  ]

  @Test("no other budget costs less", arguments: cases)
  func least(_ costs: MistakeCosts) {
    let least = cost(costs.budget, costs)
    for step in -60...60 where step != 0 {
      #expect(cost(costs.budget * exp(Double(step) / 10), costs) > least, "e^\(Double(step) / 10)")
    }
  }

  @Test("the article's 5 and 25 minutes, one deploy in twenty bad: 1 in 407")
  func article() {
    #expect((1 / MistakeCosts().budget).rounded() == 407)
  }

  @Test("five times off costs less than two seconds a deploy")
  func flat() {
    let costs = MistakeCosts()
    for factor in [0.2, 5] {
      #expect(cost(costs.budget * factor, costs) - cost(costs.budget, costs) < 2, "\(factor)")
    }
  }

  @Test("a dearer needless rollback makes it stricter; dearer or more bad deploys make it laxer")
  func directions() {
    let usual = MistakeCosts().budget
    #expect(MistakeCosts(needless: .minutes(10)).budget < usual)
    #expect(MistakeCosts(bad: .minutes(50)).budget > usual)
    #expect(MistakeCosts(badDeploys: 0.15).budget > usual)
  }

  @Test("never beyond what the judge takes")
  func clamped() {
    #expect(MistakeCosts(needless: .seconds(0.001), bad: .minutes(9e6)).budget == JudgePolicy.budgets.upperBound)
    #expect(MistakeCosts(needless: .minutes(5e6), bad: .seconds(0.001), badDeploys: 0).budget < 1e-9)
    #expect(JudgePolicy.budgets.contains(MistakeCosts(needless: .zero, bad: .zero, badDeploys: 7).budget))
  }

  /// The table of research rollout.md §2.6, without the worsenings that take more than ten minutes there.
  private static let found: [(baseline: Double, rate: Double, ratios: [Double])] = [
    (0.0005, 20, [5, 20, 100]), (0.001, 5, [5, 20, 100]), (0.001, 20, [5, 20, 100]), (0.001, 100, [2, 5, 20, 100]),
    (0.001, 500, [2, 5, 20]), (0.001, 2000, [2, 5]), (0.01, 5, [2, 5, 20, 100]), (0.01, 20, [2, 5, 20]),
    (0.01, 100, [2, 5]),
  ]

  @Test("the constant is what a nat costs this judge")
  func constant() throws {
    var perNat: [Double] = []
    for cell in Self.found {
      for ratio in cell.ratios {
        func wait(_ budget: Double) throws -> Double {
          let policy = JudgePolicy(sloP99: .seconds(0.25), falseRollbackBudget: budget)
          let plan = JudgePlan(policy: policy, baseline: .known(errorRate: cell.baseline))
          return Double(try #require(plan.requests(toSee: ratio))) / cell.rate
        }
        perNat.append((try wait(0.001) - wait(0.01)) / log(10))
      }
    }
    let mean = perNat.reduce(0, +) / Double(perNat.count)
    #expect(abs(mean / MistakeCosts.secondsPerNat - 1) < 0.05, "\(mean) s")
  }
}
