import Foundation
import Kernel

// Crypto has a `Digest` too.
import enum Crypto.AES
import struct Crypto.HKDF
import struct Crypto.HMAC
import struct Crypto.SHA256
import struct Crypto.SymmetricKey

/// Seals configurations with AES-256-GCM into a blob store, and names them by a keyed hash (HMAC-SHA256).
///
/// Equal variables, in any order, give the equal hash and the equal blob.
package struct ConfigurationSealer: Sealer {
  private let keyFile: String
  private let blobs: any BlobStore
  private let hashing: SymmetricKey
  private let sealing: SymmetricKey
  private let nonces: SymmetricKey

  /// Opens every sealed blob; also authenticated, so that the layout cannot be confused with a later one.
  /// Whether the bytes are a sealed configuration: they share the blob store with logs, and are nobody's to read.
  package static func isSealed(_ blob: [UInt8]) -> Bool { blob.starts(with: header) }

  private static let header = Array("plimsoll sealed configuration 1\n".utf8)
  /// AES-GCM's (NIST SP 800-38D §5.2.1.1).
  private static let nonceLength = 12

  /// Makes the key file, 32 random bytes with mode 0600, at first start.
  package init(keyFile: String, blobs: any BlobStore) throws(Outage) {
    let text = try Disk.secret(at: keyFile) {
      SymmetricKey(size: .bits256).withUnsafeBytes { Array((hexadecimal($0) + "\n").utf8) }
    }
    guard let bytes = keyBytes(text) else {
      throw Outage("sealer", "\(keyFile) holds no key of 64 hexadecimal digits; restore it from a copy")
    }
    let root = SymmetricKey(data: bytes)
    // One purpose, one key (RFC 5869).
    func derive(_ purpose: String) -> SymmetricKey {
      HKDF<SHA256>.deriveKey(inputKeyMaterial: root, info: Data(purpose.utf8), outputByteCount: 32)
    }
    self.keyFile = keyFile
    self.blobs = blobs
    hashing = derive("plimsoll configuration hash")
    sealing = derive("plimsoll configuration seal")
    nonces = derive("plimsoll configuration nonce")
  }

  package func seal(_ variables: [EnvironmentVariable]) throws(Outage) -> (hash: Digest, sealed: Digest) {
    let plain = Self.canonical(variables)
    let hash = try digest(HMAC<SHA256>.authenticationCode(for: plain, using: hashing))
    // A nonce must never serve two plaintexts under one key. This one is a keyed hash of the plaintext, so it repeats
    // only with the same plaintext, when the whole box repeats and tells only that the configurations are equal, which
    // the ledger's hash tells anyway (the idea of SIV, RFC 5297). Two different plaintexts meet in 96 bits with
    // probability 2^-33 after 2^32 configurations.
    let nonce = Array(HMAC<SHA256>.authenticationCode(for: plain, using: nonces).prefix(Self.nonceLength))
    let box: [UInt8]
    do {
      let sealed = try AES.GCM.seal(
        plain, using: sealing, nonce: AES.GCM.Nonce(data: nonce), authenticating: Self.header)
      box = Self.header + nonce + Array(sealed.ciphertext) + Array(sealed.tag)
    } catch {
      throw Outage("sealer", "a configuration could not be sealed", sources: ["\(error)"])
    }
    return (hash, try blobs.put(box))
  }

  package func open(_ sealed: Digest) throws(Outage) -> [EnvironmentVariable] {
    let blob = try blobs.get(sealed)
    guard blob.starts(with: Self.header) else {
      throw Outage("sealer", "\(sealed.rawValue) is no sealed configuration; name another blob")
    }
    let plain: [UInt8]
    do {
      let box = try AES.GCM.SealedBox(combined: blob.dropFirst(Self.header.count))
      plain = Array(try AES.GCM.open(box, using: sealing, authenticating: Self.header))
    } catch {
      throw Outage(
        "sealer",
        "\(sealed.rawValue) was not sealed with the key in \(keyFile); restore the key that this data folder was made with",
        sources: ["\(error)"])
    }
    guard let variables = Self.variables(plain) else {
      throw Outage("sealer", "\(sealed.rawValue) holds no list of variables; start the plimsoll that sealed it")
    }
    return variables
  }

  private static func canonical(_ variables: [EnvironmentVariable]) -> [UInt8] {
    var canonical = CanonicalBytes()
    for variable in variables.sorted(by: precedes) {
      canonical.add(variable.name)
      canonical.add(variable.value)
    }
    return canonical.bytes
  }

  /// By bytes: the order of texts may change with the toolchain's Unicode tables, and with it the hash.
  private static func precedes(_ left: EnvironmentVariable, _ right: EnvironmentVariable) -> Bool {
    if !left.name.utf8.elementsEqual(right.name.utf8) {
      return left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
    }
    return left.value.utf8.lexicographicallyPrecedes(right.value.utf8)
  }

  private static func variables(_ plain: [UInt8]) -> [EnvironmentVariable]? {
    var reader = CanonicalReader(plain)
    var variables: [EnvironmentVariable] = []
    while !reader.isAtEnd {
      guard let name = reader.text(), let value = reader.text() else { return nil }
      variables.append(EnvironmentVariable(name: name, value: value))
    }
    return variables
  }
}
