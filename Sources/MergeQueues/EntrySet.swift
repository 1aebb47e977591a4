/// A set of entries by their numbers: a bit for each, because turns ask of thousands and those in line have numbers close
/// together. As large as the numbers are apart, at most an eighth of a byte for each that ever came.
struct EntrySet: Equatable, Sendable {
  private var words: [UInt64] = []
  /// The word that the first of `words` is.
  private var first = 0

  init() {}
  init(_ entries: some Sequence<Int>) { formUnion(entries) }

  mutating func insert(_ entry: Int) {
    let word = entry >> 6
    if words.isEmpty { first = word }
    if word < first {
      words.insert(contentsOf: repeatElement(0, count: first - word), at: 0)
      first = word
    }
    if word - first >= words.count {
      words.append(contentsOf: repeatElement(0, count: word - first - words.count + 1))
    }
    words[word - first] |= 1 << UInt64(entry & 63)
  }

  /// Whether it was there.
  mutating func remove(_ entry: Int) -> Bool {
    guard contains(entry) else { return false }
    words[(entry >> 6) - first] &= ~(1 << UInt64(entry & 63))
    return true
  }

  func contains(_ entry: Int) -> Bool {
    let word = (entry >> 6) - first
    return word >= 0 && word < words.count && words[word] >> UInt64(entry & 63) & 1 == 1
  }

  mutating func formUnion(_ entries: some Sequence<Int>) { for entry in entries { insert(entry) } }

  static func == (left: EntrySet, right: EntrySet) -> Bool { left.elementsEqual(right) }
}

extension EntrySet: Sequence {
  /// Rising.
  struct Iterator: IteratorProtocol {
    private let words: [UInt64]
    private let first: Int
    private var place = -1
    /// Of the present word, those that come.
    private var rest: UInt64 = 0
    fileprivate init(_ set: EntrySet) {
      words = set.words
      first = set.first
    }
    mutating func next() -> Int? {
      while rest == 0 {
        place += 1
        guard place < words.count else { return nil }
        rest = words[place]
      }
      defer { rest &= rest - 1 }
      return (first + place) << 6 + rest.trailingZeroBitCount
    }
  }
  func makeIterator() -> Iterator { Iterator(self) }
  var underestimatedCount: Int { count }

  var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
  var isEmpty: Bool { words.allSatisfy { $0 == 0 } }
}
