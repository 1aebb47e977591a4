import Synchronization

/// Who holds flags of one environment. Bounded: the longest silent are forgotten first, and counted.
package final class ClientRegistry: Sendable {
  /// Clients remembered; twice the streams that one server is measured with.
  package static let limit = 20_000
  /// Seconds without a sign of life after which a client without a stream is forgotten: more than any stock client's
  /// usual time between two polls (Unleash 15 s, OpenFeature 30 s), so that one that is late is still missed.
  package static let silence = 300.0
  /// Seconds for which a client that lost its stream is still told of: it may live on with what it has.
  package static let absence = 60.0
  /// Share of a full registry that is forgotten at once, so that not every newcomer costs a walk.
  private static let forgottenAtOnce = 20

  /// What makes a client: a name with a kind, and for streams the connection, so that two processes that give
  /// themselves one name are not taken for one.
  private struct Key: Hashable, Comparable {
    let name: String
    let kind: ClientProtocol
    let address: String

    init(_ identity: ClientIdentity) {
      name = identity.name
      kind = identity.kind
      address = kind.isStream ? identity.address : ""
    }

    /// Those of one name and kind whose stream ended.
    var namesakes: Key { Key(name: name, kind: kind, address: "") }

    private init(name: String, kind: ClientProtocol, address: String) {
      self.name = name
      self.kind = kind
      self.address = address
    }

    static func < (left: Key, right: Key) -> Bool {
      (left.name, left.kind.rawValue, left.address) < (right.name, right.kind.rawValue, right.address)
    }
  }

  private struct State {
    var clients: [Key: FlagClient] = [:]
    /// Of each name and kind, those without a stream that may come back from another port. Some may be forgotten.
    var departed: [Key: [Key]] = [:]
    var forgotten = 0
  }

  private let state = Mutex(State())
  private let limit: Int

  package init(limit: Int = ClientRegistry.limit) { self.limit = limit }

  /// The client of that identity, new or known; its owner keeps it for as long as a connection lasts. A new stream takes
  /// the place of one of its name that ended: that client has come back.
  @discardableResult
  package func seen(_ identity: ClientIdentity, at seconds: Double) -> FlagClient {
    let key = Key(identity)
    let client = state.withLock { state -> FlagClient in
      if let known = state.clients[key] { return known }
      if identity.kind.isStream { Self.replaceDeparted(key, in: &state) }
      if state.clients.count >= limit { forget(&state) }
      let client = FlagClient(identity, at: seconds)
      // When all hold streams there is nobody to forget; the newcomer is served, and not counted.
      if state.clients.count < limit { state.clients[key] = client } else { state.forgotten += 1 }
      return client
    }
    client.lives(at: seconds)
    return client
  }

  /// The client has a version.
  package func acknowledged(
    _ identity: ClientIdentity, _ version: Int, by evidence: EvidenceClass, at seconds: Double
  ) {
    seen(identity, at: seconds).acknowledged(version, by: evidence, at: seconds)
  }

  /// A stream of the client began.
  package func joined(_ client: FlagClient, at seconds: Double) {
    client.change { record in
      record.streams += 1
      record.leftAt = nil
      record.lastSeen = max(record.lastSeen, seconds)
    }
  }

  /// A stream of the client ended. Without another one it has left, as far as is known.
  package func gone(_ client: FlagClient, at seconds: Double) {
    client.change { record in
      record.streams = max(0, record.streams - 1)
      if record.streams == 0 { record.leftAt = seconds }
    }
    let key = Key(client.identity)
    guard client.identity.kind.isStream, client.now.streams == 0 else { return }
    state.withLock { state in
      if state.clients[key] === client { state.departed[key.namesakes, default: []].append(key) }
    }
  }

  /// Forgets the one of that name that left last, unless it has a stream again.
  private static func replaceDeparted(_ key: Key, in state: inout State) {
    guard var keys = state.departed.removeValue(forKey: key.namesakes) else { return }
    while let last = keys.popLast() {
      guard let gone = state.clients[last], gone.now.streams == 0, gone.now.leftAt != nil else { continue }
      state.clients[last] = nil
      break
    }
    if !keys.isEmpty { state.departed[key.namesakes] = keys }
  }

  /// Drops from the departed whom the registry has forgotten, and who has a stream again.
  private static func sweep(_ state: inout State) {
    let clients = state.clients
    state.departed = state.departed.compactMapValues { keys in
      let kept = keys.filter { clients[$0]?.now.leftAt != nil }
      return kept.isEmpty ? nil : kept
    }
  }

  package var count: Int { state.withLock { $0.clients.count } }
  /// Clients that were forgotten since the start because there were too many.
  package var forgotten: Int { state.withLock { $0.forgotten } }

  /// All clients with what is known of them, by name. Drops those that are silent for too long. O(clients).
  package func clients(at seconds: Double) -> [(identity: ClientIdentity, record: ClientRecord)] {
    let all = state.withLock { state in
      for (key, client) in state.clients where Self.isOver(client.now, at: seconds) { state.clients[key] = nil }
      Self.sweep(&state)
      return Array(state.clients.values)
    }
    return all.map { (Key($0.identity), $0) }.sorted { $0.0 < $1.0 }.map { ($0.1.identity, $0.1.now) }
  }

  /// Who has the version, who lacks it, and since when.
  package func standing(of version: Int, changedAt: Double, at seconds: Double) -> Standing {
    Standing(version: version, changedAt: changedAt, clients: clients(at: seconds))
  }

  private static func isOver(_ record: ClientRecord, at seconds: Double) -> Bool {
    if record.streams > 0 { return false }
    if let left = record.leftAt, record.lastSeen <= left { return seconds - left > absence }
    return seconds - record.lastSeen > silence
  }

  private func forget(_ state: inout State) {
    let silent = state.clients.map { (key: $0.key, record: $0.value.now) }.filter { $0.record.streams == 0 }
      .sorted { ($0.record.lastSeen, $0.key) < ($1.record.lastSeen, $1.key) }
    for (key, _) in silent.prefix(max(1, limit / Self.forgottenAtOnce)) {
      state.clients[key] = nil
      state.forgotten += 1
    }
    Self.sweep(&state)
  }
}
