import Migrations
import Synchronization

/// Collects what conversations tell it, in bounded memory, from any thread. It looks on: nothing waits for it but the
/// proxy's own thread, and that only for a statement not seen before.
package final class StatementRecorder: Sendable {
  package let version: String
  package let policy: RecordingPolicy
  private let reading: StatementReading
  private let state = Mutex(RecorderState())

  /// Longer texts are counted and not kept. Generated SQL of ordinary programs stays below 100 kB.
  package static let maximalTextBytes = 1 << 20
  /// Distinct statements; a large Rails application has about 3,000.
  package static let maximalStatements = 20_000
  package static let maximalTransactions = 5_000
  /// All kept texts together, and all samples: as JSON, where each byte of a text may be two and a value that was left out
  /// is longer than in memory, both are below the 64 MiB that a server takes.
  package static let maximalKeptBytes = 16 << 20
  /// Roles and search paths told apart. A schema for each tenant makes thousands, all with the same statements.
  package static let maximalSettings = 64
  /// Names of databases kept; a client may ask for any.
  static let maximalDatabases = 64
  /// Binds looked at for a new sample before the search for one ends.
  static let maximalSampleTries = 64
  /// Raw texts remembered so that a repeated one costs one lookup.
  private static let maximalKnown = 10_000
  private static let maximalKnownBytes = 8 << 20

  package init(version: String, policy: RecordingPolicy, reading: StatementReading) {
    self.version = version
    self.policy = policy
    self.reading = reading
  }

  /// Grows with everything recorded: equal numbers mean that nothing is new.
  package var changes: Int { state.withLock { $0.changes } }

  /// What was recorded so far.
  package func recording() -> Recording {
    // The copy shares its storage with the state, so the lock is held for no longer than a few pointers take.
    state.withLock { $0 }.recording(version: version, policy: policy)
  }

  // MARK: - What conversations tell

  func connected(to database: String) {
    state.withLock {
      $0.connections += 1
      if $0.databases.count < Self.maximalDatabases { $0.databases.insert(database) }
      $0.changes += 1
    }
  }

  func reported(server: String) { state.withLock { $0.server = server } }

  func count(_ loss: WritableKeyPath<Recording.LeftOut, Int>) {
    state.withLock {
      $0.leftOut[keyPath: loss] += 1
      $0.changes += 1
    }
  }

  /// A number for whose rights and which path statements run with.
  func session(_ values: SessionSettings.Values) -> Int { state.withLock { $0.session(values) } }

  /// The statements of a message's text, known or new.
  func statements(
    _ text: UnsafeRawBufferPointer, _ transport: RecordedStatement.Transport, types: [UInt32], session: Int
  ) -> [FollowedStatement] {
    let key = RawText(bytes: Array(text), types: types, transport: transport, session: session)
    return state.withLock { state in
      if let known = state.known[key] { return known }
      let whole = String(decoding: key.bytes, as: UTF8.self)
      let parts = transport == .simple ? reading.split(whole) : [whole]
      let found = parts.map { part in
        // What has an effect on the session alone depends on no schema: it is understood and not recorded.
        if let effect = StatementEffect.read(part) { return FollowedStatement(slot: nil, effect: effect) }
        return FollowedStatement(
          slot: slot(for: part, transport, types: types, session: session, in: &state), effect: nil)
      }
      if state.known.count >= Self.maximalKnown || state.knownBytes >= Self.maximalKnownBytes { state.forgetTexts() }
      state.known[key] = found
      state.knownBytes += key.bytes.count
      return found
    }
  }

  private func slot(
    for text: String, _ transport: RecordedStatement.Transport, types: [UInt32], session: Int,
    in state: inout RecorderState
  ) -> Int? {
    let kept = kept(text, transport)
    func key(_ constants: StatementForm.Constants) -> StatementKey {
      StatementKey(
        form: StatementForm(kept, types: types, constants: constants), transport: transport, session: session)
    }
    let same = key(.told)
    if let slot = state.slotOf[same] { return slot }
    let group = key(.open)
    let alike = state.groups[group] ?? []
    if let first = alike.first, alike.count >= StatementSet.maximalTexts {
      if policy == .types, !state.normalised.contains(group) {
        for slot in alike { state.slots[slot].text = withoutConstants(state.slots[slot].text) }
        state.normalised.insert(group)
      }
      return first
    }
    guard state.slots.count < Self.maximalStatements,
      state.textBytes + kept.utf8.count <= Self.maximalKeptBytes
    else {
      state.leftOut.surplusStatements += 1
      state.changes += 1
      return nil
    }
    let slot = state.slots.count
    state.slots.append(
      RecorderState.Slot(
        fingerprint: reading.fingerprint(text), text: kept, transport: transport, types: types, session: session))
    state.textBytes += kept.utf8.count
    state.slotOf[same] = slot
    state.groups[group] = alike + [slot]
    return slot
  }

  /// The text as the policy lets it be kept. Constants of a simple query are the user's data; numbers of a prepared text
  /// are the program's own, until they turn out to vary, and its strings may be anybody's. Passwords are never kept.
  private func kept(_ text: String, _ transport: RecordedStatement.Transport) -> String {
    if LiteralMask.maySetPassword(text) { return withoutConstants(text) }
    guard policy == .types else { return text }
    return transport == .simple ? withoutConstants(text) : LiteralMask.masked(text, .strings)
  }

  /// The parser leaves the strings of some commands alone (NOTIFY, COMMENT, the options of a user mapping).
  private func withoutConstants(_ text: String) -> String {
    guard let normal = reading.normalise(text) else { return LiteralMask.masked(text, .stringsAndNumbers) }
    return LiteralMask.masked(normal, .strings)
  }

  func wantsSample(_ slot: Int) -> Bool {
    state.withLock { state in
      state.slots[slot].samples.count < CapturedStatement.maximalSamples
        && state.slots[slot].sampleTries < Self.maximalSampleTries
    }
  }

  func executed(_ slot: Int, sample: [SampleValue]?) {
    state.withLock { state in
      state.slots[slot].count += 1
      state.changes += 1
      guard let sample, !sample.isEmpty else { return }
      state.slots[slot].sampleTries += 1
      if state.slots[slot].samples.count < CapturedStatement.maximalSamples,
        !state.slots[slot].samples.contains(sample),
        state.sampleBytes + Self.size(sample) <= Self.maximalKeptBytes
      {
        state.slots[slot].samples.append(sample)
        state.sampleBytes += Self.size(sample)
        state.slots[slot].sampleTries = 0
      }
    }
  }

  private static func size(_ sample: [SampleValue]) -> Int {
    sample.reduce(0) { sum, value in
      switch value {
      case .text(let text): sum + MemoryLayout<SampleValue>.stride + text.utf8.count
      case .null, .redacted: sum + MemoryLayout<SampleValue>.stride
      }
    }
  }

  func prepared(_ slot: Int) {
    state.withLock {
      $0.slots[slot].prepared += 1
      $0.changes += 1
    }
  }

  func failed(_ slot: Int, state code: String?) {
    state.withLock {
      $0.slots[slot].failures += 1
      $0.slots[slot].lastFailure = code
      $0.changes += 1
    }
  }

  func transaction(_ slots: [Int], failed: Bool, isCut: Bool) {
    state.withLock { state in
      let key = RecorderState.Shape(slots: slots, isCut: isCut)
      guard state.shapes[key] != nil || state.shapes.count < Self.maximalTransactions else {
        state.leftOut.surplusTransactions += 1
        return
      }
      state.shapes[key, default: (0, 0)].count += 1
      if failed { state.shapes[key, default: (0, 0)].failed += 1 }
      state.changes += 1
    }
  }
}

/// One statement of a message: where it is counted, nil for nowhere, and what it does besides.
struct FollowedStatement: Sendable {
  var slot: Int?
  var effect: StatementEffect?
}

/// A message's text as it came.
struct RawText: Hashable, Sendable {
  var bytes: [UInt8]
  var types: [UInt32]
  var transport: RecordedStatement.Transport
  var session: Int
}

/// A kept text's form, with or without its constants, together with what else tells statements apart.
struct StatementKey: Hashable, Sendable {
  var form: StatementForm
  var transport: RecordedStatement.Transport
  var session: Int
}
