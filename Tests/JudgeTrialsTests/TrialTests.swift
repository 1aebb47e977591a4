import JudgeTrials
import Rollouts
import Testing

/// A small fixed part of `plimsoll bench judge`, with the slack that its size needs.
struct TrialTests {
  @Test func theSameSeedIsTheSameDeploy() {
    let cell = Cell(errorRate: 0.01, requestsPerSecond: 20, shape: .clustered)
    let (one, same, other) = (Deploy(cell, seed: 1), Deploy(cell, seed: 1), Deploy(cell, seed: 2))
    #expect(one.canary == same.canary && one.control == same.control && one.history == same.history)
    #expect(one.canary != other.canary)
  }

  /// What a deploy is made of is what its cell says.
  @Test(arguments: Shape.allCases)
  func deploysHaveTheRatesOfTheirCell(shape: Shape) {
    let cell = Cell(errorRate: 0.01, requestsPerSecond: 100, shape: shape, worsening: 2)
    var canary = Deploy.Counts()
    var control = Deploy.Counts()
    var history = Deploy.Counts()
    for seed in 0..<10 as Range<UInt64> {
      let deploy = Deploy(cell, seed: seed)
      for slot in deploy.canary { canary.add(slot) }
      for slot in deploy.control { control.add(slot) }
      for window in deploy.history { history.add(window) }
    }
    func rate(_ counts: Deploy.Counts) -> Double { Double(counts.errors) / Double(counts.requests) }
    let drift = shape == .driftUp ? 1.3 : shape == .driftDown ? 1 / 1.3 : 1
    #expect(abs(rate(history) / 0.01 - 1) < 0.2)
    #expect(abs(rate(control) / 0.01 / drift - 1) < 0.25)
    #expect(abs(rate(canary) / 0.02 / drift - 1) < 0.25)
    #expect(abs(Double(canary.slow) / Double(canary.requests) / Deploy.slowRate - 1) < 0.1)
    if shape != .bursty {
      #expect(abs(Double(canary.requests) / 10 / 60_000 - 1) < 0.35)
    }
    #expect((shape == .clustered) == (canary.repeats > 0))
  }

  /// Where one needless rollback in 200 is the promise, two in twelve are beyond chance.
  @Test(arguments: Shape.allCases.filter { $0 != .clusteredUnseen })
  func healthyDeploysAreKept(shape: Shape) {
    for (errorRate, rate) in [(0.001, 20.0), (0.01, 100)] {
      let cell = Cell(errorRate: errorRate, requestsPerSecond: rate, shape: shape)
      let tally = Trial.run(cell, seeds: 0..<12, contenders: [.plimsoll])[0]
      #expect(tally.rolledBackMs.count <= 1, "\(shape): \(tally.rolledBackMs.count) of 12")
    }
  }

  /// Research §2.6, times 1.5 and the chance of a median of 31.
  @Test(arguments: [(0.001, 20.0, 20.0, 7.0), (0.001, 100, 5, 15), (0.01, 5, 5, 30), (0.001, 500, 20, 1)])
  func badDeploysAreFoundInTime(errorRate: Double, rate: Double, worsening: Double, published: Double) {
    let cell = Cell(errorRate: errorRate, requestsPerSecond: rate, shape: .steady, worsening: worsening)
    let tally = Trial.run(cell, seeds: 0..<31, contenders: [.plimsoll])[0]
    let median = tally.seconds(for: 0.5) ?? .infinity
    #expect(median <= 1.5 * published * 1.4, "\(median) s")
  }

  /// Merging stretches without a bad request, as the benchmark does for speed, changes no verdict of steady failures. The
  /// veto asks what the control did since nothing spoke for a worsening, which a merged stretch moves: by its patience
  /// and five seconds, and to the later side, so that the benchmark does not flatter.
  @Test(arguments: [Shape.steady, .clustered])
  func stretchesWithoutABadRequestMayComeAsOneBin(shape: Shape) {
    for seed in 0..<8 as Range<UInt64> {
      let deploy = Deploy(
        Cell(errorRate: 0.001, requestsPerSecond: 20, shape: shape, worsening: 10), seed: seed)
      let fine = JudgedDeploy.convictedMs(deploy, longestStretch: 1) ?? .max
      let merged = JudgedDeploy.convictedMs(deploy, longestStretch: 20) ?? .max
      #expect((-5000...15_000).contains(fine.distance(to: merged)), "seed \(seed): \(fine), \(merged)")
    }
  }

  @Test func partsOfTheSeedsAddUp() {
    let cell = Cell(errorRate: 0.01, requestsPerSecond: 20, shape: .steady, worsening: 5)
    var parts = Trial.run(cell, seeds: 0..<5, contenders: [.plimsoll])[0]
    parts.add(Trial.run(cell, seeds: 5..<12, contenders: [.plimsoll])[0])
    #expect(parts == Trial.run(cell, seeds: 0..<12, contenders: [.plimsoll])[0])
    #expect(parts.limits.contains(parts.share))
  }
}
