import Kernel
import NIOCore
import Testing

@testable import FlagServing

@Suite("Flag listener: connections", .serialized)
struct ListenerTests {
  private static let evaluate = "/ofrep/v1/evaluate/flags/berth"

  private func serving(
    _ configure: (inout FlagListener.Configuration) -> Void = { _ in },
    _ body: (FlagListener, FlagEnvironment) async throws -> Void
  ) async throws {
    let environment = FlagEnvironment(store: FlagStore(environment: "production"))
    try environment.store.publish(definitions: testDefinitions, at: WallClock.seconds())
    var configuration = FlagListener.Configuration(threads: 1)
    configure(&configuration)
    let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
    let listener = try await FlagListener(
      on: socket, environments: FlagEnvironments([environment]), configuration: configuration)
    do { try await body(listener, environment) } catch {
      socket.close()
      await listener.stop(within: .seconds(1))
      throw error
    }
    socket.close()
    await listener.stop(within: .seconds(1))
  }

  @Test("Requests that come in one piece, or byte by byte, are answered in order on one connection")
  func keepAlive() async throws {
    try await serving { listener, _ in
      let connection = try #require(Connection(port: listener.port))
      let request = "POST \(Self.evaluate) HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\n{}"
      connection.send(request + "GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n" + request)
      #expect(connection.answer()?.body.contains("berth") ?? false)
      #expect(connection.answer()?.body == "production serves version 1 of 11 flags\n")
      #expect(connection.answer()?.status == 200)
      for character in request { connection.send(String(character)) }
      #expect(connection.answer()?.status == 200)
      connection.send("POST \(Self.evaluate) HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n")
      connection.send("1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
      #expect(connection.answer()?.status == 200)
      connection.send("POST \(Self.evaluate) HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}")
      #expect(connection.rest().contains("connection: close"))
    }
  }

  @Test("Hundreds of requests in one piece are all answered, in order, to a client that reads")
  func pipelined() async throws {
    try await serving { listener, _ in
      let connection = try #require(Connection(port: listener.port))
      let flags = ["berth", "half", "count"]
      let requests = (0..<300).map { number in
        "POST /ofrep/v1/evaluate/flags/\(flags[number % 3]) HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\n{}"
      }
      connection.send(requests.joined())
      for number in 0..<300 {
        let answer = try #require(connection.answer())
        #expect(answer.body.hasPrefix("{\"key\":\"\(flags[number % 3])\""))
      }
    }
  }

  @Test("Bodies beyond the limit, announced or not, and what is no HTTP are refused")
  func limits() async throws {
    try await serving { listener, _ in
      let announced = try #require(Connection(port: listener.port))
      announced.send("POST \(Self.evaluate) HTTP/1.1\r\nhost: t\r\ncontent-length: 99999999\r\n\r\n")
      #expect(announced.answer()?.status == 413)
      let chunked = try #require(Connection(port: listener.port))
      chunked.send("POST \(Self.evaluate) HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n")
      let piece = String(repeating: "x", count: 0x1000)
      for _ in 0...(RequestHandler.bodyLimit / 0x1000) { chunked.send("1000\r\n\(piece)\r\n") }
      #expect(chunked.answer()?.status == 413)
      let noise = try #require(Connection(port: listener.port))
      noise.send("\u{16}\u{3}\u{1} not HTTP\r\n\r\n")
      #expect(noise.answer()?.status == 400)
      let large = try #require(Connection(port: listener.port))
      large.post(Self.evaluate, "{\"context\":{\"a\":\"\(String(repeating: "x", count: 1_000_000))\"}}")
      #expect(large.answer()?.status == 200)
    }
  }

  @Test("A stream is told of the newest version, unless its client names it, and then of changes only")
  func stream() async throws {
    try await serving { listener, environment in
      let stream = try #require(Connection(port: listener.port))
      stream.get("/ofrep/v1/events")
      #expect(stream.read(through: "retry: 250\n\n").contains("content-type: text/event-stream"))
      let first = environment.store.current
      #expect(stream.read(through: "\n\n").contains("id: 1-\(first.entityTag)\n"))
      let second = try environment.store.publish(
        changing: "count", to: #"{"state":"DISABLED","variants":{"a":1}}"#, at: 1_800_000_000.7)
      let message = stream.read(through: "\n\n")
      #expect(message.contains("event: message\nid: 2-\(second.entityTag)\n"))
      #expect(
        message.contains(
          #"data: {"type":"refetchEvaluation","etag":"\#(second.entityTag)","lastModified":1800000000}"#))
      let late = try #require(Connection(port: listener.port))
      late.get("/ofrep/v1/events", headers: "last-event-id: 1-\(first.entityTag)\r\n")
      _ = late.read(through: "retry: 250\n\n")
      #expect(late.read(through: "\n\n").contains("id: 2-"))
      let current = try #require(Connection(port: listener.port))
      current.get("/ofrep/v1/events", headers: "last-event-id: 2-\(second.entityTag)\r\n")
      _ = current.read(through: "retry: 250\n\n")
      try environment.store.publish(changing: "count", to: nil, at: 1)
      #expect(current.read(through: "\n\n").contains("id: 3-"))
    }
  }

  @Test("A bare opening proves nothing; the first version that follows it is told")
  func nothingPublished() async throws {
    let environment = FlagEnvironment(store: FlagStore(environment: "production"))
    let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
    let listener = try await FlagListener(
      on: socket, environments: FlagEnvironments([environment]), configuration: .init(threads: 1))
    let stream = try #require(Connection(port: listener.port))
    stream.get("/ofrep/v1/events?client=early")
    _ = stream.read(through: "retry: 250\n\n")
    #expect(await eventually { listener.counts.streams.load(ordering: .relaxed) == 1 })
    try environment.store.publish(definitions: testDefinitions, at: WallClock.seconds())
    #expect(stream.read(through: "\n\n").contains("id: 1-"))
    func record() -> ClientRecord? { environment.registry.clients(at: WallClock.seconds()).first?.record }
    #expect(await eventually { record()?.version == 1 })
    #expect(record()?.evidence == .delivered)
    socket.close()
    await listener.stop(within: .seconds(1))
  }

  @Test("What was written to a stream counts when the client's machine has it")
  func delivered() async throws {
    try await serving { listener, environment in
      let streams = try (0..<20).map { number in
        let stream = try #require(Connection(port: listener.port))
        stream.get("/ofrep/v1/events?client=till-\(number)")
        _ = stream.read(through: "retry: 250\n\n")
        return stream
      }
      #expect(await eventually { listener.counts.streams.load(ordering: .relaxed) == 20 })
      let served = try environment.store.publish(changing: "count", to: nil, at: WallClock.seconds())
      func standing() -> Standing {
        environment.registry.standing(of: served.version, changedAt: served.changedAt, at: WallClock.seconds())
      }
      #expect(await eventually { standing().have == 20 })
      #expect(standing().byEvidence == [.delivered: 20])
      #expect(standing().sentence.hasPrefix("version 2: all 20 after "))
      let asking = try #require(Connection(port: listener.port))
      asking.get("/v1/flags/clients", headers: "accept: text/plain\r\n")
      #expect(asking.answer()?.body == standing().sentence + "\n")
      withExtendedLifetime(streams) {}
    }
  }

  @Test("A client that never reads holds one place for the newest version, and is cut off")
  func neverReads() async throws {
    try await serving({ $0.limits.stuck = .milliseconds(300) }) { listener, environment in
      let deaf = try #require(Connection(port: listener.port, receiveBuffer: 2048))
      deaf.get("/ofrep/v1/events?client=deaf")
      #expect(await eventually { listener.counts.streams.load(ordering: .relaxed) == 1 })
      // More than any kernel holds for a connection on its own: some 6 MB of messages.
      let changed = await eventually {
        for _ in 0..<500 {
          _ = try? environment.store.publish(changing: "count", to: #"{"state":"DISABLED","variants":{"a":1}}"#, at: 0)
        }
        return listener.counts.cutOff.load(ordering: .relaxed) == 1
      }
      #expect(changed)
      #expect(listener.counts.messages.load(ordering: .relaxed) < environment.store.current.version)
      #expect(await eventually { listener.counts.streams.load(ordering: .relaxed) == 0 })
      withExtendedLifetime(deaf) {}
    }
  }

  @Test("A server that stops ends streams cleanly and answers what is under way")
  func stops() async throws {
    let environment = FlagEnvironment(store: FlagStore(environment: "production"))
    try environment.store.publish(definitions: testDefinitions, at: 0)
    let socket = try ListeningSocket(host: "127.0.0.1", port: 0)
    let listener = try await FlagListener(
      on: socket, environments: FlagEnvironments([environment]), configuration: .init(threads: 1))
    let stream = try #require(Connection(port: listener.port))
    stream.get("/ofrep/v1/events")
    _ = stream.read(through: "retry: 250\n\n")
    let asking = try #require(Connection(port: listener.port))
    asking.post(Self.evaluate, "{}")
    #expect(asking.answer()?.status == 200)
    socket.close()
    let stopping = Task { await listener.stop(within: .seconds(Int64(Connection.patience))) }
    #expect(stream.rest().hasSuffix("0\r\n\r\n"))
    asking.post(Self.evaluate, "{}")
    #expect(asking.rest().contains("connection: close"))
    await stopping.value
    #expect(Connection(port: listener.port) == nil)
  }
}
