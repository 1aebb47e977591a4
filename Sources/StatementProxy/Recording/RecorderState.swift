import Migrations

/// What a recorder holds, within its limits.
struct RecorderState: Sendable {
  struct Slot: Sendable {
    let fingerprint: String
    var text: String
    let transport: RecordedStatement.Transport
    let types: [UInt32]
    let session: Int
    var samples: [[SampleValue]] = []
    /// Executions since the last sample that was new.
    var sampleTries = 0
    var count = 0
    var prepared = 0
    var failures = 0
    var lastFailure: String?
  }

  struct Shape: Hashable, Sendable {
    var slots: [Int]
    var isCut: Bool
  }

  var slots: [Slot] = []
  var slotOf: [StatementKey: Int] = [:]
  /// Those that differ only in constants.
  var groups: [StatementKey: [Int]] = [:]
  /// Groups whose constants turned out to vary.
  var normalised: Set<StatementKey> = []
  var known: [RawText: [FollowedStatement]] = [:]
  var knownBytes = 0
  var textBytes = 0
  var sampleBytes = 0
  var shapes: [Shape: (count: Int, failed: Int)] = [:]
  var sessions: [SessionSettings.Values] = []
  var sessionNumbers: [SessionSettings.Values: Int] = [:]
  var server: String?
  var databases: Set<String> = []
  var connections = 0
  var leftOut = Recording.LeftOut()
  var changes = 0

  mutating func session(_ values: SessionSettings.Values) -> Int {
    if let number = sessionNumbers[values] { return number }
    guard sessions.count < StatementRecorder.maximalSettings else {
      leftOut.surplusSettings += 1
      return sessions.firstIndex { $0.role == values.role } ?? 0
    }
    sessionNumbers[values] = sessions.count
    sessions.append(values)
    return sessions.count - 1
  }

  mutating func forgetTexts() {
    known.removeAll(keepingCapacity: true)
    knownBytes = 0
  }

  func recording(version: String, policy: RecordingPolicy) -> Recording {
    var statements: [StatementKey: RecordedStatement] = [:]
    for slot in slots where slot.count + slot.prepared + slot.failures > 0 {
      let key = StatementKey(
        form: StatementForm(slot.text, types: slot.types, constants: .told), transport: slot.transport,
        session: slot.session)
      if statements[key] == nil {
        statements[key] = RecordedStatement(
          fingerprint: slot.fingerprint, text: slot.text, transport: slot.transport, parameterTypes: slot.types,
          role: sessions[slot.session].role, searchPath: sessions[slot.session].searchPath)
      }
      // Texts become alike when their constants are taken out.
      statements[key]?.absorb(slot)
    }
    var transactions: [ShapeName: TransactionShape] = [:]
    for (shape, times) in shapes {
      let name = ShapeName(fingerprints: shape.slots.map { slots[$0].fingerprint }, isCut: shape.isCut)
      transactions[name, default: TransactionShape(statements: name.fingerprints, count: 0, isCut: name.isCut)].count +=
        times.count
      transactions[name]?.failed += times.failed
    }
    return Recording(
      heading: .init(
        version: version, policy: policy, server: server, databases: databases.sorted(), connections: connections,
        leftOut: leftOut),
      statements: Array(statements.values), transactions: Array(transactions.values))
  }

  private struct ShapeName: Hashable {
    var fingerprints: [String]
    var isCut: Bool
  }
}

extension RecordedStatement {
  fileprivate mutating func absorb(_ slot: RecorderState.Slot) {
    count += slot.count
    prepared += slot.prepared
    failures += slot.failures
    lastFailure = slot.lastFailure ?? lastFailure
    for sample in slot.samples where samples.count < CapturedStatement.maximalSamples && !samples.contains(sample) {
      samples.append(sample)
    }
  }
}
