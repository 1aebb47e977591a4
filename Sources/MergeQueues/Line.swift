import Kernel

extension MergeQueue {
  /// The entries in the order in which they should land: by priority, then by submission, the members of a stack side by
  /// side with parents first. Looking one up is O(1), so is putting in behind the last, and taking out near the head.
  ///
  /// In rows, because a turn copies what it changes: one array of 10,000 entries would take longer to copy than all the
  /// rest of a turn.
  package struct Line: Sendable {
    private var rows: [Row] = []
    /// How many stand ahead of each row.
    private var starts: [Int] = []
    /// The row of each entry, counted since the line was last put in order: rows that left at the head are counted too.
    private var rowOf = EntryTable()
    private var rowsGone = 0
    /// The table's room when all was put in order last: with twice as much, most of it is of those that left.
    private var roomNeeded = 0
    package private(set) var count = 0

    /// Entries that stand side by side, with what all of a long line are looked through for beside them: to look at an
    /// entry itself is to fetch it from afar.
    private struct Row: Sendable {
      var glances: [Glance] = []
      var entries: [Entry] = []
    }

    /// What most questions about an entry are decided by.
    struct Glance: Sendable {
      let id: Int
      let unit: Int
      let hasAll: Bool
      let isHotfix: Bool
      /// Others are named as below it, in line or not.
      let standsOnOthers: Bool
      let submittedAt: Instant
      init(_ entry: Entry) {
        id = entry.id
        unit = entry.unit
        hasAll = entry.hasAll
        isHotfix = entry.priority == .hotfix
        standsOnOthers = !entry.after.isEmpty
        submittedAt = entry.submittedAt
      }
    }

    /// Entries of a row in a line that nobody left: half a kilobyte of references to copy.
    private static let rowLength = 64

    init() {}
    init(_ entries: some Sequence<Entry>) { for entry in entries { append(entry) } }

    /// Puts a new entry where it belongs; those that it stands on become one stack with it. O(entries).
    mutating func insert(_ entry: Entry) {
      let units = units(joinedBy: entry)
      guard let unit = units.min() else {
        put([entry])
        return
      }
      var members = filter { units.contains($0.unit) } + [entry]
      members.sort { $0.id < $1.id }
      for member in members { if let place = place(of: member.id) { takeOut(at: place) } }
      for index in members.indices { members[index].unit = unit }
      put(members)
    }

    /// The units that become one with a new entry: those that it stands on, and whoever stands on one of them and under
    /// another, as the middle of a stack that was taken apart does. Left out, that one could neither come before the
    /// unit nor after it.
    private func units(joinedBy entry: Entry) -> Set<Int> {
      var units = Set(entry.after.compactMap { self[id: $0]?.unit })
      while units.count > 1 {
        let members = filter { units.contains($0.unit) }.map(\.id)
        // Parents come first in the line, so one way through it finds all that stand on members, or under them.
        var above = Set(members)
        for other in self where other.after.contains(where: above.contains) { above.insert(other.id) }
        var below = Set(members)
        for other in reversed() where below.contains(other.id) { below.formUnion(other.after) }
        let between = filter { above.contains($0.id) && below.contains($0.id) }.map(\.unit)
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
        let other = glance(at: index - 1).unit
        let rival = self.urgency(endingAt: index - 1)
        if (rival.priority, other) < (urgency, first.unit) || rival.start < bounds.lowerBound { break }
        index = rival.start
      }
      for (offset, member) in unit.enumerated() { putIn(member, at: index + offset) }
    }

    /// Where a unit may begin. O(entries) for one of several members; who comes alone stands on nobody in line.
    private func bounds(of unit: [Entry]) -> ClosedRange<Int> {
      guard unit.count > 1 else { return 0...count }
      let ids = Set(unit.map(\.id))
      let parents = unit.flatMap(\.after).filter { !ids.contains($0) }.compactMap { place(of: $0) }
      let lowest = parents.max().map { $0 + 1 } ?? 0
      let child = firstIndex { $0.after.contains(where: ids.contains) }
      return lowest...Swift.max(lowest, child.map { urgency(endingAt: $0).start } ?? count)
    }

    /// The most urgent priority of the unit whose last member is at `index`, and where the unit starts.
    private func urgency(endingAt index: Int) -> (priority: Priority, start: Int) {
      let start = bounds(ofUnitAt: index).lowerBound
      return (self[start...index].map(\.priority).min() ?? .normal, start)
    }

    /// Takes an entry out; a stack that lost its first member is named by the next.
    mutating func remove(_ id: Int) -> Entry? {
      guard let place = place(of: id) else { return nil }
      let entry = takeOut(at: place)
      if entry.unit == id, place < count, glance(at: place).unit == id {
        rename(id, to: glance(at: place).id, from: place)
      }
      return entry
    }

    /// The members of the unit that `id` is in, in order. O(members).
    package func unit(of id: Int) -> [Entry] {
      guard let place = place(of: id) else { return [] }
      return Array(self[bounds(ofUnitAt: place)])
    }

    /// Whether the entry's unit has other members.
    package func isStacked(_ id: Int) -> Bool { place(of: id).map { bounds(ofUnitAt: $0).count > 1 } ?? false }

    /// Each member goes on by itself, in the same places.
    mutating func loosen(_ unit: Int) {
      guard let place = place(of: unit) else { return }
      rename(unit, to: nil, from: place)
    }

    /// - Parameter name: nil to name each by itself.
    private mutating func rename(_ unit: Int, to name: Int?, from place: Int) {
      var next = place
      while next < count, glance(at: next).unit == unit {
        change(glance(at: next).id) { $0.unit = name ?? $0.id }
        next += 1
      }
    }

    /// The places of the unit that has a member at `place`.
    func bounds(ofUnitAt place: Int) -> Range<Int> {
      let unit = glance(at: place).unit
      var (first, end) = (place, place + 1)
      while first > 0, glance(at: first - 1).unit == unit { first -= 1 }
      while end < count, glance(at: end).unit == unit { end += 1 }
      return first..<end
    }
  }
}

