/// Who or what a flag is evaluated for: attributes, and the targeting key among them. Built once, evaluated often.
///
/// A service that reads a context from JSON for every request keeps one and reads the next into it, which allocates
/// nothing once its memory is large enough:
///
/// ```swift
/// var context = EvaluationContext()
/// for request in requests {
///   try context.read(json: request.bytes)
///   let evaluation = flags.evaluate("new-checkout", for: context, at: now)
/// }
/// ```
public struct EvaluationContext: Sendable {
  /// Bytes of JSON that a context may have. OFREP requests with more are refused before they are read.
  public static let sizeLimit = 1 << 20

  /// What the attributes lie in, kept alive: a tape, or memory that the next text may be read into.
  private var tape: JSONTape?
  private var memory: ContextMemory?
  /// The attributes; an object.
  package private(set) var attributes: JSONView
  /// The attribute `targetingKey` as it came; null when it is missing.
  package private(set) var targetingKey: JSONView

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
    var copy = json
    let result: Result<EvaluationContext, FlagRefusal> = copy.withUTF8 { bytes in
      do throws(FlagRefusal) {
        return .success(try EvaluationContext(json: bytes))
      } catch {
        return .failure(error)
      }
    }
    self = try result.get()
  }

  /// From the bytes of JSON text; see ``init(json:)``.
  public init(json bytes: UnsafeBufferPointer<UInt8>) throws(FlagRefusal) {
    // Of whole documents `read` makes everything anew.
    attributes = .null
    targetingKey = .null
    try read(json: bytes)
  }

  /// From an object within a larger document; `view` belongs to the tape.
  ///
  /// - Throws: `FlagRefusal` when the view is no object.
  package init(_ view: JSONView, of tape: JSONTape) throws(FlagRefusal) {
    guard view.kind == .object else { throw Self.noObject }
    self.tape = tape
    attributes = view
    targetingKey = view.member("targetingKey") ?? .null
  }

  private init(_ tape: JSONTape) {
    self.tape = tape
    attributes = tape.root
    targetingKey = tape.root.member("targetingKey") ?? .null
  }

  /// Replaces the context by another one from the bytes of JSON text, in the memory of the former: nothing is allocated
  /// when that is large enough and no copy of the context is kept anywhere. Copies stay as they are.
  ///
  /// - Throws: `FlagRefusal` as ``init(json:)`` does; the context has no attributes then.
  public mutating func read(json bytes: UnsafeBufferPointer<UInt8>) throws(FlagRefusal) {
    if let root = quickly(bytes) {
      attributes = root
      targetingKey = root.member("targetingKey") ?? .null
      return
    }
    self = EvaluationContext()
    let tape = try JSONReader.tape(of: bytes, subject: Self.subject, limit: Self.sizeLimit)
    try self = EvaluationContext(tape.root, of: tape)
  }

  /// As ``read(json:)``, where the context is a member of the object that is read: `{"context": {…}}` of OFREP.
  ///
  /// - Returns: Whether the object has that member; the context has no attributes when it has not.
  /// - Throws: `FlagRefusal` when the text is no JSON object, or the member none; the context has no attributes then.
  package mutating func read(
    member name: StaticString, ofJSON bytes: UnsafeBufferPointer<UInt8>
  ) throws(FlagRefusal) -> Bool {
    try read(json: bytes)
    guard let view = attributes.member(name) else {
      self = EvaluationContext()
      return false
    }
    guard view.kind == .object else {
      self = EvaluationContext()
      throw Self.noObject
    }
    attributes = view
    targetingKey = view.member("targetingKey") ?? .null
    return true
  }

  /// The object in memory of this context; nil for what ``JSONReader`` refuses, and refuses with words.
  private mutating func quickly(_ bytes: UnsafeBufferPointer<UInt8>) -> JSONView? {
    guard bytes.count <= Self.sizeLimit else { return nil }
    tape = nil
    if !isKnownUniquelyReferenced(&memory) || memory?.suits(bytes.count) != true {
      memory = ContextMemory(forBytes: bytes.count)
    }
    return memory.flatMap { ContextReader.object(bytes, in: $0) }
  }

  private static let subject = "the context"
  private static var noObject: FlagRefusal {
    FlagRefusal(subject, "is no JSON object", next: "Send attributes as {\"name\": value}")
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
