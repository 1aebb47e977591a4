import Foundation
import Kernel

import enum Crypto.Curve25519

/// The Ed25519 key that signs provenance: made at the first start, kept in a file that only its owner may read.
///
/// Beside it lies the public key, base64, for whoever verifies elsewhere.
struct SigningKey: Sendable {
  /// SHA-256 of the raw public key, in hexadecimal.
  let id: String
  private let secret: [UInt8]
  private let open: [UInt8]

  static let fileName = "provenance.ed25519"

  /// - Throws: `Outage` when the key cannot be read or made, or when others may read it.
  init(folder: String) throws(Outage) {
    let path = "\(folder)/\(Self.fileName)"
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw Outage("disk", "the folder \(folder) for keys cannot be made; make it writable", sources: ["\(error)"])
    }
    var facts = stat()
    if stat(path, &facts) != 0 { try Self.make(path) }
    guard stat(path, &facts) == 0, let stored = FileManager.default.contents(atPath: path) else {
      throw unreadable(path)
    }
    guard facts.st_mode & 0o077 == 0 else {
      throw Outage("keys", "the signing key \(path) may be read by others, so it proves nothing; run chmod 600 on it")
    }
    guard
      let raw = Data(
        base64Encoded: String(decoding: stored, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)),
      let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: raw)
    else { throw Outage("keys", "the signing key \(path) is damaged; restore it from a backup") }
    secret = [UInt8](raw)
    open = [UInt8](key.publicKey.rawRepresentation)
    id = sha256(open).hex
    if access(path + ".pub", F_OK) != 0 {
      try? Data(open).base64EncodedString().appending("\n").write(
        toFile: path + ".pub", atomically: true, encoding: .utf8)
    }
  }

  /// Written aside and linked into place: of two starts at once, one key stays.
  private static func make(_ path: String) throws(Outage) {
    let key = Curve25519.Signing.PrivateKey()
    let aside = "\(path).\(UUID().uuidString)"
    defer { unlink(aside) }
    let file = try DurableFile(aside, mode: 0o600)
    let text = Array((key.rawRepresentation.base64EncodedString() + "\n").utf8)
    try file.write(text)
    try file.finish()
    guard link(aside, path) == 0 || errno == EEXIST else { throw unwritable(path) }
    try synchronise((path as NSString).deletingLastPathComponent)
  }

  func sign(_ bytes: [UInt8]) throws(Outage) -> [UInt8] {
    do {
      return [UInt8](try Curve25519.Signing.PrivateKey(rawRepresentation: secret).signature(for: bytes))
    } catch {
      throw Outage("keys", "provenance cannot be signed", sources: ["\(error)"])
    }
  }

  func isValid(_ signature: [UInt8], for bytes: [UInt8]) -> Bool {
    guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: open) else { return false }
    return key.isValidSignature(signature, for: bytes)
  }
}
