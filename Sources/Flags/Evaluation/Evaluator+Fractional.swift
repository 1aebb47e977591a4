/// flagd's `fractional`: a stable share of subjects for each variant.
///
/// The bucketing value is the first argument, or flag key and targeting key where that is a list. Its canonical CBOR
/// (RFC 8949 §4.2, whole doubles as integers) is hashed with MurmurHash3; hash × total weight / 2^32 is the bucket.
/// Sets that say `"fractional": "string"` hash the text itself, or flag key and targeting key in one, as flagd did
/// before its decision to harden hashing (2025).
extension Evaluator {
  /// Weights may add up to the largest 32-bit integer (flagd's `MAX_WEIGHT_SUM`).
  private static let largestTotal: Int64 = 2_147_483_647

  mutating func fractional(_ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> JSONView {
    let values = try all(step, data)
    guard let first = values.first else { return .null }
    var hash = Murmur3()
    var shares = UnsafeBufferPointer(rebasing: values[1...])
    if first.kind == .array {
      guard let pair = try flagAndSubject(data) else { return .null }
      if !hashesText { CanonicalCBOR.addListHeader(2, to: &hash) }
      guard try add(pair.flag, to: &hash), try add(pair.subject, to: &hash) else { return .null }
      shares = values
    } else {
      guard !first.isNull, try add(first, to: &hash) else { return .null }
    }
    guard let total = totalWeight(shares) else { return .null }
    let bucket = Int64((UInt64(hash.value) * UInt64(total)) >> 32)
    var reached: Int64 = 0
    for share in shares {
      reached += weight(of: share) ?? 0
      if bucket < reached { return share.children[0] }
    }
    return .null
  }

  /// - Returns: false for what has no bucket: flagd before CBOR knew only texts.
  private mutating func add(_ value: JSONView, to hash: inout Murmur3) throws(EvaluationFault) -> Bool {
    guard hashesText else {
      try CanonicalCBOR.add(value, to: &hash, &scratch)
      return true
    }
    guard value.kind == .text else { return false }
    hash.add(value.utf8)
    return true
  }

  /// Of the data that the step looks at; nil without a targeting key.
  private mutating func flagAndSubject(_ data: JSONView) throws(EvaluationFault) -> (flag: JSONView, subject: JSONView)?
  {
    if data.kind == .operation {
      guard targetingKey.kind == .text, targetingKey.count > 0 else { return nil }
      return (flagKey, targetingKey)
    }
    guard data.kind == .object else { throw .noObject }
    guard let subject = data.member("targetingKey"), subject.kind == .text, subject.count > 0 else { return nil }
    guard let properties = data.member("$flagd") else { return (Self.text(""), subject) }
    guard properties.kind == .object else { throw .noObject }
    return (properties.member("flagKey") ?? Self.text(""), subject)
  }

  /// Nil when a share is malformed, or when the total is nothing or too much.
  private func totalWeight(_ shares: UnsafeBufferPointer<JSONView>) -> Int64? {
    var total: Int64 = 0
    for share in shares {
      guard let weight = weight(of: share) else { return nil }
      let (sum, overflows) = total.addingReportingOverflow(weight)
      if overflows { return nil }
      total = sum
    }
    return total > 0 && total <= Self.largestTotal ? total : nil
  }

  /// Of `[variant]` or `[variant, weight]`: 1 when unsaid, at least 0; nil when it is none of these.
  private func weight(of share: JSONView) -> Int64? {
    guard share.kind == .array, share.count == 1 || share.count == 2 else { return nil }
    guard share.count == 2 else { return 1 }
    guard let weight = share.children[1].integer else { return nil }
    return max(0, weight)
  }
}

/// Canonical CBOR of a view, straight into a hash.
enum CanonicalCBOR {
  static func addListHeader(_ count: Int, to hash: inout Murmur3) { addHeader(4, UInt64(count), to: &hash) }
  /// - Parameter count: bytes of the text, which the caller adds behind it.
  static func addTextHeader(_ count: Int, to hash: inout Murmur3) { addHeader(3, UInt64(count), to: &hash) }

  static func add(_ view: JSONView, to hash: inout Murmur3, _ scratch: inout Scratch) throws(EvaluationFault) {
    switch view.kind {
    case .null: hash.add(0xf6)
    case .boolean: hash.add(view.isTrue ? 0xf5 : 0xf4)
    case .integer: add(view.asInteger, to: &hash)
    case .double: add(view.asDouble, to: &hash)
    case .text:
      addHeader(3, UInt64(view.count), to: &hash)
      hash.add(view.utf8)
    case .array:
      addListHeader(Int(view.count), to: &hash)
      for element in view.elements { try add(element, to: &hash, &scratch) }
    case .object, .operation:
      addHeader(5, UInt64(view.count), to: &hash)
      let order = try sortedMembers(of: view, &scratch)
      for position in 0..<Int(view.count) {
        let pair = view.children + 2 * Int(order[position])
        try add(pair[0], to: &hash, &scratch)
        try add(pair[1], to: &hash, &scratch)
      }
    }
  }

