import Kernel
import RealModule

@testable import Rollouts

/// Two versions side by side, a second at a time: what their requests, memory and processors do is told by functions of
/// the second.
struct GuardWorld {
  static let old = 200e6
  static let limit: Int64 = 512_000_000

  /// Requests a second, both versions together.
  var rate = 200.0
  var percent: (Int) -> Int = { $0 < 120 ? 10 : 50 }
  /// The part of its requests that the canary does not finish.
  var lost: (Int) -> Double = { _ in 0 }
  var newBytes: (Int) -> Double = { _ in GuardWorld.old }
  var oldBytes: (Int) -> Double = { _ in GuardWorld.old }
  /// Processors an instance uses without a request, and seconds a request.
  var idle = 0.05
  var newCost: (Int) -> Double = { _ in 0.004 }
  var oldCost: (Int) -> Double = { _ in 0.004 }
  var instances = 2
  var limit: Int64? = GuardWorld.limit
  var rules = Rule.guards

  static func policy(_ rules: [Rule] = Rule.guards, checks: [WatchCheck] = []) -> JudgePolicy {
    var policy = JudgePolicy(sloP99: .seconds(0.3))
    policy.guards = GuardPolicy(rules: rules, checks: checks)
    return policy
  }

  /// The first conviction within `seconds`, and when.
  func run(seconds: Int, seed: UInt64) -> (conviction: Conviction, second: Int)? {
    var chance = Seeded(seed)
    let policy = GuardWorld.policy(rules)
    guard let settings = policy.guards else { return nil }
    var guards = Guards(settings, of: policy)
    var processors: [Double] = [0, 0]
    var before: Int?
    for second in 0..<seconds {
      let at = Instant(milliseconds: Int64(second) * 1000)
      let share = percent(second)
      if share != before { guards.routed(GuardShares(canary: share, control: 100 - share, since: at)) }
      before = share
      // HAProxy deals out evenly; a binomial deal is the harder case.
      let all = Int(rate) + chance.events(among: Int(rate / 2), rate: 0.5) - Int(rate / 4)
      let dealt = chance.events(among: all, rate: Double(share) / 100)
      let finished = dealt - chance.events(among: dealt, rate: lost(second))
      // What the canary refuses, the other version finishes.
      let others = all - finished
      processors[0] += idle * Double(instances) + Double(finished) * newCost(second)
      processors[1] += idle * Double(instances) + Double(others) * oldCost(second)
      let usages = (0..<instances).flatMap { number in
        [(JudgeWorld.canary, 0, newBytes(second)), (JudgeWorld.control, 1, oldBytes(second))].map {
          InstanceUsage(
            deployment: $0.0, instance: number, run: 7, residentBytes: Int64($0.2),
            processorSeconds: processors[$0.1] / Double(instances))
        }
      }
      guards.measured(usages, canary: JudgeWorld.canary, control: JudgeWorld.control, limit: limit, at: at)
      guards.absorb(
        JudgeWorld.bin(
          fromMs: at.milliseconds, toMs: at.milliseconds + 1000, canary: RequestCounts(requests: finished),
          control: RequestCounts(requests: others)), canary: JudgeWorld.canary, control: JudgeWorld.control)
      if let conviction = guards.conviction { return (conviction, second + 1) }
    }
    return nil
  }

  /// Uneven by `share` from second to second, the same for each seed.
  static func noise(_ share: Double, _ seed: UInt64, _ second: Int) -> Double {
    var chance = Seeded(seed &* 1_000_003 &+ UInt64(second))
    return 1 + Double.random(in: -share...share, using: &chance)
  }
}
