import FlagTrials
import Foundation
import Testing

@testable import FlagServing

/// Unmodified clients and a fuzzer from PyPI against a listener.
@Suite("Stock clients of OFREP", .serialized)
struct StockClientTests {
  private static let peers = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Peers")

  private func serving(token: String?, _ body: (String, PeerPython) async throws -> Void) async throws {
    guard let python = PeerPython.found else {
      print("StockClientTests: \(PeerPython.absence)")
      return
    }
    let environment = FlagEnvironment(store: FlagStore(environment: "production"))
    try environment.store.publish(definitions: testDefinitions, at: WallClock.seconds())
    let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
    let listener = try await FlagListener(
      on: socket, environments: FlagEnvironments([environment]),
      configuration: .init(threads: 1, access: FlagAccess(token: token)))
    try await body("http://127.0.0.1:\(listener.port)", python)
    socket.close()
    await listener.stop(within: .seconds(1))
  }

  private func output(of python: PeerPython, _ arguments: [String], in folder: URL) async throws -> (Int32, String) {
    let process = Process()
    process.executableURL = URL(filePath: python.path)
    process.arguments = arguments
    process.currentDirectoryURL = folder
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    // A thread of its own: waiting for a process blocks, and other tests share the pool.
    return await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        continuation.resume(returning: (process.terminationStatus, text))
      }
    }
  }

  private static let expected = #"""
    boolean berth true on STATIC
    boolean nordic true on TARGETING_MATCH
    boolean nordic false off DEFAULT
    float half 1.0 whole STATIC
    integer count 1 one STATIC
    string words "say \"hi\"\n" a STATIC
    object shape {"x": [1, 2.0]} a STATIC
    boolean asleep true  DISABLED
    boolean yours true  DEFAULT
    boolean bert true None ERROR FLAG_NOT_FOUND
    boolean broken true None ERROR PARSE_ERROR
    boolean nowhere true None ERROR GENERAL
    integer words 9 None ERROR TYPE_MISMATCH

    """#

  @Test("openfeature-provider-ofrep sees every kind of answer as it is meant", arguments: [nil, "secret"] as [String?])
  func provider(token: String?) async throws {
    try await serving(token: token) { url, python in
      let script = Self.peers.appending(path: "ofrep_client.py").path
      let (status, text) = try await output(
        of: python, [script, url] + (token.map { [$0] } ?? []), in: Self.peers)
      #expect(text == Self.expected)
      #expect(status == 0)
    }
  }

  @Test("schemathesis finds nothing in what OFREP describes")
  func fuzzed() async throws {
    try await serving(token: "secret") { url, python in
      let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let description = Self.peers.appending(path: "openapi.yaml").path
      let (status, text) = try await output(
        of: python,
        [
          "-c", "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())", "run", description,
          "--url", url, "--header", "Authorization: Bearer secret", "--max-examples", "60", "--seed", "20261123",
          "--no-color",
        ], in: folder)
      #expect(status == 0, "\(text)")
    }
  }
}
