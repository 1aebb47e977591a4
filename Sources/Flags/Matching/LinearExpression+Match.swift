/// The simulation.
extension LinearExpression {
  /// Whether the expression matches somewhere in the text, which is valid UTF-8. O(text × steps), no recursion.
  package func matches(_ text: UnsafeRawBufferPointer) -> Bool {
    let count = steps.count
    if count <= Self.largestOnStack {
      // A constant size up to 1,024 bytes is what the compiler puts on the stack without asking at run time.
      return withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 8) { first in
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 8) { second in
          withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 8) { third in
            withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { fourth in
              run(text, lists: (first, second, third), marks: fourth)
            }
          }
        }
      }
    }
    let bytes = 2 * count + 16
    return withUnsafeTemporaryAllocation(byteCount: 3 * bytes, alignment: 8) { lists in
      withUnsafeTemporaryAllocation(byteCount: (count + 63) / 64 * 8, alignment: 8) { marks in
        run(
          text,
          lists: (
            UnsafeMutableRawBufferPointer(rebasing: lists[..<bytes]),
            UnsafeMutableRawBufferPointer(rebasing: lists[bytes..<2 * bytes]),
            UnsafeMutableRawBufferPointer(rebasing: lists[(2 * bytes)...])
          ), marks: marks)
      }
    }
  }

  package func matches(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { matches(UnsafeRawBufferPointer($0)) }
  }

  private typealias Lists = (
    UnsafeMutableRawBufferPointer, UnsafeMutableRawBufferPointer, UnsafeMutableRawBufferPointer
  )

  private func run(_ text: UnsafeRawBufferPointer, lists: Lists, marks: UnsafeMutableRawBufferPointer) -> Bool {
    steps.withUnsafeBufferPointer { steps in
      classes.withUnsafeBufferPointer { classes in
        ranges.withUnsafeBufferPointer { ranges in
          guard
            let seeds = lists.0.baseAddress?.assumingMemoryBound(to: UInt16.self),
            let active = lists.1.baseAddress?.assumingMemoryBound(to: UInt16.self),
            let stack = lists.2.baseAddress?.assumingMemoryBound(to: UInt16.self),
            let words = marks.baseAddress?.assumingMemoryBound(to: UInt64.self),
            let stepsBase = steps.baseAddress
          else { return false }
          var simulation = Simulation(
            steps: stepsBase, classes: classes.baseAddress, ranges: ranges.baseAddress, seeds: seeds, active: active,
            stack: stack, marks: words, markWords: (steps.count + 63) / 64)
          return simulation.run(text, start: start, isAnchored: isAnchored)
        }
      }
    }
  }
}

/// One run: where the expression may be before a scalar (`seeds`), and which of these consume (`active`).
private struct Simulation {
  let steps: UnsafePointer<LinearExpression.Step>
  let classes: UnsafePointer<LinearExpression.Class>?
  let ranges: UnsafePointer<UInt32>?
  let seeds: UnsafeMutablePointer<UInt16>
  let active: UnsafeMutablePointer<UInt16>
  let stack: UnsafeMutablePointer<UInt16>
  let marks: UnsafeMutablePointer<UInt64>
  let markWords: Int
  var seedCount = 0
  var activeCount = 0
  /// Scalars around the place; -1 beyond the text.
  var before: Int32 = -1
  var after: Int32 = -1

  mutating func run(_ text: UnsafeRawBufferPointer, start: UInt16, isAnchored: Bool) -> Bool {
    var at = 0
    while true {
      var width = 0
      after = -1
      if at < text.count {
        let (scalar, bytes) = decodeScalar(text, at: at)
        after = Int32(bitPattern: scalar)
        width = bytes
      }
      if close(over: start, addsStart: at == 0 || !isAnchored) { return true }
      if width == 0 { return false }
      advance()
      if isAnchored, seedCount == 0 { return false }
      before = after
      at += width
    }
  }

  /// Follows forks and assertions from the seeds; true if that reaches the match.
  private mutating func close(over start: UInt16, addsStart: Bool) -> Bool {
    for word in 0..<markWords { marks[word] = 0 }
    activeCount = 0
    for seed in 0..<seedCount {
      if follow(seeds[seed]) { return true }
    }
    return addsStart && follow(start)
  }

