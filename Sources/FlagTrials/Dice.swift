/// Numbers from a seed (SplitMix64; Steele, Lea, Flood 2014): the same in every run and on every machine.
package struct Dice {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// From 0 to `count` - 1.
  package mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

  package mutating func isOne(in count: Int) -> Bool { below(count) == 0 }

  package mutating func one<Element>(of list: [Element]) -> Element { list[below(list.count)] }
}