// MARK: - Rows

extension MergeQueue.Line: RandomAccessCollection {
  package var startIndex: Int { 0 }
  package var endIndex: Int { count }
  package subscript(place: Int) -> MergeQueue.Entry {
    let (row, offset) = position(of: place)
    return rows[row].entries[offset]
  }

  func glance(at place: Int) -> Glance {
    let (row, offset) = position(of: place)
    return rows[row].glances[offset]
  }

  /// Tells of all from `place` on in order, until told to stop by false.
  func scan(from place: Int = 0, _ look: (Int, Glance) -> Bool) {
    guard place < count else { return }
    var (row, offset) = position(of: place)
    var place = place
    while row < rows.count {
      for index in offset..<rows[row].glances.count {
        if !look(place, rows[row].glances[index]) { return }
        place += 1
      }
      row += 1
      offset = 0
    }
  }

  package func place(of id: Int) -> Int? { position(ofEntry: id).map { starts[$0.row] + $0.offset } }

  func look(at id: Int) -> (place: Int, glance: Glance)? {
    position(ofEntry: id).map { (starts[$0.row] + $0.offset, rows[$0.row].glances[$0.offset]) }
  }
  package func contains(_ id: Int) -> Bool { rowOf[id] != nil }

  subscript(id id: Int) -> MergeQueue.Entry? { position(ofEntry: id).map { rows[$0.row].entries[$0.offset] } }

  /// Without the entry, which takes a dozen references to copy. Nil where they are not known.
  func lanes(at place: Int) -> Lanes? {
    let (row, offset) = position(of: place)
    return rows[row].entries[offset].lanes
  }
  /// Of one in line.
  func lanes(of id: Int) -> Lanes? { position(ofEntry: id).flatMap { rows[$0.row].entries[$0.offset].lanes } }

  func glance(of id: Int) -> Glance? { position(ofEntry: id).map { rows[$0.row].glances[$0.offset] } }

