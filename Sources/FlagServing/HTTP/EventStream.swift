/// How a protocol tells of changes over server-sent events. Messages are made on the threads of connections; one is
/// shared by all streams that had the same version before.
package protocol EventDialect: AnyObject, Sendable {
  /// What a stream begins with: at least `retry`, and all that the client missed.
  ///
  /// - Parameter lastEventID: of the last message that the client had on an earlier stream; nil on its first one.
  func opening(of served: ServedFlags, lastEventID: String?) -> [UInt8]
  /// What tells of a change from a version, perhaps with others between, to the newest one.
  func message(_ served: ServedFlags, after last: ServedFlags) -> [UInt8]
  /// Whether a client has this version once it has the bytes that told of it. Otherwise the opening was a bare `retry`,
  /// or the message a comment that stands for nothing, and their arrival proves nothing.
  func shows(_ served: ServedFlags) -> Bool
}

/// An answer that goes on: a client that is told of every change until it leaves.
package struct EventStream {
  /// Who asks; becomes a client when the stream is admitted.
  package let identity: ClientIdentity
  package let environment: FlagEnvironment
  package let dialect: any EventDialect
  package let lastEventID: String?

  package init(
    identity: ClientIdentity, environment: FlagEnvironment, dialect: any EventDialect, lastEventID: String?
  ) {
    self.identity = identity
    self.environment = environment
    self.dialect = dialect
    self.lastEventID = lastEventID
  }
}

/// Server-sent events (WHATWG HTML, "Server-sent events") as bytes.
package enum EventText {
  /// Milliseconds after which a client that was cut off comes back; a restarted server has to have all of them again
  /// within a second.
  package static let retryMs = 250
  package static let heartbeat: [UInt8] = Array(":\n\n".utf8)

  package static func retry() -> [UInt8] { Array("retry: \(retryMs)\n\n".utf8) }

  /// - Parameter data: without line breaks.
  package static func message(event: String, id: String, data: String) -> [UInt8] {
    Array("event: \(event)\nid: \(id)\ndata: \(data)\n\n".utf8)
  }
}
