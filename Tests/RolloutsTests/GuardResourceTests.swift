import Kernel
import RealModule
import Testing

@testable import Rollouts

@Suite("Memory and processor time")
struct GuardResourceTests {
  /// Warm-ups of five seconds to five minutes that level off below their limit, up to one and a half times what the
  /// old version takes, uneven by 3 %, some with a collector's saw-tooth.
  private func warmUp(_ seed: UInt64) -> GuardWorld {
    var chance = Seeded(seed)
    let length = Double.exp(Double.random(in: Double.log(5)...Double.log(300), using: &chance))
    let most = GuardWorld.old * Double.random(in: 0.6...1.5, using: &chance)
    let tooth = Double.random(in: 0...1, using: &chance) < 0.5 ? Double.random(in: 0...0.25, using: &chance) : 0
    let period = Int.random(in: 15...180, using: &chance)
    func sawTooth(_ second: Int) -> Double { 1 - tooth + tooth * Double(second % period) / Double(period) }
    return GuardWorld(
      newBytes: { second in
        most * (1 - 0.8 * Double.exp(-Double(second) / length)) * sawTooth(second)
          * GuardWorld.noise(0.03, seed, second)
      },
      oldBytes: { GuardWorld.old * sawTooth($0 + 40) * GuardWorld.noise(0.03, seed &+ 9, $0) }, rules: [.memory])
  }

  @Test("a warming-up is no leak")
  func warmUps() {
    let convicted = (0..<150 as Range<UInt64>).compactMap { seed in
      warmUp(seed).run(seconds: 900, seed: seed).map { "\(seed) after \($0.second) s: \($0.conviction.sentence)" }
    }
    #expect(convicted.count <= 1, "\(convicted)")
  }

  private func check(
    _ what: String, _ world: GuardWorld, within limit: Int, _ location: SourceLocation = #_sourceLocation
  ) {
    let seconds = (0..<5 as Range<UInt64>).map { world.run(seconds: 900, seed: $0)?.second ?? .max }.sorted()
    #expect(seconds[2] <= limit, "\(what): \(seconds)", sourceLocation: location)
  }

  @Test("a leak is seen before the limit")
  func leaks() {
    func leak(_ perSecond: Double, from: Int = 0, limit: Int64? = GuardWorld.limit) -> GuardWorld {
      GuardWorld(
        newBytes: { (200e6 + perSecond * Double(max($0 - from, 0))) * GuardWorld.noise(0.02, 5, $0) }, limit: limit,
        rules: [.memory])
    }
    check("2 MB/s: the limit is met after 156 s", leak(2e6), within: 140)
    check("1 MB/s: the limit is met after 312 s", leak(1e6), within: 240)
    check("0.5 MB/s: the limit is met after 624 s", leak(0.5e6), within: 500)
    check("2 MB/s from the fifth minute on", leak(2e6, from: 300), within: 470)
    #expect(leak(2e6, limit: nil).run(seconds: 300, seed: 1) == nil, "without a limit there is none to meet")
  }

  @Test("a cache that fills most of its limit and stops is no leak")
  func boundedCache() {
    for (most, perSecond) in [(340e6, 1e6), (380e6, 2e6), (370e6, 0.3e6), (380e6, 0.7e6)] {
      let world = GuardWorld(
        newBytes: { min(150e6 + perSecond * Double($0), most) * GuardWorld.noise(0.01, 3, $0) }, rules: [.memory])
      #expect(world.run(seconds: 900, seed: 1) == nil, "\(most) bytes at \(perSecond) a second")
    }
  }

  @Test("what the old version does too is not the release's doing, and one instance of three is not half")
  func coincidence() {
    let leak: (Int) -> Double = { 200e6 + 2e6 * Double($0) }
    #expect(GuardWorld(newBytes: leak, oldBytes: leak, rules: [.memory]).run(seconds: 150, seed: 1) == nil)
    var guards = Guards(GuardPolicy(rules: [.memory]), of: GuardWorld.policy())
    for second in 0..<150 {
      let at = Instant(milliseconds: Int64(second) * 1000)
      let usages = (0..<3).flatMap { number in
        [(JudgeWorld.canary, number == 0 ? leak(second) : 200e6), (JudgeWorld.control, 200e6)].map {
          InstanceUsage(
            deployment: $0.0, instance: number, run: 1, residentBytes: Int64($0.1), processorSeconds: 0)
        }
      }
      guards.measured(
        usages, canary: JudgeWorld.canary, control: JudgeWorld.control, limit: GuardWorld.limit, at: at)
      guards.absorb(
        JudgeWorld.bin(
          fromMs: at.milliseconds, toMs: at.milliseconds + 1000, canary: RequestCounts(requests: 9),
          control: RequestCounts(requests: 9)), canary: JudgeWorld.canary, control: JudgeWorld.control)
    }
    #expect(guards.conviction == nil)
  }

