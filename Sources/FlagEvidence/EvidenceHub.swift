import FlagServing
import Kernel
import Ramps
import Synchronization

import struct Flags.Evaluation

/// Where exposures and outcomes of all environments meet the ramps that run: sources and evaluations leave what they
/// know, judges read what came of it, second by second.
///
/// Three parts, each behind a lock of its own, so that no source and no judge ever holds up an evaluation: the doorway
/// takes what evaluations leave; the inbox what sources send; the books are kept by `turn`, and by nobody else at the
/// same time. Everything is bounded; what has no room is dropped and counted, or its sender told to come again.
package final class EvidenceHub: Sendable {
  package struct Limits: Sendable {
    /// Exposures of evaluations, and things told by sources, that wait for the next turn: half a second of 200,000/s.
    package var waiting: Int
    package var ramps: Int
    /// Of what sources told and what waits for the next turn: some 500 bytes for each of `waiting`.
    package var bytes: Int
    package init(waiting: Int = 131_072, ramps: Int = 64, bytes: Int = 64 << 20) {
      self.waiting = waiting
      self.ramps = ramps
      self.bytes = bytes
    }
  }

  struct Inbox {
    var items: [(environment: String, item: EvidenceItem)] = []
    /// Of `items`.
    var bytes = 0
    var clocks = SourceClocks()
    var refused = 0
    var shifted = 0
    var foreign = 0
  }

  struct Books {
    var ramps: [Int: WatchedRamp] = [:]
    var nextRamp = 1
    var nextReader = 1
    /// By environment and service; at most `mostServices` of each environment. "" stands for all.
    var usual: [String: [String: UsualRates]] = [:]
    var toldAt: Int64?
    /// Of ramps that are gone: finished when the lock is open again, since that calls back.
    var ended: [AsyncStream<[RampTelling]>.Continuation] = []
  }

  static let mostServices = 64
  /// A turn takes what waits; a second is told as soon as it is whole, to a quarter of a second.
  static let turnEvery = Duration.milliseconds(250)

  package let environments: Set<String>
  package let limits: Limits
  let clock: @Sendable () -> Instant
  private let isKnown: @Sendable (_ environment: String, _ flag: String, _ variant: String) -> Bool
  private let doorway: Mutex<EvidenceDoorway>
  private let inbox = Mutex(Inbox())
  let books = Mutex(Books())

  /// - Parameters:
  ///   - clock: the wall clock, which also stamps evaluations.
  ///   - isKnown: whether an environment has what a source says it has shown. What is not known counts as shown to
  ///     nobody, so a variant that old clients may still have must be known; it is asked without a lock held.
  package init(
    environments: [String], limits: Limits = Limits(),
    clock: @escaping @Sendable () -> Instant = EvidenceHub.wallClock,
    isKnown: @escaping @Sendable (_ environment: String, _ flag: String, _ variant: String) -> Bool = { _, _, _ in
      true
    }
  ) {
    self.environments = Set(environments)
    self.limits = limits
    self.clock = clock
    self.isKnown = isKnown
    doorway = Mutex(EvidenceDoorway(limit: limits.waiting))
  }

  package static let wallClock: @Sendable () -> Instant = {
    Instant(milliseconds: Int64((WallClock.seconds() * 1000).rounded(.down)))
  }

  /// Takes a source's batch, whole or not at all.
  ///
  /// - Parameter source: whose clock stamped it.
  /// - Returns: false when there is no room; the sender may come again in a second.
  package func take(_ items: [EvidenceItem], from source: String, in environment: String) -> Bool {
    guard let newest = items.map(\.at).max() else { return true }
    let now = clock()
    let bounded = items.compactMap(\.bounded)
    let bytes = bounded.reduce(0) { $0 + $1.bytes }
    let clockName = "\(environment)/\(EvidenceHub.shortened(source))"
    let taken = inbox.withLock { inbox -> Span? in
      guard inbox.items.count + items.count <= limits.waiting, inbox.bytes + bytes <= limits.bytes else {
        inbox.refused += items.count
        return nil
      }
      let shift = inbox.clocks.shift(of: clockName, newest: newest, now: now)
      if shift != .zero { inbox.shifted += items.count }
      for item in bounded { inbox.items.append((environment, item.shifted(by: shift))) }
      inbox.bytes += bytes
      return shift
    }
    guard let shift = taken else { return false }
    noteShown(items, shift, in: environment, now)
    return true
  }

  /// Whether a batch may come: whoever has to come again is told so before its body is read.
  package var hasRoom: Bool {
    inbox.withLock { $0.items.count < limits.waiting && $0.bytes < limits.bytes }
  }

  /// By our clock; what is still ahead of it was shown by now.
  private func noteShown(_ items: [EvidenceItem], _ shift: Span, in environment: String, _ now: Instant) {
    var known: [(named: NamedVariant, isByTargeting: Bool, seconds: Double)] = []
    var foreign = 0
    for case .exposure(let named, let reason, _, _, let at) in items {
      guard isOurs(named.flag, named.variant, in: environment) else {
        foreign += 1
        continue
      }
      let seconds = Double(min(at + shift, now).milliseconds) / 1000
      known.append((named, EvidenceItem.isByTargeting(reason), seconds))
    }
    if foreign > 0 { inbox.withLock { $0.foreign += foreign } }
    doorway.withLock { doorway in
      for shown in known {
        doorway.note(
          environment, shown.named.flag, shown.named.variant, isByTargeting: shown.isByTargeting, isTold: true,
          shown.seconds)
      }
    }
  }

  private func isOurs(_ flag: String, _ variant: String, in environment: String) -> Bool {
    flag.utf8.count <= EvidenceItem.longestName && isKnown(environment, flag, variant)
  }

  /// A long name is known by its hash.
  private static func shortened(_ source: String) -> String {
    source.utf8.count <= EvidenceItem.longestName ? source : "#\(EvidenceKey.hash(source) ?? 0)"
  }

  /// Turns until the task ends.
  package func run() async {
    while !Task.isCancelled {
      turn(now: clock())
      do { try await Task.sleep(for: EvidenceHub.turnEvery) } catch { return }
    }
  }

  /// Takes what waits, and tells what became whole.
  package func turn(now: Instant) {
    let items = inbox.withLock { inbox in
      defer {
        inbox.items = []
        inbox.bytes = 0
      }
      return inbox.items
    }
    books.withLock { books in
      // Exposures first, taken under the books' lock: whoever stops watching waits, so no ramp is told of another's.
      for waiting in doorway.withLock({ $0.takeAll() }) {
        guard let at = Instant(secondsSince1970: waiting.at) else { continue }
        books.ramps[waiting.ramp]?.book.came(
          Exposure(cohort: waiting.cohort, unit: waiting.unit, version: waiting.version, at: at), now: now)
      }
      for (environment, item) in items {
        note(item, environment, now, &books)
        for id in Array(books.ramps.keys) where books.ramps[id]?.source.environment.rawValue == environment {
          books.ramps[id]?.absorb(item, now: now)
        }
      }
      let second = now.milliseconds / 1000
      guard books.toldAt != second else { return }
      books.toldAt = second
      for id in Array(books.ramps.keys) { books.ramps[id]?.tell(now: now) }
      forget(&books, now)
    }
    finishEnded()
  }

  private func finishEnded() {
    let ended = books.withLock { books in
      defer { books.ended = [] }
      return books.ended
    }
    for reader in ended { reader.finish() }
  }

  private func note(_ item: EvidenceItem, _ environment: String, _ now: Instant, _ books: inout Books) {
    guard case .outcome(_, _, let result, _) = item else { return }
    var services = books.usual[environment] ?? [:]
    books.usual[environment] = nil
    services["", default: UsualRates()].add(result, at: now)
    if let service = result.service, service.utf8.count <= EvidenceItem.longestName,
      services[service] != nil || services.count < EvidenceHub.mostServices
    {
      services[service, default: UsualRates()].add(result, at: now)
    }
    books.usual[environment] = services
  }

  private func forget(_ books: inout Books, _ now: Instant) {
    for ramp in Array(books.ramps.values) {
      guard let leftAt = ramp.leftAt, now - leftAt > WatchedRamp.kept else { continue }
      drop(ramp, &books)
    }
  }

  private func drop(_ ramp: WatchedRamp, _ books: inout Books) {
    books.ended += ramp.readers.values
    books.ramps[ramp.id] = nil
    doorway.withLock {
      $0.unwatch(ramp.source.flag.rawValue, in: ramp.source.environment.rawValue, ramp: ramp.id)
    }
  }
}

