/// Memory for what one evaluation computes: lists, texts, whole contexts. Taken in order, given back at once.
struct Scratch: ~Copyable {
  /// Bytes that one evaluation may compute with. Rules of real flags need a few hundred; this stops those that double
  /// a text or a list in each round.
  static let limit = 16 << 20
  /// The smallest piece taken from the heap when the first one is full.
  private static let smallestChunk = 16 << 10
  private static let headerSize = 32

  private var next: UnsafeMutableRawPointer
  private var end: UnsafeMutableRawPointer
  /// Pieces from the heap, newest first; each begins with the address of the one before and what was left in it.
  private var chunk: UnsafeMutableRawPointer?
  private var taken = 0

  /// - Parameter first: memory that outlives the evaluation, used before any is taken from the heap.
  init(_ first: UnsafeMutableRawBufferPointer) {
    let start = first.baseAddress ?? UnsafeMutableRawPointer(bitPattern: 16).unsafelyUnwrapped
    next = start
    end = start + first.count
  }

  deinit {
    var piece = chunk
    while let current = piece {
      piece = current.load(as: UnsafeMutableRawPointer?.self)
      current.deallocate()
    }
  }

  /// Room for so many bytes, aligned to 16.
  @inline(__always)
  mutating func room(_ bytes: Int) throws(EvaluationFault) -> UnsafeMutableRawPointer {
    let size = (bytes &+ 15) & ~15
    if next + size <= end {
      let start = next
      next += size
      return start
    }
    return try roomFromHeap(size)
  }

  mutating func slots(_ count: Int) throws(EvaluationFault) -> UnsafeMutablePointer<JSONView> {
    try room(max(1, count) * MemoryLayout<JSONView>.stride).bindMemory(to: JSONView.self, capacity: max(1, count))
  }

  private mutating func roomFromHeap(_ size: Int) throws(EvaluationFault) -> UnsafeMutableRawPointer {
    let capacity = max(size, max(Self.smallestChunk, taken))
    guard taken + capacity <= Self.limit else { throw .tooMuch }
    let piece = UnsafeMutableRawPointer.allocate(byteCount: capacity + Self.headerSize, alignment: 16)
    piece.storeBytes(of: chunk, as: UnsafeMutableRawPointer?.self)
    chunk = piece
    taken += capacity
    let start = piece + Self.headerSize
    next = start + size
    end = start + capacity
    return start
  }

  /// What is left in the current piece, to write a text of unknown length into.
  var open: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: next, count: end - next) }
  /// Keeps the first bytes of `open`.
  mutating func keep(_ bytes: Int) { next = min(end, next + ((bytes &+ 15) & ~15)) }

  struct Mark {
    fileprivate let next: UnsafeMutableRawPointer
    fileprivate let chunk: UnsafeMutableRawPointer?
  }

  var mark: Mark { Mark(next: next, chunk: chunk) }

  /// Forgets what was taken since the mark, if that came from the same piece; otherwise it stays until the end.
  mutating func rewind(to mark: Mark) {
    if mark.chunk == chunk { next = mark.next }
  }
}
