import RealModule

/// An anytime-valid test that a stream's rate is no worse than a tolerated rate *or* than an earlier stream's rate,
/// which is known only by its counts.
///
/// H0: rate <= max(`tolerated`, earlier rate). For every earlier rate p that could be, two e-values multiply: what the
/// earlier counts say against p (a mixture over rates, log-uniform, divided by the likelihood at p) and what the new
/// counts say against "at most p" (`MixtureTest`). The evidence is the least product over all p above `tolerated`,
/// and no more than the new counts say against `tolerated` itself: so it is an e-process under every member of H0
/// (the infimum of e-processes; "universal inference", Wasserman, Ramdas, Balakrishnan, PNAS 2020).
///
/// Rejected: an upper confidence bound of the earlier rate as the null rate. It pays for the doubt about the baseline
/// twice (its own share of the error budget, and a rate three to four times too high after 6,000 requests), which made
/// the fourth error decide where here the third does.
package struct RegressionTest: Equatable, Sendable {
  package let tolerated: Double
  package let earlierEvents: Int
  package let earlierTrials: Int
  /// Number of alternatives, the idle one included: the mixture costs ln of it.
  package let alternatives: Int

  private let ratios: [Double]
  private let toleratedTest: MixtureTest
  private let candidates: [Candidate]
  /// ln of the mixture's probability of the earlier counts (without the binomial coefficient, as in `logLikelihood`).
  private let logMarginal: Double

  private struct Candidate: Equatable {
    let test: MixtureTest
    let logAgainst: Double
  }

  /// Neighbouring candidates differ by 10 %, a tenth of the way to the nearest alternative (2x).
  private static let candidateStep = 1.1
  /// More evidence than any budget asks for; it is not told apart beyond, so candidates that the earlier counts alone
  /// refute this strongly need not be asked.
  package static let mostEvidence = 40.0
  /// Rates that an earlier stream may have: one in 100,000 to nearly all.
  private static let lowestRate = 1e-5

  /// - Parameters:
  ///   - tolerated: in (0, 1): up to this rate the new stream is never called worse.
  ///   - earlierEvents: 0...earlierTrials. Without trials only `tolerated` counts.
  ///   - ratios: above 1: how much worse is worse.
  package init(tolerated: Double, earlierEvents: Int, earlierTrials: Int, ratios: [Double]) {
    self.tolerated = tolerated
    self.earlierEvents = earlierEvents
    self.earlierTrials = earlierTrials
    // One share stays out: without it a calm canary would weigh against candidates that the earlier counts refute.
    self.ratios = [1] + ratios
    alternatives = ratios.count + 1
    toleratedTest = MixtureTest(nullRate: tolerated, ratios: self.ratios)
    logMarginal = RegressionTest.logMarginal(events: earlierEvents, trials: earlierTrials)
    guard earlierTrials > 0 else {
      candidates = []
      return
    }
    var found: [Candidate] = []
    var rate = tolerated
    while true {
      let against = RegressionTest.logAgainst(rate, events: earlierEvents, trials: earlierTrials, logMarginal)
      // The new counts say at least -ln(alternatives) for a candidate.
      if against > RegressionTest.mostEvidence + Double.log(Double(alternatives)) { break }
      found.append(Candidate(test: MixtureTest(nullRate: rate, ratios: self.ratios), logAgainst: against))
      if rate >= MixtureTest.highestRate { break }
      rate = min(rate * RegressionTest.candidateStep, MixtureTest.highestRate)
    }
    candidates = found
  }

  /// ln of the e-value: from -ln(alternatives), when nothing is suspicious, to `mostEvidence`. Never falls with more
  /// `events`, never rises with more `trials`. O(alternatives), under suspicion O(alternatives · candidates).
  ///
  /// Values below 0 are the tolerated rate's alone, and 0 stands for less where only a candidate explains the events:
  /// nothing is decided by how far below 0 the evidence is.
  package func logEvidence(events: Int, trials: Int) -> Double {
    var least = toleratedTest.logEvidence(events: events, trials: trials)
    guard least > 0 else { return least }
    var nearest: Int?
    for (index, candidate) in candidates.enumerated() {
      let evidence = candidate.test.logEvidence(events: events, trials: trials) + candidate.logAgainst
      if evidence < least {
        least = evidence
        nearest = index
      }
    }
    guard least > 0 else { return 0 }
    // Between candidates the product can be lower still.
    if let nearest {
      least = min(least, refine(around: candidates[nearest].test.nullRate, events: events, trials: trials))
    }
    return max(0, min(least, RegressionTest.mostEvidence))
  }

  /// The least product between the neighbours of `rate`, by ternary search in ln(rate).
  private func refine(around rate: Double, events: Int, trials: Int) -> Double {
    var low = Double.log(max(rate / RegressionTest.candidateStep, tolerated))
    var high = Double.log(min(rate * RegressionTest.candidateStep, MixtureTest.highestRate))
    func product(_ logRate: Double) -> Double {
      let rate = Double.exp(logRate)
      return MixtureTest(nullRate: rate, ratios: ratios).logEvidence(events: events, trials: trials)
        + RegressionTest.logAgainst(rate, events: earlierEvents, trials: earlierTrials, logMarginal)
    }
    // (2/3)^14 of 20 %: the rate to 0.1 %.
    for _ in 0..<14 {
      let third = (high - low) / 3
      if product(low + third) < product(high - third) { high -= third } else { low += third }
    }
    return product((low + high) / 2)
  }

  /// ln of the earlier counts' e-value against an earlier rate of `rate` *or more*: rates below the observed one are
  /// as credible as the observed one.
  private static func logAgainst(_ rate: Double, events: Int, trials: Int, _ logMarginal: Double) -> Double {
    let observed = Double(events) / Double(trials)
    return logMarginal - logLikelihood(max(rate, observed), events: events, trials: trials)
  }

  private static func logMarginal(events: Int, trials: Int) -> Double {
    var terms: [Double] = []
    var rate = lowestRate
    while rate < MixtureTest.highestRate {
      terms.append(logLikelihood(rate, events: events, trials: trials))
      rate *= candidateStep
    }
    terms.append(logLikelihood(MixtureTest.highestRate, events: events, trials: trials))
    return logSumExp(terms) - Double.log(Double(terms.count))
  }

  private static func logLikelihood(_ rate: Double, events: Int, trials: Int) -> Double {
    let failures = events == 0 ? 0 : Double(events) * Double.log(rate)
    let successes = trials == events ? 0 : Double(trials - events) * Double.log(onePlus: -rate)
    return failures + successes
  }
}
