import Statistics

/// Searches for a culprit that was hidden by chance, counted.
package enum CulpritTrials {
  /// Right in 99.9 % needs a little more than that of each verdict; measured: 99.96 % right at .5 % more runs.
  package static let confidence = 0.9995

  /// What is hidden and how runs lie; the search is told the truth about both.
  package struct Setting: Equatable, Sendable {
    package let changes: Int
    /// Share of trials without a culprit, 0 to 1.
    package let noCulprit: Double
    package let rates: CulpritSearch.ErrorRates
    /// Runs at once.
    package let parallel: Int
    /// The posterior at which a search ends.
    package let confidence: Double
    package init(
      changes: Int, noCulprit: Double, rates: CulpritSearch.ErrorRates, parallel: Int = 1, confidence: Double
    ) {
      self.changes = changes
      self.noCulprit = noCulprit
      self.rates = rates
      self.parallel = parallel
      self.confidence = confidence
    }
  }

  package struct Score: Equatable, Sendable {
    package var right = 0
    /// Runs of each trial, rising.
    package var runs: [Int] = []
    package var rounds = 0

    package var trials: Int { runs.count }
    package var share: Double { Double(right) / Double(max(trials, 1)) }
    package var meanRuns: Double { Double(runs.reduce(0, +)) / Double(max(trials, 1)) }
    package var meanRounds: Double { Double(rounds) / Double(max(trials, 1)) }
    /// Runs within which 95 % of the trials ended.
    package var highRuns: Int { runs.isEmpty ? 0 : runs[(runs.count * 19 + 19) / 20 - 1] }
  }

  /// One trial per seed; the same seeds give the same score on every machine.
  package static func run(_ setting: Setting, seeds: Range<UInt64>) -> Score {
    var score = Score()
    for seed in seeds {
      var chance = Chance(seed: seed)
      let isThere = chance.uniform() >= setting.noCulprit
      let place = Int(chance.uniform() * Double(setting.changes))
      let hidden = isThere ? place : setting.changes
      var search = CulpritSearch(changes: setting.changes, noCulprit: setting.noCulprit, rates: setting.rates)
      var verdict = search.verdict(confidence: setting.confidence)
      while verdict == nil, search.runs < mostRuns {
        for prefix in search.next(setting.parallel) {
          let lie = hidden < prefix ? setting.rates.falseGreen : setting.rates.falseRed
          search.record(prefix: prefix, isRed: (hidden < prefix) != (chance.uniform() < lie))
        }
        score.rounds += 1
        verdict = search.verdict(confidence: setting.confidence)
      }
      score.runs.append(search.runs)
      switch verdict {
      case .culprit(let found, _): score.right += found == hidden ? 1 : 0
      case .noCulprit: score.right += hidden == setting.changes ? 1 : 0
      case nil: break
      }
    }
    score.runs.sort()
    return score
  }

  /// A search that needs more never ends; it counts as wrong.
  private static let mostRuns = 1_000
}
