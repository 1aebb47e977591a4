import Foundation
import JudgeTrials
import Replay
import Rollouts
import Testing

@Suite("Labelled deploys")
struct LabelledDeployTests {
  private static let deploys = (0..<400 as Range<UInt64>).map { LabelledDeploy(seed: $0) }

  @Test("a seed is one deploy, and its neighbour another")
  func sameSeed() {
    let (one, same, other) = (LabelledDeploy(seed: 7), LabelledDeploy(seed: 7), LabelledDeploy(seed: 8))
    #expect(one.recording == same.recording && one.label == same.label)
    #expect(one.recording != other.recording)
  }

  @Test("every kind occurs, about as often as its weight says")
  func kinds() {
    for kind in DeployLabel.Kind.allCases {
      #expect(Self.deploys.contains { $0.label.kind == kind }, "\(kind.rawValue)")
    }
    let bad = Self.deploys.count { $0.label.bad }
    #expect((160...260).contains(bad), "\(bad) of 400")
  }

  @Test("labels say what a label must")
  func labels() {
    for deploy in Self.deploys {
      let label = deploy.label
      #expect(label.bad == (label.cause != nil) && label.bad == (label.begins != nil))
      #expect((label.measure == nil) == (label.worsening == nil))
      if let begins = label.begins {
        #expect(begins >= LabelledDeploy.deploySecond && begins < LabelledDeploy.deploySecond + 600)
      }
      if let mde = label.mde { #expect(mde >= 2 && label.worsening != nil) }
      #expect((label.lost != nil) == (label.class == .providerDown))
    }
  }

  @Test("the history has the rates of the label")
  func rates() {
    var expected = 0.0
    var errors = 0.0
    for deploy in Self.deploys {
      let requests = Double(deploy.history.reduce(0) { $0 + $1.requests })
      expected += requests * deploy.label.errorRate
      errors += Double(deploy.history.reduce(0) { $0 + $1.errors })
      if deploy.label.kind == .steady {
        #expect(abs(requests / 600 / deploy.label.requestsPerSecond - 1) < 0.1)
      }
    }
    #expect(abs(errors / expected - 1) < 0.05)
  }

  @Test("what replay reads is what was drawn", arguments: DeployLabel.Kind.allCases)
  func readable(kind: DeployLabel.Kind) throws {
    let deploy = try #require(Self.deploys.first { $0.label.kind == kind })
    let evidence = try RecordedEvidence(reading: Data(deploy.recording.utf8), file: "x.csv")
    #expect(evidence.notes.isEmpty)
    let new = evidence.rows.filter { $0.version == LabelledDeploy.newVersion }
    #expect(new.map(\.counts.errors) == deploy.canary.compactMap { $0?.errors })
    #expect(new.map(\.counts.slow) == deploy.canary.compactMap { $0?.slow })
    #expect(evidence.marks.count == deploy.marks.count)
  }

  @Test("losing the source changes nothing else")
  func twin() throws {
    let broken = try #require(Self.deploys.first { $0.label.kind == .blindBad })
    let whole = LabelledDeploy(seed: broken.label.seed, losesSource: false)
    #expect(whole.history == broken.history && whole.label == broken.label)
    #expect(whole.recording != broken.recording)
    #expect(!whole.canary.contains(nil))
  }

  private func answer(_ deploy: LabelledDeploy) throws -> DetectorAnswer {
    let evidence = try RecordedEvidence(reading: Data(deploy.recording.utf8), file: "x.csv")
    let report = try ReplayRun(evidence, file: "x.csv", policy: JudgedDeploy.policy).report
    let cause = report.verdicts.last { $0.verdict == .bad }?.cause.flatMap(CauseClass.init(rawValue:))
    return DetectorAnswer(
      deploy: deploy.label.deploy, rollback: report.outcome.verdict == .bad,
      second: report.outcome.second.map { Int($0) }, cause: cause)
  }

  /// A small fixed part of `plimsoll bench deploys`.
  @Test("the judge of production finds what is twice the MDE, and a lost source condemns nobody")
  func ours() throws {
    var score = DetectorScore()
    for deploy in Self.deploys.prefix(60) { score.add(deploy.label, try answer(deploy)) }
    #expect(score.recallAboveMDE.hits == score.recallAboveMDE.of, "missed \(score.missed)")
    #expect(score.recallAboveMDE.of >= 10)
    #expect(score.needless.count <= 2, "\(score.needless)")
    #expect(score.rolledBackAfterLoss.hits == 0)
    #expect(try #require(score.causeRight.value) >= 0.8)
  }

  /// Each was rolled back while the canary's share of all requests, instead of its share at the time, told what an
  /// incident explains: the steps had moved in between.
  @Test(
    "an incident of both versions at a later step is not the release", arguments: [46, 109, 110, 312, 365] as [UInt64])
  func incidents(seed: UInt64) throws {
    let deploy = LabelledDeploy(seed: seed)
    #expect(deploy.label.class == .coincident)
    #expect(try !answer(deploy).rollback)
  }

  /// 51x after a history with one error, in a window with little traffic: that is no fluctuating rate.
  @Test("one earlier error does not make the judge dull")
  func oneEarlierError() throws {
    let deploy = LabelledDeploy(seed: 824)
    #expect(deploy.history.reduce(0) { $0 + $1.errors } == 1)
    #expect(try answer(deploy).rollback)
  }
}
