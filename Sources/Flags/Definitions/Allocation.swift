/// Who gets which variant in a ramp: ranges of buckets, explicit in the definition. Subjects are hashed into 100,000
/// buckets with a salt that is frozen at creation, so a subject's bucket never changes; only ranges do.
///
/// Growing a variant moves subjects only into it, shrinking only out of it. Ranges are sorted and do not overlap;
/// buckets in no range get the flag's default.
package struct Allocation: Sendable, Equatable {
  /// A thousandth of a percent each.
  package static let buckets = 100_000

  package struct Share: Sendable, Equatable {
    /// Position among the flag's variants.
    package let variant: Int32
    package let buckets: Range<Int>

    package init(variant: Int32, buckets: Range<Int>) {
      self.variant = variant
      self.buckets = buckets
    }
  }

  package private(set) var shares: [Share]

  /// Nil when ranges overlap or leave the buckets.
  package init?(_ shares: [Share]) {
    let sorted = shares.filter { !$0.buckets.isEmpty }.sorted { $0.buckets.lowerBound < $1.buckets.lowerBound }
    for share in sorted where share.buckets.lowerBound < 0 || share.buckets.upperBound > Self.buckets { return nil }
    for (left, right) in zip(sorted, sorted.dropFirst())
    where left.buckets.upperBound > right.buckets.lowerBound { return nil }
    self.shares = Self.joined(sorted)
  }

  /// A subject's bucket: what flagd's `fractional` makes of the text `salt:subject` and weights that add up to
  /// ``buckets``, so that a ramp can be written out for clients that evaluate by themselves (``FlagdDocument``).
  ///
  /// - Parameter hashesText: as in ``FlagSet``: MurmurHash3 of the text itself, else of its canonical CBOR.
  static func bucket(salt: UnsafeRawBufferPointer, subject: UnsafeRawBufferPointer, hashesText: Bool) -> Int {
    var hash = Murmur3()
    if !hashesText { CanonicalCBOR.addTextHeader(salt.count + 1 + subject.count, to: &hash) }
    hash.add(salt)
    hash.add(UInt8(ascii: ":"))
    hash.add(subject)
    return Int((UInt64(hash.value) * UInt64(buckets)) >> 32)
  }

  /// The variant of a bucket; nil for the default.
  @inline(__always)
  package func variant(of bucket: Int) -> Int32? {
    for share in shares where share.buckets.contains(bucket) { return share.variant }
    return nil
  }

  /// Buckets that a variant holds.
  package func size(of variant: Int32) -> Int {
    shares.reduce(0) { $0 + ($1.variant == variant ? $1.buckets.count : 0) }
  }

  /// With the variant at exactly so many buckets.
  ///
  /// Growing takes buckets without variant first, from the lowest on, then the highest of the other variants in their
  /// order. Shrinking gives back the highest, so that growing again takes the same ones.
  package func resized(_ variant: Int32, to size: Int) -> Allocation {
    var result = self
    let wanted = min(max(0, size), Self.buckets)
    let current = self.size(of: variant)
    if wanted < current {
      result.release(variant, current - wanted)
    } else {
      var missing = wanted - current
      missing -= result.takeFree(for: variant, missing)
      let others = Set(result.shares.map(\.variant)).subtracting([variant]).sorted()
      for other in others where missing > 0 {
        let given = min(missing, result.size(of: other))
        result.release(other, given)
        missing -= result.takeFree(for: variant, given)
      }
    }
    return result
  }

  private mutating func release(_ variant: Int32, _ count: Int) {
    var left = count
    for position in shares.indices.reversed() where shares[position].variant == variant && left > 0 {
      let range = shares[position].buckets
      let taken = min(left, range.count)
      shares[position] = Share(variant: variant, buckets: range.lowerBound..<range.upperBound - taken)
      left -= taken
    }
    shares.removeAll { $0.buckets.isEmpty }
  }

  /// - Returns: how many free buckets were taken.
  private mutating func takeFree(for variant: Int32, _ count: Int) -> Int {
    var left = count
    var taken: [Share] = []
    var start = 0
    for end in shares.map(\.buckets) + [Self.buckets..<Self.buckets] {
      let size = min(left, end.lowerBound - start)
      if size > 0 { taken.append(Share(variant: variant, buckets: start..<start + size)) }
      left -= max(0, size)
      start = end.upperBound
    }
    shares = Self.joined((shares + taken).sorted { $0.buckets.lowerBound < $1.buckets.lowerBound })
    return count - left
  }

  /// Neighbours of the same variant become one.
  private static func joined(_ sorted: [Share]) -> [Share] {
    var result: [Share] = []
    for share in sorted {
      if let last = result.last, last.variant == share.variant, last.buckets.upperBound == share.buckets.lowerBound {
        result[result.count - 1] = Share(
          variant: share.variant, buckets: last.buckets.lowerBound..<share.buckets.upperBound)
      } else {
        result.append(share)
      }
    }
    return result
  }
}

/// A flag's way to everybody: stages in percent, and where it stands.
package struct Ramp: Sendable {
  /// Frozen when the ramp is made; a new one moves every subject.
  package let salt: String
  let saltBytes: [UInt8]
  /// The attribute that tells subjects apart.
  let attribute: [UInt8]
  /// Percent, rising, at most 100.
  package let stages: [Double]
  package let allocation: Allocation

  init(_ fields: NativeReader, variants: JSONView, _ refuse: FlagRefusals) throws(FlagRefusal) {
    salt = try fields.required("salt")
    saltBytes = Array(salt.utf8)
    attribute = Array((try fields.text("attribute") ?? "targetingKey").utf8)
    var stages: [Double] = []
    if let pair = fields.slot.pointee.pair(named: "stages") {
      for element in pair[1].elements {
        guard let percent = element.number, percent > stages.last ?? 0, percent <= 100 else {
          throw refuse(pair + 1, "has stages that are no rising percentages", next: "Write them as [1, 5, 25, 100]")
        }
        stages.append(percent)
      }
    }
    self.stages = stages
    let shares = try fields.list("allocation") { (entry) throws(FlagRefusal) in
      let name = try entry.required("variant")
      let position = name.utf8.withContiguousStorageIfAvailable {
        Flag.position(of: UnsafeRawBufferPointer($0), in: variants)
      }
      guard let variant = position ?? nil else {
        throw refuse(
          entry.slot, "allocates to variant `\(name)`, which it does not have", next: "Name one of its variants",
          unknown: name, known: variants.members.compactMap(\.name.string).sorted())
      }
      let from = try entry.whole("from", in: 0...Int64(Allocation.buckets))
      let to = try entry.whole("to", in: Int64(from)...Int64(Allocation.buckets))
      return Allocation.Share(variant: variant, buckets: from..<to)
    }
    guard let allocation = Allocation(shares) else {
      throw refuse(fields.slot, "allocates buckets twice", next: "Let ranges not overlap")
    }
    self.allocation = allocation
  }
}