  private mutating func follow(_ first: UInt16) -> Bool {
    var depth = 0
    if mark(first) {
      stack[0] = first
      depth = 1
    }
    while depth > 0 {
      depth &-= 1
      let index = stack[depth]
      let step = steps[Int(index)]
      switch step.operation {
      case .match: return true
      case .scalar, .set:
        active[activeCount] = index
        activeCount &+= 1
      case .fork:
        if mark(step.other) {
          stack[depth] = step.other
          depth &+= 1
        }
        if mark(step.next) {
          stack[depth] = step.next
          depth &+= 1
        }
      case .assertion:
        if holds(step.other), mark(step.next) {
          stack[depth] = step.next
          depth &+= 1
        }
      }
    }
    return false
  }

  /// False if the step was followed at this place already.
  @inline(__always)
  private func mark(_ index: UInt16) -> Bool {
    let bit: UInt64 = 1 << UInt64(index & 63)
    let word = Int(index >> 6)
    if marks[word] & bit != 0 { return false }
    marks[word] |= bit
    return true
  }

  private mutating func advance() {
    let scalar = UInt32(bitPattern: after)
    seedCount = 0
    for position in 0..<activeCount {
      let step = steps[Int(active[position])]
      let consumes = step.operation == .scalar ? step.scalar == scalar : contains(scalar, step.other)
      if consumes {
        seeds[seedCount] = step.next
        seedCount &+= 1
      }
    }
  }

  @inline(__always)
  private func contains(_ scalar: UInt32, _ index: UInt16) -> Bool {
    guard let classes else { return false }
    let set = classes[Int(index)]
    if scalar < 64 { return set.low >> UInt64(scalar) & 1 == 1 }
    if scalar < 128 { return set.high >> UInt64(scalar - 64) & 1 == 1 }
    guard let ranges else { return false }
    var low = Int(set.start)
    var high = low + Int(set.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[2 * middle + 1] < scalar {
        low = middle + 1
      } else if ranges[2 * middle] > scalar {
        high = middle
      } else {
        return true
      }
    }
    return false
  }

  private func holds(_ raw: UInt16) -> Bool {
    guard let assertion = ExpressionAssertion(rawValue: UInt8(truncatingIfNeeded: raw)) else { return false }
    switch assertion {
    case .textStart: return before == -1
    case .textEnd: return after == -1
    case .lineStart: return before == -1 || before == 0x0A
    case .lineEnd: return after == -1 || after == 0x0A
    case .anyLineStart: return before == -1 || before == 0x0A || (before == 0x0D && after != 0x0A)
    case .anyLineEnd: return after == -1 || after == 0x0D || (after == 0x0A && before != 0x0D)
    case .wordBoundary: return isWord(before) != isWord(after)
    case .notWordBoundary: return isWord(before) == isWord(after)
    case .wordStart: return !isWord(before) && isWord(after)
    case .wordEnd: return isWord(before) && !isWord(after)
    case .wordStartHalf: return !isWord(before)
    case .wordEndHalf: return !isWord(after)
    case .asciiWordBoundary: return isASCIIWord(before) != isASCIIWord(after)
    case .asciiNotWordBoundary: return isASCIIWord(before) == isASCIIWord(after)
    case .asciiWordStart: return !isASCIIWord(before) && isASCIIWord(after)
    case .asciiWordEnd: return isASCIIWord(before) && !isASCIIWord(after)
    case .asciiWordStartHalf: return !isASCIIWord(before)
    case .asciiWordEndHalf: return !isASCIIWord(after)
    }
  }

  private func isWord(_ scalar: Int32) -> Bool {
    scalar < 0x80 ? isASCIIWord(scalar) : ScalarSet.word.contains(UInt32(bitPattern: scalar))
  }

  private func isASCIIWord(_ scalar: Int32) -> Bool {
    switch scalar {
    case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
    default: false
    }
  }
}

/// The scalar that begins at a byte of valid UTF-8, and its length in bytes.
@inline(__always)
func decodeScalar(_ text: UnsafeRawBufferPointer, at index: Int) -> (scalar: UInt32, bytes: Int) {
  let first = UInt32(text[index])
  if first < 0x80 { return (first, 1) }
  func next(_ offset: Int) -> UInt32 {
    index + offset < text.count ? UInt32(text[index + offset]) & 0x3F : 0
  }
  if first < 0xE0 { return ((first & 0x1F) << 6 | next(1), 2) }
  if first < 0xF0 { return ((first & 0x0F) << 12 | next(1) << 6 | next(2), 3) }
  return ((first & 0x07) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4)
}
