import Kernel
import Rollouts

extension PlimsollFile {
  /// One service in one environment whose traffic is judged, as `plimsoll check` tells it.
  package struct JudgedPlace: Equatable, Sendable {
    package let policy: Rollout.Policy
    package let ceiling: Ceiling
    package let budget: Budget
    package let expectation: Expectation

    package var service: ServiceName { policy.service }
    package var environment: EnvironmentName { policy.environment }
    /// Milliseconds of planning where no traffic is stated: asked for when it is told.
    package var sight: RampSight {
      RampSight(of: policy, baselineRate: expectation.baseline, expectedRate: expectation.traffic)
    }

    /// Whole sentences: the strategy, the budget and what it rests on, the ceiling, what `sight` is planned with.
    package var sentences: [String] {
      [
        policy.strategySentence, "\(budget.sentence) \(policy.guaranteeSentence)", ceiling.sentence,
        expectation.sentence,
      ]
    }
  }

  /// What traffic is expected, for planning only: the judge measures for itself.
  package struct Expectation: Codable, Equatable, Sendable {
    /// Requests/s of old and new version together, at the least usual hour; nil when the file does not say.
    package let traffic: Double?
    /// `baseline`, the usual share of errors, 0 to 1; nil when the file does not say.
    package let statedBaseline: Double?

    package init(traffic: Double?, statedBaseline: Double?) {
      self.traffic = traffic
      self.statedBaseline = statedBaseline
    }

    package var baseline: Double { statedBaseline ?? JudgePlan.planningFloor }

    package var sentence: String {
      let rate = traffic.map { "with 'traffic' \(amount($0)) requests/s" } ?? "without a 'traffic'"
      return "Planned \(rate), and with 'baseline' \(percent(baseline))\(statedBaseline == nil ? ", the default" : "")."
    }
  }

  /// How often a healthy version may be rolled back, and who said so.
  package struct Budget: Equatable, Sendable {
    package enum Origin: Equatable, Sendable {
      /// `rollback.needless`.
      case stated(Double)
      /// `rollback.costs`.
      case costs(MistakeCosts)
      /// Neither was given.
      case standard
    }
    package let origin: Origin

    /// The chance of a healthy deploy, 0 to 1.
    package var share: Double {
      switch origin {
      case .stated(let share): share
      case .costs(let costs): costs.budget
      case .standard: JudgePolicy.defaultFalseRollbackBudget
      }
    }

    /// "At most 1 needless rollback in 200 deploys, because …."
    package var sentence: String {
      "At most 1 needless rollback in \(Int((1 / share).rounded())) deploys, \(reason)."
    }

    /// Where it comes from, without a full stop.
    package var reason: String {
      switch origin {
      case .stated: return "because rollback.needless says so"
      case .standard: return "by default; rollback.needless or rollback.costs changes it"
      case .costs(let costs):
        return """
          because one costs \(minutes(costs.needless)), a bad version that people must find costs \
          \(minutes(costs.bad)), and one of \(amount(1 / costs.badDeploys)) deploys is bad
          """
      }
    }
  }
}

/// `5 min`, `1.5 min`.
private func minutes(_ span: Span) -> String { "\(amount(span.seconds / 60)) min" }
