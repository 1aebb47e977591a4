import Synchronization

/// How we know that a client holds a version. Stock clients acknowledge nothing by themselves.
package enum EvidenceClass: String, Sendable, CaseIterable, Codable {
  /// It was given to the transport of a stream that lives; nobody has said that it arrived. All that there is for
  /// gRPC's streams, and counted as having it, because a client that evaluates by itself never gives another sign.
  case sent
  /// The news lies on its machine: the peer's kernel has acknowledged every byte of it.
  case delivered
  /// It fetched the version.
  case refetched
  /// It was answered by the version.
  case evaluated
}

/// What a client speaks.
package enum ClientProtocol: String, Sendable, CaseIterable, Codable {
  case ofrep
  case ofrepStream = "ofrep-stream"
  case unleash
  case unleashStream = "unleash-stream"
  case flagd
  case flagdStream = "flagd-stream"

  var isStream: Bool { self == .ofrepStream || self == .unleashStream || self == .flagdStream }
}

/// Who a client is, as far as it tells.
package struct ClientIdentity: Sendable, Hashable {
  /// What the client calls itself, or else what tells it from others (``anonymous``). Streams of one name from several
  /// addresses are several clients.
  package let name: String
  package let kind: ClientProtocol
  package let userAgent: String
  /// IP address, with the port where it is a connection that makes the client.
  package let address: String

  /// Characters of a name or user agent that are kept; a client chooses them, and a registry holds many.
  static let textLimit = 120

  package init(name: String, kind: ClientProtocol, userAgent: String, address: String) {
    self.name = String(name.prefix(Self.textLimit))
    self.kind = kind
    self.userAgent = String(userAgent.prefix(Self.textLimit))
    self.address = address
  }

  /// A client that does not say who it is: by address and user agent. Two such on one machine count as one, unless
  /// each has a stream, whose address has a port.
  package static func anonymous(_ kind: ClientProtocol, userAgent: String, address: String) -> ClientIdentity {
    ClientIdentity(
      name: "\(kind.rawValue) \(address) \(userAgent)", kind: kind, userAgent: userAgent, address: address)
  }
}

/// A process that holds flags of one environment, and the newest version that it is known to have.
package final class FlagClient: Sendable {
  package let identity: ClientIdentity
  private let record: Mutex<ClientRecord>

  init(_ identity: ClientIdentity, at seconds: Double) {
    self.identity = identity
    record = Mutex(ClientRecord(since: seconds, lastSeen: seconds))
  }

  /// It has this version, and lives. Better evidence takes the place of ``EvidenceClass/sent``. Cheap enough for the
  /// path of a request.
  package func acknowledged(_ version: Int, by evidence: EvidenceClass, at seconds: Double) {
    record.withLock { record in
      record.lastSeen = max(record.lastSeen, seconds)
      let isProof = version == record.version && record.evidence == .sent && evidence != .sent
      guard version > record.version || isProof else { return }
      record.version = version
      record.evidence = evidence
      record.acknowledgedAt = seconds
    }
  }

  /// It lives; nothing is said about what it has.
  package func lives(at seconds: Double) {
    record.withLock { record in record.lastSeen = max(record.lastSeen, seconds) }
  }

  func change(_ body: (inout ClientRecord) -> Void) { record.withLock { body(&$0) } }
  package var now: ClientRecord { record.withLock { $0 } }
}

/// What is known of a client at a moment. Times are seconds since 1970.
package struct ClientRecord: Sendable, Equatable {
  package let since: Double
  package var lastSeen: Double
  /// The newest version that it is known to have; -1 before any.
  package var version = -1
  /// How ``version`` became known.
  package var evidence: EvidenceClass?
  package var acknowledgedAt = 0.0
  /// Streams that it holds open.
  package var streams = 0
  /// When its last stream ended; nil while it has one, or never had.
  package var leftAt: Double?
}
