import Crypto
import Flags
import Synchronization

/// What one environment serves: an immutable version, with all that its answers need computed once.
package final class ServedFlags: Sendable {
  package let environment: String
  /// Rises with every change of its store.
  package let version: Int
  /// Seconds since 1970.
  package let changedAt: Double
  package let flags: FlagSet
  /// A digest of what is served, in hexadecimal: the same for the same definitions, in every process.
  package let entityTag: String
  let served: [ServedFlag]
  private let digest: [UInt8]
  private let frame: DefinitionsText
  private let assembled = Mutex<String?>(nil)
  private let constants = Mutex<ConstantAnswers?>(nil)

  /// Hexadecimal digits of ``entityTag``: 64 bits, beyond any number of versions that a client could confuse.
  private static let tagBytes = 8

  private init(
    environment: String, version: Int, changedAt: Double, flags: FlagSet, served: [ServedFlag], digest: [UInt8],
    frame: DefinitionsText
  ) {
    self.environment = environment
    self.version = version
    self.changedAt = changedAt
    self.flags = flags
    self.served = served
    self.digest = digest
    self.frame = frame
    entityTag = Self.hexadecimal(digest.prefix(Self.tagBytes))
  }

  /// Reads definitions as a whole.
  ///
  /// - Throws: `FlagRefusal` with line and column.
  convenience init(environment: String, definitions: String, version: Int, at seconds: Double) throws(FlagRefusal) {
    let flags = try FlagSet(json: definitions)
    let frame = try DefinitionsText(definitions)
    // Refused now, rather than when the first Unleash client asks.
    _ = try UnleashDocument.imported(in: definitions)
    var served: [ServedFlag] = []
    served.reserveCapacity(flags.count)
    for (position, entry) in frame.entries.enumerated() where position < flags.count {
      served.append(ServedFlag(at: position, of: flags, entry: entry))
    }
    self.init(
      environment: environment, version: version, changedAt: seconds, flags: flags, served: served,
      digest: Array(SHA256.hash(data: Array(definitions.utf8))), frame: frame)
  }

  /// With one flag replaced, added (behind the others) or, without a definition, removed; all others are shared.
  ///
  /// - Throws: `FlagRefusal` as ``Flags/FlagSet/replacing(_:with:)`` does.
  func changing(_ key: String, to definition: String?, version: Int, at seconds: Double) throws(FlagRefusal)
    -> ServedFlags
  {
    var served = served
    let position = flags.position(of: key)
    let changed: FlagSet
    if let definition {
      changed = try flags.replacing(key, with: definition)
      let entry = frame.entry(key, definition)
      if let position {
        served[position] = ServedFlag(at: position, of: changed, entry: entry)
      } else {
        served.append(ServedFlag(at: changed.count - 1, of: changed, entry: entry))
      }
    } else {
      changed = try flags.removing(key)
      if let position { served.remove(at: position) }
    }
    var hash = SHA256()
    hash.update(data: digest)
    hash.update(data: Array(key.utf8))
    // A definition is never empty, so removing is not the same as any replacing.
    hash.update(data: [0] + Array((definition ?? "").utf8))
    return ServedFlags(
      environment: environment, version: version, changedAt: seconds, flags: changed, served: served,
      digest: Array(hash.finalize()), frame: frame)
  }

  /// The document that is served, flagd's JSON with native fields. Put together when it is first asked for.
  package var definitions: String {
    assembled.withLock { text in
      if let text { return text }
      let whole = frame.text(with: served.lazy.map(\.entry))
      text = whole
      return whole
    }
  }

  /// One flag's definition, without its key unless the document is a list; nil when there is none.
  package func definition(of key: String) -> String? {
    flags.position(of: key).map { served[$0].entry.definition }
  }

  /// Answers that are the same for everybody, as one piece of bytes, and the flags that have to be evaluated.
  func constantAnswers() -> ConstantAnswers {
    constants.withLock { known in
      if let known { return known }
      let made = ConstantAnswers(served)
      known = made
      return made
    }
  }

  /// Whether all but the flags themselves is the same: segments, `$evaluators`, metadata.
  func hasSameFrame(as other: ServedFlags) -> Bool {
    frame.opening == other.frame.opening && frame.closing == other.frame.closing
  }

  /// Whether these are the very definitions that are served.
  func isSame(as definitions: String) -> Bool { digest.elementsEqual(SHA256.hash(data: Array(definitions.utf8))) }

  static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}

/// The part of a bulk answer that does not depend on the context.
final class ConstantAnswers: Sendable {
  /// Answers with commas between.
  let bytes: [UInt8]
  /// Positions of flags that have to be evaluated.
  let others: [Int]

  init(_ served: [ServedFlag]) {
    var bytes: [UInt8] = []
    var others: [Int] = []
    for (position, flag) in served.enumerated() {
      if let constant = flag.constant {
        if !bytes.isEmpty { bytes.append(UInt8(ascii: ",")) }
        bytes.append(contentsOf: constant)
      } else {
        others.append(position)
      }
    }
    self.bytes = bytes
    self.others = others
  }
}
