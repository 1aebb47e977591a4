import Flags
import GRPCCore
import SwiftProtobuf

/// Contexts as gRPC carries them.
enum ProtobufContext {
  /// Whole numbers up to here are the same as integers and as doubles.
  private static let exact = 9_007_199_254_740_992.0

  /// gRPC knows doubles only: a whole one is taken for an integer, so that a rule sees what it would see in a client that
  /// evaluates by itself.
  ///
  /// - Throws: `invalidArgument` for NaN and infinite numbers, which JSON does not have.
  static func context(of attributes: Google_Protobuf_Struct) throws -> EvaluationContext {
    let builder = JSONBuilder()
    try add(attributes, to: builder)
    let tape = builder.finish()
    do throws(FlagRefusal) {
      return try EvaluationContext(tape.root, of: tape)
    } catch {
      throw RPCError(code: .invalidArgument, message: error.sentence)
    }
  }

  private static func add(_ object: Google_Protobuf_Struct, to builder: JSONBuilder) throws {
    let mark = builder.mark
    // Sorted, since a dictionary's order differs from process to process and hashes of objects must not.
    for (name, value) in object.fields.sorted(by: { $0.key < $1.key }) {
      builder.add(name)
      try add(value, named: name, to: builder)
    }
    builder.endObject(from: mark)
  }

  private static func add(_ value: Google_Protobuf_Value, named name: String, to builder: JSONBuilder) throws {
    switch value.kind {
    case .nullValue, nil: builder.add(.null)
    case .boolValue(let flag): builder.add(.boolean(flag))
    case .stringValue(let text): builder.add(text)
    case .numberValue(let number):
      guard number.isFinite else {
        throw RPCError(
          code: .invalidArgument, message: "attribute `\(name)` is no number that JSON has; leave it out")
      }
      let isInteger = number.magnitude <= exact && number == number.rounded(.towardZero)
      builder.add(isInteger ? .integer(Int64(number)) : .double(number))
    case .structValue(let object): try add(object, to: builder)
    case .listValue(let list):
      let mark = builder.mark
      for element in list.values { try add(element, named: name, to: builder) }
      builder.endArray(from: mark)
    }
  }
}

/// JSON as gRPC carries it.
enum ProtobufValue {
  static func value(_ view: JSONView) -> Google_Protobuf_Value {
    var value = Google_Protobuf_Value()
    switch view.kind {
    case .null, .operation: value.nullValue = .nullValue
    case .boolean: value.boolValue = view.isTrue
    case .integer, .double: value.numberValue = view.number ?? 0
    case .text: value.stringValue = view.string ?? ""
    case .array: value.listValue.values = view.elements.map(Self.value)
    case .object: value.structValue = object(view)
    }
    return value
  }

  /// Empty for anything but an object.
  static func object(_ view: JSONView) -> Google_Protobuf_Struct {
    var object = Google_Protobuf_Struct()
    for (name, member) in view.members { object.fields[name.string ?? ""] = value(member) }
    return object
  }

  static func object(_ entries: [(name: String, value: JSONView)]) -> Google_Protobuf_Struct {
    var object = Google_Protobuf_Struct()
    for entry in entries { object.fields[entry.name] = value(entry.value) }
    return object
  }
}
