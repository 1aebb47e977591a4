import Foundation
import Testing

/// The article's migrations on a real PostgreSQL: what each version sends is recorded by its own build, and judged by
/// this very binary.
@Suite("The harbor's versions", .serialized) struct VersionTests {
  @Test("each migration is told what its text says") func versions() async throws {
    try await withFolder { folder in
      let output = folder.appending(path: "output")
      FileManager.default.createFile(atPath: output.path, contents: nil)
      let process = Process()
      process.executableURL = DemoTests.root.appending(path: "Examples/harbor/tests-versions")
      process.currentDirectoryURL = folder
      process.environment = ProcessInfo.processInfo.environment.merging(["PLIMSOLL": Binary.path]) { _, own in own }
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = try FileHandle(forWritingTo: output)
      process.standardError = process.standardOutput
      try process.run()
      process.waitUntilExit()
      let said = try String(contentsOf: output, encoding: .utf8)
      #expect(process.terminationStatus == 0, "\(said)")
      #expect(said.contains("compatible for v44 and v43-safe") && !said.contains("BROKEN"), "\(said)")
    }
  }
}
