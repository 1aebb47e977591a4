import Kernel

/// The units exposed in each second whose window is not over, and how many of them have converted.
///
/// A second is told once, when its window is over for all who were exposed in it, and under their own shares: a
/// conversion lags, and the allocation may have changed twice until it comes.
struct ConversionWindow: Sendable {
  struct Cell: Sendable {
    /// Since 1970.
    let second: Int64
    let epoch: Int
    var trials = Cohorts.zero
    var events = Cohorts.zero
  }

  let seconds: Int64
  /// Sorted by second; those before `head` have been told.
  private var cells: [Cell] = []
  private var head = 0
  private var closedThrough = Int64.min

  /// A day has 86,400 cells of 48 bytes.
  static let longest = Span.minutes(Double(longestDays) * 24 * 60)
  static let longestDays = 7

  /// - Parameter window: at most `longest`, as a plan is checked.
  init(_ window: Span) {
    seconds = max((min(window, ConversionWindow.longest).milliseconds + 999) / 1000, 1)
  }

  /// Whether a conversion at a second counts for a unit that was exposed at another.
  func holds(_ second: Int64, exposedAt exposed: Int64) -> Bool {
    second >= exposed && second - exposed <= seconds
  }

  /// Of a second that has been told already it takes nothing.
  mutating func exposed(_ cohort: Cohort, second: Int64, epoch: Int) {
    guard second > closedThrough else { return }
    let at = position(second)
    if at == cells.count || cells[at].second != second { cells.insert(Cell(second: second, epoch: epoch), at: at) }
    cells[at].trials[cohort] += 1
  }

  mutating func converted(_ cohort: Cohort, exposedAt second: Int64) {
    let at = position(second)
    guard at < cells.count, cells[at].second == second else { return }
    cells[at].events[cohort] += 1
  }

  /// As if a unit had never been exposed.
  mutating func forget(_ cohort: Cohort, exposedAt second: Int64, hadConverted: Bool) {
    let at = position(second)
    guard at < cells.count, cells[at].second == second else { return }
    cells[at].trials[cohort] -= 1
    if hadConverted { cells[at].events[cohort] -= 1 }
  }

  mutating func forgetAll() {
    cells = []
    head = 0
    closedThrough = .min
  }

  /// The seconds whose windows ended by `through`, each once, oldest first.
  mutating func close(through: Int64) -> [Cell] {
    var closed: [Cell] = []
    closedThrough = max(closedThrough, through - seconds)
    while head < cells.count, cells[head].second + seconds <= through {
      if cells[head].trials.all > 0 { closed.append(cells[head]) }
      head += 1
    }
    if head > 1024, head * 2 > cells.count {
      cells.removeFirst(head)
      head = 0
    }
    return closed
  }

  /// Where a second is or belongs, among those that are not told.
  private func position(_ second: Int64) -> Int {
    var low = head
    var high = cells.count
    while low < high {
      let middle = (low + high) / 2
      if cells[middle].second < second { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
