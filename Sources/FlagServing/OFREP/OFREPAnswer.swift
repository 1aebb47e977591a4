import Flags
import Kernel

/// Answers about one flag, as bytes.
enum OFREPAnswer {
  /// Keys that a nearest match is looked for among; more would make a typo an attack.
  private static let nearestAmong = 2000

  static func write(
    _ evaluation: Evaluation, of flag: ServedFlag, in flags: FlagSet, to body: inout [UInt8]
  ) {
    if let constant = flag.constant {
      body.append(contentsOf: constant)
      return
    }
    if let error = evaluation.error {
      body.append(contentsOf: "{\"key\":".utf8)
      JSONText.write(flag.key, to: &body)
      body.append(contentsOf: ",\"errorCode\":\"".utf8)
      append(error.text, to: &body)
      body.append(contentsOf: "\",\"errorDetails\":".utf8)
      JSONText.write(flags.details(of: evaluation) ?? "the evaluation failed", to: &body)
      body.append(contentsOf: flag.failureClosing)
      return
    }
    body.append(contentsOf: flag.opening)
    append(evaluation.reason.text, to: &body)
    flag.withClosing(of: evaluation.variant) { body.append(contentsOf: $0) }
  }

  /// - Parameter key: nil for all flags.
  static func write(_ failure: OFREPFailure, key: String?, to body: inout [UInt8]) {
    body.append(UInt8(ascii: "{"))
    if let key {
      body.append(contentsOf: "\"key\":".utf8)
      JSONText.write(key, to: &body)
      body.append(UInt8(ascii: ","))
    }
    body.append(contentsOf: "\"errorCode\":\"\(failure.code.rawValue)\",\"errorDetails\":".utf8)
    JSONText.write(failure.details, to: &body)
    body.append(UInt8(ascii: "}"))
  }

  static func writeUnknown(_ key: String, among flags: FlagSet, to body: inout [UInt8]) {
    let shown = key.count > 120 ? key.prefix(120) + "…" : Substring(key)
    let near = key.count > 120 ? nil : nearest(key, among: flags)
    let hint = near.map { "did you mean '\($0)'?" } ?? "look at the definitions for what there is."
    body.append(contentsOf: "{\"key\":".utf8)
    JSONText.write(key, to: &body)
    body.append(contentsOf: ",\"errorCode\":\"FLAG_NOT_FOUND\",\"errorDetails\":".utf8)
    JSONText.write("There is no flag '\(shown)': \(hint)", to: &body)
    body.append(UInt8(ascii: "}"))
  }

  private static func nearest(_ key: String, among flags: FlagSet) -> String? {
    let length = key.utf8.count
    let candidates = flags.flagKeys.lazy.filter { abs($0.utf8.count - length) <= 3 }
    return nearestMatch(to: key, among: candidates.prefix(nearestAmong))
  }

  private static func append(_ word: String, to body: inout [UInt8]) { body.append(contentsOf: word.utf8) }
}
