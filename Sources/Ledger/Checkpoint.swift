import Crypto
import Foundation
import Kernel

/// At most this many events (and one commit more) are ahead of the last signed checkpoint, as with snapshots: design
/// §7 names 256.
package let checkpointInterval: Position = 256

/// A signed statement: at `position` the ledger's heads were these.
///
/// It lists only the heads that moved since the checkpoint before it, whose digest it includes: so each one covers all
/// heads, at a cost that does not grow with the number of streams.
package struct Checkpoint: Codable, Equatable, Sendable {
  package struct Head: Codable, Equatable, Sendable {
    package let stream: String
    package let version: Version
    /// The event's link in its stream's hash chain, in hexadecimal digits.
    package let chain: String
  }

  package let position: Position
  /// The instant of the event at `position`.
  package let at: Instant
  /// Sorted by the bytes of the stream's name.
  package let moved: [Head]
  /// The digest of the checkpoint before; 64 zeros for the first.
  package let previous: String
  /// SHA-256 over all of the above, in hexadecimal digits.
  package let digest: String
  /// Ed25519 over the digest's 32 bytes with a prefix, in hexadecimal digits.
  package let signature: String

  static let origin = String(repeating: "0", count: 2 * SHA256.byteCount)

  init(
    position: Position, at: Instant, moved: [Head], previous: String, key: LedgerKey
  ) throws(Outage) {
    self.position = position
    self.at = at
    self.moved = moved.sorted { $0.stream.utf8.lexicographicallyPrecedes($1.stream.utf8) }
    self.previous = previous
    let hash = Self.hash(position: position, at: at, moved: self.moved, previous: previous)
    digest = hexadecimal(hash)
    signature = hexadecimal(try key.sign(Self.signed(hash)))
  }

  /// The digest says what the fields say, and the key signed it.
  func isSigned(by key: LedgerPublicKey) -> Bool {
    let hash = Self.hash(position: position, at: at, moved: moved, previous: previous)
    guard hexadecimal(hash) == digest, let signature = bytes(hexadecimal: signature) else { return false }
    return key.isSignature(signature, of: Self.signed(hash))
  }

  private static func hash(position: Position, at: Instant, moved: [Head], previous: String) -> [UInt8] {
    var canonical = CanonicalBytes(capacity: 128 * (moved.count + 1))
    canonical.add(previous)
    canonical.add(position)
    canonical.add(at.milliseconds)
    canonical.add(Int64(moved.count))
    for head in moved {
      canonical.add(head.stream)
      canonical.add(head.version)
      canonical.add(head.chain)
    }
    return Array(SHA256.hash(data: canonical.bytes))
  }

  /// The prefix keeps a signature from meaning anything but a checkpoint, should the key ever sign something else.
  private static func signed(_ hash: [UInt8]) -> [UInt8] { Array("plimsoll checkpoint 1\n".utf8) + hash }
}
