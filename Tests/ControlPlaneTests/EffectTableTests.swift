import Kernel
import MergeQueues
import Promotions
import Rollouts
import Testing

@testable import ControlPlane

@Suite("The effect table") struct EffectTableTests {
  /// What the table must do, said as plainly as possible: by keys alone, one after the other.
  private struct Model {
    var running: [(key: EffectKey, fence: Fence)] = []
    mutating func reconcile(_ wanted: [StreamEffect], _ fence: Fence) -> [String] {
      let keys = wanted.map(\.key)
      let gone = running.filter { !keys.contains($0.key) }
      running.removeAll { !keys.contains($0.key) }
      var orders = gone.map { "cancel \($0.key) \($0.fence.position)" }
      for key in keys where !running.contains(where: { $0.key == key }) {
        running.append((key, fence))
        orders.append("start \(key) \(fence.position)")
      }
      return orders
    }
  }

  private static func words(_ orders: [EffectTable.Order]) -> [String] {
    orders.map { order in
      switch order {
      case .start(let effect, let fence): "start \(effect.key) \(fence.position)"
      case .cancel(let key, let fence): "cancel \(key) \(fence.position)"
      }
    }
  }

  /// Two payloads under one key, and a few other keys.
  private static let effects: [StreamEffect] = (0..<6).flatMap { number in
    ["./test", "./test --slowly"].map { command in
      .queue(
        .test(
          build: number, run: 1, commit: Facts.commit("a"), command: command, timeLimit: .minutes(1),
          repository: Facts.repository, recipe: 1))
    }
  }

  @Test(
    "whatever is wanted in whatever order, it starts and cancels what the keys say",
    arguments: 1...20 as ClosedRange<UInt64>)
  func asTheModelSays(seed: UInt64) {
    var random = Random(state: seed)
    var table = EffectTable()
    var model = Model()
    for turn in 1...200 {
      var wanted: [StreamEffect] = []
      for number in 0..<6 where random.below(3) > 0 { wanted.append(Self.effects[number * 2 + random.below(2)]) }
      if random.below(4) == 0 { wanted.reverse() }
      let fence = Fence(Position(turn))
      #expect(
        Self.words(table.reconcile(wanted: wanted, fence: fence, now: Facts.start)) == model.reconcile(wanted, fence))
      #expect(table.reconcile(wanted: wanted, fence: fence, now: Facts.start).isEmpty, "nothing changed")
      #expect(table.isEmpty == wanted.isEmpty)
    }
  }

  @Test("what ended is started again when it is due, also under another payload, and others are left alone")
  func restarts() throws {
    var table = EffectTable()
    let first = Self.effects[0]
    let other = Self.effects[2]
    _ = table.reconcile(wanted: [first, other], fence: Fence(1), now: Facts.start)
    #expect(table.nextDue == nil)
    #expect(table.ended(first.key, fence: Fence(9), failure: nil, now: Facts.start) == nil, "of another start")
    #expect(table.ended(first.key, fence: Fence(1), failure: nil, now: Facts.start) == .waiting)
    #expect(table.ended(first.key, fence: Fence(1), failure: nil, now: Facts.start) == nil, "it has ended already")
    let due = try #require(table.nextDue)
    #expect(!table.isDue(at: Facts.start))
    #expect(Self.words(table.reconcile(wanted: [first, other], fence: Fence(2), now: Facts.start)) == [])
    #expect(table.isDue(at: due))
    let again = table.reconcile(wanted: [Self.effects[1], other], fence: Fence(3), now: due)
    #expect(Self.words(again) == ["start \(first.key) 3"])
    #expect(table.nextDue == nil)
  }

  private struct Random {
    var state: UInt64
    mutating func below(_ bound: Int) -> Int {
      // Numerical Recipes' linear congruential generator; its high bits are good enough to shuffle a test.
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
  }
}
