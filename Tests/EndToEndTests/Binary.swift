import Foundation
import Testing

/// The built `plimsoll`, run as a person would: a process with arguments, output and an exit code.
enum Binary {
  struct Ended {
    let code: Int32
    let output: String
    let errors: String
  }

  /// Beside the test bundle, where the package manager puts executables.
  static var path: String {
    var folder = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
    while folder.path != "/" {
      let candidate = folder.appending(path: "plimsoll").path
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: candidate, isDirectory: &isFolder), !isFolder.boolValue {
        return candidate
      }
      folder.deleteLastPathComponent()
    }
    return "plimsoll"
  }

  /// Runs to the end. Output goes through files, because a pipe that nobody empties would stop the process.
  static func run(_ arguments: [String], in folder: URL, environment: [String: String] = [:]) throws -> Ended {
    let process = try start(arguments, in: folder, environment: environment)
    process.process.waitUntilExit()
    return try process.ended()
  }

  struct Running {
    let process: Process
    let output: URL
    let errors: URL
    func ended() throws -> Ended {
      Ended(
        code: process.terminationStatus, output: try String(contentsOf: output, encoding: .utf8),
        errors: try String(contentsOf: errors, encoding: .utf8))
    }
  }

  /// - Parameter before: a command, by its full path, that ends by becoming what it is given to run.
  static func start(
    _ arguments: [String], in folder: URL, environment: [String: String] = [:], before: [String] = []
  ) throws -> Running {
    let process = Process()
    let words = before + [path] + arguments
    process.executableURL = URL(filePath: words[0])
    process.arguments = Array(words.dropFirst())
    process.currentDirectoryURL = folder
    var variables = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin:/usr/sbin", "TERM": "dumb"]
    variables.merge(environment) { _, new in new }
    process.environment = variables
    let output = folder.appending(path: "output-\(UUID().uuidString)")
    let errors = folder.appending(path: "errors-\(UUID().uuidString)")
    for file in [output, errors] { FileManager.default.createFile(atPath: file.path, contents: nil) }
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    process.standardInput = FileHandle.nullDevice
    try process.run()
    return Running(process: process, output: output, errors: errors)
  }
}

/// A folder of a test's own, removed at its end.
func withFolder<Value>(_ body: (URL) async throws -> Value) async throws -> Value {
  let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-command-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try await body(folder)
}
