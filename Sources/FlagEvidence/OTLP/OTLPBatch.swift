/// Logs and spans of an OTLP request, as far as they are evidence (opentelemetry-proto 1.x).
struct OTLPBatch: Equatable, Sendable {
  enum Value: Equatable, Sendable {
    case text(String)
    case number(Int64)
    case real(Double)
    case bool(Bool)
  }
  struct Attributes: Equatable, Sendable {
    private var values: [String: Value] = [:]
    /// OpenTelemetry's own default limit of attributes.
    static let most = 128
    mutating func add(_ name: String, _ value: Value) {
      guard values.count < Attributes.most || values[name] != nil else { return }
      values[name] = value
    }
    subscript(name: String) -> Value? { values[name] }
    func text(_ name: String) -> String? {
      switch values[name] {
      case .text(let text): text.isEmpty ? nil : text
      case .number(let number): "\(number)"
      case .real, .bool, nil: nil
      }
    }
    func number(_ name: String) -> Int? {
      switch values[name] {
      case .number(let number): Int(exactly: number)
      case .text(let text): Int(text)
      case .real, .bool, nil: nil
      }
    }
    /// The first of several names: older and newer conventions.
    func text(_ names: [String]) -> String? { names.lazy.compactMap { text($0) }.first }
  }
  /// Something that happened, in a span or by itself.
  struct Event: Equatable, Sendable {
    var name = ""
    var nanoseconds: UInt64 = 0
    var trace: [UInt8] = []
    var attributes = Attributes()
  }
  struct Span: Equatable, Sendable {
    var trace: [UInt8] = []
    var hasParent = false
    /// 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    var kind = 0
    var began: UInt64 = 0
    var ended: UInt64 = 0
    var attributes = Attributes()
    var events: [Event] = []
    /// 2 is an error.
    var status = 0
  }
  struct Group: Equatable, Sendable {
    var resource = Attributes()
    var logs: [Event] = []
    var spans: [Span] = []
  }
  var groups: [Group] = []
}
