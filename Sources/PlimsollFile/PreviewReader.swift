import Kernel
import Yams

/// Reads `preview`: which requests ask for the new version whatever its share.
struct PreviewReader {
  let reading: Reading
  init(_ reading: Reading) { self.reading = reading }

  static let keys = ["header", "cookie"]
  /// No proxy, shell or page needs to escape what is left.
  private static let quotes = Set(#""'\`"#)

  func read(_ node: Node, _ subject: String) -> PreviewMatch? {
    guard let fields = reading.fields(node, subject, Self.keys) else { return nil }
    guard fields.count == 1, let (key, value) = fields.first else {
      // A single unknown key was told already.
      if case .mapping(let mapping) = node, fields.count == mapping.count {
        reading.fail(node, #"\#(subject): expected either 'header: "X-Preview: yes"' or 'cookie: "preview=yes"'"#)
      }
      return nil
    }
    guard let text = reading.text(value, "\(subject).\(key)") else { return nil }
    return key == "header"
      ? match(text, value, "\(subject).header", at: ":", example: "X-Preview: yes") { .header(name: $0, value: $1) }
      : match(text, value, "\(subject).cookie", at: "=", example: "preview=yes") { .cookie(name: $0, value: $1) }
  }

  private func match(
    _ text: String, _ node: Node, _ subject: String, at separator: Character, example: String,
    _ make: (_ name: String, _ value: String) -> PreviewMatch
  ) -> PreviewMatch? {
    guard let place = text.firstIndex(of: separator) else {
      reading.fail(
        node, "\(subject): expected a name, '\(separator)' and a value such as '\(example)', found '\(oneLine(text))'")
      return nil
    }
    let name = String(text[..<place])
    let match = make(name, String(text[text.index(after: place)...].drop { $0 == " " }))
    if case .header = match, name.lowercased() == "cookie" {
      reading.fail(node, "\(subject): a cookie is one of several in its header; write 'cookie: \"NAME=VALUE\"'")
      return nil
    }
    if let flaw = match.flaw {
      reading.fail(node, "\(subject): \(oneLine(flaw)); expected a short one such as '\(example)'")
      return nil
    }
    guard !text.contains(where: Self.quotes.contains) else {
      reading.fail(node, "\(subject): expected no quotes and backslashes within, found \(oneLine(text))")
      return nil
    }
    return match
  }

  /// A problem is one line, whatever the file holds.
  private func oneLine(_ text: String) -> String {
    String(text.map { $0.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f } ? $0 : "?" })
  }
}
