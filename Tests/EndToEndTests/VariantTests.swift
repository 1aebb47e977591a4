import Foundation
import Testing

/// The acceptance runs lean on the harbor's variants; each must still apply and do what its text says.
@Suite("The harbor's variants") struct VariantTests {
  @Test("each patch applies and does what its text says") func variants() async throws {
    try await withFolder { folder in
      let output = folder.appending(path: "output")
      FileManager.default.createFile(atPath: output.path, contents: nil)
      let process = Process()
      process.executableURL = DemoTests.root.appending(path: "Examples/harbor/tests-variants")
      process.currentDirectoryURL = folder
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = try FileHandle(forWritingTo: output)
      process.standardError = process.standardOutput
      try process.run()
      process.waitUntilExit()
      let said = try String(contentsOf: output, encoding: .utf8)
      #expect(process.terminationStatus == 0, "\(said)")
      #expect(said.contains("never-ready") && !said.contains("BROKEN"), "\(said)")
    }
  }
}
