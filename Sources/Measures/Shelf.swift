import Kernel

/// A fact on its shelf.
package struct Shelved<Row: Codable & Equatable & Sendable>: Codable, Equatable, Sendable {
  package let position: Position
  /// When the ledger recorded it.
  package let at: Instant
  package let row: Row
}

/// Facts of one kind sorted by ledger position, the newest `capacity` of them.
///
/// What it holds depends on which facts were recorded, not on the order in which they came, nor on how often.
package struct Shelf<Row: Codable & Equatable & Sendable>: Codable, Equatable, Sendable {
  /// Rows rise by position, which is unique. A slice, because an array would move all rows to drop its first.
  package private(set) var rows: ArraySlice<Shelved<Row>> = []
  /// Every fact up to this position may have been dropped; 0 when none was.
  package private(set) var forgottenThrough: Position = 0

  private enum CodingKeys: String, CodingKey { case rows, forgottenThrough }
  package init() {}
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    rows = ArraySlice(try container.decode([Shelved<Row>].self, forKey: .rows))
    forgottenThrough = try container.decode(Position.self, forKey: .forgottenThrough)
  }
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(Array(rows), forKey: .rows)
    try container.encode(forgottenThrough, forKey: .forgottenThrough)
  }

  /// In ledger order O(1) amortised, also when full; out of order O(n).
  mutating func put(_ row: Row, position: Position, at: Instant, capacity: Int) {
    guard position > forgottenThrough else { return }
    let index = firstIndex(notBefore: position)
    if index < rows.endIndex, rows[index].position == position { return }
    rows.insert(Shelved(position: position, at: at, row: row), at: index)
    while rows.count > capacity { forgottenThrough = rows.removeFirst().position }
  }

  func row(at position: Position) -> Row? {
    let index = firstIndex(notBefore: position)
    return index < rows.endIndex && rows[index].position == position ? rows[index].row : nil
  }

  /// Rows with `after < position <= through`.
  func rows(after: Position, through: Position) -> ArraySlice<Shelved<Row>> {
    guard after < through else { return [] }
    return rows[firstIndex(notBefore: after + 1)..<firstIndex(notBefore: through + 1)]
  }

  private func firstIndex(notBefore position: Position) -> Int {
    if let last = rows.last, last.position < position { return rows.endIndex }
    var low = rows.startIndex
    var high = rows.endIndex
    while low < high {
      let middle = (low + high) / 2
      if rows[middle].position < position { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
