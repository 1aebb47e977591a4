import Crypto
import Foundation
import Kernel

/// The Ed25519 key that signs checkpoints (RFC 8032), made at first start.
struct LedgerKey: Sendable {
  private let key: Curve25519.Signing.PrivateKey

  /// Reads the key, or makes it; writes its public half beside it when that is absent, for verifiers.
  init(at files: LedgerFiles) throws(Outage) {
    let text = try Disk.secret(at: files.key) {
      Array((hexadecimal(Curve25519.Signing.PrivateKey().rawRepresentation) + "\n").utf8)
    }
    guard let seed = keyBytes(text), let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
      throw Outage("ledger", "\(files.key) holds no Ed25519 key of 64 hexadecimal digits; restore it from a copy")
    }
    self.key = key
    if !Disk.exists(files.publicKey) {
      try Disk.writeNew(
        Array((hexadecimal(key.publicKey.rawRepresentation) + "\n").utf8), to: files.publicKey, mode: 0o644)
    }
  }

  func sign(_ bytes: [UInt8]) throws(Outage) -> [UInt8] {
    do { return Array(try key.signature(for: bytes)) } catch {
      throw Outage("ledger", "a checkpoint could not be signed", sources: ["\(error)"])
    }
  }
}

/// The half of `LedgerKey` that judges signatures.
struct LedgerPublicKey: Sendable {
  private let key: Curve25519.Signing.PublicKey

  init(at files: LedgerFiles) throws(Outage) {
    let text = try Disk.read(files.publicKey)
    guard let bytes = keyBytes(text), let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes) else {
      throw Outage("ledger", "\(files.publicKey) holds no Ed25519 public key of 64 hexadecimal digits")
    }
    self.key = key
  }

  func isSignature(_ signature: [UInt8], of bytes: [UInt8]) -> Bool { key.isValidSignature(signature, for: bytes) }
}

/// The 32 bytes that a key file holds as hexadecimal digits and an end of line.
func keyBytes(_ text: [UInt8]) -> [UInt8]? {
  let digits = String(decoding: text, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  guard let bytes = bytes(hexadecimal: digits), bytes.count == 32 else { return nil }
  return bytes
}
