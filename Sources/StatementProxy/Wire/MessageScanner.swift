/// Finds the messages in one direction of a connection, in whatever pieces the bytes arrive. Nothing is copied when a
/// message lies whole in one piece; of others at most `limit(tag)` bytes are.
struct MessageScanner {
  /// What a message of this tag is needed for decides how much of it is kept: -1 skips it unseen.
  typealias Limits = @Sendable (_ tag: UInt8) -> Int

  private let limits: [Int]
  private var header: (UInt8, UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0, 0)
  private var headerBytes = 0
  /// Bytes of the present message's body that have not arrived.
  private var missing = 0
  private var tag: UInt8 = 0
  private var length = 0
  private var limit = -1
  private var kept: [UInt8] = []

  /// A tag byte and a length that counts itself (protocol 3.0, "Message Formats").
  static let headerLength = 5

  init(limits: Limits) { self.limits = (0...UInt8.max).map { limits($0) } }

  /// No message has begun that has not ended.
  var isBetweenMessages: Bool { headerBytes == 0 }

  /// Calls `deliver` for each message that ends in `bytes`, with its tag, its whole length without header, and as much
  /// of its body as its limit allows. Returns false when the bytes are no messages; nothing can be scanned after that.
  mutating func scan(
    _ bytes: UnsafeRawBufferPointer, deliver: (_ tag: UInt8, _ length: Int, _ body: UnsafeRawBufferPointer) -> Void
  ) -> Bool {
    var offset = 0
    let count = bytes.count
    while offset < count {
      if headerBytes < Self.headerLength {
        if headerBytes == 0, count - offset >= Self.headerLength {
          guard begin(bytes[offset], Self.length(bytes, at: offset + 1)) else { return false }
          headerBytes = Self.headerLength
          offset += Self.headerLength
        } else {
          keepHeader(bytes[offset])
          offset += 1
          guard headerBytes == Self.headerLength else { continue }
          let read = withUnsafeBytes(of: header) { Self.length($0, at: 1) }
          guard begin(header.0, read) else { return false }
        }
        if missing == 0 {
          headerBytes = 0
          if limit >= 0 { deliver(tag, length, UnsafeRawBufferPointer(start: nil, count: 0)) }
          continue
        }
        if count == offset { break }
      }
      let here = min(missing, count - offset)
      if limit >= 0 {
        if here == length {
          deliver(tag, length, UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + min(here, limit)]))
        } else {
          kept.append(contentsOf: bytes[offset..<offset + min(here, limit - min(limit, kept.count))])
          if here == missing {
            kept.withUnsafeBytes { deliver(tag, length, $0) }
            kept.removeAll(keepingCapacity: kept.capacity <= Self.keptCapacity)
          }
        }
      }
      missing -= here
      offset += here
      if missing == 0 { headerBytes = 0 }
    }
    return true
  }

  /// Memory that a connection holds on to between messages; a longer message's is given back.
  private static let keptCapacity = 4096

  private mutating func begin(_ tag: UInt8, _ read: Int) -> Bool {
    guard read >= 4 else { return false }
    self.tag = tag
    length = read - 4
    missing = length
    limit = limits[Int(tag)]
    return true
  }

  private mutating func keepHeader(_ byte: UInt8) {
    withUnsafeMutableBytes(of: &header) { $0[headerBytes] = byte }
    headerBytes += 1
  }

  private static func length(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
    Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
  }
}
