import Foundation
import Testing

@testable import MigrationOracle

#if canImport(Glibc)
  import Glibc
#endif

/// Servers of one test, reached through sockets in a folder of their own. Each has a number, which is its port.
struct TemporaryServers {
  let folder: String
  let tool: ServerTool

  init() throws {
    tool = try ServerTool(binaries: .find())
    // A socket's path is short.
    var template = Array("/tmp/plimsoll-test-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    if let user = tool.user { chown(folder, user.id, user.group) }
  }

  func url(_ number: Int) -> String { "host='\(folder)' port=\(number) user=postgres dbname=postgres" }
  func data(_ number: Int) -> String { "\(folder)/\(number)" }

  func make(_ number: Int) async throws {
    try await tool.run(
      "initdb",
      [
        "-D", data(number), "-A", "trust", "--no-sync", "--no-instructions", "-E", "UTF8", "--locale=C.UTF-8", "-U",
        "postgres",
      ])
  }

  /// - Parameter settings: `name=value`.
  func start(_ number: Int, _ settings: String...) async throws {
    let all = ["listen_addresses=''", "fsync=off", "shared_buffers=16MB"] + settings
    let options = all.map { "-c \($0)" }.joined(separator: " ") + " -p \(number) -k '\(folder)'"
    try await tool.run(
      "pg_ctl", ["-D", data(number), "-w", "-t", "60", "-l", "\(folder)/log\(number)", "-o", options, "start"])
  }

  /// The last made first: what follows another ends before it.
  func stop(_ numbers: Int...) async {
    for number in numbers.reversed() {
      _ = try? await tool.run("pg_ctl", ["-D", data(number), "-m", "immediate", "-w", "-t", "10", "stop"])
    }
    try? FileManager.default.removeItem(atPath: folder)
  }
}
