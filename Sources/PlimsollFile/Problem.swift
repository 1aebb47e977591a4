/// One thing wrong with a `plimsoll.yaml`, said where it stands: `plimsoll.yaml:7:5: …`.
package struct Problem: Error, Equatable, Comparable, Sendable, CustomStringConvertible {
  package enum Severity: String, Codable, Sendable {
    case error, warning
  }
  package let severity: Severity
  package let file: String
  /// 1-based; 0 when the file as a whole is meant.
  package let line: Int
  /// 1-based, in characters; 0 when the line as a whole is meant.
  package let column: Int
  /// What is wrong, what was expected, and the nearest match where there is one.
  package let sentence: String

  package init(_ severity: Severity = .error, file: String, line: Int, column: Int, _ sentence: String) {
    self.severity = severity
    self.file = file
    self.line = line
    self.column = column
    self.sentence = sentence
  }

  package var description: String {
    let place = line == 0 ? file : "\(file):\(line):\(column)"
    return severity == .warning ? "\(place): warning: \(sentence)" : "\(place): \(sentence)"
  }

  package static func < (left: Problem, right: Problem) -> Bool {
    (left.file, left.line, left.column, left.sentence) < (right.file, right.line, right.column, right.sentence)
  }
}

/// All that is wrong with a file, in its order; never empty.
package struct Problems: Error, CustomStringConvertible, Sendable {
  package let all: [Problem]
  package var description: String { all.map(\.description).joined(separator: "\n") }
}
