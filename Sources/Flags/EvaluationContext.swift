/// Who or what a flag is evaluated for: attributes, and the targeting key among them. Built once, evaluated often.
public struct EvaluationContext: Sendable {
  /// Bytes of JSON that a context may have. OFREP requests with more are refused before they are read.
  public static let sizeLimit = 1 << 20

  package let tape: JSONTape
  /// The attributes; an object.
  package let attributes: JSONView
  /// The attribute `targetingKey` as it came; null when it is missing.
  package let targetingKey: JSONView

  /// A context without attributes.
  public init() {
    let builder = JSONBuilder()
    builder.endObject(from: builder.mark)
    self.init(builder.finish())
  }

  /// From JSON text: an object of attributes, `targetingKey` among them.
  ///
  /// - Throws: `FlagRefusal` with line and column when the text is no JSON object in UTF-8, nests deeper than 100, or
  ///   is larger than ``sizeLimit``.
  public init(json: String) throws(FlagRefusal) {
    try self.init(checked: JSONReader.tape(of: json, subject: "the context", limit: Self.sizeLimit))
  }

  /// From the bytes of JSON text; see ``init(json:)``.
  public init(json bytes: UnsafeBufferPointer<UInt8>) throws(FlagRefusal) {
    try self.init(checked: JSONReader.tape(of: bytes, subject: "the context", limit: Self.sizeLimit))
  }

  /// From an object within a larger document (`context` of an OFREP request); `view` belongs to the tape.
  ///
  /// - Throws: `FlagRefusal` when the view is no object.
  package init(_ view: JSONView, of tape: JSONTape) throws(FlagRefusal) {
    guard view.kind == .object else {
      throw FlagRefusal("the context", "is no JSON object", next: "Send attributes as {\"name\": value}")
    }
    self.tape = tape
    attributes = view
    targetingKey = view.member("targetingKey") ?? .null
  }

  private init(checked tape: JSONTape) throws(FlagRefusal) {
    try self.init(tape.root, of: tape)
  }

  private init(_ tape: JSONTape) {
    self.tape = tape
    attributes = tape.root
    targetingKey = tape.root.member("targetingKey") ?? .null
  }
}

/// An attribute's value, for contexts that are built in code.
public enum AttributeValue: Sendable, ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral
{
  case null
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
  case list([AttributeValue])
  /// Members in their order; of a repeated name the last value counts.
  case object([(String, AttributeValue)])

  public init(stringLiteral value: String) { self = .text(value) }
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(arrayLiteral elements: AttributeValue...) { self = .list(elements) }

  func add(to builder: JSONBuilder) {
    switch self {
    case .null: builder.add(.null)
    case .boolean(let value): builder.add(.boolean(value))
    case .integer(let value): builder.add(.integer(Int64(value)))
    case .number(let value): builder.add(.double(value))
    case .text(let value): builder.add(value)
    case .list(let values):
      let mark = builder.mark
      for value in values { value.add(to: builder) }
      builder.endArray(from: mark)
    case .object(let members):
      let mark = builder.mark
      for (name, value) in members {
        builder.add(name)
        value.add(to: builder)
      }
      builder.endObject(from: mark)
    }
  }
}

extension EvaluationContext {
  /// From values in code. `targetingKey` names the subject (a user, a request); attributes keep their order, and of a
  /// repeated name the last value counts.
  public init(targetingKey: String?, attributes: KeyValuePairs<String, AttributeValue> = [:]) {
    let builder = JSONBuilder()
    let mark = builder.mark
    for (name, value) in attributes {
      builder.add(name)
      value.add(to: builder)
    }
    if let targetingKey {
      builder.add("targetingKey")
      builder.add(targetingKey)
    }
    builder.endObject(from: mark)
    self.init(builder.finish())
  }
}