extension EvidenceHub: ExposureSink {
  package func exposed(
    environment: String, flag: String, variant: String, reason: Evaluation.Reason, version: Int, unit: String?,
    at seconds: Double
  ) {
    doorway.withLock {
      $0.exposed(
        environment, flag, variant, isByTargeting: reason == .targetingMatch, isTold: false, version: version,
        unit: unit, seconds)
    }
  }

  /// Like what sources tell: clients may name flags that there are not.
  package func reported(
    environment: String, flag: String, variant: String, count: Int, version: Int, at seconds: Double
  ) {
    guard isOurs(flag, variant, in: environment) else {
      inbox.withLock { $0.foreign += 1 }
      return
    }
    doorway.withLock {
      $0.exposed(
        environment, flag, variant, isByTargeting: false, isTold: true, version: version, unit: nil, seconds)
    }
  }

  package var dropped: Int { doorway.withLock { $0.dropped } }
  /// Things that sources had to keep for want of room.
  package var refused: Int { inbox.withLock { $0.refused } }
  /// Things whose time was set right, since their source's clock is wrong.
  package var shifted: Int { inbox.withLock { $0.shifted } }
  /// Exposures of what the environment does not have, by sources and clients; they prove nothing.
  package var foreign: Int { inbox.withLock { $0.foreign } }
  /// Exposures of flags and variants that there was no room to remember.
  package var crowded: Int { doorway.withLock { $0.crowded } }
}

