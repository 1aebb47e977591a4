import Kernel

/// The one line of a service's preview map: which requests ask for a version, as HAProxy compares them.
///
/// HAProxy can look a header up only by a name that its configuration holds, so a new name would need a reload. The map
/// (`map_reg`, configuration manual §7.3.1) therefore compares all header lines at once, as `req.hdrs` gives them:
/// `name: value` each, ended by CR LF, names in any case, values without white space around them. A value cannot hold a
/// line's end, so a pattern that begins after one and ends with one matches a whole header and nothing less.
///
/// Every byte but letters and digits is written as `\xHH`: a value means nothing to the pattern, to the map's file
/// (columns end at white space) or to the admin socket (commands end at `;` and new lines).
struct PreviewRule: Equatable, Sendable {
  let pattern: String
  /// The map's value; for people who read it.
  let deployment: String

  init(pattern: String, deployment: String) {
    self.pattern = pattern
    self.deployment = deployment
  }

  /// - Throws: `Outage` for a match that `PreviewMatch.flaw` names.
  init(_ route: PreviewRoute) throws(Outage) {
    if let flaw = route.match.flaw {
      throw Outage("haproxy", "cannot be told the preview of \(route.deployment): \(flaw); correct plimsoll.yaml")
    }
    switch route.match {
    case .header(let name, let value):
      pattern = "(?:^|\\n)(?i:\(Self.literal(name))):\\x20\(Self.literal(value))\\r"
    case .cookie(let name, let value):
      let pair = "\(Self.literal(name))=\(Self.literal(value))"
      pattern = "(?:^|\\n)(?i:cookie):\\x20(?:[^\\r\\n]*\\x3b)?\\x20*\(pair)\\x20*[\\x3b\\r]"
    }
    deployment = route.deployment.rawValue
  }

  /// In a map's file.
  var line: String { "\(pattern) \(deployment)" }

  /// As words of a command, whose backslashes are doubled (management manual §9.3).
  var words: String { "\(pattern.replacing("\\", with: "\\\\")) \(deployment)" }

  /// The rules of a `show map`: an address, a pattern and a value a line.
  static func rules(in answer: some StringProtocol) -> [PreviewRule] {
    answer.split(separator: "\n").compactMap { line in
      let cells = line.split(separator: " ")
      guard cells.count == 3, cells[0].hasPrefix("0x") else { return nil }
      return PreviewRule(pattern: String(cells[1]), deployment: String(cells[2]))
    }
  }

  private static func literal(_ text: String) -> String {
    text.utf8.reduce(into: "") { literal, byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: literal.append(Character(UnicodeScalar(byte)))
      default: literal += "\\x" + hex([byte])
      }
    }
  }
}
