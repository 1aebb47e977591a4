import Kernel

/// What became of a letter that someone waits for.
package enum Outcome: Sendable {
  /// Decided and durable; `events` is empty when nothing had to change.
  case accepted(events: [RecordedEvent<StreamEvent>])
  case refused(Refusal)
  /// The ledger could not be written; the request may be repeated.
  case unavailable(Outage)
}

package struct Reply: Sendable {
  package let id: ReplyID
  package let outcome: Outcome
}

/// An effect that is wanted and ends in failure again and again.
package struct FailingEffect: Equatable, Sendable {
  package let stream: StreamID
  package let key: EffectKey
  package let outage: Outage
}

/// Takes turns: receive, decide, append, diff wants, route (design §2).
///
/// Synchronous and single-threaded: its owner calls it from one place at a time, with the time. Group commit falls out
/// of that: all letters that wait are decided against tentative states, appended in *one* transaction, and only then
/// do effects start and replies go out. In the simulator the same code runs on a heap of inputs.
package final class Engine<Store: EventStore, Dispatcher: EffectDispatcher>
where Store.Event == StreamEvent, Store.State == StreamState {
  /// At most this many letters share a transaction, so that one slow commit cannot starve the protect lane.
  package static var batchLimit: Int { 256 }
  /// Of those, so many are left to the progress lane, so that a flood of verdicts cannot stop the queues for ever.
  package static var progressShare: Int { 16 }
  /// While the ledger refuses writes, letters wait this long between attempts.
  package static var outagePause: Span { .seconds(1) }
  /// The loser of a race decides again at once; one that loses so often in a row has lost its ledger to another writer,
  /// and pauses as in an outage.
  package static var conflictLimit: Int { 3 }
  /// Events read at once when a log is followed.
  static var pageSize: Int { 1000 }

  let store: Store
  let dispatcher: Dispatcher
  private let chance: () -> UInt64
  private let checksInvariants: Bool
  private let onViolation: (StreamID, [String]) -> Void

  private var mailbox = Mailbox()
  private var loaded: [StreamID: Loaded] = [:]
  private var tables: [StreamID: EffectTable] = [:]
  /// Streams of which an effect waits for its next attempt.
  private var retrying: Set<StreamID> = []
  /// Streams that stopped at an impossible pair or a broken invariant; every other stream goes on.
  package private(set) var quarantined: [StreamID: String] = [:]
  package private(set) var topology = Topology()

  private var routes = Routes()
  /// The log holds events that this engine has not routed: it comes back, or someone else wrote.
  private var isBehind = false
  /// Streams that another writer changed; they are loaded again before anything is decided.
  private var stale: Set<StreamID> = []
  private var conflictsInRow = 0
  private var pause: (since: Instant, until: Instant)?
  /// The last failure to write or read; nil while the ledger is well. Also a system in which nothing happens finds out
  /// that the ledger is well again: after each pause it writes, if only its routing cursor.
  package private(set) var outage: Outage?

  /// - Parameters:
  ///   - chance: sixty-four random bits, fresh at each call.
  ///   - checksInvariants: run every machine's `violations(in:)` after each turn; about a fifth of a turn's cost.
  ///   - onViolation: told before the stream is quarantined; the simulator and debug builds trap here.
  package init(
    store: Store, dispatcher: Dispatcher, checksInvariants: Bool, chance: @escaping () -> UInt64,
    onViolation: @escaping (StreamID, [String]) -> Void = { _, _ in }
  ) {
    self.store = store
    self.dispatcher = dispatcher
    self.checksInvariants = checksInvariants
    self.chance = chance
    self.onViolation = onViolation
  }

  // MARK: Coming back

  /// Loads every stream, starts everything that is wanted, and routes what a crash left unrouted. Called once, first.
  package func recover(now: Instant) throws(Outage) {
    for (stream, _) in try store.streams() { loaded[stream] = try load(stream) }
    if case .settings(let settings)? = loaded[.settings]?.state { topology = settings.topology }
    routes = Routes(cursor: try store.routingCursor())
    isBehind = true
    _ = try catchUp()
    for stream in loaded.keys.sorted() { reconcile(stream, now: now) }
  }

  // MARK: Turns

  package func post(_ parcel: Parcel) { mailbox.post(parcel) }
  package var hasWork: Bool { !mailbox.isEmpty || isBehind }
  /// What waits is held up until `nextDue`, because the ledger failed.
  package var isPausing: Bool { pause != nil }

  /// When the engine must be run again even if nothing is posted; nil when nothing is to be waited for. Work that no
  /// pause holds up is due at once, whatever this says.
  package var nextDue: Instant? {
    var earliest = pause?.until
    for stream in retrying where quarantined[stream] == nil {
      if let due = tables[stream]?.nextDue, earliest.map({ due < $0 }) ?? true { earliest = due }
    }
    return earliest
  }

  /// Decides what waits (at most `batchLimit` letters), makes it durable, starts and cancels effects. During an outage
  /// nothing is decided, but what the durable states want is still kept running.
  /// - Returns: replies to letters that asked for one, and the events appended.
  package func run(now: Instant) -> (replies: [Reply], appended: [RecordedEvent<StreamEvent>]) {
    var batch = Batch()
    var result: (replies: [Reply], appended: [RecordedEvent<StreamEvent>]) = ([], [])
    if !isPausing(at: now) {
      do throws(Outage) {
        batch.touched = try catchUp()
        fill(&batch, now: now)
        result = commit(&batch, now: now)
        if let failure = batch.failure { pause(because: failure, now: now) }
      } catch {
        pause(because: error, now: now)
      }
    }
    for stream in retrying where tables[stream]?.isDue(at: now) == true { batch.touched.insert(stream) }
    for stream in batch.touched.sorted() { reconcile(stream, now: now) }
    return result
  }

  // A clock that was set back ends the pause: it would otherwise last as long as the step.
  private func isPausing(at now: Instant) -> Bool {
    if let pause, pause.since <= now, now < pause.until { return true }
    pause = nil
    return false
  }

  private func pause(because failure: Outage, now: Instant) {
    outage = failure
    pause = (now, now + Self.outagePause)
  }

  /// The slow pulse: looks at every stream again, so that no single message is essential.
  package func pulse(now: Instant) {
    for stream in loaded.keys.sorted() { reconcile(stream, now: now) }
  }

  // MARK: Reading

  package func state(of stream: StreamID) -> StreamState? { loaded[stream]?.state }
  /// What the world refuses to do again and again, of all streams, sorted: not a fact of any history, but what people
  /// ask first.
  package func failing(at now: Instant) -> [FailingEffect] {
    tables.sorted { $0.key < $1.key }.flatMap { stream, table in
      table.failing(at: now).map { FailingEffect(stream: stream, key: $0.key, outage: $0.outage) }
    }
  }
  package var streams: [StreamID] { loaded.keys.sorted() }
  package func version(of stream: StreamID) -> Version { loaded[stream]?.version ?? 0 }
  /// What runs or waits for its next attempt, of all streams: nothing, when the system is at rest.
  package var isAtRest: Bool { !hasWork && tables.values.allSatisfy(\.isEmpty) }

  // MARK: One batch

  private func fill(_ batch: inout Batch, now: Instant) {
    while batch.letters < Self.batchLimit, batch.failure == nil,
      let parcel = mailbox.take(progressFirst: batch.letters >= Self.batchLimit - Self.progressShare)
    {
      if case .letter(let letter) = parcel {
        do throws(Outage) {
          try decide(letter, in: &batch, now: now)
          batch.letters += 1
        } catch {
          // Whoever asked is told; what was seen stays true and waits.
          batch.failure = error
          if let id = letter.reply {
            batch.unavailable.append(Reply(id: id, outcome: .unavailable(error)))
          } else {
            mailbox.putBack([parcel])
          }
          return
        }
      }
      batch.taken.append(parcel)
    }
  }

  private func decide(_ letter: Letter, in batch: inout Batch, now: Instant) throws(Outage) {
    if let reason = quarantined[letter.stream] {
      // A routed letter stays pending, so that a restart with mended code decides it.
      refuse(letter, Refusal(.notNow, "\(letter.stream) is quarantined: \(reason)"), in: &batch)
      return
    }
    if routes.isDecided(letter) {
      settle(letter, in: &batch)
      return
    }
    var current: Loaded
    var isFresh = false
    if let known = batch.tentative[letter.stream] ?? loaded[letter.stream] {
      current = known
    } else {
      current = try load(letter.stream)
      isFresh = true
    }
    let instant = max(now, current.at)
    do throws(Refusal) {
      let turn = try Turn.take(letter.input, in: current.state, TurnContext(now: instant, chance: chance()))
      if checksInvariants, !turn.events.isEmpty {
        let violations = Turn.violations(in: turn.state)
        if !violations.isEmpty {
          quarantine(letter.stream, violations)
          refuse(letter, Refusal(.notNow, "\(letter.stream) is quarantined: \(violations[0])"), in: &batch)
          return
        }
      }
      let first = batch.events.count
      for event in turn.events {
        current.version += 1
        batch.events.append(
          NewEvent(
            stream: letter.stream, version: current.version, at: instant, cause: letter.cause, actor: letter.actor,
            event: event))
      }
      if !turn.events.isEmpty {
        current.state = turn.state
        current.at = instant
      }
      // An unchanged state wants what it wanted; one that another writer changed has just been loaded.
      if !turn.events.isEmpty || isFresh {
        batch.tentative[letter.stream] = current
        batch.touched.insert(letter.stream)
      }
      if let id = letter.reply { batch.waiting.append((id, first..<batch.events.count)) }
    } catch {
      refuse(letter, error, in: &batch)
    }
    settle(letter, in: &batch)
  }

  private func settle(_ letter: Letter, in batch: inout Batch) {
    if case .routed(let position, _) = letter.cause { batch.routed.append(position) }
  }

  private func refuse(_ letter: Letter, _ refusal: Refusal, in batch: inout Batch) {
    if let id = letter.reply { batch.refused.append((letter.stream, Reply(id: id, outcome: .refused(refusal)))) }
  }

  private func quarantine(_ stream: StreamID, _ violations: [String]) {
    quarantined[stream] = violations.joined(separator: "; ")
    onViolation(stream, violations)
  }

  /// Notes an effect's end; a spent budget is told to its machine in the next turn.
  private func ended(_ parcel: Parcel, touching touched: inout Set<StreamID>, now: Instant) {
    guard case .ended(let stream, let key, let fence, let lane, let failure) = parcel else { return }
    touched.insert(stream)
    guard let end = tables[stream]?.ended(key, fence: fence, failure: failure, now: now) else { return }
    retrying.insert(stream)
    guard end == .exhausted else { return }
    let why = failure?.description ?? "it ended again and again without bringing about what was wanted"
    mailbox.post(
      .letter(
        Letter(to: stream, Turn.exhausted(stream.kind, key, why: why), cause: .observed(effect: key), lane: lane)))
  }

  private func commit(_ batch: inout Batch, now: Instant) -> ([Reply], [RecordedEvent<StreamEvent>]) {
    var recorded: [RecordedEvent<StreamEvent>] = []
    if batch.events.isEmpty {
      if outage != nil { probe(deciding: batch.routed, now: now) }
    } else {
      do throws(AppendFailure) {
        let positions = try store.append(batch.events, routedThrough: routes.cursor(afterDeciding: batch.routed))
        recorded = zip(positions, batch.events).map { RecordedEvent(position: $0, $1) }
      } catch {
        return (undo(&batch, because: error, now: now), [])
      }
      outage = nil
      conflictsInRow = 0
      for event in recorded { batch.tentative[event.stream]?.position = event.position }
    }
    routes.settle(batch.routed)
    for stream in batch.tentative.keys.sorted() {
      if let state = batch.tentative[stream], state.version > 0 { keep(state, of: stream) }
    }
    if let first = recorded.first {
      // A gap means that an earlier write took place although it was reported lost: the log is read instead.
      if first.position == routes.through + 1 { route(recorded) } else { isBehind = true }
    }
    for parcel in batch.taken { ended(parcel, touching: &batch.touched, now: now) }
    let replies = batch.waiting.map { Reply(id: $0.0, outcome: .accepted(events: Array(recorded[$0.1]))) }
    return (batch.unavailable + batch.refused.map(\.reply) + replies, recorded)
  }

  /// The smallest write there is: the routing cursor. Without it, an old outage would be shown until something happens.
  private func probe(deciding routed: [Position], now: Instant) {
    do throws(AppendFailure) {
      _ = try store.append([], routedThrough: routes.cursor(afterDeciding: routed))
      outage = nil
      conflictsInRow = 0
    } catch {
      pause(because: Self.outage(error), now: now)
    }
  }

  private static func outage(_ failure: AppendFailure) -> Outage {
    switch failure {
    case .conflict(let stream, let expected, let found):
      Outage("ledger", "\(stream) is at version \(found), not \(expected - 1): another writer; try again")
    case .outage(let reason): reason
    }
  }

  /// Nothing was written. Requests are answered (they may be repeated by whoever sent them); observations and routed
  /// inputs go back to where they were, because what was seen stays true.
  private func undo(_ batch: inout Batch, because failure: AppendFailure, now: Instant) -> [Reply] {
    let answer = Self.outage(failure)
    switch failure {
    case .conflict(let stream, _, _):
      stale.insert(stream)
      isBehind = true
      conflictsInRow += 1
      if conflictsInRow >= Self.conflictLimit { pause(because: answer, now: now) }
    case .outage:
      pause(because: answer, now: now)
    }
    let changed = Set(batch.events.map(\.stream))
    batch.touched = []
    putBack(batch, now: now, touching: &batch.touched)
    // A refusal may rest on what was not written; then it says nothing.
    let refused = batch.refused.map { stream, reply in
      changed.contains(stream) ? Reply(id: reply.id, outcome: .unavailable(answer)) : reply
    }
    return batch.unavailable + refused + batch.waiting.map { Reply(id: $0.0, outcome: .unavailable(answer)) }
  }

  /// An end waits for the observations that came before it: forgotten first, it would let its effect start again
  /// although its result is already here. Other ends count at once, so that a route is held up even by a full disk.
  private func putBack(_ batch: Batch, now: Instant, touching touched: inout Set<StreamID>) {
    var unwritten: [StreamID: Set<EffectKey>] = [:]
    var held: [Parcel] = []
    for parcel in batch.taken {
      switch parcel {
      case .letter(let letter):
        guard letter.reply == nil else { continue }
        if case .observed(let key) = letter.cause { unwritten[letter.stream, default: []].insert(key) }
        held.append(parcel)
      case .ended(let stream, let key, _, _, _):
        if unwritten[stream]?.contains(key) == true {
          held.append(parcel)
        } else {
          ended(parcel, touching: &touched, now: now)
        }
      }
    }
    mailbox.putBack(held)
  }

  // MARK: Streams

  /// The newest snapshot and the tail behind it.
  private func load(_ stream: StreamID) throws(Outage) -> Loaded {
    let snapshot = try store.snapshot(of: stream)
    var result = Loaded(
      state: snapshot?.state ?? .initial(stream.kind), version: snapshot?.version ?? 0,
      position: snapshot?.position ?? 0, at: snapshot?.at ?? Instant(milliseconds: 0),
      snapshotVersion: snapshot?.version ?? 0)
    while true {
      let tail = try store.events(of: stream, after: result.version, limit: 1000)
      if tail.isEmpty { break }
      for event in tail {
        guard Turn.fold(&result.state, event.event) else {
          throw Outage("ledger", "\(stream) holds a \(event.event.type) event; run 'plimsoll ledger verify'")
        }
        result.version = event.version
        result.position = event.position
        result.at = event.at
      }
    }
    // A stream without events does not exist yet; asking for one must not bring it about.
    if result.version > 0 { loaded[stream] = result }
    return result
  }

  private func keep(_ state: Loaded, of stream: StreamID) {
    var state = state
    if state.version - state.snapshotVersion >= snapshotInterval {
      let snapshot = Snapshot(
        stream: stream, version: state.version, position: state.position, at: state.at, state: state.state)
      // A snapshot only saves time: failing to write one is no failure of the turn, and is tried again next time.
      if (try? store.save(snapshot)) != nil { state.snapshotVersion = state.version }
    }
    loaded[stream] = state
  }

  private func reconcile(_ stream: StreamID, now: Instant) {
    guard let current = loaded[stream], quarantined[stream] == nil else { return }
    let wanted = Turn.effects(of: current.state)
    let orders = tables[stream, default: EffectTable()].reconcile(
      wanted: wanted, fence: Fence(current.position), now: now)
    for order in orders {
      switch order {
      case .start(let effect, let fence): dispatcher.start(effect, of: stream, fence: fence)
      case .cancel(let key, let fence): dispatcher.cancel(key, of: stream, fence: fence)
      }
    }
    if wanted.isEmpty { tables[stream] = nil }
    if retrying.contains(stream), tables[stream]?.nextDue == nil { retrying.remove(stream) }
  }

  // MARK: Routing

  /// Reads what the log holds beyond what was routed, loads the streams that it changed, and routes it. Does nothing
  /// when the engine is not behind.
  /// - Returns: the streams loaded.
  private func catchUp() throws(Outage) -> Set<StreamID> {
    guard isBehind else { return [] }
    var changed: Set<StreamID> = []
    while true {
      let page = try store.events(after: routes.through, limit: Self.pageSize)
      for event in page where event.version > version(of: event.stream) { stale.insert(event.stream) }
      for stream in stale.sorted() {
        _ = try load(stream)
        stale.remove(stream)
        changed.insert(stream)
      }
      if page.isEmpty { break }
      for event in page { routes.answered(event.cause, by: event.stream) }
      route(page)
    }
    isBehind = false
    return changed
  }

  /// Turns events into letters for other streams.
  private func route(_ events: [RecordedEvent<StreamEvent>]) {
    for event in events {
      if case .settings(.applied(let topology)) = event.event { self.topology = topology }
    }
    for event in events {
      routes.passed(event.position)
      let inputs = Wiring.route(event.event, of: event.stream, at: event.position, on: event.at, topology)
      for (index, routed) in inputs.enumerated() {
        let cause = Cause.routed(position: event.position, index: index)
        routes.posted(from: event.position)
        mailbox.post(.letter(Letter(to: routed.stream, routed.input, cause: cause, lane: routed.lane)))
      }
    }
  }
}

// Not inside the engine: a type nested in a generic one is handled without being specialised, at several times the cost.

/// A stream's state and where it stands.
private struct Loaded {
  var state: StreamState
  var version: Version
  /// Position of the stream's last event: the fence of what its state wants.
  var position: Position
  var at: Instant
  var snapshotVersion: Version
}

/// Letters decided against tentative states, not yet durable.
private struct Batch {
  /// As taken from the mailbox, in order: what goes back when nothing can be written.
  var taken: [Parcel] = []
  var letters = 0
  var tentative: [StreamID: Loaded] = [:]
  var events: [NewEvent<StreamEvent>] = []
  /// For each letter that wants a reply: the range of its events.
  var waiting: [(ReplyID, Range<Int>)] = []
  var refused: [(stream: StreamID, reply: Reply)] = []
  var unavailable: [Reply] = []
  /// Routed letters decided here, by the position they came from.
  var routed: [Position] = []
  var touched: Set<StreamID> = []
  /// A stream that could not be read.
  var failure: Outage?
}
