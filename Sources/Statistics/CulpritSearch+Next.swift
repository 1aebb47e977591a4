import RealModule

extension CulpritSearch {
  /// The prefixes worth running now, `count` of them at once, rising; one may be there twice.
  ///
  /// Chosen together: each is the one that tells most beside the others, first one after another, then each again
  /// while that helps. O(changes · count² · 2^count); `count` is cut to `mostParallel`.
  package func next(_ count: Int = 1) -> [Int] {
    let count = min(max(count, 1), CulpritSearch.mostParallel)
    var mass = [0.0]
    for index in 0..<changes { mass.append(mass[index] + posterior[index]) }
    if count == 1 { return [best(mass)] }
    var chosen: [Int] = []
    for _ in 0..<count { chosen.append(best(beside: chosen, mass)) }
    for _ in 0..<CulpritSearch.refinements {
      let before = chosen
      for place in chosen.indices {
        var others = chosen
        others.remove(at: place)
        chosen[place] = best(beside: others, mass)
      }
      if chosen == before { break }
    }
    return chosen.sorted()
  }

  /// 2^6 outcomes of one round are told apart; more runs than these add little to a search that halves.
  package static let mostParallel = 6
  /// Rounds of choosing each again; more change nothing (measured: the third is rarely different).
  private static let refinements = 2

  /// Of one run alone: I = H(red) - P(with) H(false green) - P(without) H(false red).
  private func best(_ mass: [Double]) -> Int {
    let falseRed = lieEntropy(rates.falseRed)
    let falseGreen = lieEntropy(rates.falseGreen)
    var best = changes
    var most = -1.0
    for prefix in 1...changes where prefix == changes || prefix == 1 || posterior[prefix - 1] > 0 {
      let with = mass[prefix]
      let red = with * (1 - rates.falseGreen) + (1 - with) * rates.falseRed
      let told = lieEntropy(red) - with * falseGreen - (1 - with) * falseRed
      if told > most + CulpritSearch.tie { (best, most) = (prefix, told) }
    }
    return best
  }

  private func best(beside others: [Int], _ mass: [Double]) -> Int {
    var best = changes
    var most = -1.0
    for prefix in 1...changes {
      // Where a change cannot be the culprit the prefix before it says the same.
      if prefix < changes, posterior[prefix - 1] == 0, prefix > 1 { continue }
      let bits = information((others + [prefix]).sorted(), mass)
      if bits > most + CulpritSearch.tie { (best, most) = (prefix, bits) }
    }
    return best
  }
  /// Below it, two prefixes tell the same and the shorter is taken.
  private static let tie = 1e-12

  /// Nats that the results of runs over these rising prefixes are expected to tell of the hypotheses.
  private func information(_ prefixes: [Int], _ mass: [Double]) -> Double {
    let segments = prefixes.count + 1
    // Segment g holds the culprits that only the runs from the g-th on contain; the last also "no culprit".
    var weights: [Double] = []
    var from = 0.0
    for prefix in prefixes {
      weights.append(mass[prefix] - from)
      from = mass[prefix]
    }
    weights.append(1 - from)
    var told = 0.0
    for outcome in 0..<(1 << prefixes.count) {
      var total = 0.0
      for segment in 0..<segments where weights[segment] > 0 {
        var likelihood = weights[segment]
        for run in prefixes.indices {
          let isRed = outcome >> run & 1 == 1
          let red = run >= segment ? 1 - rates.falseGreen : rates.falseRed
          likelihood *= isRed ? red : 1 - red
        }
        total += likelihood
      }
      told += entropyTerm(total)
    }
    for segment in 0..<segments {
      let with = Double(prefixes.count - segment) * lieEntropy(rates.falseGreen)
      told -= weights[segment] * (with + Double(segment) * lieEntropy(rates.falseRed))
    }
    return told
  }
}

/// -x ln x, 0 at 0.
private func entropyTerm(_ x: Double) -> Double { x > 0 ? -x * Double.log(x) : 0 }

private func lieEntropy(_ rate: Double) -> Double { entropyTerm(rate) + entropyTerm(1 - rate) }
