import Testing

@testable import FlagServing

@Suite("Clients and what they are known to have")
struct ClientRegistryTests {
  private func stream(_ number: Int) -> ClientIdentity {
    ClientIdentity(name: "till-\(number)", kind: .ofrepStream, userAgent: "test", address: "10.0.0.\(number)")
  }

  @Test("A version's standing is told in one sentence, with names")
  func sentences() {
    let registry = ClientRegistry()
    func sentence() -> String { registry.standing(of: 7, changedAt: 100, at: 101).sentence }
    #expect(sentence() == "version 7: no client is known")
    for number in 1...1000 {
      let client = registry.seen(stream(number), at: 90)
      registry.joined(client, at: 90)
      if number == 13 { client.acknowledged(6, by: .delivered, at: 91) }
      if number != 13, number != 700 { client.acknowledged(7, by: .delivered, at: 100.1 + Double(number) * 0.0003) }
    }
    #expect(sentence() == "version 7: 998 of 1,000 after 0.4 s; these two not: till-13 (has 6), till-700")
    registry.acknowledged(stream(13), 8, by: .refetched, at: 100.5)
    #expect(sentence() == "version 7: 999 of 1,000 after 0.4 s; this one not: till-700")
    registry.gone(registry.seen(stream(700), at: 100.6), at: 100.6)
    #expect(sentence() == "version 7: all 999 after 0.4 s; this one left before: till-700")
    let standing = registry.standing(of: 7, changedAt: 100, at: 101)
    #expect(standing.byEvidence == [.delivered: 998, .refetched: 1])
    #expect(!standing.isEverywhere)
  }

  @Test("Who lost its stream is told of for a while; who comes back counts again")
  func leaving() {
    let registry = ClientRegistry()
    let client = registry.seen(stream(1), at: 0)
    registry.joined(client, at: 0)
    registry.gone(client, at: 10)
    #expect(registry.standing(of: 1, changedAt: 5, at: 11).left.count == 1)
    registry.joined(registry.seen(stream(1), at: 12), at: 12)
    #expect(registry.standing(of: 1, changedAt: 5, at: 13).lacking.count == 1)
    registry.gone(client, at: 14)
    #expect(registry.standing(of: 1, changedAt: 5, at: 14 + ClientRegistry.absence + 1).left.isEmpty)
    #expect(registry.count == 0)
  }

  @Test("Two streams of one name are two clients; one that comes back from another port is not a third")
  func namesakes() {
    let registry = ClientRegistry()
    func till(_ address: String) -> ClientIdentity {
      ClientIdentity(name: "till", kind: .ofrepStream, userAgent: "test", address: address)
    }
    let (first, second) = (registry.seen(till("10.0.0.1:1"), at: 0), registry.seen(till("10.0.0.2:1"), at: 0))
    for client in [first, second] { registry.joined(client, at: 0) }
    first.acknowledged(1, by: .delivered, at: 1)
    #expect(registry.standing(of: 1, changedAt: 0, at: 2).have == 1)
    #expect(registry.standing(of: 1, changedAt: 0, at: 2).lacking.map(\.client.address) == ["10.0.0.2:1"])
    registry.gone(second, at: 3)
    #expect(registry.standing(of: 1, changedAt: 0, at: 4).left.count == 1)
    let back = registry.seen(till("10.0.0.2:2"), at: 5)
    registry.joined(back, at: 5)
    back.acknowledged(1, by: .delivered, at: 6)
    #expect(registry.standing(of: 1, changedAt: 0, at: 7).isEverywhere)
    #expect(registry.count == 2)
  }

  @Test("Who is silent for too long is forgotten, unless it holds a stream")
  func silence() {
    let registry = ClientRegistry()
    registry.seen(.anonymous(.ofrep, userAgent: "a", address: "1.2.3.4"), at: 0)
    registry.joined(registry.seen(stream(1), at: 0), at: 0)
    #expect(registry.clients(at: ClientRegistry.silence).count == 2)
    #expect(registry.clients(at: ClientRegistry.silence + 1).map(\.identity.name) == ["till-1"])
  }

  @Test("The registry is bounded: the longest silent make room, those with streams never")
  func bounded() {
    let registry = ClientRegistry(limit: 20)
    for number in 1...10 { registry.joined(registry.seen(stream(number), at: 0), at: 0) }
    for number in 11...5000 { registry.seen(stream(number), at: Double(number)) }
    #expect(registry.count <= 20)
    let names = Set(registry.clients(at: 5000).map(\.identity.name))
    for number in 1...10 { #expect(names.contains("till-\(number)")) }
    #expect(names.contains("till-5000"))
    #expect(registry.forgotten >= 4980)
  }

  @Test("A clock that was set back makes no negative duration, and no client younger")
  func clockSetBack() {
    let registry = ClientRegistry()
    let client = registry.seen(stream(1), at: 100)
    client.acknowledged(1, by: .evaluated, at: 50)
    let standing = registry.standing(of: 1, changedAt: 100, at: 40)
    #expect(standing.seconds == 0)
    #expect(standing.have == 1)
    #expect(client.now.lastSeen == 100)
  }

  @Test("An older version, and a second word of the same, change nothing")
  func order() {
    let client = ClientRegistry().seen(stream(1), at: 0)
    client.acknowledged(3, by: .delivered, at: 1)
    client.acknowledged(3, by: .evaluated, at: 2)
    client.acknowledged(2, by: .refetched, at: 3)
    #expect(client.now.version == 3)
    #expect(client.now.evidence == .delivered)
    #expect(client.now.acknowledgedAt == 1)
  }

  @Test("What was only sent is counted and told apart, until the client gives a sign")
  func sent() {
    let registry = ClientRegistry()
    for number in 1...2 {
      let client = registry.seen(stream(number), at: 0)
      registry.joined(client, at: 0)
      client.acknowledged(3, by: .sent, at: 1)
    }
    func standing() -> Standing { registry.standing(of: 3, changedAt: 0, at: 2) }
    #expect(standing().byEvidence == [.sent: 2])
    #expect(standing().isEverywhere)
    #expect(standing().sentence == "version 3: all 2 after 1.0 s; 2 of these by what was sent alone")
    registry.acknowledged(stream(1), 3, by: .evaluated, at: 2)
    registry.acknowledged(stream(1), 3, by: .sent, at: 2)
    #expect(standing().byEvidence == [.sent: 1, .evaluated: 1])
  }
}
