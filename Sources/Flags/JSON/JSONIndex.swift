/// A hash table over the names of an object, or over the texts of an array, right behind its children.
///
/// Open addressing over 32-bit places (position + 1; 0 is free), two to a slot, at most half full. It makes a list of
/// 10,000 subjects as quick as a list of ten. Numbers and others in an array are not in it; who looks for one scans.
package enum JSONIndex {
  /// From this size on, finding through the index beats a scan of lengths.
  static let smallestObject = 17
  static let smallestArray = 9
  private static let seed: UInt32 = 0x9747_b28c

  static func bits(forEntries count: Int) -> UInt8 {
    var bits: UInt8 = 3
    while (1 << Int(bits)) < 2 * count { bits += 1 }
    return bits
  }

  /// Slots that a table of so many bits takes.
  static func slots(bits: UInt8) -> Int { (1 << Int(bits)) / 2 }

  static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt32 { Murmur3.hash(bytes, seed: seed) }

  /// Position of the first entry equal to the bytes: of a member of an object, of an element of an array.
  package static func find(_ bytes: UnsafeRawBufferPointer, in container: JSONView) -> Int? {
    let stride = container.kind == .object ? 2 : 1
    let children = container.children
    let table = children + stride * Int(container.count)
    let mask = (1 << Int(container.indexBits)) - 1
    var place = Int(hash(bytes)) & mask
    while true {
      let entry = UInt32(truncatingIfNeeded: table[place >> 1].bits >> (32 * UInt64(place & 1)))
      if entry == 0 { return nil }
      let position = Int(entry) - 1
      if children[stride * position].textEquals(bytes) { return position }
      place = (place + 1) & mask
    }
  }
}
