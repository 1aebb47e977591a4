/// Definitions written out as plain flagd JSON, for clients that evaluate by themselves: ramps become `fractional`,
/// segments `in`, schedules comparisons with `$flagd.timestamp`, prerequisites the other flag's own rules. Such a client
/// comes to the variant that we come to; only the reason differs (`TARGETING_MATCH` where we say `SPLIT`).
///
/// A flag that cannot be written out so is left out, never served with other answers: its client finds no such flag and
/// keeps to the default in its code.
package struct FlagdDocument: Sendable {
  package struct Omission: Sendable, Equatable {
    package let flag: String
    /// A clause that follows the flag: "asks for a segment within a loop".
    package let cause: String
  }

  /// Bytes that one flag may have when all that it refers to is written into it: far more than rules that a person
  /// writes, and still a quarter of what gRPC clients accept as one message (4 MiB unless told otherwise).
  package static let flagLimit = 1 << 20

  /// `flags` as an object by key, and `metadata` where the set has it; nothing that flagd's schema does not name, since
  /// stock clients refuse a document for one member too many.
  package let text: String
  /// In the order of the definitions.
  package let omitted: [Omission]

  /// - Parameter flags: what the definitions were compiled to.
  /// - Throws: `FlagRefusal` for a text that could not have been compiled.
  package init(_ definitions: String, compiledTo flags: FlagSet) throws(FlagRefusal) {
    let tape = try JSONReader.tape(
      of: definitions, subject: "the definitions", limit: FlagSet.sizeLimit,
      builder: JSONBuilder(indexesArrays: false))
    var rules = FlagdRules(tape.root, compiledTo: flags)
    var text: [UInt8] = Array("{\"flags\":{".utf8)
    var omitted: [Omission] = []
    var isFirst = true
    for (position, key) in flags.flagKeys.enumerated() {
      do throws(FlagdRules.Gap) {
        let definition = try rules.definition(of: key, at: position)
        if !isFirst { text.append(UInt8(ascii: ",")) }
        isFirst = false
        JSONFragment.quoted(key, to: &text)
        text.append(UInt8(ascii: ":"))
        text.append(contentsOf: definition)
      } catch {
        omitted.append(Omission(flag: key, cause: error.cause))
      }
    }
    text.append(UInt8(ascii: "}"))
    if let metadata = tape.root.member("metadata"), metadata.kind == .object {
      text.append(contentsOf: ",\"metadata\":".utf8)
      JSONWriter.write(metadata, to: &text)
    }
    text.append(UInt8(ascii: "}"))
    self.text = withExtendedLifetime(tape) { String(decoding: text, as: UTF8.self) }
    self.omitted = omitted
  }
}

/// Pieces of JSON text.
enum JSONFragment {
  static func quoted(_ text: String, to bytes: inout [UInt8]) {
    var copy = text
    copy.withUTF8 { JSONWriter.write(UnsafeRawBufferPointer($0), to: &bytes) }
  }

  static func quoted(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    quoted(text, to: &bytes)
    return bytes
  }

  /// `{"name":[a,b,…]}`, an operation of JSONLogic.
  static func operation(_ name: StaticString, _ arguments: [UInt8]...) -> [UInt8] { operation(name, arguments) }

  static func operation(_ name: StaticString, _ arguments: [[UInt8]]) -> [UInt8] {
    Array("{\"\(name)\":".utf8) + list(arguments) + [UInt8(ascii: "}")]
  }

  static func list(_ elements: [[UInt8]]) -> [UInt8] {
    [UInt8(ascii: "[")] + elements.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")]
  }

  /// `{"var":"name"}`.
  static func variable(_ name: String) -> [UInt8] {
    Array("{\"var\":".utf8) + quoted(name) + [UInt8(ascii: "}")]
  }

  static let null: [UInt8] = Array("null".utf8)
}
