/// Who gets which variant by share: ranges of the 100,000 buckets into which a flag's frozen salt hashes its subjects.
///
/// A subject's bucket never changes, only ranges do: growing a variant moves subjects only into it, withdrawing one only
/// out of it. Buckets in no range get what the flag gives otherwise.
package struct FlagAllocation: Codable, Equatable, Sendable {
  package struct Share: Codable, Equatable, Sendable {
    package let variant: String
    /// The first bucket.
    package let from: Int
    /// Behind the last one.
    package let to: Int
    package init(variant: String, from: Int, to: Int) {
      self.variant = variant
      self.from = from
      self.to = to
    }
    var count: Int { to - from }
  }

  /// Sorted by bucket, without overlap, none empty, neighbours of one variant joined.
  package let shares: [Share]

  /// As definitions have it (`docs/flags.md`): a thousandth of a percent each.
  package static let buckets = 100_000
  package static let none = FlagAllocation([])

  private init(_ shares: [Share]) { self.shares = shares }

  /// Buckets that a variant holds.
  package func size(of variant: String) -> Int { shares.reduce(0) { $0 + ($1.variant == variant ? $1.count : 0) } }

  /// The variant of a bucket; nil for none.
  package func variant(of bucket: Int) -> String? {
    shares.first { $0.from <= bucket && bucket < $0.to }?.variant
  }

  /// With the variant at no less than that share of the units: nothing of it is taken away.
  ///
  /// Buckets of nobody are taken first, from the lowest on, then those of other variants from the highest on.
  package func growing(_ variant: String, toPercent percent: Double) -> FlagAllocation {
    let wanted = Int((min(max(percent, 0), 100) / 100 * Double(FlagAllocation.buckets)).rounded())
    var missing = wanted - size(of: variant)
    guard missing > 0 else { return self }
    var pieces: [Share] = []
    var at = 0
    for share in shares + [Share(variant: variant, from: FlagAllocation.buckets, to: FlagAllocation.buckets)] {
      let taken = min(missing, share.from - at)
      if taken > 0 {
        pieces.append(Share(variant: variant, from: at, to: at + taken))
        missing -= taken
      }
      at = share.to
    }
    var kept: [Share] = []
    for share in shares.reversed() {
      guard share.variant != variant, missing > 0 else {
        kept.append(share)
        continue
      }
      let taken = min(missing, share.count)
      missing -= taken
      pieces.append(Share(variant: variant, from: share.to - taken, to: share.to))
      if taken < share.count { kept.append(Share(variant: share.variant, from: share.from, to: share.to - taken)) }
    }
    return FlagAllocation(FlagAllocation.joined(kept + pieces))
  }

  /// Without the variant: its buckets are nobody's.
  package func without(_ variant: String) -> FlagAllocation {
    FlagAllocation(shares.filter { $0.variant != variant })
  }

  private static func joined(_ shares: [Share]) -> [Share] {
    var result: [Share] = []
    for share in shares.sorted(by: { $0.from < $1.from }) {
      if let last = result.last, last.variant == share.variant, last.to == share.from {
        result[result.count - 1] = Share(variant: last.variant, from: last.from, to: share.to)
      } else {
        result.append(share)
      }
    }
    return result
  }

  /// What must never be true of it.
  var faults: [String] {
    var found: [String] = []
    for share in shares where share.from < 0 || share.to > FlagAllocation.buckets || share.count <= 0 {
      found.append("\(share.variant) has the buckets \(share.from) to \(share.to)")
    }
    for (left, right) in zip(shares, shares.dropFirst()) where left.to > right.from {
      found.append("\(left.variant) and \(right.variant) have a bucket in common")
    }
    return found
  }
}
