import FlagServing
import FlagTrials
import FlagdServing
import Foundation
import Synchronization
import Testing

/// A server of one environment on a free port of this machine, for as long as a test takes.
final class ServedFlagd: Sendable {
  let environment: FlagEnvironment
  let port: Int
  private let server: FlagdServer
  private let task: Task<Void, any Error>
  private let notes: Notes

  private final class Notes: Sendable {
    let omitted = Mutex<[String]>([])
  }

  var store: FlagStore { environment.store }

  /// - Parameters:
  ///   - port: 0 for a free one.
  ///   - stall: see ``FlagdServer``.
  init(
    _ definitions: String?, named name: String = "production", port: Int = 0, stall: Duration = .seconds(60),
    exposures: (any ExposureSink)? = nil, token: String? = nil
  ) async throws {
    let store = FlagStore(environment: name)
    if let definitions { try store.publish(definitions: definitions, at: Self.now()) }
    environment = FlagEnvironment(store: store, exposures: exposures)
    let notes = Notes()
    let server = FlagdServer(
      .address(host: "127.0.0.1", port: port), environments: FlagEnvironments([environment]),
      documents: FlagdDocuments { _, _, omissions in
        notes.omitted.withLock { $0 = omissions.map { "\($0.flag) \($0.cause)" } }
      }, access: FlagAccess(token: token), stall: stall, now: Self.now)
    self.server = server
    task = Task { try await server.run() }
    self.port = try await server.port
    self.notes = notes
  }

  /// What the newest version left out, as its report said it.
  var omitted: [String] { notes.omitted.withLock { $0 } }

  /// A stock client, not yet connected.
  static func client() throws -> PeerProcess {
    let script = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
      .appending(path: "Peers/flagd_client.py")
    return try PeerProcess(#require(PeerPython.found), running: script)
  }

  static func now() -> Double { Date().timeIntervalSince1970 }

  /// Ends streams and connections, and frees the port.
  func stop() async throws {
    server.shutDown()
    try await task.value
  }

  /// Changes one flag.
  func change(_ key: String, to definition: String?) throws -> Int {
    try store.publish(changing: key, to: definition, at: Self.now()).version
  }

  func standing(of version: Int) -> Standing {
    environment.registry.standing(of: version, changedAt: store.current.changedAt, at: Self.now())
  }

  deinit { task.cancel() }
}
