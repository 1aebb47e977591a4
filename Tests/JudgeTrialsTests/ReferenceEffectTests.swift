import JudgeTrials
import Statistics
import Testing

@Suite("The MDE of labelled deploys")
struct ReferenceEffectTests {
  private func effect(
    requestsPerSecond rate: Double = 100, usual: Double = 0.001, begins: Int = 0, history: Double = 600_000,
    dispersion: Double = 1
  ) -> ReferenceEffect {
    ReferenceEffect(
      volumes: Array(repeating: rate, count: 600),
      profile: (0..<600).map { $0 >= begins ? 1 : 0 }, usualRate: usual, floor: ReferenceEffect.errorFloor,
      historyRequests: history, dispersion: dispersion)
  }

  @Test("less traffic, less time, less history and clusters each make it larger")
  func order() throws {
    let usual = try #require(effect().ratio)
    #expect(try #require(effect(requestsPerSecond: 10).ratio) > usual)
    #expect(try #require(effect(begins: 500).ratio) > usual)
    #expect(try #require(effect(history: 6000).ratio) > usual)
    #expect(try #require(effect(dispersion: 7).ratio) > usual)
    #expect(try #require(effect(requestsPerSecond: 100_000).ratio) == ReferenceEffect.leastRatio)
  }

  @Test("what nobody counted has none")
  func blind() {
    #expect(effect(requestsPerSecond: 0).ratio == nil)
    #expect(effect(requestsPerSecond: 0.001).ratio == nil)
    #expect(effect(begins: 600).ratio == nil)
  }

  /// Of Poisson streams at the MDE, the reference test finds 95 %.
  @Test("its power is 95 %", arguments: [(3.0, 0.001), (20, 0.001), (40, 0.0005)])
  func power(rate: Double, usual: Double) throws {
    let effect = effect(requestsPerSecond: rate, usual: usual)
    let ratio = try #require(effect.ratio)
    let count = effect.leastCount(rate * 600, effect.threshold)
    var chance = Chance(seed: 11)
    let draws = 4000
    let found = (0..<draws).count { _ in chance.poisson(rate * 600 * usual * ratio) >= count }
    #expect(abs(Double(found) / Double(draws) - 0.95) < 0.02, "\(found) of \(draws)")
  }
}
