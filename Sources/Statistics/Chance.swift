import RealModule

/// Seeded chance: the same seed gives the same trials on every machine. SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
package struct Chance: Sendable {
  private var state: UInt64
  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// Above 0 and below 1, in steps of 2^-53.
  package mutating func uniform() -> Double { (Double(next() >> 11) + 0.5) * 0x1p-53 }

  /// Mean 1; also the gamma distribution of shape 1.
  package mutating func exponential() -> Double { -Double.log(uniform()) }

  /// Mean 0, deviation 1 (Box and Muller; the second of the pair is not kept).
  package mutating func normal() -> Double {
    let radius = (2 * exponential()).squareRoot()
    return radius * Double.cos(2 * Double.pi * uniform())
  }

  /// 1, 2, … with the given mean, which is above 1.
  package mutating func geometric(mean: Double) -> Int {
    1 + Int(Double.log(uniform()) / Double.log(onePlus: -1 / mean))
  }

  /// Events in a Poisson stream that brings `mean` of them on average; 0 for means of 0 or less.
  package mutating func poisson(_ mean: Double) -> Int {
    if mean <= 0 { return 0 }
    return mean < Chance.fewEvents ? poissonByGaps(mean) : poissonByRejection(mean)
  }

  /// Hörmann's method holds from here on; below it counting gaps is as fast.
  private static let fewEvents = 10.0

  private mutating func poissonByGaps(_ mean: Double) -> Int {
    let limit = Double.exp(-mean)
    var product = uniform()
    var count = 0
    while product > limit {
      count += 1
      product *= uniform()
    }
    return count
  }

  /// Transformed rejection, algorithm PTRS of Hörmann, "The transformed rejection method for generating Poisson random
  /// variables", Insurance: Mathematics and Economics 12 (1993); its constants.
  private mutating func poissonByRejection(_ mean: Double) -> Int {
    let b = 0.931 + 2.53 * mean.squareRoot()
    let a = -0.059 + 0.02483 * b
    let inverse = 1.1239 + 1.1328 / (b - 3.4)
    let squeeze = 0.9277 - 3.6224 / (b - 2)
    let logMean = Double.log(mean)
    while true {
      let u = uniform() - 0.5
      let v = uniform()
      let edge = 0.5 - abs(u)
      let count = ((2 * a / edge + b) * u + mean + 0.43).rounded(.down)
      if edge >= 0.07, v <= squeeze { return Int(count) }
      if count < 0 || (edge < 0.013 && v > edge) { continue }
      let bound = count * logMean - mean - Double.logGamma(count + 1)
      if Double.log(v * inverse / (a / (edge * edge) + b)) <= bound { return Int(count) }
    }
  }
}
