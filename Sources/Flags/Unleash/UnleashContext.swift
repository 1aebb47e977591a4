/// Who a feature of Unleash is evaluated for, as Unleash's rules see it: everything is text. Built once, evaluated
/// often.
///
/// The fields are `userId`, `sessionId`, `environment`, `appName`, `currentTime` and `remoteAddress`; anything else is
/// a property. As in Unleash's reference, properties are the members of `properties` and all other texts at the top; a
/// field that is missing at the top is looked for among the properties. Numbers and booleans count as their JSON text,
/// lists and objects as missing. Where no `userId` is given at all, OpenFeature's `targetingKey` stands in.
public struct UnleashContext: Sendable {
  let storage: Storage

  /// - Parameter hostname: where the evaluation runs, for the strategy `applicationHostname`; nil: no host matches.
  public init(_ context: EvaluationContext, hostname: String? = nil) {
    storage = withExtendedLifetime(context) { Storage(context.attributes, hostname: hostname) }
  }

  /// From the JSON object that Unleash's clients send; see ``init(_:hostname:)``.
  ///
  /// - Throws: `FlagRefusal` as ``EvaluationContext/init(json:)`` does.
  public init(json: String, hostname: String? = nil) throws(FlagRefusal) {
    self.init(try EvaluationContext(json: json), hostname: hostname)
  }

  /// A field of the context that rules name.
  enum Field: UInt8 {
    case userId, sessionId, environment, appName, currentTime, remoteAddress
    case property
    /// No field: a draw by chance.
    case drawn
    /// `userId`, else `sessionId`, else chance.
    case preset

    static let named = 6

    init(name: UnsafeRawBufferPointer) {
      if equals(name, "userId") {
        self = .userId
      } else if equals(name, "sessionId") {
        self = .sessionId
      } else if equals(name, "environment") {
        self = .environment
      } else if equals(name, "appName") {
        self = .appName
      } else if equals(name, "currentTime") {
        self = .currentTime
      } else if equals(name, "remoteAddress") {
        self = .remoteAddress
      } else {
        self = .property
      }
    }
  }

  /// One field or property; the texts are bytes of the storage.
  struct Entry {
    var hash: UInt32 = 0
    var name = UnleashText()
    var value = UnleashText()
    /// The value in lower case.
    var lowered = UnleashText()
    /// The value as a number; not a number when it is none.
    var number = Double.nan
    var isPresent = false
  }

  /// Fields, then the host, then properties, then a table over the properties' names, then bytes: one block.
  final class Storage: @unchecked Sendable {
    // Safe to share: written before `init` returns, never afterwards.
    private let memory: UnsafeMutableRawPointer
    let view: UnleashContextView

    init(_ attributes: JSONView, hostname: String?) {
      var builder = UnleashContextBuilder()
      builder.read(attributes, hostname: hostname)
      (memory, view) = builder.finish()
    }

    deinit { memory.deallocate() }
  }
}

/// A piece of the bytes of a program or context.
struct UnleashText {
  var start: UInt32 = 0
  var count: UInt32 = 0
}

/// A context as an evaluation reads it: addresses, valid as long as the context lives.
struct UnleashContextView {
  let fields: UnsafePointer<UnleashContext.Entry>
  let properties: UnsafePointer<UnleashContext.Entry>
  let table: UnsafePointer<UInt32>
  /// Places of the table less one; it has a power of two of them.
  let mask: Int
  let bytes: UnsafePointer<UInt8>

  /// Where the host's name stands among the fields.
  static let hostname = UnleashContext.Field.named

  @inline(__always)
  func text(_ text: UnleashText) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: bytes + Int(text.start), count: Int(text.count))
  }

  /// The property of that name, whose hash is given; nil when there is none. O(1).
  @inline(__always)
  func property(_ name: UnsafeRawBufferPointer, hash: UInt32) -> UnsafePointer<UnleashContext.Entry>? {
    var place = Int(hash) & mask
    while true {
      let position = table[place]
      if position == 0 { return nil }
      let entry = properties + Int(position - 1)
      if entry.pointee.hash == hash, entry.pointee.name.count == name.count,
        sameBytes(text(entry.pointee.name), name)
      {
        return entry
      }
      place = (place + 1) & mask
    }
  }
}
