import NIOCore
import NIOHTTP1

/// All connections of one loop, and what they share. Used on that loop only.
final class ConnectionHub {
  struct Limits: Sendable {
    /// A connection without requests is closed: most clients give theirs up after 60 s or sooner.
    var idle = TimeAmount.seconds(120)
    /// While the server stops, a client that is about to send again gets this long; it is answered once more.
    var idleWhileDraining = TimeAmount.seconds(3)
    /// Between the parts of a request.
    var request = TimeAmount.seconds(15)
    /// Proxies commonly cut a connection that is silent for 30 to 60 s.
    var heartbeat = TimeAmount.seconds(15)
    /// A stream that takes nothing for so long is cut off; its client comes back when it reads again.
    var stuck = TimeAmount.seconds(30)
  }

  /// Streams told in one go, before other connections of the loop get their turn: some 2 ms.
  private static let batch = 256
  /// When to ask whether news has arrived: on a quiet network at once, with delayed acknowledgements after 40 ms.
  private static let proofDelays: [TimeAmount] = [
    .milliseconds(2), .milliseconds(15), .milliseconds(45), .milliseconds(100), .milliseconds(250),
  ]
  private static let second = TimeAmount.seconds(1)

  let loop: any EventLoop
  let counts: ServingCounts
  private let router: FlagRouter
  private let limits: Limits
  private(set) var isDraining = false
  private var handlers: [ObjectIdentifier: RequestHandler] = [:]
  private var streams: [String: [ObjectIdentifier: StreamSlot]] = [:]
  private var scratch: [UInt8] = []
  private var ticking: RepeatedTask?
  /// Versions that are being told of, so that an older round ends when a newer one begins.
  private var rounds: [String: Int] = [:]

  init(_ loop: any EventLoop, router: FlagRouter, counts: ServingCounts, limits: Limits) {
    self.loop = loop
    self.router = router
    self.counts = counts
    self.limits = limits
  }

  func start() {
    let bound = NIOLoopBound(self, eventLoop: loop)
    ticking = loop.scheduleRepeatedTask(initialDelay: Self.second, delay: Self.second) { _ in bound.value.tick() }
  }

  func stop() {
    ticking?.cancel()
    for handler in Array(handlers.values) { handler.closeNow() }
  }

  // MARK: Connections

  func add(_ handler: RequestHandler) {
    handlers[ObjectIdentifier(handler)] = handler
    counts.connections.add(1, ordering: .relaxed)
  }

  func remove(_ handler: RequestHandler) {
    guard handlers.removeValue(forKey: ObjectIdentifier(handler)) != nil else { return }
    counts.connections.subtract(1, ordering: .relaxed)
  }

  var connectionCount: Int { handlers.count }

  func reply(to head: HTTPRequestHead, body: ByteBuffer, peer: Peer, into bytes: inout [UInt8]) -> FlagReply {
    router.reply(to: head, body: body, peer: peer, isDraining: isDraining, into: &bytes)
  }

  /// The bytes that answers are made in; kept, so that an answer allocates nothing for them.
  func takeScratch() -> [UInt8] {
    var bytes: [UInt8] = []
    swap(&bytes, &scratch)
    bytes.removeAll(keepingCapacity: true)
    return bytes
  }

  func giveBack(_ bytes: consuming [UInt8]) {
    // One huge answer must not be paid for in memory for ever.
    if bytes.capacity <= 1 << 20 { scratch = bytes }
  }

  // MARK: Streams

  /// The client of a stream that was admitted.
  func client(of wanted: EventStream) -> FlagClient {
    wanted.environment.registry.seen(wanted.identity, at: router.clock())
  }

  func join(_ slot: StreamSlot) {
    let environment = slot.wanted.environment
    streams[environment.name, default: [:]][ObjectIdentifier(slot)] = slot
    environment.registry.joined(slot.client, at: router.clock())
    counts.streams.add(1, ordering: .relaxed)
    // A change between the opening and now has found no stream to tell.
    if slot.isBehind { tellNewest(slot) }
    prove([slot], round: nil, step: 0)
  }