extension EvidenceHub: RampEvidence {
  package func tellings(of ramp: RampSource) async throws(Outage) -> AsyncStream<[RampTelling]> {
    guard environments.contains(ramp.environment.rawValue) else { throw unknown(ramp.environment) }
    let (stream, continuation) = AsyncStream.makeStream(
      of: [RampTelling].self, bufferingPolicy: .bufferingOldest(WatchedRamp.mostBatches))
    let place = books.withLock { books -> (ramp: Int, reader: Int)? in
      guard let id = opened(ramp, &books) else { return nil }
      let reader = books.nextReader
      books.nextReader += 1
      books.ramps[id]?.readers[reader] = continuation
      books.ramps[id]?.leftAt = nil
      return (id, reader)
    }
    finishEnded()
    guard let place else {
      throw Outage("evidence", "is gathered for \(limits.ramps) ramps already; end one of them")
    }
    continuation.onTermination = { [weak self] _ in self?.left(place.ramp, reader: place.reader) }
    return stream
  }

  package func allocated(_ allocation: RampAllocation, of ramp: RampSource) async {
    let now = clock()
    books.withLock { books in
      guard environments.contains(ramp.environment.rawValue), let id = opened(ramp, &books) else { return }
      books.ramps[id]?.allocated(allocation, now: now)
    }
    finishEnded()
  }

  package func usual(of ramp: RampSource) async throws(Outage) -> [UsualTraffic?] {
    let now = clock()
    return books.withLock { books in
      let rates = books.usual[ramp.environment.rawValue]?[ramp.service?.rawValue ?? ""]
      return ramp.policy.guardrails.map { rates?.usual($0.measure, now: now) }
    }
  }

  package func shown(
    _ flag: FlagKey, in environment: EnvironmentName, variant: String?, since: Instant
  ) async throws(Outage) -> Instant? {
    guard environments.contains(environment.rawValue) else { throw unknown(environment) }
    let last = doorway.withLock {
      $0.lastShown(
        flag.rawValue, in: environment.rawValue, variant: variant, since: Double(since.milliseconds) / 1000)
    }
    switch last {
    case .never: return nil
    case .at(let seconds): return Instant(secondsSince1970: seconds).flatMap { $0 > since ? $0 : nil }
    case .untold:
      throw Outage(
        "evidence",
        """
        cannot tell when \(flag.rawValue) was last shown in \(environment): more names of flags and variants came than are \
        remembered; find the source that sends names which are no flags of it
        """)
    }
  }

  /// What was told of a ramp, by what came of it; nil when it is not watched.
  package func tally(of flag: FlagKey, in environment: EnvironmentName) -> EvidenceTally? {
    books.withLock { books in
      books.ramps.values.filter { $0.source.flag == flag && $0.source.environment == environment }
        .max { $0.id < $1.id }?.book.tally
    }
  }

  /// The ramp's number here; a newer ramp of the same flag takes the older one's place. Nil when there are too many.
  private func opened(_ ramp: RampSource, _ books: inout Books) -> Int? {
    let others = books.ramps.values.filter {
      $0.source.flag == ramp.flag && $0.source.environment == ramp.environment
    }
    if let same = others.first(where: { $0.source == ramp }) { return same.id }
    for other in others { drop(other, &books) }
    guard books.ramps.count < limits.ramps else { return nil }
    let id = books.nextRamp
    books.nextRamp += 1
    books.ramps[id] = WatchedRamp(id: id, source: ramp)
    books.ramps[id]?.leftAt = clock()
    doorway.withLock {
      $0.watch(ramp.flag.rawValue, in: ramp.environment.rawValue, ramp: id, variant: ramp.variant)
    }
    return id
  }

  private func left(_ ramp: Int, reader: Int) {
    let now = clock()
    books.withLock { books in
      books.ramps[ramp]?.readers[reader] = nil
      if books.ramps[ramp]?.readers.isEmpty == true { books.ramps[ramp]?.leftAt = now }
    }
  }

  private func unknown(_ environment: EnvironmentName) -> Outage {
    Outage("evidence", "is not gathered in \(environment); add it to plimsoll.yaml and restart")
  }
}
