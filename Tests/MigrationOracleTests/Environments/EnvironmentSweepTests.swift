import Foundation
import Testing

@testable import MigrationOracle

/// Servers that a killed process left.
struct EnvironmentSweepTests {
  /// Above Linux's largest process number (`PID_MAX_LIMIT`, 2²²).
  private static let gone = 4_194_400

  @Test("what a process that is gone left is removed, and what only looks like it stays")
  func sweep() async throws {
    let tool = try ServerTool(binaries: .find())
    let parent = FileManager.default.temporaryDirectory.path
    let ours = "\(parent)/plimsoll-shadow-\(Self.gone)-ours"
    let link = "\(parent)/plimsoll-shadow-\(Self.gone)-link"
    let other = "\(parent)/elsewhere-\(UUID().uuidString)"
    for folder in [ours, other] {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }
    try? FileManager.default.removeItem(atPath: link)
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: other)
    defer { for path in [ours, link, other] { try? FileManager.default.removeItem(atPath: path) } }
    if let user = tool.user { #expect(chown(ours, user.id, user.group) == 0) }
    await OwnServer.sweep(tool)
    #expect(!FileManager.default.fileExists(atPath: ours))
    #expect(FileManager.default.fileExists(atPath: link))
  }
}
