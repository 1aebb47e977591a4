/// A number for each of some entries: places, ranks. In pages, because turns look up thousands and those in line have
/// numbers close together: a hundredth of the cost of a dictionary to copy, a tenth to ask.
struct EntryTable: Sendable {
  /// By the entry's number, from the first that is in use: where its page begins among `values`; -1 for none.
  private var pages: [Int32] = []
  private var firstPage = 0
  /// -1 for who is not in the table.
  private var values: [Int32] = []

  private static let pageLength = 64

  init() {}

  /// Entries that there is room for, those that were taken out included.
  var room: Int { values.count }

  /// - Parameter newValue: 0 to `Int32.max`, or nil to take it out.
  subscript(entry: Int) -> Int? {
    get {
      let page = entry >> 6 - firstPage
      guard page >= 0, page < pages.count, pages[page] >= 0 else { return nil }
      let value = values[Int(pages[page]) + entry & 63]
      return value < 0 ? nil : Int(value)
    }
    set {
      if let newValue {
        values[Int(page(of: entry)) + entry & 63] = Int32(newValue)
      } else if self[entry] != nil {
        values[Int(pages[entry >> 6 - firstPage]) + entry & 63] = -1
      }
    }
  }

  /// Makes one where there is none.
  private mutating func page(of entry: Int) -> Int32 {
    let wanted = entry >> 6
    if pages.isEmpty { firstPage = wanted }
    if wanted < firstPage {
      pages.insert(contentsOf: repeatElement(-1, count: firstPage - wanted), at: 0)
      firstPage = wanted
    }
    if wanted - firstPage >= pages.count {
      pages.append(contentsOf: repeatElement(-1, count: wanted - firstPage - pages.count + 1))
    }
    if pages[wanted - firstPage] < 0 {
      pages[wanted - firstPage] = Int32(values.count)
      values.append(contentsOf: repeatElement(-1, count: Self.pageLength))
    }
    return pages[wanted - firstPage]
  }
}
