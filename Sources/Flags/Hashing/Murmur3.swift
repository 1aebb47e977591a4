/// MurmurHash3, x86, 32 bits (Austin Appleby, public domain), which flagd and Unleash bucket with.
///
/// Fed in pieces or at once; the pieces' borders do not matter.
package struct Murmur3 {
  private var state: UInt32
  /// Bytes that do not fill a word yet, lowest first.
  private var tail: UInt32 = 0
  private var count: UInt32 = 0

  @inline(__always)
  package init(seed: UInt32 = 0) { state = seed }

  @inline(__always)
  package mutating func add(_ byte: UInt8) {
    let shift = (count & 3) << 3
    tail |= UInt32(byte) << shift
    count &+= 1
    if shift == 24 {
      state = Self.mixed(state, tail)
      tail = 0
    }
  }

  @inline(__always)
  package mutating func add(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    var at = 0
    let length = bytes.count
    while count & 3 != 0, at < length {
      add(start.load(fromByteOffset: at, as: UInt8.self))
      at &+= 1
    }
    while at &+ 4 <= length {
      state = Self.mixed(state, UInt32(littleEndian: start.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
      count &+= 4
      at &+= 4
    }
    while at < length {
      add(start.load(fromByteOffset: at, as: UInt8.self))
      at &+= 1
    }
  }

  /// The hash of what was added so far.
  @inline(__always)
  package var value: UInt32 {
    var hash = state
    if count & 3 != 0 { hash ^= Self.scrambled(tail) }
    hash ^= count
    hash ^= hash >> 16
    hash = hash &* 0x85eb_ca6b
    hash ^= hash >> 13
    hash = hash &* 0xc2b2_ae35
    hash ^= hash >> 16
    return hash
  }

  @inline(__always)
  package static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    var murmur = Murmur3(seed: seed)
    murmur.add(bytes)
    return murmur.value
  }

  @inline(__always)
  private static func scrambled(_ word: UInt32) -> UInt32 {
    let product = word &* 0xcc9e_2d51
    return ((product << 15) | (product >> 17)) &* 0x1b87_3593
  }

  @inline(__always)
  private static func mixed(_ state: UInt32, _ word: UInt32) -> UInt32 {
    let hash = state ^ scrambled(word)
    return ((hash << 13) | (hash >> 19)) &* 5 &+ 0xe654_6b64
  }
}
