import Foundation
import Kernel
import Testing

@testable import StatementProxy

/// The proxy between a client that sends what no real one would and a fake server that keeps every byte.
@Suite("Forwarding")
struct ForwardingTests {
  private func pair(greeting: [UInt8] = FakeServer.welcome) async throws -> (FakeServer, ProxyUnderTest) {
    let server = try await FakeServer(greeting: greeting)
    return (server, try await ProxyUnderTest(to: .address(host: "127.0.0.1", port: server.port)))
  }

  private func connected(_ server: FakeServer, _ proxy: ProxyUnderTest, reading: Bool = true) async throws -> RawClient
  {
    let client = try await RawClient(port: proxy.port, reading: reading)
    try await client.send(Wire.startup())
    if reading { #expect(await eventually { client.received == FakeServer.welcome }) }
    #expect(await eventually { server.connections == 1 && !server.received[0].isEmpty })
    return client
  }

  @Test("every byte arrives as it was sent, both ways, in whatever pieces")
  func exactness() async throws {
    let (server, proxy) = try await pair()
    let client = try await connected(server, proxy)
    var generator = Pieces(seed: 7)
    var sent: [UInt8] = []
    var answered: [UInt8] = []
    for round in 0..<60 {
      let messages =
        Wire.parse("s\(round)", "SELECT '\(String(repeating: "é'", count: round * 40))'", types: [23])
        + Wire.bind("s\(round)", [String(repeating: "x", count: round * 700), nil]) + Wire.execute() + Wire.sync
        + Wire.query("COPY t FROM STDIN") + Wire.message("d", generator.bytes(round * 300)) + Wire.copyDone
      for piece in generator.cut(messages) { try await client.send(piece) }
      sent += messages
      let answers =
        Wire.parsed + Wire.bound + Wire.message("D", generator.bytes(round * 900)) + Wire.complete() + Wire.ready()
        + Wire.copyIn + Wire.complete() + Wire.ready()
      for piece in generator.cut(answers) { try await server.send(piece) }
      answered += answers
    }
    #expect(await eventually { server.received[0].count == Wire.startup().count + sent.count })
    #expect(server.received[0] == Wire.startup() + sent)
    #expect(await eventually { client.received.count == FakeServer.welcome.count + answered.count })
    #expect(client.received == FakeServer.welcome + answered)
    await proxy.proxy.stop()
  }

  @Test("bytes that are no protocol are forwarded all the same, and the loss is said")
  func foreign() async throws {
    let (server, proxy) = try await pair()
    let client = try await connected(server, proxy)
    let noise: [UInt8] = [81, 0, 0, 0, 1, 9, 9, 9]
    try await client.send(noise)
    #expect(await eventually { server.received[0] == Wire.startup() + noise })
    #expect(await eventually { proxy.said.contains { $0.contains("no longer recorded") } })
    #expect(proxy.recorder.recording().heading.leftOut.unfollowedConnections == 1)
    await proxy.proxy.stop()
  }

  @Test("statements sent ahead of the server's welcome are forwarded and recorded")
  func ahead() async throws {
    let (server, proxy) = try await pair()
    let client = try await RawClient(port: proxy.port)
    try await client.send(Wire.startup() + Wire.query("SELECT a"))
    #expect(await eventually { client.received == FakeServer.welcome })
    try await server.send(Wire.complete() + Wire.ready())
    let recording = await proxy.recording { $0.text == "SELECT a" && $0.count == 1 }
    #expect(recording.statements.map(\.count) == [1])
    #expect(server.received[0] == Wire.startup() + Wire.query("SELECT a"))
    await proxy.proxy.stop()
  }

  @Test("a request for TLS is answered with no where the proxy has no key")
  func noEncryption() async throws {
    let (server, proxy) = try await pair()
    let client = try await RawClient(port: proxy.port)
    try await client.send(Wire.encryptionRequest)
    #expect(await eventually { client.received == [UInt8(ascii: "N")] })
    try await client.send(Wire.startup())
    #expect(await eventually { server.connections == 1 && server.received[0] == Wire.startup() })
    await proxy.proxy.stop()
  }

  @Test("data put behind the request for TLS is refused")
  func injected() async throws {
    let (server, proxy) = try await pair()
    let client = try await RawClient(port: proxy.port)
    try await client.send(Wire.encryptionRequest + Wire.startup())
    #expect(await eventually { client.isClosed })
    #expect(String(decoding: client.received, as: UTF8.self).contains("between its request for TLS"))
    #expect(server.connections == 0)
    await proxy.proxy.stop()
  }

  @Test("a client that dies in the middle of a message leaves the server with exactly what it sent")
  func deadClient() async throws {
    let (server, proxy) = try await pair()
    let client = try await connected(server, proxy)
    let half = Array(Wire.query("SELECT 1 FROM a_table_with_a_long_name").prefix(12))
    try await client.send(half)
    try await client.close()
    #expect(await eventually { server.closed == 1 })
    #expect(server.received[0] == Wire.startup() + half)
    #expect(proxy.recorder.recording().statements.isEmpty)
    await proxy.proxy.stop()
  }

  @Test("what a server said last reaches the client, also when the client was sending")
  func deadServer() async throws {
    let (server, proxy) = try await pair()
    let client = try await connected(server, proxy)
    let farewell = Wire.error("57P01")
    client.pour(Wire.message("d", Array(repeating: 1, count: 4 << 20)))
    try await server.send(farewell)
    try await server.close()
    #expect(await eventually { client.isClosed })
    #expect(client.received == FakeServer.welcome + farewell)
    await proxy.proxy.stop()
  }

  /// Kernel buffers on both of the proxy's sides, and its own: with room to spare. A proxy that reads on would take
  /// everything.
  private static let bound = 48 << 20
  private static let flood = 160 << 20

  @Test("a client that does not read costs no more than the buffers")
  func slowClient() async throws {
    let (server, proxy) = try await pair()
    let client = try await connected(server, proxy, reading: false)
    try await expectStall {
      try await server.send(Wire.message("d", Array(repeating: 1, count: 1 << 20)))
    } sent: {
      server.sent
    }
    try await client.close()
    #expect(await eventually { server.closed == 1 })
    await proxy.proxy.stop()
  }

  @Test("a server that does not read costs no more than the buffers")
  func slowServer() async throws {
    let (server, proxy) = try await pair()
    let client = try await connected(server, proxy)
    try await server.stopReading()
    let sent = Counter()
    try await expectStall {
      try await client.send(Wire.message("d", Array(repeating: 1, count: 1 << 20)))
      sent.add(1 << 20)
    } sent: {
      sent.value
    }
    try await client.close()
    await proxy.proxy.stop()
  }

  /// Sends until nothing more is taken: the count stays as it is for a hundred looks.
  private func expectStall(
    _ send: @escaping @Sendable () async throws -> Void, sent: () -> Int, _ at: SourceLocation = #_sourceLocation
  ) async throws {
    let flood = Task {
      var count = 0
      while count < Self.flood, !Task.isCancelled {
        try await send()
        count += 1 << 20
      }
    }
    defer { flood.cancel() }
    var before = -1
    var same = 0
    let stalled = await eventually {
      same = sent() == before ? same + 1 : 0
      before = sent()
      return same >= 100 && before > 0
    }
    #expect(stalled && sent() < Self.bound, "\(sent()) bytes were taken", sourceLocation: at)
  }

  @Test("a request to cancel is forwarded in a connection of its own")
  func cancel() async throws {
    let (server, proxy) = try await pair(greeting: [])
    let client = try await RawClient(port: proxy.port)
    try await client.send(Wire.cancel(7, 9))
    #expect(await eventually { server.connections == 1 && server.received[0] == Wire.cancel(7, 9) })
    try await server.close()
    #expect(await eventually { client.isClosed })
    #expect(client.received.isEmpty)
    await proxy.proxy.stop()
  }

  @Test("a replication session is forwarded and not read as SQL")
  func replication() async throws {
    let (server, proxy) = try await pair()
    let client = try await RawClient(port: proxy.port)
    try await client.send(Wire.startup([("user", "ann"), ("replication", "true")]))
    #expect(await eventually { client.received == FakeServer.welcome })
    try await client.send(Wire.query("IDENTIFY_SYSTEM"))
    #expect(await eventually { server.received[0].suffix(21) == Wire.query("IDENTIFY_SYSTEM")[...] })
    let recording = proxy.recorder.recording()
    #expect(recording.statements.isEmpty && recording.heading.leftOut.replicationConnections == 1)
    await proxy.proxy.stop()
  }

  @Test("channel binding leaves the server's offer where the client could not use it")
  func withheld() {
    let offer = Wire.message(
      "R", Wire.int32(10) + Wire.string("SCRAM-SHA-256-PLUS") + Wire.string("SCRAM-SHA-256") + [0])
    let kept = Wire.message("R", Wire.int32(10) + Wire.string("SCRAM-SHA-256") + [0])
    let choice = Wire.message("p", Wire.string("SCRAM-SHA-256-PLUS") + Wire.int32(1) + [110])
    func forwarded(_ binding: Authentication.Binding) -> [UInt8] {
      Array(SessionAuthentication().server(sent: .init(bytes: offer), binding: binding).forward.readableBytesView)
    }
    #expect(forwarded(.withheld) == kept)
    #expect(forwarded(.transparent) == offer)
    #expect(forwarded(.broken) == offer)
    let authentication = SessionAuthentication()
    _ = authentication.server(sent: .init(bytes: offer), binding: .broken)
    guard case .bindsForeignCertificate = authentication.client(sent: .init(bytes: choice), binding: .broken) else {
      Issue.record("the choice was forwarded")
      return
    }
  }

  @Test("a server that cannot be reached is named to the client")
  func unreachable() async throws {
    let free = try #require(Loopback.freePort())
    let proxy = try await ProxyUnderTest(to: .address(host: "127.0.0.1", port: free))
    let client = try await RawClient(port: proxy.port)
    try await client.send(Wire.startup())
    #expect(await eventually { client.isClosed })
    let words = String(decoding: client.received, as: UTF8.self)
    #expect(words.contains("C08006") && words.contains("127.0.0.1:\(free) cannot be reached"))
    await proxy.proxy.stop()
  }

  @Test("a stopped proxy tells its clients, gives its port back, and may be stopped again")
  func stopped() async throws {
    let (server, proxy) = try await pair()
    let client = try await connected(server, proxy)
    await proxy.proxy.stop()
    await proxy.proxy.stop()
    #expect(await eventually { client.isClosed && server.closed == 1 })
    #expect(String(decoding: client.received, as: UTF8.self).contains("C57P01"))
    let second = StatementProxy(
      listen: .address(host: "127.0.0.1", port: proxy.port), upstream: .address(host: "127.0.0.1", port: server.port),
      recorder: proxy.recorder, notice: { _ in })
    #expect(try await second.start() == proxy.port)
    let third = StatementProxy(
      listen: .address(host: "127.0.0.1", port: proxy.port), upstream: .address(host: "127.0.0.1", port: server.port),
      recorder: proxy.recorder, notice: { _ in })
    await #expect(throws: Outage.self) { try await third.start() }
    await third.stop()
    await second.stop()
  }
}
