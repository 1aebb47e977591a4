import Flags
import NIOCore

/// Why a request's body cannot be evaluated.
struct OFREPFailure: Error {
  enum Code: String {
    case parseError = "PARSE_ERROR"
    case invalidContext = "INVALID_CONTEXT"
    case targetingKeyMissing = "TARGETING_KEY_MISSING"
  }

  let code: Code
  let details: String
}

/// A request's body: `{"context": {"targetingKey": …, …}}`.
///
/// More is let through than the description says, because stock clients send it: no context at all, and one without
/// targeting key; both are contexts, in which a flag that needs no subject has its value.
enum OFREPBody {
  private static let subject = "the request"

  static func context(of body: ByteBuffer) -> Result<EvaluationContext, OFREPFailure> {
    body.withUnsafeReadableBytes { bytes in
      guard bytes.count > 0 else {
        return .failure(OFREPFailure(code: .parseError, details: "The body is empty: send {\"context\": {…}}."))
      }
      do throws(FlagRefusal) {
        let tape = try JSONReader.tape(
          of: bytes.bindMemory(to: UInt8.self), subject: subject, limit: RequestHandler.bodyLimit)
        return read(tape)
      } catch {
        return .failure(OFREPFailure(code: .parseError, details: "\(error)"))
      }
    }
  }

  private static func read(_ tape: JSONTape) -> Result<EvaluationContext, OFREPFailure> {
    let root = tape.root
    guard root.kind == .object else {
      return .failure(OFREPFailure(code: .parseError, details: "The body is no JSON object: send {\"context\": {…}}."))
    }
    guard let view = root.member("context") else { return .success(EvaluationContext()) }
    guard view.kind == .object else {
      return .failure(OFREPFailure(code: .invalidContext, details: "The context is no object: send attributes."))
    }
    if let key = view.member("targetingKey") {
      guard key.kind == .text || key.isNull else {
        return .failure(OFREPFailure(code: .invalidContext, details: "The targetingKey is no text: send it in quotes."))
      }
      if key.isNull || key.count == 0 {
        return .failure(
          OFREPFailure(
            code: .targetingKeyMissing, details: "The targetingKey is empty: name the subject, or leave it out."))
      }
    }
    do throws(FlagRefusal) {
      return .success(try EvaluationContext(view, of: tape))
    } catch {
      return .failure(OFREPFailure(code: .invalidContext, details: "\(error)"))
    }
  }
}

/// JSON that is the same for the same value: members by name in the order of their bytes, no blanks.
package enum CanonicalJSON {
  package static func write(_ view: JSONView, to bytes: inout [UInt8]) {
    switch view.kind {
    case .object:
      bytes.append(UInt8(ascii: "{"))
      var isFirst = true
      for (name, value) in sorted(view) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        JSONWriter.write(name.utf8, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        write(value, to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    case .array:
      bytes.append(UInt8(ascii: "["))
      for (place, element) in view.elements.enumerated() {
        if place > 0 { bytes.append(UInt8(ascii: ",")) }
        write(element, to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    default: JSONWriter.write(view, to: &bytes)
    }
  }

  private static func sorted(_ view: JSONView) -> [(name: JSONView, value: JSONView)] {
    var members = Array(view.members)
    members.sort { left, right in left.name.utf8.lexicographicallyPrecedes(right.name.utf8) }
    return members
  }
}
