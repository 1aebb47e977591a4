import JudgeTrials
import Testing

@Suite("Scoring a detector")
struct DetectorScoreTests {
  private static let labels = (0..<300 as Range<UInt64>).map { LabelledDeploy(seed: $0).label }

  private func score(_ answer: (DeployLabel) -> DetectorAnswer?) -> DetectorScore {
    var score = DetectorScore()
    for label in Self.labels { score.add(label, answer(label)) }
    return score
  }

  @Test("who knows the labels scores full marks")
  func oracle() {
    let score = score { label in
      DetectorAnswer(
        deploy: label.deploy, rollback: label.bad, second: label.begins.map { $0 + 4 }, cause: label.cause)
    }
    for share in [score.precision, score.recall, score.recallAboveMDE, score.causeRight] {
      #expect(share.of > 0 && share.hits == share.of && share.value == 1 && share.limits.upperBound == 1)
    }
    #expect(score.missed.isEmpty && score.needless.isEmpty && score.rolledBackAfterLoss.hits == 0)
    #expect(score.kinds.filter { $0.caught > 0 }.allSatisfy { $0.seconds(for: 0.5) == 5 })
    #expect(score.classes.reduce(0) { $0 + $1.deploys } == score.deploys)
  }

  @Test("who never answers finds nothing and hurts nobody")
  func silent() {
    let score = score { _ in nil }
    #expect(score.precision.value == nil)
    #expect(score.recall.hits == 0 && score.recallAboveMDE.hits == 0)
    #expect(score.missed.count == score.recallAboveMDE.of)
  }

  @Test("who rolls everything back before it began is never right")
  func early() {
    let score = score { DetectorAnswer(deploy: $0.deploy, rollback: true, second: 599, cause: .logic) }
    #expect(score.precision.hits == 0 && score.recall.hits == 0 && score.causeRight.of == 0)
    #expect(score.needless.count == score.deploys)
  }

  @Test("a picture has a row for each kind, and is complete")
  func picture() {
    let svg = ScorePicture.svg(title: "oracle", score { _ in nil })
    #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
    for kind in DeployLabel.Kind.allCases { #expect(svg.contains(">\(kind.rawValue)<")) }
  }
}
