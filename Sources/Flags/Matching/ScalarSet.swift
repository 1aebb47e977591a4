/// A set of Unicode scalars as sorted ranges that neither touch nor overlap.
struct ScalarSet: Equatable, Sendable {
  /// First and last scalar of each range, ascending.
  private(set) var ranges: [ClosedRange<UInt32>] = []

  /// The greatest scalar.
  static let greatest: UInt32 = 0x10_FFFF
  private static let surrogates: ClosedRange<UInt32> = 0xD800...0xDFFF
  static let all = ScalarSet([0...greatest])

  init() {}

  init(_ unsorted: [ClosedRange<UInt32>]) { ranges = Self.canonical(unsorted) }

  init(_ scalar: UInt32) { ranges = [scalar...scalar] }

  var isEmpty: Bool { ranges.isEmpty }
  var greatestMember: UInt32 { ranges.last?.upperBound ?? 0 }

  /// The only member; nil when there are none or several.
  var single: UInt32? {
    guard ranges.count == 1, let range = ranges.first, range.count == 1 else { return nil }
    return range.lowerBound
  }

  /// O(log n).
  func contains(_ scalar: UInt32) -> Bool {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < scalar {
        low = middle + 1
      } else if ranges[middle].lowerBound > scalar {
        high = middle
      } else {
        return true
      }
    }
    return false
  }

  func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

  var inverted: ScalarSet {
    var result: [ClosedRange<UInt32>] = []
    var next: UInt32 = 0
    for range in ranges {
      if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
      next = range.upperBound + 1
    }
    if next <= Self.greatest { result.append(next...Self.greatest) }
    return ScalarSet(result)
  }

  func intersection(_ other: ScalarSet) -> ScalarSet {
    var result: [ClosedRange<UInt32>] = []
    var mine = 0
    var others = 0
    while mine < ranges.count, others < other.ranges.count {
      let low = max(ranges[mine].lowerBound, other.ranges[others].lowerBound)
      let high = min(ranges[mine].upperBound, other.ranges[others].upperBound)
      if low <= high { result.append(low...high) }
      if ranges[mine].upperBound < other.ranges[others].upperBound { mine += 1 } else { others += 1 }
    }
    return ScalarSet(result)
  }

  func subtracting(_ other: ScalarSet) -> ScalarSet { intersection(other.inverted) }

  func symmetricDifference(_ other: ScalarSet) -> ScalarSet {
    union(other).subtracting(intersection(other))
  }

  private static func canonical(_ unsorted: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = []
    for range in unsorted.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = result.last, range.lowerBound <= last.upperBound &+ 1 {
        result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        result.append(range)
      }
    }
    return result
  }
}

extension ScalarSet {
  /// Where letters with case live; elsewhere folding changes nothing. From the blocks of Unicode 16 that hold cased
  /// letters, so that folding a class needs no look at a million scalars.
  private static let cased: [ClosedRange<UInt32>] = [
    0x41...0x5A, 0x61...0x7A, 0xB5...0x587, 0x10A0...0x10FF, 0x13A0...0x13FD, 0x1C80...0x1CBF, 0x1D79...0x1D8E,
    0x1E00...0x1FFC, 0x2126...0x2132, 0x214E...0x2188, 0x24B6...0x24E9, 0x2C00...0x2D2D, 0xA640...0xA7FF,
    0xAB53...0xABBF, 0xFB05...0xFB06, 0xFF21...0xFF5A, 0x10400...0x105BC, 0x10C80...0x10D85, 0x118A0...0x118DF,
    0x16E40...0x16E7F, 0x1E900...0x1E943,
  ]

  /// With every scalar, all that differ from it in case alone, by Unicode's simple case folding.
  var folded: ScalarSet {
    var result = ranges
    for block in Self.cased {
      for range in ranges where range.overlaps(block) {
        for value in range.clamped(to: block) {
          for other in Self.variants(of: value) { result.append(other...other) }
        }
      }
    }
    // Scalars outside the set fold into it too: İ alone has no partner, all others are found from either side.
    return ScalarSet(result)
  }

  /// With every ASCII letter, the other case.
  var foldedInASCII: ScalarSet {
    var result = ranges
    for letters: ClosedRange<UInt32> in [0x41...0x5A, 0x61...0x7A] {
      for range in ranges where range.overlaps(letters) {
        let part = range.clamped(to: letters)
        result.append((part.lowerBound ^ 0x20)...(part.upperBound ^ 0x20))
      }
    }
    return ScalarSet(result)
  }

  /// Simple case folding pairs these although the standard library's mappings do not say so (CaseFolding.txt, 15.1).
  private static let pairs: [UInt32: UInt32] = [
    0x0390: 0x1FD3, 0x1FD3: 0x0390, 0x03B0: 0x1FE3, 0x1FE3: 0x03B0, 0xFB05: 0xFB06, 0xFB06: 0xFB05,
  ]
  /// Dotless i has I as upper case, but simple case folding keeps them apart.
  private static let dotlessI: UInt32 = 0x131
  /// Lower and upper case lead to all variants in this many rounds at most (K, k and the Kelvin sign: two).
  private static let rounds = 3

  private static func variants(of value: UInt32) -> [UInt32] {
    if let pair = pairs[value] { return [pair] }
    guard value != dotlessI, let start = Unicode.Scalar(value) else { return [] }
    var found = [start]
    for _ in 0..<rounds {
      for scalar in found {
        let properties = scalar.properties
        let mapped = [properties.lowercaseMapping, properties.uppercaseMapping, properties.titlecaseMapping]
        for text in mapped where text.unicodeScalars.count == 1 {
          for other in text.unicodeScalars where !found.contains(other) && other.value != dotlessI {
            found.append(other)
          }
        }
        for other in lowercases[scalar.value] ?? [] where !found.contains(other) { found.append(other) }
      }
    }
    return found.dropFirst().map(\.value)
  }

  /// Letters that have the key as their lower or upper case but are neither's own: found only from the other side.
  private static let lowercases: [UInt32: [Unicode.Scalar]] = {
    var result: [UInt32: [Unicode.Scalar]] = [:]
    for block in cased {
      for value in block where value != dotlessI {
        guard let scalar = Unicode.Scalar(value) else { continue }
        for text in [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping]
        where text.unicodeScalars.count == 1 {
          for other in text.unicodeScalars where other != scalar { result[other.value, default: []].append(scalar) }
        }
      }
    }
    return result
  }()
}
