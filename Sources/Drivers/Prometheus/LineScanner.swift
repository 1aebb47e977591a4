/// A place in a line of a metrics page.
struct LineScanner {
  private let line: ArraySlice<UInt8>
  private var at: Int
  init(_ line: ArraySlice<UInt8>) {
    self.line = line
    at = line.startIndex
  }

  var isAtEnd: Bool { at == line.endIndex }
  var rest: ArraySlice<UInt8> { line[at...] }

  var isAtExemplar: Bool { next == UInt8(ascii: "#") }

  private var next: UInt8? { isAtEnd ? nil : line[at] }

  private mutating func skipBlanks() {
    while let next, ExpositionLine.isBlank(next) { at += 1 }
  }

  private mutating func take(_ character: UInt8) -> Bool {
    guard next == character else { return false }
    at += 1
    return true
  }

  /// Letters, digits and `_`, not begun by a digit; empty when there is none.
  mutating func name(colons: Bool) -> ArraySlice<UInt8> {
    let start = at
    while let next {
      switch next {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): at += 1
      case UInt8(ascii: "0")...UInt8(ascii: "9") where at > start: at += 1
      case UInt8(ascii: ":") where colons: at += 1
      default: return line[start..<at]
      }
    }
    return line[start..<at]
  }

  /// What stands up to the next blank, and the blanks behind it; empty at the end.
  mutating func word() -> ArraySlice<UInt8> {
    skipBlanks()
    let start = at
    while let next, !ExpositionLine.isBlank(next) { at += 1 }
    defer { skipBlanks() }
    return line[start..<at]
  }

  /// What stands between the braces, checked; empty without braces.
  mutating func labels() throws(ExpositionFault) -> ArraySlice<UInt8> {
    let afterName = at
    skipBlanks()
    guard take(UInt8(ascii: "{")) else {
      guard at > afterName || isAtEnd else { throw ExpositionFault("expected a blank or '{' after the metric's name") }
      return line[at..<at]
    }
    let start = at
    var names: [ArraySlice<UInt8>] = []
    while let label = try label() {
      guard !names.contains(where: { $0.elementsEqual(label.name) }) else {
        throw ExpositionFault("the label '\(String(decoding: label.name, as: UTF8.self))' stands there twice")
      }
      names.append(label.name)
      guard names.count <= SampleLine.mostLabels else {
        throw ExpositionFault("there are more than \(SampleLine.mostLabels) labels")
      }
    }
    let end = at
    guard take(UInt8(ascii: "}")) else { throw ExpositionFault("expected '}' after the labels") }
    return line[start..<end]
  }

  /// The next `name="value"`, still escaped, and the comma behind it; nil before `}` and at the end.
  mutating func label() throws(ExpositionFault) -> (name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)? {
    skipBlanks()
    if isAtEnd || next == UInt8(ascii: "}") { return nil }
    let name = name(colons: false)
    guard !name.isEmpty else { throw ExpositionFault("expected a label's name") }
    skipBlanks()
    guard take(UInt8(ascii: "=")) else { throw ExpositionFault("expected '=' after a label's name") }
    skipBlanks()
    guard take(UInt8(ascii: "\"")) else { throw ExpositionFault("expected a label's value in quotes") }
    let start = at
    while let next, next != UInt8(ascii: "\"") {
      at += 1
      // What is escaped closes nothing; a line may end in the middle of an escape.
      if next == UInt8(ascii: "\\"), !isAtEnd { at += 1 }
    }
    guard !isAtEnd else { throw ExpositionFault("a label's value has no closing quote") }
    let value = line[start..<at]
    at += 1
    skipBlanks()
    guard take(UInt8(ascii: ",")) || isAtEnd || next == UInt8(ascii: "}") else {
      throw ExpositionFault("expected ',' or '}' after a label's value")
    }
    return (name, value)
  }

  /// `# {labels} value [time]`, or nothing.
  mutating func exemplar() throws(ExpositionFault) {
    guard take(UInt8(ascii: "#")) else { return }
    skipBlanks()
    guard next == UInt8(ascii: "{") else { throw ExpositionFault("expected an exemplar's labels after '#'") }
    _ = try labels()
    let value = word()
    guard SampleLine.number(value) != nil else {
      throw ExpositionFault("expected an exemplar's value, found '\(String(decoding: value, as: UTF8.self))'")
    }
    _ = try SampleLine.seconds(word())
  }
}
