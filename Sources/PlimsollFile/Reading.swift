import Foundation
import Kernel
import Yams

/// Gathers problems while a document is read, so that one run of `plimsoll check` shows them all.
final class Reading {
  let file: String
  private(set) var problems: [Problem] = []
  private var ports: [Int: String] = [:]
  /// Where a query stands, in the file's order.
  private(set) var queries: [(node: Node, subject: String)] = []
  init(file: String) { self.file = file }

  func fail(_ node: Node, _ sentence: String) {
    problems.append(Problem(file: file, line: node.mark?.line ?? 0, column: node.mark?.column ?? 0, sentence))
  }
  func warn(_ node: Node, _ sentence: String) {
    problems.append(
      Problem(.warning, file: file, line: node.mark?.line ?? 0, column: node.mark?.column ?? 0, sentence))
  }

  /// Problems of a file that this one names.
  func adopt(_ others: [Problem]) { problems += others }

  /// A query stands here: somebody must be named who answers it.
  func queried(_ node: Node, _ subject: String) { queries.append((node, subject)) }

  // MARK: Values

  func text(_ node: Node, _ subject: String) -> String? {
    guard case .scalar(let scalar) = node else {
      fail(node, "\(subject): expected a text, found \(Self.kind(node))")
      return nil
    }
    guard !scalar.string.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty else {
      fail(node, "\(subject): expected a text, found nothing")
      return nil
    }
    return scalar.string
  }

  func value<Value>(
    _ node: Node, _ subject: String, expected: String, _ parse: (String) -> Value?
  ) -> Value? {
    guard let text = text(node, subject) else { return nil }
    guard let value = parse(text) else {
      fail(node, "\(subject): expected \(expected), found '\(text)'")
      return nil
    }
    return value
  }

  func choice<Choice: RawRepresentable & CaseIterable>(
    _ node: Node, _ subject: String, _ type: Choice.Type
  ) -> Choice? where Choice.RawValue == String {
    guard let text = text(node, subject) else { return nil }
    if let choice = Choice(rawValue: text) { return choice }
    let names = Choice.allCases.map(\.rawValue)
    fail(node, "\(subject): expected one of \(names.joined(separator: ", ")), found '\(text)'\(Self.hint(text, names))")
    return nil
  }

  func span(_ node: Node, _ subject: String) -> Span? {
    value(node, subject, expected: "a duration such as 250ms, 30s, 15m or 2h", parseSpan)
  }
  /// A duration above zero: a limit that leaves no time at all is a slip of the hand.
  func limit(_ node: Node, _ subject: String) -> Span? {
    guard let span = span(node, subject) else { return nil }
    guard span > .zero else {
      fail(node, "\(subject): expected a time above zero")
      return nil
    }
    return span
  }
  /// A port that nobody else was given.
  func port(_ node: Node, _ subject: String) -> Int? {
    guard let port = whole(node, subject, in: 1...65535) else { return nil }
    guard claim(port, for: subject, at: node) else { return nil }
    return port
  }
  /// - Returns: false, and a problem, when the port is taken.
  @discardableResult func claim(_ port: Int, for subject: String, at node: Node) -> Bool {
    if let other = ports[port] {
      fail(node, "\(subject): port \(port) is already given to \(other); each needs its own")
      return false
    }
    ports[port] = subject
    return true
  }
  /// Where to listen, on a port that nobody else was given; port 0 picks a free one.
  func address(_ node: Node, _ subject: String) -> PlimsollFile.ListenAddress? {
    let address: PlimsollFile.ListenAddress? = value(node, subject, expected: "HOST:PORT such as 127.0.0.1:7878") {
      text -> PlimsollFile.ListenAddress? in
      guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
        (0...65535).contains(port), colon > text.startIndex
      else { return nil }
      return PlimsollFile.ListenAddress(host: String(text[..<colon]), port: port)
    }
    if let address, address.port != 0 { claim(address.port, for: subject, at: node) }
    return address
  }
  /// A value, `env:NAME` or `file:PATH`.
  func source(_ node: Node, _ subject: String) -> PlimsollFile.VariableSource.Source? {
    guard case .scalar(let scalar) = node else {
      fail(node, "\(subject): expected a value, env:NAME or file:PATH, found \(Self.kind(node))")
      return nil
    }
    let source = variableSource(scalar.string)
    switch source {
    case .environment(let name) where !isVariableName(name):
      fail(node, "\(subject): expected a variable's name after 'env:', found '\(name)'")
      return nil
    case .file(let path) where path.isEmpty:
      fail(node, "\(subject): expected a path after 'file:', found nothing")
      return nil
    case .value, .environment, .file: return source
    }
  }
  func share(_ node: Node, _ subject: String) -> Double? {
    value(node, subject, expected: "a share such as 5% or 0.05", parseShare)
  }
  func whole(_ node: Node, _ subject: String, in range: ClosedRange<Int>) -> Int? {
    value(node, subject, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
      Int(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }
  func number(_ node: Node, _ subject: String, in range: ClosedRange<Double>) -> Double? {
    value(node, subject, expected: "a number from \(range.lowerBound) to \(range.upperBound)") { text in
      Double(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }
  func flag(_ node: Node, _ subject: String) -> Bool? {
    value(node, subject, expected: "true or false") { ["true": true, "false": false][$0] }
  }

  /// A mapping's pairs, in the file's order; nil (and a problem) for anything else.
  func pairs(_ node: Node, _ subject: String) -> [(key: String, keyNode: Node, value: Node)]? {
    guard case .mapping(let mapping) = node else {
      fail(node, "\(subject): expected keys and values, found \(Self.kind(node))")
      return nil
    }
    return mapping.compactMap { key, value in
      guard case .scalar(let scalar) = key else {
        fail(key, "\(subject): expected a plain key, found \(Self.kind(key))")
        return nil
      }
      return (scalar.string, key, value)
    }
  }

  func items(_ node: Node, _ subject: String) -> [Node]? {
    guard case .sequence(let sequence) = node else {
      fail(node, "\(subject): expected a list, found \(Self.kind(node))")
      return nil
    }
    return Array(sequence)
  }

  /// Reads a mapping whose keys are all known; each unknown one is a problem with the nearest match.
  func fields(_ node: Node, _ subject: String, _ known: [String]) -> [String: Node]? {
    guard let pairs = pairs(node, subject) else { return nil }
    var result: [String: Node] = [:]
    for pair in pairs {
      if known.contains(pair.key) {
        result[pair.key] = pair.value
      } else {
        fail(
          pair.keyNode,
          "\(subject): unknown key '\(pair.key)'\(Self.hint(pair.key, known)); known are \(known.joined(separator: ", "))"
        )
      }
    }
    return result
  }

  static func hint(_ word: String, _ candidates: [String]) -> String {
    nearestMatch(to: word, among: candidates).map { "; did you mean '\($0)'?" } ?? ""
  }

  static func kind(_ node: Node) -> String {
    switch node {
    case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : "'\(scalar.string)'"
    case .mapping: "keys and values"
    case .sequence: "a list"
    case .alias: "an alias"
    }
  }
}
