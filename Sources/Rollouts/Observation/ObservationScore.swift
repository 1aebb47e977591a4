import Kernel

extension Observation {
  /// What Plimsoll would have done with a deployment.
  package enum Judgement: Codable, Equatable, Sendable {
    case wouldHaveRolledBack(Conviction)
    case wouldHaveKept(Power)
    /// One sentence.
    case couldNotTell(why: String)
  }

  /// What the team did with it.
  package enum TeamAct: Codable, Equatable, Sendable {
    case kept
    case rolledBack(at: Instant)
    /// Another version followed before the bake was over: forward, for whatever reason.
    case replaced(by: ObservedVersion, at: Instant)
  }

  /// What came of one deployment.
  package struct Record: Codable, Equatable, Sendable {
    package let deployed: Deployed
    package let judgement: Judgement
    /// As last told: what the pages show, or a person's correction.
    package var team: TeamAct
    package let settledAt: Instant
    /// Who corrected what the team did; nil when nobody had to.
    package var correctedBy: String?
    package init(
      deployed: Deployed, judgement: Judgement, team: TeamAct, settledAt: Instant, correctedBy: String? = nil
    ) {
      self.deployed = deployed
      self.judgement = judgement
      self.team = team
      self.settledAt = settledAt
      self.correctedBy = correctedBy
    }

    package var comparison: Comparison {
      switch (judgement, team) {
      case (.wouldHaveRolledBack(let conviction), .rolledBack(let at)):
        .bothWentBack(saved: max(at - conviction.decidedAt, .zero))
      case (.wouldHaveRolledBack, .kept): .needless
      case (.wouldHaveRolledBack, .replaced): .undecided
      case (.wouldHaveKept, .kept), (.wouldHaveKept, .replaced): .bothKept
      case (.wouldHaveKept, .rolledBack): .missed
      case (.couldNotTell, _): .untold
      }
    }
  }

  /// Plimsoll's judgement against what the team did.
  package enum Comparison: Codable, Equatable, Sendable {
    case bothKept
    /// `saved`: from when Plimsoll would have gone back to when the team had; never negative.
    case bothWentBack(saved: Span)
    /// Plimsoll would have gone back, and the team was content.
    case needless
    /// The team went back, and Plimsoll saw nothing.
    case missed
    /// Plimsoll could not tell.
    case untold
    /// Plimsoll would have gone back, and the team went on to another version.
    case undecided
  }

  /// How often Plimsoll and the team agreed.
  package struct Score: Codable, Equatable, Sendable {
    package var deployments = 0
    package var bothKept = 0
    package var bothWentBack = 0
    package var needless = 0
    package var missed = 0
    package var untold = 0
    package var undecided = 0
    /// Over all of `bothWentBack`.
    package var saved = Span.zero
    package init() {}

    package var agreements: Int { bothKept + bothWentBack }

    package mutating func add(_ record: Record) {
      deployments += 1
      switch record.comparison {
      case .bothKept: bothKept += 1
      case .bothWentBack(let span):
        bothWentBack += 1
        saved = saved + span
      case .needless: needless += 1
      case .missed: missed += 1
      case .untold: untold += 1
      case .undecided: undecided += 1
      }
    }

    package static func + (left: Score, right: Score) -> Score {
      var sum = left
      sum.deployments += right.deployments
      sum.bothKept += right.bothKept
      sum.bothWentBack += right.bothWentBack
      sum.needless += right.needless
      sum.missed += right.missed
      sum.untold += right.untold
      sum.undecided += right.undecided
      sum.saved = sum.saved + right.saved
      return sum
    }
  }
}
