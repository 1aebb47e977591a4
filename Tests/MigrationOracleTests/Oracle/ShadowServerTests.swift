import Foundation
import Kernel
import Testing

@testable import MigrationOracle

@Suite(.serialized, .shadow)
struct ShadowServerTests {
  @Test("where no server is installed, the caller is told what to do")
  func nothingInstalled() {
    #expect(throws: Refusal.self) { try ServerBinaries.find(path: "/nonexistent", roots: []) }
    #expect(throws: Refusal.self) { try ServerBinaries.find(given: "/nonexistent") }
  }

  @Test("a server that does not start is an outage with its last words")
  func doesNotStart() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "no-server-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for name in ["initdb", "pg_ctl", "postgres"] {
      try "#!/bin/sh\necho no space left on device >&2\nexit 1\n".write(
        toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(folder)/\(name)")
    }
    let outage = await #expect(throws: Outage.self) { try await ShadowServer.start(binaries: folder) }
    #expect(outage?.description.contains("no space left on device") == true)
  }

  @Test("a URL that nobody answers is refused")
  func nobodyAnswers() async {
    await #expect(throws: Refusal.self) {
      try await ShadowServer.attach(url: "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=1")
    }
  }

  @Test("a server that was given is used, and left as it was")
  func given() async throws {
    let own = try #require(ShadowTrait.server)
    let words = own.address(of: nil).place
    let host = try #require(words.firstMatch(of: /host='(.+?)'/)?.1)
    let encoded = host.replacing("/", with: "%2F")
    for url in [words, "postgresql://postgres@\(encoded)/postgres"] {
      let shadow = try await ShadowServer.attach(url: url)
      let template = try await shadow.template { connection, name in
        try connection.query("CREATE TABLE a (b int); INSERT INTO a VALUES (7)")
        return name
      }
      let address = shadow.address(of: try await shadow.clone(of: template))
      let value = try await BlockingThread.run { try PostgresConnection(address).query("SELECT b FROM a").first }
      #expect(value == "7")
      await shadow.stop()
      #expect(try left(of: shadow, on: own) == [])
    }
  }

  @Test("a pipeline goes on after a segment that fails")
  func pipeline() async throws {
    let address = try #require(ShadowTrait.server).address(of: nil)
    let replies = try await BlockingThread.run {
      try PostgresConnection(address).pipeline(
        (0..<500).map { number in
          [
            .prepare(name: "s\(number)", text: number % 7 == 0 ? "SELECT nothing" : "SELECT $1::int8", types: []),
            .describe(name: "s\(number)"), .execute(name: "s\(number)", parameters: ["\(number)"]),
          ]
        })
    }
    #expect(replies.count == 500)
    for (number, reply) in replies.enumerated() {
      #expect(reply.error?.sqlState == (number % 7 == 0 ? "42703" : nil))
      #expect(reply.answers.last?.first == (number % 7 == 0 ? nil : "\(number)"))
    }
  }

  @Test("an error says where it is, and a long statement can be stopped")
  func errors() async throws {
    let address = try #require(ShadowTrait.server).address(of: nil)
    let error = try await BlockingThread.run { () -> PostgresError? in
      do { try PostgresConnection(address).query("SELECT 1, lost") } catch let error as PostgresError { return error }
      return nil
    }
    #expect(error?.position == 11)
    let stopped = try await BlockingThread.run { () -> PostgresError? in
      let connection = try PostgresConnection(address, statementSeconds: 1)
      do { try connection.query("SELECT pg_sleep(60)") } catch let error as PostgresError { return error }
      return nil
    }
    #expect(stopped?.sqlState == "57014")
  }

  private func left(of shadow: ShadowServer, on server: ShadowServer) throws -> [String] {
    let all = try PostgresConnection(server.address(of: nil)).query(
      "SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles")
    return all.rows.compactMap { $0[0] }.filter { $0.contains(shadow.mark) }
  }
}
