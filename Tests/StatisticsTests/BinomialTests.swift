import RealModule
import Statistics
import Testing

struct BinomialTests {
  private func check(_ what: String, _ value: Double, is expected: Double, within tolerance: Double = 1e-9) {
    #expect(abs(value - expected) <= tolerance * max(1, abs(expected)), "\(what): \(value), expected \(expected)")
  }

  @Test func countsOfWaysMatchPascalsTriangle() {
    for (n, k, ways) in [(0, 0, 1), (5, 2, 10), (10, 10, 1), (20, 7, 77520), (50, 1, 50)] {
      check("\(n) over \(k)", Double.exp(logChoose(n, k)), is: Double(ways))
    }
  }

  @Test func tailsByBetaFunctionEqualTheirTermByTermSums() {
    for trials in [1, 2, 7, 30, 200, 999] {
      for rate in [1e-6, 0.001, 0.02, 0.3, 0.5, 0.97] {
        for events in [0, 1, trials / 3, trials - 1, trials, trials + 1] {
          check(
            "P(X >= \(events)) of \(trials) at \(rate)",
            Binomial.upperTail(events: events, trials: trials, rate: rate),
            is: Binomial.exactUpperTail(events: events, trials: trials, rate: rate), within: 1e-10)
        }
      }
    }
  }

  @Test func tailsStayRightForMillionsOfRequests() {
    // Half of the mass is at or above the median; the normal approximation is good to 1/sqrt(n p) here.
    let tail = Binomial.upperTail(events: 5000, trials: 5_000_000, rate: 0.001)
    check("upper half", tail, is: 0.5, within: 0.005)
    check("sure", Binomial.upperTail(events: 1, trials: 5_000_000, rate: 0.001), is: 1)
  }

  @Test func incompleteBetaIsSymmetricAndBounded() {
    for x in stride(from: 0.0, through: 1.0, by: 0.05) {
      let left = regularizedIncompleteBeta(x, 2.5, 40)
      check("I and its mirror at \(x)", left + regularizedIncompleteBeta(1 - x, 40, 2.5), is: 1, within: 1e-12)
      #expect((0...1).contains(left))
    }
    check("uniform", regularizedIncompleteBeta(0.37, 1, 1), is: 0.37, within: 1e-13)
  }

  @Test func clopperPearsonBoundsAreThoseOfTheTables() {
    // No events in n: 1 - (1 - confidence)^(1/n), the "rule of three".
    check(
      "0 of 3000", Binomial.upperBound(events: 0, trials: 3000, confidence: 0.95), is: 1 - Double.pow(0.05, 1 / 3000.0))
    // Two-sided 95 % for 10 of 100 is (4.90 %, 17.62 %): the upper one is one-sided at 97.5 %.
    check("10 of 100", Binomial.upperBound(events: 10, trials: 100, confidence: 0.975), is: 0.17622, within: 1e-4)
    check("nothing known", Binomial.upperBound(events: 0, trials: 0, confidence: 0.95), is: 1)
    check("all bad", Binomial.upperBound(events: 9, trials: 9, confidence: 0.95), is: 1)
  }

  @Test func clopperPearsonMissesNoMoreOftenThanStated() {
    for rate in [0.0005, 0.001, 0.01, 0.2] {
      let trials = 600
      var missed = 0.0
      for events in 0...trials where Binomial.upperBound(events: events, trials: trials, confidence: 0.95) < rate {
        missed += Double.exp(Binomial.logProbability(events: events, trials: trials, rate: rate))
      }
      #expect(missed <= 0.05, "at \(rate) the bound is below the truth in \(missed) of all samples")
    }
  }

  @Test func wilsonBoundIsTheOneOfTheTables() {
    check("10 of 100", Binomial.wilsonUpperBound(events: 10, trials: 100, z: 1.959964), is: 0.17437, within: 1e-4)
    check("nothing known", Binomial.wilsonUpperBound(events: 0, trials: 0, z: 2), is: 1)
    #expect(Binomial.wilsonUpperBound(events: 0, trials: 100, z: 2) > 0)
  }

  @Test func divergenceIsZeroOnlyBetweenEquals() {
    check("equal", Binomial.divergence(of: 0.3, from: 0.3), is: 0)
    check("a coin", Binomial.divergence(of: 1, from: 0.5), is: Double.log(2))
    #expect(Binomial.divergence(of: 0.02, from: 0.001) > Binomial.divergence(of: 0.01, from: 0.001))
    #expect(Binomial.divergence(of: 0.5, from: 0) == .infinity)
  }
}
