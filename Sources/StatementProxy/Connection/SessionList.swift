import NIOCore

/// The sessions under way. They all live on one event loop.
final class SessionList: Sendable {
  private let loop: any EventLoop
  private let sessions: NIOLoopBoundBox<[ObjectIdentifier: ProxiedSession]>

  init(on loop: any EventLoop) {
    self.loop = loop
    sessions = .makeBoxSendingValue([:], eventLoop: loop)
  }

  /// On the event loop. Sessions beyond `limit` are refused when they have said who they are.
  func open(_ services: ProxyServices, atMost limit: Int) -> ProxiedSession {
    let session = ProxiedSession(services, on: loop, isSurplus: sessions.value.count >= limit) { [sessions] session in
      sessions.value[ObjectIdentifier(session)] = nil
    }
    sessions.value[ObjectIdentifier(session)] = session
    return session
  }

  func stop() async {
    let sessions = sessions
    try? await loop.submit { for session in sessions.value.values { session.stop() } }.get()
  }
}
