import ControlPlane
import Dispatch
import Foundation
import Kernel

/// Owns the one engine of a process: feeds it letters with the time, wakes it when something is due, answers whoever
/// waits, and tells subscribers what was recorded.
///
/// Runs on a thread of its own, because the engine's appends block until they are on disk. While one append waits for
/// the disk, letters gather, and the next append takes them all: that is the group commit.
package actor EngineHost<Store: EventStore & Sendable> where Store.Event == StreamEvent, Store.State == StreamState {
  private let executor: OwnThread
  nonisolated package var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let store: Store
  private let performer: Performer
  private let checksInvariants: Bool
  private let tell: @Sendable (HostNotice) -> Void
  private var ledgerSpell = OutageSpell()
  private var engine: Engine<Store, Performer>?
  private var waiting: [ReplyID: CheckedContinuation<Outcome, Never>] = [:]
  private var nextReply: UInt64 = 0
  private var turnScheduled = false
  private var alarm: Task<Void, Never>?
  private var alarmAt: Instant?
  private var pulse: Task<Void, Never>?
  private var subscribers: [UInt64: AsyncStream<RecordedEvent<StreamEvent>>.Continuation] = [:]
  private var nextSubscriber: UInt64 = 0
  /// Newest last, at most `alterationsKept`.
  private var recent: [HostNotice] = []

  /// How long a change by someone else is shown: long enough for whoever comes because something is odd.
  package static var alterationsShown: Span { .minutes(60) }
  /// A script that changes something every second fills no memory.
  private static var alterationsKept: Int { 20 }

  /// Every open stream is looked at again this often, so that no single message is essential (design §2).
  package static var pulseInterval: Span { .seconds(5) }

  /// - Parameter tell: called on the engine's thread; it notes what it is told and returns at once.
  package init(
    store: Store, performer: Performer, checksInvariants: Bool, tell: @escaping @Sendable (HostNotice) -> Void
  ) {
    self.store = store
    self.performer = performer
    self.checksInvariants = checksInvariants
    self.tell = tell
    executor = OwnThread(label: "plimsoll.engine")
  }

  /// Recovers from the ledger and begins: everything that the states want is started.
  package func start() throws(Outage) {
    let engine = Engine(
      store: store, dispatcher: performer, checksInvariants: checksInvariants,
      chance: { UInt64.random(in: .min ... .max) },
      onViolation: { [tell] stream, violations in
        tell(.quarantined(stream, reason: violations.joined(separator: "; ")))
      })
    performer.attach { [weak self] parcel in
      guard let self else { return }
      await self.post(parcel)
    } tell: { [weak self] notice in
      await self?.hear(notice)
    }
    try engine.recover(now: .now)
    self.engine = engine
    pulse = Task { [weak self] in
      while !Task.isCancelled {
        try? await Task.sleep(for: .milliseconds(Self.pulseInterval.milliseconds))
        await self?.beat()
      }
    }
    schedule()
  }

  private func hear(_ notice: HostNotice) {
    tell(notice)
    recent = (recent + [notice]).suffix(Self.alterationsKept)
  }

  /// Stops taking turns and cancels every effect; what they act on (instances, routers) stays as it is.
  package func stop() async {
    pulse?.cancel()
    alarm?.cancel()
    engine = nil
    for (_, continuation) in waiting {
      continuation.resume(returning: .unavailable(Outage("plimsoll", "the server is stopping; ask again")))
    }
    waiting = [:]
    for (_, subscriber) in subscribers { subscriber.finish() }
    subscribers = [:]
    await performer.stopAll()
  }

  // MARK: In

  /// Sends a request and waits until it is decided and durable, or refused.
  package func request(
    _ input: StreamInput, to stream: StreamID, actor: String, id: String, lane: Lane = .progress
  ) async -> Outcome {
    guard engine != nil else { return .unavailable(Outage("plimsoll", "the server is not running; start it again")) }
    nextReply += 1
    let reply = ReplyID(nextReply)
    return await withCheckedContinuation { continuation in
      waiting[reply] = continuation
      post(
        .letter(Letter(to: stream, input, cause: .request(id: id), actor: actor, lane: lane, reply: reply)))
    }
  }

  package func post(_ parcel: Parcel) {
    engine?.post(parcel)
    schedule()
  }

  // MARK: Out

  package func state(of stream: StreamID) -> StreamState? { engine?.state(of: stream) }
  package func version(of stream: StreamID) -> Version { engine?.version(of: stream) ?? 0 }
  package var streams: [StreamID] { engine?.streams ?? [] }
  package var topology: Topology { engine?.topology ?? Topology() }
  package var quarantined: [StreamID: String] { engine?.quarantined ?? [:] }
  /// What the world refuses to do again and again.
  package var failing: [FailingEffect] { engine?.failing(at: .now) ?? [] }
  /// Why the ledger cannot be written; nil while it can.
  package var outage: Outage? { engine?.outage }
  /// What someone else changed of late, oldest first.
  package var alterations: [HostNotice] {
    recent.filter { if case .altered(_, _, let at) = $0 { .now - at < Self.alterationsShown } else { false } }
  }

  /// All states of a kind, sorted by stream.
  package func states(_ kind: StreamKind) -> [(stream: StreamID, state: StreamState)] {
    streams.filter { $0.kind == kind }.compactMap { stream in state(of: stream).map { (stream, $0) } }
  }

  /// Events from now on. A subscriber that does not keep up loses the oldest (at most `limit` wait) and reads the
  /// ledger again from the last position it saw.
  package func subscribe(limit: Int = 4096) -> AsyncStream<RecordedEvent<StreamEvent>> {
    nextSubscriber += 1
    let id = nextSubscriber
    let (stream, continuation) = AsyncStream.makeStream(
      of: RecordedEvent<StreamEvent>.self, bufferingPolicy: .bufferingNewest(limit))
    subscribers[id] = continuation
    continuation.onTermination = { [weak self] _ in
      guard let self else { return }
      Task { await self.unsubscribe(id) }
    }
    return stream
  }

  private func unsubscribe(_ id: UInt64) { subscribers[id] = nil }

  // MARK: Turns

  private func schedule() {
    guard !turnScheduled, engine != nil else { return }
    turnScheduled = true
    Task { self.turn() }
  }

  private func turn() {
    turnScheduled = false
    guard let engine else { return }
    let now = Instant.now
    let (replies, appended) = engine.run(now: now)
    for reply in replies { waiting.removeValue(forKey: reply.id)?.resume(returning: reply.outcome) }
    for event in appended { for (_, subscriber) in subscribers { subscriber.yield(event) } }
    switch ledgerSpell.look(engine.outage) {
    case .began(let outage): tell(.ledgerAway(outage))
    case .ended: tell(.ledgerBack)
    case nil: break
    }
    // One batch does not always hold all that waits.
    if engine.hasWork, !engine.isPausing { schedule() }
    if let due = engine.nextDue { wake(at: due) }
  }

  private func beat() {
    engine?.pulse(now: .now)
    schedule()
  }

  private func wake(at due: Instant) {
    if let alarmAt, alarmAt <= due, alarm != nil { return }
    alarm?.cancel()
    alarmAt = due
    alarm = Task { [weak self] in
      let pause = due - .now
      if pause > .zero { try? await Task.sleep(for: .milliseconds(pause.milliseconds)) }
      guard !Task.isCancelled else { return }
      await self?.ring()
    }
  }

  private func ring() {
    alarm = nil
    alarmAt = nil
    schedule()
  }
}

/// A serial executor on a dispatch queue, so that blocking file writes never hold a thread of the cooperative pool.
private final class OwnThread: SerialExecutor {
  private let queue: DispatchQueue
  init(label: String) { queue = DispatchQueue(label: label, qos: .userInitiated) }
  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedSerialExecutor()
    queue.async { job.runSynchronously(on: executor) }
  }
}

extension Instant {
  /// The wall clock, whole milliseconds.
  package static var now: Instant { Instant(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down))) }
}
