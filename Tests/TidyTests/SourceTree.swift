import Foundation

/// A repository as text: path from its root to content; nil for what is no text. Rules are functions over it, so that
/// each is proven on a planted violation without a file.
struct SourceTree {
  let files: [String: String?]

  /// Every path and the folders above them.
  let places: Set<String>

  init(_ files: [String: String?]) {
    self.files = files
    var places = Set(files.keys)
    for path in files.keys {
      var folder = path
      while let slash = folder.lastIndex(of: "/") {
        folder = String(folder[..<slash])
        places.insert(folder)
      }
    }
    self.places = places
  }

  /// The repository that holds this file.
  static func ofThisRepository(_ file: String = #filePath) throws -> SourceTree {
    let folder = URL(fileURLWithPath: file).resolvingSymlinksInPath().deletingLastPathComponent()
    let root = folder.deletingLastPathComponent().deletingLastPathComponent()
    var files: [String: String?] = [:]
    try read(root, prefix: "", into: &files)
    return SourceTree(files)
  }

  private static func read(_ folder: URL, prefix: String, into files: inout [String: String?]) throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      let entry = folder.appendingPathComponent(name)
      var isFolder: ObjCBool = false
      // A file may vanish between the listing and here, when another test writes beside us.
      guard FileManager.default.fileExists(atPath: entry.path, isDirectory: &isFolder) else { continue }
      if isFolder.boolValue {
        if isOurs(folder: name) { try read(entry, prefix: prefix + name + "/", into: &files) }
      } else if name != "Package.resolved" {
        files[prefix + name] = .some(try? String(contentsOf: entry, encoding: .utf8))
      }
    }
  }

  /// Not what a build, git or an editor made.
  private static func isOurs(folder: String) -> Bool {
    folder == ".ci" || !folder.hasPrefix(".") && folder != "dist" && folder != "__pycache__"
  }

  /// Paths and texts, sorted by path.
  func texts(in folder: String = "", ending: String = "") -> [(path: String, text: String)] {
    files.compactMap { path, text in
      guard let text, path.hasPrefix(folder), path.hasSuffix(ending) else { return nil }
      return (path, text)
    }.sorted { $0.path < $1.path }
  }

  /// Swift files of the targets named.
  func sources(of targets: some Sequence<String>) -> [(path: String, text: String)] {
    targets.flatMap { texts(in: "Sources/\($0)/", ending: ".swift") }
  }
}

/// A rule that does not hold, at a place.
struct Finding: Equatable, CustomStringConvertible {
  let path: String
  /// From 1.
  let line: Int
  let sentence: String
  var description: String { "\(path):\(line): \(sentence)" }
}

/// One line of a text and its number, from 1.
func lines(of text: String) -> [(number: Int, text: Substring)] {
  text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { ($0.offset + 1, $0.element) }
}

/// A line of Swift without its comment and without what its string literals say.
func code(_ line: Substring) -> String {
  var result = ""
  var inString = false
  var previous: Character = " "
  for character in line {
    if character == "\"", previous != "\\" {
      inString.toggle()
    } else if character == "/", previous == "/", !inString {
      result.removeLast()
      break
    }
    if !inString { result.append(character) }
    previous = character
  }
  return result
}

/// Whether `word` stands in `text` with no letter, digit or underscore beside those of its ends that are such.
func has(_ word: String, in text: String) -> Bool {
  func joins(_ character: Character) -> Bool { character.isLetter || character.isNumber || character == "_" }
  var rest = text[...]
  while let range = rest.range(of: word) {
    let before = range.lowerBound > text.startIndex ? text[text.index(before: range.lowerBound)] : " "
    let after = range.upperBound < text.endIndex ? text[range.upperBound] : " "
    if !(joins(before) && word.first.map(joins) == true), !(joins(after) && word.last.map(joins) == true) {
      return true
    }
    rest = text[range.upperBound...]
  }
  return false
}

/// The lines of Swift files that hold one of the words, as findings.
func findings(
  of words: [String], in files: [(path: String, text: String)], _ sentence: (String) -> String
) -> [Finding] {
  files.flatMap { path, text in
    lines(of: text).flatMap { number, line in
      let code = code(line)
      return words.filter { has($0, in: code) }.map { Finding(path: path, line: number, sentence: sentence($0)) }
    }
  }
}
