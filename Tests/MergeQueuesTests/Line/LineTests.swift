import Foundation
import Kernel
import Testing

@testable import MergeQueues

/// The line's rows hold what a plain sorted list holds, whoever comes, leaves and changes.
@Suite("Line") struct LineTests {
  @Test("thousands that come by urgency and leave anywhere stand as in a list", arguments: [1, 2, 3] as [UInt64])
  func agreesWithAList(_ seed: UInt64) throws {
    var chance = Draw(seed: seed)
    var line = MergeQueue.Line()
    var list: [MergeQueue.Entry] = []
    for id in 1...2_000 {
      // Mostly behind all, as in life; often enough ahead of many to fill a row twice over.
      let priority = MergeQueue.Priority.allCases[chance.below(10) < 7 ? 2 : chance.below(4)]
      let entry = entry(id, priority)
      line.insert(entry)
      list.insert(entry, at: list.firstIndex { $0.priority > priority } ?? list.count)
      while chance.below(100) < 45, !list.isEmpty {
        // The first ones leave first; now and then one from the middle.
        let place = chance.below(chance.below(4) == 0 ? list.count : min(list.count, 20))
        #expect(line.remove(list[place].id) == list.remove(at: place))
      }
      if let some = list.indices.randomElement(using: &chance) {
        line.change(list[some].id) { $0.isOverdue.toggle() }
        list[some].isOverdue.toggle()
      }
      if id % 500 == 0 { try expect(line, equals: list) }
    }
    // An old head among many that came and went.
    for place in list.indices.dropFirst().dropLast(50).reversed() { _ = line.remove(list.remove(at: place).id) }
    try expect(line, equals: list)
    for entry in list { #expect(line.remove(entry.id) == entry) }
    #expect(line.isEmpty && line.place(of: 1) == nil && line == MergeQueue.Line())
  }

  private func expect(_ line: MergeQueue.Line, equals list: [MergeQueue.Entry]) throws {
    #expect(Array(line) == list && line.count == list.count)
    #expect(line.indices.map { line[$0].id } == list.map(\.id))
    #expect(list.map { line.place(of: $0.id) } == list.indices.map(Optional.init))
    #expect(list.allSatisfy { line[id: $0.id] == $0 && line.contains($0.id) })
    #expect(!line.contains(0) && line[id: 0] == nil)
    let from = list.count / 3
    var seen: [Int] = []
    line.scan(from: from) { place, glance in
      seen.append(glance.id)
      return place < list.count - 2
    }
    #expect(seen == list[from...].map(\.id).dropLast(list.count - 1 - max(from, list.count - 2)))
    let copy = try JSONDecoder().decode(MergeQueue.Line.self, from: JSONEncoder().encode(line))
    #expect(copy == line && copy.count == line.count)
  }

  @Test("what a look shows is what the entry says, after every change")
  func glances() {
    var line = MergeQueue.Line()
    line.insert(entry(1, .normal))
    line.insert(entry(2, .hotfix))
    line.insert(entry(3, .normal, after: [1]))
    line.change(3) { $0.hasAll = false }
    #expect(line.map(\.id) == [2, 1, 3])
    #expect(line.glance(at: 0).isHotfix && !line.glance(at: 1).isHotfix)
    #expect(line.glance(of: 3).map { [$0.unit == 1, !$0.hasAll, $0.standsOnOthers] } == [true, true, true])
    #expect(line.isStacked(1) && line.isStacked(3) && !line.isStacked(2) && !line.isStacked(4))
    line.loosen(1)
    #expect(line.glance(of: 3)?.unit == 3 && !line.isStacked(3))
  }

  private func entry(_ id: Int, _ priority: MergeQueue.Priority, after: [Int] = []) -> MergeQueue.Entry {
    MergeQueue.Entry(
      MergeQueue.EntryFacts(
        id: id, branch: branch("b\(id)"), head: c("h\(id)"), author: "Ada", title: "",
        submittedAt: Instant(milliseconds: Int64(id)), priority: priority, after: after))
  }
}

@Suite("Sets of entries") struct EntrySetTests {
  @Test("hold what a set holds, rising", arguments: [[], [7], [64, 63, 0], [9_000, 9_001, 64, 8_999, 200]])
  func holds(_ numbers: [Int]) {
    var set = EntrySet(numbers)
    #expect(Array(set) == numbers.sorted() && set.count == numbers.count && set.isEmpty == numbers.isEmpty)
    for number in [0, 1, 63, 64, 65, 9_000, 100_000] { #expect(set.contains(number) == numbers.contains(number)) }
    #expect(set == EntrySet(numbers.reversed() + numbers))
    for number in numbers {
      let others = Set(numbers).subtracting([number])
      var rest = set
      #expect(rest.remove(number) && !rest.remove(number) && Set(rest) == others && rest == EntrySet(others))
    }
    set.formUnion([5, 12_000])
    #expect(Array(set) == Set(numbers + [5, 12_000]).sorted())
  }
}

/// Chance from a seed: a Lehmer generator, modulus 2^61 - 1.
private struct Draw: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 1_000_003 + 1 }
  mutating func next() -> UInt64 {
    let half = { (state: UInt64) in UInt64((UInt128(state) * 437_799_614_237_992_725) % ((1 << 61) - 1)) }
    state = half(state)
    let high = state
    state = half(state)
    return high << 32 ^ state
  }
  mutating func below(_ bound: Int) -> Int { Int(next() >> 8 & 0xff_ffff) % bound }
}