  /// Whether its book is at this cause already; true of who is not in line.
  func waits(_ id: Int, for cause: WaitCause, detail: String?) -> Bool {
    position(ofEntry: id).map { rows[$0.row].entries[$0.offset].waits(for: cause, detail: detail) } ?? true
  }

  mutating func change(_ id: Int, _ change: (inout MergeQueue.Entry) -> Void) {
    guard let (row, offset) = position(ofEntry: id) else { return }
    change(&rows[row].entries[offset])
    rows[row].glances[offset] = Glance(rows[row].entries[offset])
  }

  private func position(ofEntry id: Int) -> (row: Int, offset: Int)? {
    guard let number = rowOf[id], let offset = rows[number - rowsGone].glances.firstIndex(where: { $0.id == id })
    else { return nil }
    return (number - rowsGone, offset)
  }

  /// O(log rows).
  private func position(of place: Int) -> (row: Int, offset: Int) {
    precondition(place >= 0 && place < count, "There is no place \(place) in a line of \(count).")
    var (low, high) = (0, rows.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= place { low = middle } else { high = middle }
    }
    return (low, place - starts[low])
  }

  private mutating func append(_ entry: MergeQueue.Entry) { putIn(entry, at: count) }

  private mutating func putIn(_ entry: MergeQueue.Entry, at place: Int) {
    if place == count, rows.last.map({ $0.entries.count >= Self.rowLength }) ?? true {
      rows.append(Row())
      starts.append(count)
    }
    let (row, offset) = place == count ? (rows.count - 1, place - starts[rows.count - 1]) : position(of: place)
    rows[row].entries.insert(entry, at: offset)
    rows[row].glances.insert(Glance(entry), at: offset)
    rowOf[entry.id] = row + rowsGone
    count += 1
    for later in (row + 1)..<Swift.max(rows.count, row + 1) { starts[later] += 1 }
    if rows[row].entries.count > 2 * Self.rowLength { putInOrder() }
  }

  @discardableResult
  private mutating func takeOut(at place: Int) -> MergeQueue.Entry {
    let (row, offset) = position(of: place)
    let entry = rows[row].entries.remove(at: offset)
    rows[row].glances.remove(at: offset)
    rowOf[entry.id] = nil
    count -= 1
    for later in (row + 1)..<Swift.max(rows.count, row + 1) { starts[later] -= 1 }
    while let first = rows.first, first.entries.isEmpty {
      rows.removeFirst()
      starts.removeFirst()
      rowsGone += 1
    }
    // An old head among thousands that came and went would keep empty rows behind it, and room for all of them.
    let roomLimit = Swift.max(2 * roomNeeded, 4 * count, Self.leastRoom)
    if rows.count > 2 * (count / Self.rowLength + 2) || rowOf.room > roomLimit { putInOrder() }
    return entry
  }

  /// Full rows again. O(entries).
  private mutating func putInOrder() {
    self = MergeQueue.Line(Array(self))
    roomNeeded = rowOf.room
  }

  private static let leastRoom = 4096
}

extension MergeQueue.Line {
  /// In order, without looking up each place.
  package struct Iterator: IteratorProtocol {
    private let rows: [Row]
    private var row = 0
    private var offset = 0
    fileprivate init(_ line: MergeQueue.Line) { rows = line.rows }
    package mutating func next() -> MergeQueue.Entry? {
      while row < rows.count {
        if offset < rows[row].entries.count {
          offset += 1
          return rows[row].entries[offset - 1]
        }
        row += 1
        offset = 0
      }
      return nil
    }
  }
  package func makeIterator() -> Iterator { Iterator(self) }
}

extension MergeQueue.Line: Equatable {
  package static func == (left: Self, right: Self) -> Bool { left.count == right.count && left.elementsEqual(right) }
}

extension MergeQueue.Line: Codable {
  package init(from decoder: any Decoder) throws { self.init(try [MergeQueue.Entry](from: decoder)) }
  package func encode(to encoder: any Encoder) throws { try Array(self).encode(to: encoder) }
}