  private static func addHeader(_ major: UInt8, _ value: UInt64, to hash: inout Murmur3) {
    let top = major << 5
    switch value {
    case 0..<24: hash.add(top | UInt8(value))
    case 24...0xff:
      hash.add(top | 24)
      addBigEndian(value, bytes: 1, to: &hash)
    case 0x100...0xffff:
      hash.add(top | 25)
      addBigEndian(value, bytes: 2, to: &hash)
    case 0x1_0000...0xffff_ffff:
      hash.add(top | 26)
      addBigEndian(value, bytes: 4, to: &hash)
    default:
      hash.add(top | 27)
      addBigEndian(value, bytes: 8, to: &hash)
    }
  }

  private static func addBigEndian(_ value: UInt64, bytes: Int, to hash: inout Murmur3) {
    for byte in stride(from: bytes - 1, through: 0, by: -1) {
      hash.add(UInt8(truncatingIfNeeded: value >> UInt64(8 * byte)))
    }
  }

  private static func add(_ integer: Int64, to hash: inout Murmur3) {
    if integer >= 0 {
      addHeader(0, UInt64(integer), to: &hash)
    } else {
      addHeader(1, ~UInt64(bitPattern: integer), to: &hash)
    }
  }

  /// Whole doubles within [-2^63, 2^64) as integers; others in the shortest form that keeps the value.
  private static func add(_ double: Double, to hash: inout Murmur3) {
    if double.isNaN {
      hash.add(0xf9)
      return addBigEndian(0x7e00, bytes: 2, to: &hash)
    }
    if double == double.rounded(.towardZero), double >= -0x1p63, double < 0x1p64 {
      if double < 0 { return add(Int64(double), to: &hash) }
      return addHeader(0, UInt64(double), to: &hash)
    }
    if let half = half(double) {
      hash.add(0xf9)
      addBigEndian(UInt64(half), bytes: 2, to: &hash)
    } else if Double(Float(double)) == double {
      hash.add(0xfa)
      addBigEndian(UInt64(Float(double).bitPattern), bytes: 4, to: &hash)
    } else {
      hash.add(0xfb)
      addBigEndian(double.bitPattern, bytes: 8, to: &hash)
    }
  }

  /// IEEE 754 binary16 bits; nil when the value is not one.
  private static func half(_ double: Double) -> UInt16? {
    let sign: UInt16 = double.sign == .minus ? 0x8000 : 0
    let size = double.magnitude
    if size.isInfinite { return sign | 0x7c00 }
    guard size <= 65504 else { return nil }
    // Below 2^-14 numbers are multiples of 2^-24; above, they have eleven significant bits.
    if size < 0x1p-14 {
      let steps = size * 0x1p24
      return steps == steps.rounded(.towardZero) ? sign | UInt16(steps) : nil
    }
    let fraction = size.significandBitPattern
    guard fraction & ((1 << 42) - 1) == 0 else { return nil }
    return sign | UInt16(size.exponent + 15) << 10 | UInt16(fraction >> 42)
  }

  /// Positions of members by encoded name: shorter ones first, then by bytes. Heap sort, since sorting in the standard
  /// library allocates.
  private static func sortedMembers(of object: JSONView, _ scratch: inout Scratch) throws(EvaluationFault)
    -> UnsafeMutablePointer<UInt32>
  {
    let count = Int(object.count)
    let order = try scratch.room(4 * max(1, count)).bindMemory(to: UInt32.self, capacity: max(1, count))
    for position in 0..<count { order[position] = UInt32(position) }
    func name(_ position: UInt32) -> JSONView { object.children[2 * Int(position)] }
    func isLess(_ left: UInt32, _ right: UInt32) -> Bool {
      let (a, b) = (name(left), name(right))
      if a.count != b.count { return a.count < b.count }
      for at in 0..<Int(a.count) where a.utf8[at] != b.utf8[at] { return a.utf8[at] < b.utf8[at] }
      return false
    }
    func sink(_ start: Int, _ end: Int) {
      var root = start
      while 2 * root + 1 < end {
        var child = 2 * root + 1
        if child + 1 < end, isLess(order[child], order[child + 1]) { child += 1 }
        guard isLess(order[root], order[child]) else { return }
        (order[root], order[child]) = (order[child], order[root])
        root = child
      }
    }
    for start in stride(from: count / 2, through: 0, by: -1) { sink(start, count) }
    for end in stride(from: count - 1, to: 0, by: -1) {
      (order[0], order[end]) = (order[end], order[0])
      sink(0, end)
    }
    return order
  }
}
