import Foundation
import PlimsollFile
import Testing

/// Ten lines are enough.
let tenLines = """
  services:
    harbor:
      repository: ./harbor.git
      test: ./test
      build: ./build
      output: dist
      run: ./run
      slo: { p99: 100ms }
  environments:
    - { name: production, port: 0 }
  """.replacingOccurrences(of: ", port: 0", with: "")

/// A legal service named harbor, whose last keys are `more` (each line gets its indentation here), then `document`.
func file(_ more: String = "", then document: String = "") -> String {
  let lines = more.split(separator: "\n", omittingEmptySubsequences: false).map { "    \($0)" }.joined(separator: "\n")
  return """
    services:
      harbor:
        repository: ./harbor.git
        test: ./test
        build: ./build
        output: dist
        run: ./run
    \(lines)
    \(document)
    """
}

func parse(_ text: String) throws -> PlimsollFile {
  try PlimsollFile.parse(text, file: "plimsoll.yaml", folder: "/srv")
}

func problems(_ text: String) -> [Problem] {
  do {
    _ = try parse(text)
    return []
  } catch let error as Problems {
    return error.all
  } catch {
    return []
  }
}

/// The one problem of `text` begins with `expected`, place included.
func check(_ text: String, _ expected: String, _ location: SourceLocation = #_sourceLocation) {
  let found = problems(text).map(\.description)
  #expect(found.count == 1, "\(found)", sourceLocation: location)
  #expect(found.first?.hasPrefix(expected) == true, "\(found)", sourceLocation: location)
}
