import JudgeTrials
import Rollouts
import Testing

/// Whole deploys with all guards on; `plimsoll bench judge` has more of them.
@Suite("Deploys with guards")
struct GuardedDeployTests {
  private func convictions(_ fault: DeployUsage.Fault, deploys: Range<UInt64>) -> [JudgedDeploy.Conviction?] {
    deploys.map { seed in
      let cell = Cell(errorRate: 0.001, requestsPerSecond: 100, shape: Shape.allCases[Int(seed % 3)])
      return JudgedDeploy.conviction(Deploy(cell, seed: seed), usage: DeployUsage(seed: seed, fault: fault))
    }
  }

  /// One needless rollback in 200 is the promise of all rules together: three in 60 are beyond chance.
  @Test("healthy instances condemn nobody")
  func healthy() {
    let found = convictions(.none, deploys: 0..<60).compactMap(\.self)
    #expect(found.count <= 2, "\(found)")
  }

  @Test("three leaks in four are found before their limit, where they meet that within the watch")
  func leaks() {
    var early = 0
    var all = 0
    for (seed, conviction) in convictions(.leak, deploys: 0..<40).enumerated() {
      let limitMs = DeployUsage(seed: UInt64(seed), fault: .leak).limitSecond * 1000
      guard limitMs < 550_000 else { continue }
      all += 1
      if let conviction, conviction.rule == .memory, Double(conviction.atMs) < limitMs { early += 1 }
    }
    #expect(all >= 15 && early * 4 >= all * 3, "\(early) of \(all)")
  }

  @Test("requests that cost more are found")
  func dearRequests() {
    let found = convictions(.dearRequests, deploys: 0..<30).compactMap(\.self).filter { $0.rule == .processor }
    #expect(found.count >= 15, "\(found.count) of 30")
  }

  @Test("a deploy's requests do not depend on its instances, and the same seed is the same deploy")
  func seeds() {
    let cell = Cell(errorRate: 0.001, requestsPerSecond: 100, shape: .steady, worsening: 20)
    for seed in 0..<5 as Range<UInt64> {
      let deploy = Deploy(cell, seed: seed)
      let plain = JudgedDeploy.conviction(deploy, usage: nil, policy: JudgedDeploy.guardedPolicy)
      #expect(plain == JudgedDeploy.conviction(deploy, usage: DeployUsage(seed: seed)))
      #expect(plain?.rule == .errorRate)
    }
  }
}
