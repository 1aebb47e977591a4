import Foundation

/// Links between documents: each leads somewhere, and each document is led to.
enum DocumentRules {
  /// Pages a reader starts from.
  static let entrances: Set = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]

  struct Link: Equatable {
    let line: Int
    /// A path from the repository's root.
    let target: String
  }

  /// Links of a document to files, outside of code blocks.
  static func links(in text: String, at path: String) -> [Link] {
    var found: [Link] = []
    var inBlock = false
    for (number, line) in lines(of: text) {
      if line.hasPrefix("```") { inBlock.toggle() }
      if inBlock { continue }
      for piece in String(line).components(separatedBy: "](").dropFirst() {
        guard let end = piece.firstIndex(of: ")") else { continue }
        let target = piece[..<end].prefix { $0 != "#" && $0 != " " }
        if target.isEmpty || target.contains("://") || target.hasPrefix("mailto:") { continue }
        found.append(Link(line: number, target: resolve(String(target), from: path)))
      }
    }
    return found
  }

  private static func resolve(_ target: String, from path: String) -> String {
    var parts = target.hasPrefix("/") ? [] : path.split(separator: "/").dropLast().map(String.init)
    for part in target.split(separator: "/") where part != "." {
      if part == "..", !parts.isEmpty { parts.removeLast() } else { parts.append(String(part)) }
    }
    return parts.joined(separator: "/")
  }

  static func linksLeadSomewhere(_ tree: SourceTree) -> [Finding] {
    tree.texts(in: "", ending: ".md").flatMap { path, text in
      links(in: text, at: path).filter { !$0.target.isEmpty && !tree.places.contains($0.target) }.map {
        Finding(path: path, line: $0.line, sentence: "the link leads to \($0.target), which does not exist")
      }
    }
  }

  static func everyDocumentIsLinked(_ tree: SourceTree) -> [Finding] {
    let documents = tree.texts(in: "docs/", ending: ".md")
    let from = documents + tree.texts(in: "", ending: ".md").filter { entrances.contains($0.path) }
    let linked = Set(
      from.flatMap { path, text in links(in: text, at: path).map(\.target).filter { $0 != path } })
    return documents.filter { !linked.contains($0.path) }.map {
      Finding(path: $0.path, line: 1, sentence: "no page links here; link it or delete it")
    }
  }

  static func decisionsAreNumbered(_ tree: SourceTree) -> [Finding] {
    let folder = "docs/decisions/"
    let paths = tree.texts(in: folder, ending: ".md").map(\.path)
    return zip(1..., paths).compactMap { expected, path in
      let digits = String(expected)
      let prefix = folder + String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "-"
      guard !path.hasPrefix(prefix) else { return nil }
      return Finding(path: path, line: 1, sentence: "decisions are numbered without gaps; expected \(prefix)…")
    }
  }
}
