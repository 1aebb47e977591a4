import Foundation
import Migrations

/// Queries as sqlc names them, `-- name: GetUser :one`, in its own files or in the code that it makes.
enum NamedQuery {
  static func isIn(_ text: String) -> Bool { text.contains(heading) }

  private static var heading: Regex<(Substring, name: Substring)> {
    /--\s*name:\s*(?<name>[A-Za-z_][A-Za-z0-9_]*)\s+:[a-z]+/
  }

  static func read(_ text: String, of file: FoundFile, into reading: inout ImportedStatements) {
    let found = text.matches(of: heading)
    for (index, match) in found.enumerated() {
      let from = text[match.range.upperBound...].firstIndex(where: \.isNewline) ?? text.endIndex
      let next = index + 1 < found.count ? found[index + 1].range.lowerBound : text.endIndex
      guard from < next else { continue }
      var body = text[from..<next]
      if !file.relative.hasSuffix(".sql") { body = literal(body) }
      reading.take(numbered(withoutEnd(body)), name: String(match.name), source: .sqlc)
    }
  }

  /// Up to the end of the literal that the code holds the query in.
  private static func literal(_ body: Substring) -> Substring {
    let ends = ["`", "\"\"\"", "'''"].compactMap { body.range(of: $0)?.lowerBound }
    return body[..<(ends.min() ?? body.endIndex)]
  }

  private static func withoutEnd(_ body: Substring) -> String {
    var text = body.trimmingCharacters(in: .whitespacesAndNewlines)
    while text.hasSuffix(";") { text = String(text.dropLast()).trimmingCharacters(in: .whitespacesAndNewlines) }
    return text
  }

  /// `@name`, `sqlc.arg(name)` and `sqlc.narg(name)` become `$1`, `$2`, one number for each name.
  private static func numbered(_ text: String) -> String {
    var names: [String] = []
    let named = /sqlc\.n?arg\(\s*['"]?(\w+)['"]?\s*\)|(^|[^@<>\w])@([A-Za-z_]\w*)/
    return text.replacing(named) { match in
      let name = String(match.1 ?? match.3 ?? "")
      if !names.contains(name) { names.append(name) }
      return "\(match.2 ?? "")$\((names.firstIndex(of: name) ?? 0) + 1)"
    }
  }
}
