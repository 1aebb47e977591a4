import Foundation
import Testing

@Suite("Serving") struct ServeTests {
  @Test("two servers on one data folder: the second refuses and names the first") func twoServers() async throws {
    try await withFolder { folder in
      try Self.configuration.write(to: folder.appending(path: "plimsoll.yaml"), atomically: true, encoding: .utf8)
      try Self.makeRepository(in: folder)
      let first = try Binary.start(["serve", "--listen", "127.0.0.1:0", "--data", "data"], in: folder)
      defer {
        first.process.terminate()
        first.process.waitUntilExit()
      }
      try await until("the first server answers") {
        FileManager.default.fileExists(atPath: folder.appending(path: "data/server.json").path)
      }
      let second = try Binary.run(["serve", "--listen", "127.0.0.1:0", "--data", "data"], in: folder)
      #expect(second.code == 1, "\(second.errors)")
      #expect(second.errors.contains("\(first.process.processIdentifier)"), "\(second.errors)")
      let health = try Binary.run(["queue", "--json", "--data", "data"], in: folder)
      #expect(health.code == 0, "\(health.errors)")
      let unknown = try Binary.run(["submit", "no-such-branch", "--data", "data"], in: folder)
      #expect(unknown.code == 2, "\(unknown.errors)")
      let verified = try Binary.run(["ledger", "verify", "--data", "data"], in: folder)
      #expect(verified.code == 0, "\(verified.output)\(verified.errors)")
      let shown = try Binary.run(["ledger", "show", "--json", "--data", "data"], in: folder)
      #expect(shown.output.contains("settings.applied"))
    }
  }

  @Test("SIGTERM ends the server in order: exit 0") func stops() async throws {
    try await withFolder { folder in
      try Self.configuration.write(to: folder.appending(path: "plimsoll.yaml"), atomically: true, encoding: .utf8)
      try Self.makeRepository(in: folder)
      let server = try Binary.start(["serve", "--listen", "127.0.0.1:0", "--data", "data"], in: folder)
      try await until("the server answers") {
        FileManager.default.fileExists(atPath: folder.appending(path: "data/server.json").path)
      }
      server.process.terminate()
      server.process.waitUntilExit()
      #expect(server.process.terminationReason == .exit)
      #expect(server.process.terminationStatus == 0)
      #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "data/server.json").path))
      let down = try Binary.run(["down", "--data", "data"], in: folder)
      #expect(down.code == 0, "\(down.errors)")
    }
  }

  /// A repository without the trunk's branch keeps the server idle: nothing is built or deployed in these tests.
  private static func makeRepository(in folder: URL) throws {
    let git = Process()
    git.executableURL = URL(filePath: "/usr/bin/git")
    git.arguments = ["init", "--quiet", "--bare", "harbor.git"]
    git.currentDirectoryURL = folder
    try git.run()
    git.waitUntilExit()
  }

  private static let configuration = """
    services:
      harbor:
        repository: ./harbor.git
        test: ./test
        build: ./build
        output: dist
        run: ./run
        slo: { p99: 250ms }
    """

  private func until(_ what: String, _ holds: () -> Bool) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(30)
    while !holds() {
      guard clock.now < deadline else {
        Issue.record("\(what): not within 30 s")
        return
      }
      try await Task.sleep(for: .milliseconds(50))
    }
  }
}
