import Statistics
import Testing

struct CulpritSearchTests {
  @Test func honestRunsHalveTheLine() {
    for hidden in 0...64 {
      var search = CulpritSearch(changes: 64, noCulprit: 1.0 / 65, rates: .init(falseRed: 0))
      while search.verdict(confidence: 0.999) == nil {
        let prefix = search.next()[0]
        search.record(prefix: prefix, isRed: hidden < prefix)
      }
      let verdict = search.verdict(confidence: 0.999)
      if hidden < 64 {
        #expect(verdict == .culprit(hidden, probability: 1))
      } else {
        #expect(verdict == .noCulprit(probability: 1))
      }
      #expect(search.runs <= 7, "65 answers need 7 yes or no at most; \(hidden) took \(search.runs)")
    }
  }

  @Test func posteriorFollowsBayesRule() {
    var search = CulpritSearch(weights: [1, 3], noCulprit: 0.2, rates: .init(falseRed: 0.1, falseGreen: 0.05))
    search.record(prefix: 1, isRed: true)
    // .2 * .95, .6 * .1 and .2 * .1, over their sum.
    let expected = [0.19, 0.06, 0.02].map { $0 / 0.27 }
    for (found, right) in zip(search.posterior, expected) { #expect(abs(found - right) < 1e-12) }
  }

  @Test func oneRedConvincesOnlyOfWhatCannotBeAFlake() {
    var search = CulpritSearch(changes: 1, noCulprit: 0.5, rates: .init(falseRed: 0.1))
    search.record(prefix: 1, isRed: true)
    #expect(search.verdict(confidence: 0.99) == nil)
    search.record(prefix: 1, isRed: true)
    #expect(search.verdict(confidence: 0.99) != nil)
  }

  @Test func runsAtOnceAreSpreadOverTheLine() {
    let search = CulpritSearch(changes: 60, noCulprit: 0, rates: .init(falseRed: 0))
    #expect(search.next(3) == [15, 30, 45])
    #expect(search.next(1) == [30])
  }

  @Test func whatIsLikelierIsLookedAtFirst() {
    let weights = (0..<32).map { $0 == 20 ? 100.0 : 1.0 }
    let search = CulpritSearch(weights: weights, noCulprit: 0, rates: .init(falseRed: 0.1))
    #expect([20, 21].contains(search.next()[0]))
  }

  @Test func fewFlakesAreNotBelieved() {
    #expect(CulpritSearch.ErrorRates.assuming(measured: 0.01).falseRed == 0.1)
    #expect(CulpritSearch.ErrorRates.assuming(measured: 0.3).falseRed == 0.3)
  }
}
