import Migrations

/// A value in a Bind message, kept as the policy allows.
enum BoundValue {
  /// Longer values are recorded by their length under either policy.
  static let maximalBytes = 1024

  /// `type` is the parameter's OID, 0 where it is not known.
  static func sample(
    _ bytes: UnsafeRawBufferPointer, isBinary: Bool, type: UInt32, policy: RecordingPolicy
  ) -> SampleValue {
    guard policy == .keep, bytes.count <= maximalBytes else { return .redacted(bytes: bytes.count) }
    let text = isBinary ? binary(bytes, type) : utf8(bytes)
    return text.map(SampleValue.text) ?? .redacted(bytes: bytes.count)
  }

  private static func utf8(_ bytes: UnsafeRawBufferPointer) -> String? { String(validating: bytes, as: UTF8.self) }

  /// The text format of simple types; OIDs of `pg_type.dat`, representations of the types' send functions.
  private static func binary(_ bytes: UnsafeRawBufferPointer, _ type: UInt32) -> String? {
    var reader = WireReader(bytes)
    switch (type, bytes.count) {
    case (16, 1): return bytes[0] == 0 ? "false" : "true"
    case (21, 2): return reader.int16().map(String.init)
    case (23, 4): return reader.int32().map(String.init)
    case (26, 4): return reader.oid().map(String.init)
    case (20, 8): return String(int64(bytes))
    case (700, 4): return reader.oid().map { "\(Float(bitPattern: $0))" }
    case (701, 8): return "\(Double(bitPattern: UInt64(bitPattern: int64(bytes))))"
    case (2950, 16): return uuid(bytes)
    case (25, _), (1043, _), (1042, _), (19, _), (114, _): return utf8(bytes)
    // jsonb begins with the number of its representation.
    case (3802, 1...) where bytes[0] == 1: return utf8(UnsafeRawBufferPointer(rebasing: bytes[1...]))
    case (17, _): return "\\x" + bytes.map(hexadecimal).joined()
    default: return nil
    }
  }

  private static func int64(_ bytes: UnsafeRawBufferPointer) -> Int64 {
    Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
  }

  private static func uuid(_ bytes: UnsafeRawBufferPointer) -> String {
    bytes.enumerated().map { ([4, 6, 8, 10].contains($0.offset) ? "-" : "") + hexadecimal($0.element) }.joined()
  }

  private static func hexadecimal(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}