  @Test("memory is said against the limit and the old version")
  func memoryWords() throws {
    let world = GuardWorld(newBytes: { 200e6 + 2e6 * Double($0) }, rules: [.memory])
    let found = try #require(world.run(seconds: 200, seed: 1)).conviction
    #expect(found.rule == .memory && CauseClass(found.rule) == .infrastructure)
    #expect(
      found.sentence.wholeMatch(
        of:
          /Instance [01] of the new version takes \d+ MB and grows by 2\.0 MB a second and meets its limit of 512 MB in about \d+ s; the old version takes 200 MB at most\./
      ) != nil, "\(found.sentence)")
  }

  @Test("a healthy version's processor time convicts nobody, whatever an instance uses by itself")
  func healthyProcessor() {
    var convicted: [String] = []
    for seed in 0..<100 as Range<UInt64> {
      var chance = Seeded(seed)
      // At a tenth of the traffic an instance's own time is many times that of its requests.
      let idle = Double.random(in: 0...0.5, using: &chance)
      let warm = Double.random(in: 0...60, using: &chance)
      let world = GuardWorld(
        rate: Double.random(in: 20...400, using: &chance), idle: idle,
        newCost: { 0.004 * (Double($0) < warm ? 4 : 1) * GuardWorld.noise(0.4, seed, $0) },
        oldCost: { 0.004 * GuardWorld.noise(0.4, seed &+ 1, $0) }, rules: [.processor])
      if let found = world.run(seconds: 600, seed: seed) { convicted.append(found.conviction.sentence) }
    }
    #expect(convicted == [])
  }

  @Test("instances that a later step adds have a minute of their own")
  func laterInstances() {
    func convicts(warmSeconds: Int) -> Bool {
      var guards = Guards(GuardPolicy(rules: [.processor]), of: GuardWorld.policy())
      var used = [0.0, 0, 0]
      for second in 0..<300 {
        let at = Instant(milliseconds: Int64(second) * 1000)
        // Three of the new version's four instances come after two minutes, and compile.
        let age = second - 120
        used[0] += 0.2
        used[1] += age < warmSeconds ? 1 : 0.2
        used[2] += 0.2
        let new = (0..<(age < 0 ? 1 : 4)).map { (JudgeWorld.canary, $0, used[$0 == 0 ? 0 : 1]) }
        let usages = (new + (0..<4).map { (JudgeWorld.control, $0, used[2]) }).map {
          InstanceUsage(deployment: $0.0, instance: $0.1, run: 1, residentBytes: 1, processorSeconds: $0.2)
        }
        guards.measured(usages, canary: JudgeWorld.canary, control: JudgeWorld.control, limit: nil, at: at)
        guards.absorb(
          JudgeWorld.bin(
            fromMs: at.milliseconds, toMs: at.milliseconds + 1000, canary: RequestCounts(requests: 50),
            control: RequestCounts(requests: 50)), canary: JudgeWorld.canary, control: JudgeWorld.control)
      }
      return guards.conviction != nil
    }
    #expect(!convicts(warmSeconds: 55))
    #expect(convicts(warmSeconds: 180))
  }

  @Test("three times the processor time is seen at an equal share")
  func processor() throws {
    let costly = GuardWorld(percent: { _ in 50 }, newCost: { _ in 0.012 }, rules: [.processor])
    check("from the beginning", costly, within: 125)
    check(
      "from the tenth minute on",
      GuardWorld(percent: { _ in 50 }, newCost: { $0 < 300 ? 0.004 : 0.016 }, rules: [.processor]), within: 420)
    let found = try #require(costly.run(seconds: 300, seed: 1)).conviction
    #expect(found.rule == .processor && CauseClass(found.rule) == .performance)
    #expect(
      found.sentence.wholeMatch(
        of:
          /A request costs the new version \d+ ms of processor time against [\d.]+ ms of the old at the same time; more than 2x is not allowed\./
      ) != nil, "\(found.sentence)")
  }
}
