import JudgeTrials
import Statistics
import Testing

/// Each rival first does what its documents, its code or the research say of it.
struct RivalTests {
  private func seconds(_ counts: Deploy.Counts, _ times: Int) -> [Deploy.Counts] {
    Array(repeating: counts, count: times)
  }
  private static let failing = Deploy.Counts(requests: 10, errors: 10)
  private static let sound = Deploy.Counts(requests: 10)

  /// Research §2.6, baseline 0.1 %: 94 %, 90 %, 39 % and 0 % of healthy deploys.
  @Test(arguments: [(5.0, 0.94), (20, 0.9), (100, 0.39), (500, 0)])
  func theArticlesRuleRollsBackHealthyDeploysAsPublished(rate: Double, published: Double) {
    let cell = Cell(errorRate: 0.001, requestsPerSecond: rate, shape: .steady)
    let tally = Trial.run(cell, seeds: 0..<40, contenders: [.articleRule])[0]
    #expect(abs(tally.share - published) <= 0.25, "\(tally.share)")
  }

  @Test func argoCountsFailuresForGoodAndAbortsBeyondTheLimit() {
    var analysis = ArgoAnalysis(.documented)
    var aborted: [Int] = []
    // Bad and good five minutes in turns: the fourth failure is the seventh measurement.
    let story = (0..<8).flatMap { seconds($0 % 2 == 0 ? Self.failing : Self.sound, 300) }
    for (second, counts) in story.enumerated() where analysis.rollsBack(after: counts) { aborted.append(second + 1) }
    #expect(aborted.first == 7 * 300)
  }

  @Test func argoFailsWithoutTraffic() {
    var analysis = ArgoAnalysis(.fastest)
    let at = seconds(Deploy.Counts(), 60).firstIndex { analysis.rollsBack(after: $0) }
    #expect(at == 9)
  }

  @Test(arguments: [(FlaggerLoop.Settings.documented, 120), (.fastest, 20)])
  func flaggerRollsBackOneTickAfterTheLastFailure(settings: FlaggerLoop.Settings, second: Int) {
    var loop = FlaggerLoop(settings)
    #expect(seconds(Self.failing, 200).firstIndex { loop.rollsBack(after: $0) } == second - 1)
    var sound = FlaggerLoop(settings)
    #expect(!seconds(Self.sound, 600).contains { sound.rollsBack(after: $0) })
  }

  /// Research §2.3 at 100 requests/s and 0.1 %: a 5x worsening is found never in 60 points of a second, because most
  /// points are zero, and always in 50 points of a minute.
  @Test(arguments: [(60, 1.0, 0.0), (50, 60, 1)])
  func kayentaFindsWhatThePublishedRunsFound(points: Int, pointSeconds: Double, published: Double) {
    var chance = Chance(seed: 3)
    let found = (0..<50).count { _ in
      func arm(_ rate: Double) -> [Double] {
        (0..<points).map { _ in Double(chance.poisson(100 * pointSeconds * rate)) / (100 * pointSeconds) }
      }
      return KayentaJudge.isHigh(canary: arm(0.005), control: arm(0.001))
    }
    #expect(abs(Double(found) / 50 - published) <= 0.05, "\(found) of 50")
  }

  @Test func kayentaPassesWhatIsAlike() {
    #expect(!KayentaJudge.isHigh(canary: [0.1, 0.2, 0.3], control: [0.3, 0.1, 0.2]))
    #expect(!KayentaJudge.isHigh(canary: [0, 0], control: [0, 0]))
  }
}
