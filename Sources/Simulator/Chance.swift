import Kernel

/// Chance from a seed: SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
struct Chance {
  private var state: UInt64

  init(seed: UInt64) { state = Chance.mix(seed &+ 0x51ed_270b) }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Chance.mix(state)
  }

  static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// 0 up to, not including, 1.
  mutating func unit() -> Double { Double(next() >> 11) / 0x1p53 }
  mutating func happens(_ percent: Double) -> Bool { percent > 0 && unit() * 100 < percent }
  /// 0 ..< bound; 0 when the bound is not positive.
  mutating func below(_ bound: Int) -> Int { bound > 0 ? Int(next() % UInt64(bound)) : 0 }
  /// Between two counts of seconds.
  mutating func span(_ low: Double, _ high: Double) -> Span { .seconds(low + (high - low) * unit()) }
  mutating func pick<Element>(_ elements: [Element]) -> Element? {
    elements.isEmpty ? nil : elements[below(elements.count)]
  }

  /// How many of `trials` happen at `rate`: a normal approximation of the binomial by four uniforms, one trial when
  /// less than one is expected. Traffic needs the right mean and spread, not the exact law.
  mutating func count(of trials: Int, rate: Double) -> Int {
    let mean = Double(trials) * rate
    guard mean > 0 else { return 0 }
    if mean < 1 { return min(trials, unit() < mean ? 1 : 0) }
    let deviation = (mean * (1 - rate)).squareRoot()
    let normal = (unit() + unit() + unit() + unit() - 2) * 1.732
    return min(trials, max(0, Int((mean + deviation * normal).rounded())))
  }
}
