import RealModule

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): the same seed, the same stream.
struct Seeded: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
  /// How many good requests pass before the next bad one.
  mutating func gap(rate: Double) -> Int {
    let uniform = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &self)
    return Int(min(Double.log(uniform) / Double.log(onePlus: -rate), 1e12))
  }
  mutating func events(among requests: Int, rate: Double) -> Int {
    var count = 0
    var at = gap(rate: rate)
    while at < requests {
      count += 1
      at += 1 + gap(rate: rate)
    }
    return count
  }
}

/// The request at which a stream of `rate` first reaches `threshold`, looked at after every bad request, which is where
/// evidence rises; nil when it does not within `requests`.
func firstCrossing(
  rate: Double, requests: Int, threshold: Double, _ chance: inout Seeded,
  evidence: (_ events: Int, _ trials: Int) -> Double
) -> Int? {
  var events = 0
  var at = chance.gap(rate: rate) + 1
  while at <= requests {
    events += 1
    if evidence(events, at) >= threshold { return at }
    at += chance.gap(rate: rate) + 1
  }
  return nil
}

/// The largest share of alarms that chance explains when the true share is `share`: four standard deviations above.
func slack(_ share: Double, runs: Int) -> Double { share + 4 * Double.sqrt(share * (1 - share) / Double(runs)) }
