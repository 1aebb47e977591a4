import Kernel

/// What will happen in the simulated world, by (time, sequence): a binary heap. Its `now` is the only clock.
final class Agenda {
  private struct Item {
    let at: Int64
    let sequence: UInt64
    let action: () -> Void
    func isBefore(_ other: Item) -> Bool { at == other.at ? sequence < other.sequence : at < other.at }
  }

  /// An ordinary Tuesday, so that transcripts look like life: 2026-01-06T09:00:00Z.
  static let beginning = Instant(milliseconds: 1_767_690_000_000)

  private var heap: [Item] = []
  private var nextSequence: UInt64 = 0
  private(set) var now = Agenda.beginning

  func after(_ span: Span, _ action: @escaping () -> Void) {
    let at = now.milliseconds + max(span.milliseconds, 0)
    heap.append(Item(at: at, sequence: nextSequence, action: action))
    nextSequence += 1
    rise(heap.count - 1)
  }

  /// Carries out the next action; false when there is none.
  func step() -> Bool {
    guard let first = heap.first else { return false }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      sink(0)
    }
    now = Instant(milliseconds: first.at)
    first.action()
    return true
  }

  /// Drops everything: actions hold the world, and the world holds this.
  func clear() { heap = [] }

  private func rise(_ start: Int) {
    var index = start
    while index > 0 {
      let parent = (index - 1) / 2
      guard heap[index].isBefore(heap[parent]) else { return }
      heap.swapAt(index, parent)
      index = parent
    }
  }

  private func sink(_ start: Int) {
    var index = start
    while true {
      var least = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child].isBefore(heap[least]) {
        least = child
      }
      if least == index { return }
      heap.swapAt(index, least)
      index = least
    }
  }
}
