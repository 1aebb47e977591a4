import Kernel
import OrderedCollections

extension MergeQueue {
  /// The entries in the order in which they should land: by priority, then by submission, the members of a stack side by
  /// side with parents first. Looking one up is O(1); putting in and taking out move those behind.
  package struct Line: Equatable, Sendable, RandomAccessCollection {
    private var entries: OrderedDictionary<Int, Entry> = [:]

    package var startIndex: Int { 0 }
    package var endIndex: Int { entries.count }
    package subscript(index: Int) -> Entry { entries.values[index] }

    package func place(of id: Int) -> Int? { entries.index(forKey: id) }
    package func contains(_ id: Int) -> Bool { entries.index(forKey: id) != nil }

    subscript(id id: Int) -> Entry? { entries[id] }

    mutating func change(_ id: Int, _ change: (inout Entry) -> Void) {
      guard let index = entries.index(forKey: id) else { return }
      change(&entries.values[index])
    }

    /// Puts a new entry where it belongs; those that it stands on become one stack with it. O(entries).
    mutating func insert(_ entry: Entry) {
      let units = units(joinedBy: entry)
      guard let unit = units.min() else {
        put([entry])
        return
      }
      var members = entries.values.filter { units.contains($0.unit) } + [entry]
      members.sort { $0.id < $1.id }
      for member in members { entries[member.id] = nil }
      for index in members.indices { members[index].unit = unit }
      put(members)
    }

    /// The units that become one with a new entry: those that it stands on, and whoever stands on one of them and under
    /// another, as the middle of a stack that was taken apart does. Left out, that one could neither come before the
    /// unit nor after it.
    private func units(joinedBy entry: Entry) -> Set<Int> {
      var units = Set(entry.facts.after.compactMap { entries[$0]?.unit })
      while units.count > 1 {
        let members = entries.values.filter { units.contains($0.unit) }.map(\.id)
        // Parents come first in the line, so one way through it finds all that stand on members, or under them.
        var above = Set(members)
        for other in entries.values where other.after.contains(where: above.contains) { above.insert(other.id) }
        var below = Set(members)
        for other in entries.values.reversed() where below.contains(other.id) { below.formUnion(other.after) }
        let between = entries.values.filter { above.contains($0.id) && below.contains($0.id) }.map(\.unit)
        if units.isSuperset(of: between) { break }
        units.formUnion(between)
      }
      return units
    }

    /// The whole unit goes by its most urgent member. Last among equals unless it was there before. Behind all that it
    /// stands on and before all that stands on it, which a stack that was taken apart has elsewhere.
    private mutating func put(_ unit: [Entry]) {
      guard let first = unit.first else { return }
      let urgency = unit.map(\.priority).min() ?? .normal
      let bounds = bounds(of: unit)
      var index = bounds.upperBound
      while index > bounds.lowerBound {
        let other = entries.values[index - 1]
        let rival = self.urgency(endingAt: index - 1)
        if (rival.priority, other.unit) < (urgency, first.unit) || rival.start < bounds.lowerBound { break }
        index = rival.start
      }
      for (offset, member) in unit.enumerated() {
        entries.updateValue(member, forKey: member.id, insertingAt: index + offset)
      }
    }

    /// Where a unit may begin. O(entries) for one of several members; who comes alone stands on nobody in line.
    private func bounds(of unit: [Entry]) -> ClosedRange<Int> {
      guard unit.count > 1 else { return 0...entries.count }
      let ids = Set(unit.map(\.id))
      let parents = unit.flatMap(\.after).filter { !ids.contains($0) }.compactMap { entries.index(forKey: $0) }
      let lowest = parents.max().map { $0 + 1 } ?? 0
      let child = entries.values.firstIndex { $0.after.contains(where: ids.contains) }
      return lowest...Swift.max(lowest, child.map { urgency(endingAt: $0).start } ?? entries.count)
    }

    /// The most urgent priority of the unit whose last member is at `index`, and where the unit starts.
    private func urgency(endingAt index: Int) -> (priority: Priority, start: Int) {
      let unit = entries.values[index].unit
      var priority = entries.values[index].priority
      var start = index
      while start > 0, entries.values[start - 1].unit == unit {
        start -= 1
        priority = Swift.min(priority, entries.values[start].priority)
      }
      return (priority, start)
    }

    /// Takes an entry out; a stack that lost its first member is named by the next.
    mutating func remove(_ id: Int) -> Entry? {
      guard let index = entries.index(forKey: id) else { return nil }
      let entry = entries.remove(at: index).value
      if entry.unit == id, index < entries.count, entries.values[index].unit == id {
        let heir = entries.values[index].id
        var next = index
        while next < entries.count, entries.values[next].unit == id {
          entries.values[next].unit = heir
          next += 1
        }
      }
      return entry
    }

    /// The members of the unit that `id` is in, in order. O(members).
    package func unit(of id: Int) -> [Entry] {
      guard let place = entries.index(forKey: id) else { return [] }
      let unit = entries.values[place].unit
      var first = place
      while first > 0, entries.values[first - 1].unit == unit { first -= 1 }
      var end = place + 1
      while end < entries.count, entries.values[end].unit == unit { end += 1 }
      return Array(entries.values[first..<end])
    }

    /// Each member goes on by itself, in the same places.
    mutating func loosen(_ unit: Int) {
      guard let place = entries.index(forKey: unit) else { return }
      var next = place
      while next < entries.count, entries.values[next].unit == unit {
        entries.values[next].unit = entries.values[next].id
        next += 1
      }
    }
  }
}

extension MergeQueue.Line: Codable {
  package init(from decoder: any Decoder) throws {
    for entry in try [MergeQueue.Entry](from: decoder) { entries[entry.id] = entry }
  }
  package func encode(to encoder: any Encoder) throws { try Array(entries.values).encode(to: encoder) }
}
