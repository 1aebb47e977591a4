import Flags

/// One flag as it is served: its definition's text, and its answers as bytes but for the reason, which is put between.
///
/// An answer is `opening` + reason + one `closing`: `{"key":"k","reason":"` + `STATIC` + `","variant":"on","value":true}`.
final class ServedFlag: Sendable {
  let key: String
  let entry: DefinitionsText.Entry
  /// The whole answer of a flag that gives everybody the same; nil for others.
  let constant: [UInt8]?
  let opening: [UInt8]
  /// All closings behind each other: one per variant, then the one without value.
  private let closings: [UInt8]
  /// Where each closing ends.
  private let ends: [Int32]
  /// `,"metadata":{…}}`, or `}`: the end of a failure.
  let failureClosing: [UInt8]

  init(at position: Int, of flags: FlagSet, entry: DefinitionsText.Entry) {
    let flag = flags.flag(at: position)
    key = flag.name
    self.entry = entry
    var opening: [UInt8] = Array("{\"key\":".utf8)
    JSONText.write(flag.name, to: &opening)
    opening.append(contentsOf: ",\"reason\":\"".utf8)
    self.opening = opening
    var metadata = Self.metadata(flags.metadata(ofFlagAt: position))
    metadata.append(UInt8(ascii: "}"))
    failureClosing = metadata
    var closings: [UInt8] = []
    var ends: [Int32] = []
    let hasFractions = flag.hasFractions
    for (name, value) in flag.variantMembers {
      closings.append(contentsOf: "\",\"variant\":".utf8)
      JSONWriter.write(name.utf8, to: &closings)
      // A variant without a value leaves the answer to the caller's default, as if there were none.
      if !value.isNull {
        closings.append(contentsOf: ",\"value\":".utf8)
        // Clients tell floats from integers by the fraction: in a flag with 0.5 a 1 is 1.0.
        JSONWriter.write(hasFractions && value.kind == .integer ? .double(value.number ?? 0) : value, to: &closings)
      }
      closings.append(contentsOf: metadata)
      ends.append(Int32(closings.count))
    }
    // Stock clients read `variant` without asking whether it is there.
    closings.append(contentsOf: "\",\"variant\":\"\"".utf8)
    closings.append(contentsOf: metadata)
    ends.append(Int32(closings.count))
    self.closings = closings
    self.ends = ends
    guard flag.isConstant else {
      constant = nil
      return
    }
    let evaluation = flags.evaluate(at: position, for: EvaluationContext(), at: 0)
    guard evaluation.error == nil else {
      constant = nil
      return
    }
    var answer = opening
    answer.append(contentsOf: evaluation.reason.text.utf8)
    let place = evaluation.variant < 0 ? ends.count - 1 : Int(evaluation.variant)
    let (start, end) = (place == 0 ? 0 : ends[place - 1], ends[place])
    answer.append(contentsOf: closings[Int(start)..<Int(end)])
    constant = answer
  }

  /// What stands behind the reason, for a variant's position or -1.
  func withClosing(of variant: Int32, _ body: (UnsafeRawBufferPointer) -> Void) {
    let place = variant < 0 ? ends.count - 1 : Int(variant)
    let start = place == 0 ? 0 : Int(ends[place - 1])
    let end = Int(ends[place])
    closings.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
  }

  /// `,"metadata":{…}` or nothing.
  private static func metadata(_ entries: [(name: String, value: JSONView)]) -> [UInt8] {
    guard !entries.isEmpty else { return [] }
    var bytes: [UInt8] = Array(",\"metadata\":{".utf8)
    for (place, entry) in entries.enumerated() {
      if place > 0 { bytes.append(UInt8(ascii: ",")) }
      JSONText.write(entry.name, to: &bytes)
      bytes.append(UInt8(ascii: ":"))
      JSONWriter.write(entry.value, to: &bytes)
    }
    bytes.append(UInt8(ascii: "}"))
    return bytes
  }
}

/// Texts as JSON, appended to bytes.
package enum JSONText {
  package static func write(_ text: String, to bytes: inout [UInt8]) {
    var copy = text
    copy.withUTF8 { JSONWriter.write(UnsafeRawBufferPointer($0), to: &bytes) }
  }
}
