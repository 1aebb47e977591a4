import Statistics
import Testing

struct ChanceTests {
  /// Mean and variance of a Poisson stream are equal, on both sides of where the method changes.
  @Test(arguments: [0.02, 0.7, 5, 9.9, 10.1, 40, 1200])
  func poissonCountsHaveTheirMeanAndVariance(mean: Double) {
    var chance = Chance(seed: 5)
    let draws = 40_000
    var sum = 0.0
    var squares = 0.0
    for _ in 0..<draws {
      let count = Double(chance.poisson(mean))
      sum += count
      squares += (count - mean) * (count - mean)
    }
    let error = (mean / Double(draws)).squareRoot()
    #expect(abs(sum / Double(draws) - mean) < 4 * error)
    #expect(abs(squares / Double(draws) / mean - 1) < 4 * ((2 + 1 / mean) / Double(draws)).squareRoot())
  }
}
