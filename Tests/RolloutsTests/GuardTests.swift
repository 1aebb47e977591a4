import Kernel
import Testing

@testable import Rollouts

@Suite("Throughput lost")
struct GuardTests {
  /// At a budget of one in ten thousand for this guard, one in these 150 is beyond chance.
  @Test("healthy versions are kept, at every share and while shares move")
  func healthy() {
    var convicted: [String] = []
    for rate in [10.0, 60, 400] {
      for seed in 0..<25 as Range<UInt64> {
        if let found = GuardWorld(rate: rate, rules: [.throughput]).run(seconds: 600, seed: seed) {
          convicted.append("\(rate)/\(seed): \(found.conviction.sentence)")
        }
        let tolerated = GuardWorld(rate: rate, lost: { _ in 0.15 }, rules: [.throughput])
        if let found = tolerated.run(seconds: 600, seed: seed) {
          convicted.append("\(rate)/\(seed), 15 % lost: \(found.conviction.sentence)")
        }
      }
    }
    #expect(convicted == [])
  }

  private func check(
    _ what: String, rate: Double, percent: Int = 10, lost: @escaping (Int) -> Double, within limit: Int,
    _ location: SourceLocation = #_sourceLocation
  ) {
    let world = GuardWorld(rate: rate, percent: { _ in percent }, lost: lost, rules: [.throughput])
    let seconds = (0..<9 as Range<UInt64>).map { world.run(seconds: 900, seed: $0)?.second ?? .max }.sorted()
    #expect(seconds[4] <= limit, "\(what): \(seconds)", sourceLocation: location)
  }

  @Test("what is lost is seen in time, also late")
  func detection() {
    check("refuses all", rate: 100, lost: { _ in 1 }, within: 20)
    check("refuses all at little traffic", rate: 10, lost: { _ in 1 }, within: 60)
    check("loses half", rate: 200, lost: { _ in 0.5 }, within: 30)
    check("loses half of most", rate: 200, percent: 95, lost: { _ in 0.5 }, within: 30)
    check("loses a third", rate: 400, lost: { _ in 0.35 }, within: 240)
    check("refuses all after five minutes", rate: 100, lost: { $0 < 300 ? 0 : 1 }, within: 345)
    check("loses half after five minutes", rate: 200, lost: { $0 < 300 ? 0 : 0.5 }, within: 360)
  }

  @Test("one stall convicts nobody")
  func stall() {
    for seed in 0..<20 as Range<UInt64> {
      let world = GuardWorld(rate: 400, lost: { (200..<204).contains($0) ? 1 : 0 }, rules: [.throughput])
      #expect(world.run(seconds: 600, seed: seed) == nil)
    }
  }

  @Test("it says what was seen against what")
  func words() throws {
    let world = GuardWorld(rate: 100, percent: { _ in 10 }, lost: { _ in 1 }, rules: [.throughput])
    let found = try #require(world.run(seconds: 60, seed: 1)).conviction
    #expect(found.rule == .throughput && CauseClass(found.rule) == .performance)
    #expect(found.rate == 0 && found.baselineRate == 0.1)
    #expect(
      found.sentence.wholeMatch(
        of:
          /The new version finished 0 of \d+ requests \(0 %\) where its share is 10\.0 %: more than 20\.0 % fewer than it should\./
      ) != nil, "\(found.sentence)")
  }

  @Test("without an old version in traffic, or without confirmed shares, nothing is lost")
  func unknown() {
    let alone = GuardWorld(percent: { _ in 100 }, lost: { _ in 0.9 }, rules: [.throughput])
    #expect(alone.run(seconds: 120, seed: 1) == nil)
    var guards = Guards(GuardPolicy(rules: [.throughput]), of: GuardWorld.policy())
    for second in 0..<120 as Range<Int64> {
      guards.routed(nil)
      guards.absorb(
        JudgeWorld.bin(
          fromMs: second * 1000, toMs: second * 1000 + 1000, canary: .zero, control: RequestCounts(requests: 100)),
        canary: JudgeWorld.canary, control: JudgeWorld.control)
    }
    #expect(guards.conviction == nil)
  }
}
