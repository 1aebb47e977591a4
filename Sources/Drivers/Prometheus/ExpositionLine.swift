/// What one line of a metrics page says.
package enum ExpositionLine {
  /// `# TYPE name kind`.
  case family(name: String, kind: String)
  case sample(SampleLine)
  /// `# EOF` of OpenMetrics.
  case end

  /// Nil for a comment, help or unit.
  init?(_ line: ArraySlice<UInt8>, _ format: ExpositionParser.Format) throws(ExpositionFault) {
    guard line.first == UInt8(ascii: "#") else {
      self = .sample(try SampleLine(line, format))
      return
    }
    // A HELP text is free and must not be cut into words.
    let words = line.split(maxSplits: 4, whereSeparator: Self.isBlank)
    guard words.count > 1, words[0].count == 1 else { return nil }
    if words[1].elementsEqual("TYPE".utf8) {
      guard words.count == 4 else { throw ExpositionFault("a TYPE line needs a name and a type") }
      self = .family(name: String(decoding: words[2], as: UTF8.self), kind: String(decoding: words[3], as: UTF8.self))
    } else if format == .openMetrics, line.elementsEqual("# EOF".utf8) {
      self = .end
    } else {
      return nil
    }
  }

  static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

  static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var line = line
    while let first = line.first, isBlank(first) { line = line.dropFirst() }
    while let last = line.last, isBlank(last) || last == UInt8(ascii: "\r") { line = line.dropLast() }
    return line
  }
}

/// One label of a series.
package struct MetricLabel: Codable, Hashable, Comparable, Sendable, CustomStringConvertible {
  package let name: String
  package let value: String
  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
  package static func < (left: Self, right: Self) -> Bool { (left.name, left.value) < (right.name, right.value) }
  /// As PromQL and metrics pages write it.
  package var description: String {
    let escaped = value.flatMap { character -> String in
      switch character {
      case "\\": "\\\\"
      case "\"": "\\\""
      case "\n": "\\n"
      default: String(character)
      }
    }
    return "\(name)=\"\(String(escaped))\""
  }
}

/// One sample of a metrics page: checked whole, decoded where somebody wants it. An exemplar is checked and let go.
package struct SampleLine {
  /// A series with more labels is a mistake; Prometheus servers in the wild allow 30 to 100.
  static let mostLabels = 128

  package let nameBytes: ArraySlice<UInt8>
  private let labelBytes: ArraySlice<UInt8>
  package let value: Double
  /// When the service says the value was so, ms since 1970 by its own clock; nil for most.
  package let timestampMs: Int64?

  package var name: String { String(decoding: nameBytes, as: UTF8.self) }

  /// In the order of the line; names are unique. Bytes that are no UTF-8 are replaced.
  package var labels: [MetricLabel] {
    var labels: [MetricLabel] = []
    var scanner = LineScanner(labelBytes)
    // Checked when the line was read, so nothing is thrown here.
    while let label = try? scanner.label() {
      labels.append(MetricLabel(String(decoding: label.name, as: UTF8.self), Self.unescaped(label.value)))
    }
    return labels
  }

  init(_ line: ArraySlice<UInt8>, _ format: ExpositionParser.Format) throws(ExpositionFault) {
    var scanner = LineScanner(line)
    nameBytes = scanner.name(colons: true)
    guard !nameBytes.isEmpty else { throw ExpositionFault("expected a metric's name") }
    labelBytes = try scanner.labels()
    let number = scanner.word()
    guard let value = Self.number(number) else {
      throw ExpositionFault(
        number.isEmpty ? "expected a value" : "expected a value, found '\(String(decoding: number, as: UTF8.self))'")
    }
    self.value = value
    switch format {
    case .text:
      let time = scanner.word()
      timestampMs = Int64(String(decoding: time, as: UTF8.self))
      guard time.isEmpty || timestampMs != nil else {
        throw ExpositionFault("expected a time in milliseconds, found '\(String(decoding: time, as: UTF8.self))'")
      }
    case .openMetrics:
      timestampMs = try scanner.isAtExemplar ? nil : Self.seconds(scanner.word())
      try scanner.exemplar()
    }
    guard scanner.isAtEnd else {
      throw ExpositionFault("'\(String(decoding: scanner.rest.prefix(40), as: UTF8.self))' follows the value")
    }
  }

  /// A time in seconds, in OpenMetrics; nil for none.
  static func seconds(_ word: ArraySlice<UInt8>) throws(ExpositionFault) -> Int64? {
    if word.isEmpty { return nil }
    // Beyond 10^15 ms (the year 33658) a time is a slip, and far beyond it does not fit.
    guard let seconds = number(word), abs(seconds) < 1e12 else {
      throw ExpositionFault("expected a time in seconds, found '\(String(decoding: word, as: UTF8.self))'")
    }
    return Int64((seconds * 1000).rounded())
  }

  static func number(_ word: ArraySlice<UInt8>) -> Double? {
    // Most values are counters of few digits; these need no text.
    if (1...15).contains(word.count), word.allSatisfy({ (0x30...0x39).contains($0) }) {
      return Double(word.reduce(Int64(0)) { $0 * 10 + Int64($1 - 0x30) })
    }
    return word.isEmpty ? nil : Double(String(decoding: word, as: UTF8.self))
  }

  /// `\\`, `\"` and `\n`; any other escape stays as it is, as in Prometheus.
  private static func unescaped(_ bytes: ArraySlice<UInt8>) -> String {
    guard bytes.contains(UInt8(ascii: "\\")) else { return String(decoding: bytes, as: UTF8.self) }
    var result: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let next = rest.first else {
        result.append(byte)
        continue
      }
      switch next {
      case UInt8(ascii: "n"): result.append(UInt8(ascii: "\n"))
      case UInt8(ascii: "\\"), UInt8(ascii: "\""): result.append(next)
      default: result += [byte, next]
      }
      rest = rest.dropFirst()
    }
    return String(decoding: result, as: UTF8.self)
  }
}
