import Foundation
import Kernel
import Synchronization
import Testing

@testable import FlagServing

@Suite("Handing the listening socket over")
struct HandoverTests {
  private func listener(
    on socket: ListeningSocket, version: Int, ready: () -> Void = {}
  ) async throws -> (FlagListener, FlagEnvironment) {
    let environment = FlagEnvironment(store: FlagStore(environment: "production"))
    try environment.store.publish(definitions: testDefinitions, version: version, at: WallClock.seconds())
    let listener = try await FlagListener(
      on: socket, environments: FlagEnvironments([environment]), configuration: .init(threads: 1),
      ready: ready)
    return (listener, environment)
  }

  @Test("While one server takes over from another, no request is refused and streams come back")
  func takesOver() async throws {
    let path = NSTemporaryDirectory() + "plimsoll-\(UUID().uuidString.prefix(8))"
    let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
    let (old, _) = try await listener(on: socket, version: 7)
    let post = try Handover.Post(at: path)
    let left = Mutex<Bool?>(nil)
    Thread.detachNewThread {
      let isReplaced = post.serveSuccessor(
        socket, state: { Handover.State(version: 7, entityTag: "tag") }, stopAccepting: { old.stopAccepting() })
      left.withLock { $0 = isReplaced }
    }
    let load = Load(port: old.port)
    load.begin()
    #expect(await eventually { load.answered > 20 })
    let stream = try #require(Connection(port: old.port))
    stream.get("/ofrep/v1/events")
    _ = stream.read(through: "retry: 250\n\n")

    let predecessor = try #require(try Handover.take(at: path))
    #expect(predecessor.state == Handover.State(version: 7, entityTag: "tag"))
    let next = try Handover.Post(at: path)
    let (new, environment) = try await listener(
      on: predecessor.socket, version: predecessor.state.version + 1, ready: { predecessor.dismiss() })
    #expect(new.port == old.port)
    #expect(await eventually { left.withLock { $0 } == true })
    socket.close()
    await old.stop(within: .seconds(Int64(Connection.patience)))

    #expect(stream.rest().hasSuffix("0\r\n\r\n"))
    let again = try #require(Connection(port: new.port))
    again.get("/ofrep/v1/events", headers: "last-event-id: 7-other\r\n")
    #expect(again.read(through: "id: 8-").hasSuffix("id: 8-"))
    let before = load.answered
    #expect(await eventually { load.answered > before + 20 })
    load.end()
    #expect(load.failures == [])
    #expect(environment.store.current.version == 8)
    next.end()
    #expect(!FileManager.default.fileExists(atPath: path))
    predecessor.socket.close()
    await new.stop(within: .seconds(1))
  }

  @Test("A successor that fails before it serves changes nothing")
  func failedSuccessor() async throws {
    let path = NSTemporaryDirectory() + "plimsoll-\(UUID().uuidString.prefix(8))"
    let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
    let post = try Handover.Post(at: path)
    let left = Mutex<Bool?>(nil)
    Thread.detachNewThread {
      let isReplaced = post.serveSuccessor(
        socket, state: { Handover.State(version: 1, entityTag: "") },
        stopAccepting: { Issue.record("nobody was ready") })
      left.withLock { $0 = isReplaced }
    }
    for _ in 0..<2 {
      let predecessor = try Handover.take(at: path)
      #expect(predecessor?.socket.port == socket.port)
    }
    #expect(left.withLock { $0 } == nil)
    post.end()
    #expect(await eventually { left.withLock { $0 } == false })
    #expect(try Handover.take(at: path) == nil)
  }

  @Test("Nobody there is no error; a path that no socket can have is")
  func nobody() throws {
    #expect(try Handover.take(at: NSTemporaryDirectory() + "plimsoll-nobody") == nil)
    #expect(throws: Outage.self) { try Handover.take(at: "/" + String(repeating: "x", count: 200)) }
  }
}

/// Clients that ask without a pause, each request on a new connection, and keep what failed.
private final class Load: Sendable {
  private struct State {
    var answered = 0
    var failures: [String] = []
    var isOver = false
    var running = 0
  }

  private let state = Mutex(State())
  private let port: Int

  init(port: Int) { self.port = port }

  var answered: Int { state.withLock { $0.answered } }
  var failures: [String] { state.withLock { $0.failures } }

  func begin() {
    for _ in 0..<4 {
      state.withLock { $0.running += 1 }
      Thread.detachNewThread { [self] in
        while !state.withLock({ $0.isOver }) { ask() }
        state.withLock { $0.running -= 1 }
      }
    }
  }

  func end() {
    state.withLock { $0.isOver = true }
  }

  private func ask() {
    guard let connection = Connection(port: port) else {
      state.withLock { $0.failures.append("refused") }
      return
    }
    connection.post("/ofrep/v1/evaluate/flags/berth", #"{"context":{"targetingKey":"u"}}"#)
    let answer = connection.answer()
    state.withLock { state in
      if answer?.status == 200 { state.answered += 1 } else { state.failures.append("\(answer?.status ?? 0)") }
    }
  }
}
