import Foundation
import Kernel
import Migrations

/// The migrations of a folder, in the order in which its tool applies them; or one file, such as a dump of a schema.
package struct MigrationFolder: Equatable, Sendable {
  package let path: String
  package let layout: MigrationLayout
  package let files: [MigrationFile]

  /// Larger files are refused: a dump with data belongs into the database, not into a migration.
  package static let fileLimit = 64 << 20

  /// - Parameters:
  ///   - path: a folder, or one SQL file.
  ///   - layout: what the tool expects; found from names and markers when left out.
  /// - Throws: `Refusal` when there is no such folder, nothing in it, or a file cannot be read as text.
  package init(_ path: String, layout: MigrationLayout? = nil) throws(Refusal) {
    self.path = path
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw Refusal(.unknown, "There is no \(path); name the folder that holds the migrations, or one SQL file.")
    }
    let found = isFolder.boolValue ? try Self.sqlFiles(below: path) : [FoundFile(in: path)]
    guard !found.isEmpty else {
      throw Refusal(
        .unknown,
        "\(path) holds no .sql file. For migrations in another language give the SQL that their tool prints, such as"
          + " `alembic upgrade head --sql`, as one file.")
    }
    var read: [ReadFile] = []
    for file in found { read.append(ReadFile(file: file, text: try file.text())) }
    let layout = layout ?? read.lazy.compactMap { MigrationLayout(of: $0.file.relative, $0.text) }.first ?? .plain
    self.layout = layout
    files = try layout.migrations(among: read, in: path)
    guard !files.isEmpty else {
      throw Refusal(.unknown, "\(path) holds no migration in the layout of \(layout.rawValue); name another layout.")
    }
  }

  /// The migrations before `file`, and `file` itself: for a migration that lies in its own history.
  ///
  /// - Returns: nil when `file` is not in this folder.
  package func split(at file: String) -> (before: [MigrationFile], migration: MigrationFile)? {
    let wanted = Self.canonical(file)
    guard let index = files.firstIndex(where: { Self.canonical($0.path) == wanted }) else { return nil }
    return (Array(files[..<index]), files[index])
  }

  private static func canonical(_ path: String) -> String {
    URL(filePath: path).standardizedFileURL.resolvingSymlinksInPath().path
  }

  private static func sqlFiles(below path: String) throws(Refusal) -> [FoundFile] {
    guard let all = FileManager.default.enumerator(atPath: path) else {
      throw Refusal(.unknown, "\(path) cannot be read; check who may.")
    }
    let names = all.compactMap { $0 as? String }.filter { $0.hasSuffix(".sql") && !$0.hasPrefix(".") }
    return names.sorted().map { FoundFile(in: path, relative: $0) }
  }
}

struct FoundFile: Equatable {
  let path: String
  /// Below the folder that was named.
  let relative: String

  init(in folder: String, relative: String) {
    path = folder.hasSuffix("/") ? folder + relative : "\(folder)/\(relative)"
    self.relative = relative
  }

  init(in file: String) {
    path = file
    relative = file.split(separator: "/").last.map(String.init) ?? file
  }

  func text() throws(Refusal) -> String {
    let data: Data
    do {
      data = try Data(contentsOf: URL(filePath: path))
    } catch {
      throw Refusal(.unknown, "\(path) cannot be read: \(error.localizedDescription)")
    }
    guard data.count <= MigrationFolder.fileLimit else {
      throw Refusal(
        .malformed,
        "\(path) has \(data.count >> 20) MB, more than \(MigrationFolder.fileLimit >> 20); load data by another way.")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      let line = 1 + data[..<Self.firstInvalid(in: data)].count { $0 == UInt8(ascii: "\n") }
      throw Refusal(.malformed, "\(path):\(line): this is not UTF-8 text; save the file as UTF-8.")
    }
    return text
  }

  /// Where valid UTF-8 ends: the longest valid beginning, by halving.
  private static func firstInvalid(in data: Data) -> Int {
    var low = 0
    var high = data.count
    while low < high {
      let middle = (low + high + 1) / 2
      // A beginning may cut a character in two: up to three bytes more decide.
      let isValid = (0...3).contains { extra in
        middle + extra <= data.count && String(validating: data[..<(middle + extra)], as: UTF8.self) != nil
      }
      if isValid { low = middle } else { high = middle - 1 }
    }
    return low
  }
}

struct ReadFile: Equatable {
  let file: FoundFile
  let text: String
  var name: String { file.relative.split(separator: "/").last.map(String.init) ?? file.relative }
}
