import FlagTrials
import Flags
import Testing

@Suite("Allocations")
struct AllocationTests {
  /// Of every bucket: its variant, or -1.
  private func map(_ allocation: Allocation) -> [Int32] {
    var map = [Int32](repeating: -1, count: Allocation.buckets)
    for share in allocation.shares { for bucket in share.buckets { map[bucket] = share.variant } }
    return map
  }

  @Test("growing moves subjects only into the variant, shrinking only out of it", arguments: 0..<40)
  func monotone(_ seed: Int) throws {
    var dice = Dice(seed: UInt64(seed))
    var allocation = try #require(Allocation([]))
    for _ in 0..<12 {
      let variant = Int32(dice.below(4))
      let size = dice.isOne(in: 4) ? dice.one(of: [0, 1, Allocation.buckets]) : dice.below(Allocation.buckets + 1)
      let before = map(allocation)
      let grows = size > allocation.size(of: variant)
      allocation = allocation.resized(variant, to: size)
      let after = map(allocation)
      #expect(allocation.size(of: variant) == size)
      var wrong = 0
      for bucket in 0..<Allocation.buckets where before[bucket] != after[bucket] {
        if grows ? after[bucket] != variant : before[bucket] != variant || after[bucket] != -1 { wrong += 1 }
      }
      #expect(wrong == 0, "seed \(seed)")
    }
  }

  @Test("shrinking and growing again gives the same subjects back")
  func returns() throws {
    let full = try #require(Allocation([])).resized(0, to: 50_000)
    #expect(full.resized(0, to: 1000).resized(0, to: 50_000) == full)
  }

  @Test("ranges that overlap or leave the buckets are none")
  func invalid() {
    #expect(Allocation([.init(variant: 0, buckets: 0..<10), .init(variant: 1, buckets: 9..<20)]) == nil)
    #expect(Allocation([.init(variant: 0, buckets: 0..<100_001)]) == nil)
    #expect(Allocation([.init(variant: 0, buckets: 5..<10), .init(variant: 1, buckets: 0..<5)]) != nil)
  }
}