  func leave(_ slot: StreamSlot) {
    let environment = slot.wanted.environment
    guard streams[environment.name]?.removeValue(forKey: ObjectIdentifier(slot)) != nil else { return }
    environment.registry.gone(slot.client, at: router.clock())
    counts.streams.subtract(1, ordering: .relaxed)
  }

  func writable(_ slot: StreamSlot) {
    if slot.isBehind { tellNewest(slot) }
  }

  private func tellNewest(_ slot: StreamSlot) {
    let served = slot.wanted.environment.store.current
    var out = ByteBuffer()
    ResponseHead.writeChunk(slot.wanted.dialect.message(served, after: slot.told), to: &out)
    if slot.tell(out, of: served) { counts.messages.add(1, ordering: .relaxed) }
  }

  /// Tells all streams of an environment that there is a newer version.
  func broadcast(_ served: ServedFlags) {
    rounds[served.environment] = served.version
    let slots = Array((streams[served.environment] ?? [:]).values)
    tell(slots[...], of: served)
    // Only now, so that asking delays nobody's news.
    prove(slots, round: served, step: 0)
  }

  private func tell(_ slots: ArraySlice<StreamSlot>, of served: ServedFlags) {
    guard rounds[served.environment] == served.version else { return }
    struct Key: Hashable {
      let dialect: ObjectIdentifier
      let last: Int
    }
    var messages: [Key: ByteBuffer] = [:]
    for slot in slots.prefix(Self.batch) where slot.told.version < served.version {
      let dialect = slot.wanted.dialect
      let key = Key(dialect: ObjectIdentifier(dialect), last: slot.told.version)
      var out = messages[key] ?? ByteBuffer()
      if out.readableBytes == 0 {
        ResponseHead.writeChunk(dialect.message(served, after: slot.told), to: &out)
        messages[key] = out
      }
      if slot.tell(out, of: served) { counts.messages.add(1, ordering: .relaxed) }
    }
    let rest = slots.dropFirst(Self.batch)
    guard !rest.isEmpty else { return }
    let bound = NIOLoopBound((self, rest), eventLoop: loop)
    loop.execute { bound.value.0.tell(bound.value.1, of: served) }
  }

  // MARK: Proof of delivery

  /// Asks, a few times, whose machines have acknowledged all that was written to them; each second after that.
  private func prove(_ slots: [StreamSlot], round served: ServedFlags?, step: Int) {
    guard step < Self.proofDelays.count, !slots.isEmpty else { return }
    let bound = NIOLoopBound((self, slots), eventLoop: loop)
    loop.scheduleTask(in: Self.proofDelays[step]) {
      let (hub, slots) = bound.value
      if let served, hub.rounds[served.environment] != served.version { return }
      for slot in slots { hub.check(slot) }
      hub.prove(slots.filter(\.isUnproven), round: served, step: step + 1)
    }
  }

  private func check(_ slot: StreamSlot) {
    guard slot.isUnproven, slot.channel.isActive else { return }
    TransferState.check(slot.channel) { [router] isAcknowledged in
      guard isAcknowledged, slot.isUnproven else { return }
      slot.prove()
      guard slot.wanted.dialect.shows(slot.told) else { return }
      slot.client.acknowledged(slot.told.version, by: .delivered, at: router.clock())
    }
  }

  // MARK: Each second

  private func tick() {
    let now = NIODeadline.now()
    let seconds = router.clock()
    var beat = ByteBuffer()
    ResponseHead.writeChunk(EventText.heartbeat, to: &beat)
    for (_, slots) in streams {
      for (_, slot) in slots {
        if slot.isBehind { tellNewest(slot) }
        if now - slot.lastWritten > limits.heartbeat { slot.beat(beat, at: now) }
        if let stuck = slot.stuckSince, now - stuck > limits.stuck {
          counts.cutOff.add(1, ordering: .relaxed)
          slot.channel.close(promise: nil)
        } else if slot.isUnproven {
          check(slot)
        } else {
          slot.client.lives(at: seconds)
        }
      }
    }
    for handler in Array(handlers.values) { handler.look(at: now, limits: limits) }
  }

  // MARK: Stopping

  /// Every answer from now on ends its connection; streams end at once, so that their clients come back elsewhere.
  func drain() {
    isDraining = true
    for handler in Array(handlers.values) { handler.endStream() }
  }
}
