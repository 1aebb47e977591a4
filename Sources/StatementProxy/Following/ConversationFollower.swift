import Migrations
import NIOCore

/// Understands one session's conversation from a copy of its bytes: which statement the client sent, and whether the
/// server carried it out (protocol 3.0, "Message Flow"). Confined to the session's event loop.
///
/// It follows the server's answers in order, which is all the protocol promises; a session that answers otherwise is no
/// longer followed, and the recording says so.
final class ConversationFollower {
  private let recorder: StatementRecorder
  private let lost: (String) -> Void
  private var fromClient = MessageScanner(limits: ConversationFollower.clientLimits)
  private var fromServer = MessageScanner(limits: ConversationFollower.serverLimits)
  private var pending = CircularBuffer<Operation>(initialCapacity: 16)
  private var settings: SessionSettings
  private var session: Int
  private var statements: [String: PreparedStatement] = [:]
  private var portals: [String: Portal] = [:]
  /// The unnamed ones, which most clients use alone, need no dictionary.
  private var unnamedStatement: PreparedStatement?
  private var unnamedPortal: Portal?
  /// After an error in the extended protocol the server ignores everything up to a Sync.
  private var isSkipping = false
  /// After an error during an extended COPY, Syncs are ignored until the client's CopyDone.
  private var awaitsCopyEnd = false
  private var shape = TransactionSoFar()
  private(set) var isFollowing = true

  /// Operations sent and not answered. A server stops reading long before; a client cannot make this grow by itself.
  private static let maximalPending = 100_000
  /// Named statements and portals of one session.
  private static let maximalNames = 10_000
  /// Enough for the names and values of an ordinary Bind; of a longer one only the names are read.
  private static let maximalBind = 64 << 10

  init(_ recorder: StatementRecorder, _ start: SessionStart, lost: @escaping (String) -> Void) {
    self.recorder = recorder
    self.lost = lost
    settings = SessionSettings(.init(role: start.user, searchPath: start.searchPath))
    session = recorder.session(settings.current)
    pending.append(.startup)
  }

  private static let clientLimits: MessageScanner.Limits = { tag in
    switch tag {
    case UInt8(ascii: "Q"), UInt8(ascii: "P"): StatementRecorder.maximalTextBytes
    case UInt8(ascii: "B"): maximalBind
    case UInt8(ascii: "D"), UInt8(ascii: "E"), UInt8(ascii: "C"): 4096
    case UInt8(ascii: "F"): 4
    case UInt8(ascii: "S"), UInt8(ascii: "c"), UInt8(ascii: "f"): 0
    default: -1
    }
  }

  private static let serverLimits: MessageScanner.Limits = { tag in
    switch tag {
    case UInt8(ascii: "1"), UInt8(ascii: "2"), UInt8(ascii: "3"), UInt8(ascii: "n"), UInt8(ascii: "T"),
      UInt8(ascii: "C"), UInt8(ascii: "I"), UInt8(ascii: "s"), UInt8(ascii: "G"):
      0
    case UInt8(ascii: "Z"): 1
    case UInt8(ascii: "E"), UInt8(ascii: "S"): 4096
    case UInt8(ascii: "t"): maximalBind
    default: -1
    }
  }

  func client(sent bytes: UnsafeRawBufferPointer) {
    guard isFollowing else { return }
    let isProtocol = fromClient.scan(bytes) { clientMessage($0, $1, $2) }
    if !isProtocol { giveUp("the client sent bytes that are no messages") }
    if pending.count > Self.maximalPending { giveUp("more than \(Self.maximalPending) messages wait for an answer") }
  }

  func server(sent bytes: UnsafeRawBufferPointer) {
    guard isFollowing else { return }
    let isProtocol = fromServer.scan(bytes) { serverMessage($0, $2) }
    if !isProtocol { giveUp("the server sent bytes that are no messages") }
  }

  /// Between two messages of the server's, so that a message of the proxy's own may be put in.
  var isServerBetweenMessages: Bool { isFollowing && fromServer.isBetweenMessages }

  private func giveUp(_ cause: String) {
    guard isFollowing else { return }
    isFollowing = false
    pending.removeAll()
    recorder.count(\.unfollowedConnections)
    lost(cause)
  }

  // MARK: - The client's messages

  private func clientMessage(_ tag: UInt8, _ length: Int, _ body: UnsafeRawBufferPointer) {
    switch tag {
    case UInt8(ascii: "B"): bind(body, isWhole: body.count == length)
    case UInt8(ascii: "E"):
      var reader = WireReader(body)
      execute(portal: reader.string() ?? "")
    case UInt8(ascii: "S"):
      if !awaitsCopyEnd { pending.append(.sync) }
    case UInt8(ascii: "P"): parse(body, isWhole: body.count == length)
    case UInt8(ascii: "Q"): query(body, isWhole: body.count == length)
    case UInt8(ascii: "D"):
      var reader = WireReader(body)
      let isStatement = reader.byte() == UInt8(ascii: "S")
      pending.append(.describe(statement: isStatement ? reader.string() : nil))
    case UInt8(ascii: "C"):
      var reader = WireReader(body)
      let isStatement = reader.byte() == UInt8(ascii: "S")
      if let name = reader.string() {
        if isStatement { keep(nil, as: name) } else { open(nil, as: name) }
      }
      pending.append(.close)
    case UInt8(ascii: "F"):
      var reader = WireReader(body)
      // Functions of the server itself, such as those of large objects, depend on no migration.
      if reader.oid().map({ $0 >= CapturedStatement.firstOwnOID }) ?? true { recorder.count(\.functionCalls) }
      pending.append(.call)
    case UInt8(ascii: "c"), UInt8(ascii: "f"):
      if awaitsCopyEnd { awaitsCopyEnd = false } else { pending.append(.copyEnd) }
    default: break
    }
  }

  private func query(_ body: UnsafeRawBufferPointer, isWhole: Bool) {
    var statements: [FollowedStatement] = []
    var reader = WireReader(body)
    if isWhole, let text = reader.stringBytes() {
      statements = recorder.statements(text, .simple, types: [], session: session)
    } else {
      recorder.count(\.oversizedTexts)
    }
    pending.append(.simple(SimpleQuery(statements: statements)))
  }

  private func parse(_ body: UnsafeRawBufferPointer, isWhole: Bool) {
    var reader = WireReader(body)
    let name = reader.string() ?? ""
    var types: [UInt32] = []
    var statement = FollowedStatement(slot: nil, effect: nil)
    if isWhole, let text = reader.stringBytes() {
      for _ in 0..<(reader.count() ?? 0) { types.append(reader.oid() ?? 0) }
      statement = recorder.statements(text, .extended, types: types, session: session).first ?? statement
    } else {
      recorder.count(\.oversizedTexts)
    }
    pending.append(.parse(Preparation(name: name, statement: statement, before: prepared(name))))
    keep(PreparedStatement(statement: statement, types: types), as: name)
  }

  private func bind(_ body: UnsafeRawBufferPointer, isWhole: Bool) {
    var reader = WireReader(body)
    guard let portal = reader.string(), let name = reader.string() else { return pending.append(.bind(slot: nil)) }
    let prepared = prepared(name)
    pending.append(.bind(slot: prepared?.statement.slot))
    // A statement made by SQL's PREPARE, or one beyond the limits, is not known.
    guard let prepared else { return open(nil, as: portal) }
    var sample: [SampleValue]?
    if isWhole, let slot = prepared.statement.slot, recorder.wantsSample(slot) {
      sample = Self.sample(&reader, types: prepared.types, policy: recorder.policy)
    }
    open(Portal(statement: prepared.statement, sample: sample), as: portal)
  }

  /// Nil when the message does not say what it should.
  private static func sample(
    _ reader: inout WireReader, types: [UInt32], policy: RecordingPolicy
  ) -> [SampleValue]? {
    guard let formatCount = reader.count() else { return nil }
    var formats: [Int] = []
    for _ in 0..<formatCount {
      guard let format = reader.int16() else { return nil }
      formats.append(format)
    }
    guard let count = reader.count() else { return nil }
    var values: [SampleValue] = []
    values.reserveCapacity(count)
    for index in 0..<count {
      guard let length = reader.int32() else { return nil }
      guard length >= 0 else {
        values.append(.null)
        continue
      }
      guard let bytes = reader.slice(length) else { return nil }
      let format = formats.count == 1 ? formats[0] : index < formats.count ? formats[index] : 0
      let type = index < types.count ? types[index] : 0
      values.append(BoundValue.sample(bytes, isBinary: format == 1, type: type, policy: policy))
    }
    return values
  }

  private func execute(portal name: String) {
    let portal = name.isEmpty ? unnamedPortal : portals[name]
    let nothing = FollowedStatement(slot: nil, effect: nil)
    pending.append(
      .execute(
        Execution(
          portal: name, statement: portal?.statement ?? nothing, sample: portal?.sample,
          isContinued: portal?.isSuspended ?? false)))
  }

  private func prepared(_ name: String) -> PreparedStatement? { name.isEmpty ? unnamedStatement : statements[name] }

  private func keep(_ statement: PreparedStatement?, as name: String) {
    if name.isEmpty {
      unnamedStatement = statement
    } else if statement == nil || statements.count < Self.maximalNames {
      statements[name] = statement
    }
  }

  private func open(_ portal: Portal?, as name: String) {
    if name.isEmpty {
      unnamedPortal = portal
    } else if portal == nil || portals.count < Self.maximalNames {
      portals[name] = portal
    }
  }

  // MARK: - The server's messages

  private func serverMessage(_ tag: UInt8, _ body: UnsafeRawBufferPointer) {
    guard isFollowing else { return }
    switch tag {
    case UInt8(ascii: "C"), UInt8(ascii: "I"): completed(isSuspended: false)
    case UInt8(ascii: "Z"): ready(body.first ?? UInt8(ascii: "I"))
    case UInt8(ascii: "2"):
      guard case .bind? = answered() else { return outOfStep("BindComplete") }
      pending.removeFirst()
    case UInt8(ascii: "T"), UInt8(ascii: "n"):
      // Within a simple query rows are described unasked.
      if case .describe? = answered() { pending.removeFirst() }
    case UInt8(ascii: "t"): described(body)
    case UInt8(ascii: "1"):
      guard case .parse(let preparation)? = answered() else { return outOfStep("ParseComplete") }
      pending.removeFirst()
      preparation.statement.slot.map(recorder.prepared)
    case UInt8(ascii: "3"):
      guard case .close? = answered() else { return outOfStep("CloseComplete") }
      pending.removeFirst()
    case UInt8(ascii: "s"): completed(isSuspended: true)
    case UInt8(ascii: "E"): failed(ServerError.state(body))
    case UInt8(ascii: "G"):
      if case .execute(var execution)? = answered() {
        execution.isCopyingIn = true
        pending[pending.startIndex] = .execute(execution)
      }
    case UInt8(ascii: "S"): reported(body)
    default: break
    }
  }

  /// The operation that the server's present message answers. The end of a COPY that the server had given up by itself
  /// is answered by nothing.
  private func answered() -> Operation? {
    while case .copyEnd? = pending.first { pending.removeFirst() }
    return pending.first
  }

  private func outOfStep(_ message: String) { giveUp("the server sent \(message), which nothing asked for") }

  private func completed(isSuspended: Bool) {
    switch answered() {
    case .simple(var query)?:
      if !query.isOver, query.completed < query.statements.count { succeeded(query.statements[query.completed], nil) }
      query.completed += 1
      pending[pending.startIndex] = .simple(query)
    case .execute(let execution)?:
      pending.removeFirst()
      if !execution.isContinued { succeeded(execution.statement, execution.sample) }
      if isSuspended {
        if execution.portal.isEmpty {
          unnamedPortal?.isSuspended = true
        } else {
          portals[execution.portal]?.isSuspended = true
        }
      }
      if execution.isCopyingIn { dropIgnoredSyncs() }
    case .startup?, .parse?, .bind?, .describe?, .close?, .call?, .sync?, .copyEnd?, nil:
      outOfStep("CommandComplete")
    }
  }

  private func succeeded(_ statement: FollowedStatement, _ sample: [SampleValue]?) {
    if let slot = statement.slot {
      recorder.executed(slot, sample: sample)
      shape.append(slot)
    }
    if let effect = statement.effect {
      if effect == .rollback { shape.isRolledBack = true }
      settings.apply(effect)
      session = recorder.session(settings.current)
    }
  }

  private func failed(_ code: String?) {
    shape.hasFailed = true
    shape.hasJustFailed = true
    switch answered() {
    case .simple(var query)?:
      if !query.isOver, query.completed < query.statements.count {
        query.statements[query.completed].slot.map { recorder.failed($0, state: code) }
      }
      query.isOver = true
      pending[pending.startIndex] = .simple(query)
    case .parse(let preparation)?:
      pending.removeFirst()
      isSkipping = true
      keep(preparation.before, as: preparation.name)
      preparation.statement.slot.map { recorder.failed($0, state: code) }
    case .execute(let execution)?:
      pending.removeFirst()
      isSkipping = true
      execution.statement.slot.map { recorder.failed($0, state: code) }
      if execution.isCopyingIn { dropIgnoredSyncs() }
    case .bind(let slot)?:
      pending.removeFirst()
      isSkipping = true
      slot.map { recorder.failed($0, state: code) }
    case .describe?, .close?:
      pending.removeFirst()
      isSkipping = true
    // A commit at Sync may fail; a session may be refused or ended by the server at any time.
    case .sync?, .call?, .startup?, .copyEnd?, nil: break
    }
  }

  private func dropIgnoredSyncs() {
    while let next = pending.first {
      if case .copyEnd = next {
        pending.removeFirst()
        return
      }
      guard case .sync = next else { return }
      pending.removeFirst()
    }
    awaitsCopyEnd = true
  }

  private func described(_ body: UnsafeRawBufferPointer) {
    guard case .describe(let name?)? = answered(), var statement = prepared(name) else { return }
    var reader = WireReader(body)
    guard let count = reader.count() else { return }
    var types: [UInt32] = []
    for _ in 0..<count { types.append(reader.oid() ?? 0) }
    statement.types = types
    keep(statement, as: name)
  }

  private func ready(_ status: UInt8) {
    if isSkipping {
      guard skipToSync() else { return giveUp("the server was ready before the client had sent a Sync") }
    } else {
      switch answered() {
      case .startup?, .simple?, .call?, .sync?: pending.removeFirst()
      case .parse?, .bind?, .describe?, .execute?, .close?, .copyEnd?, nil: return outOfStep("ReadyForQuery")
      }
    }
    if status == UInt8(ascii: "I") { endTransaction() }
    shape.status = status
    shape.hasJustFailed = false
  }

  /// What was skipped never happened: names mean what they meant before.
  private func skipToSync() -> Bool {
    isSkipping = false
    var skipped: [Preparation] = []
    defer { for preparation in skipped.reversed() { keep(preparation.before, as: preparation.name) } }
    while let next = pending.popFirst() {
      switch next {
      case .sync: return true
      case .parse(let preparation): skipped.append(preparation)
      case .startup, .simple, .bind, .describe, .execute, .close, .call, .copyEnd: continue
      }
    }
    return false
  }

  private func endTransaction() {
    if shape.slots.count > 1 { recorder.transaction(shape.slots, failed: shape.hasFailed, isCut: shape.isCut) }
    settings.transactionEnded(rolledBack: shape.endsRolledBack)
    session = recorder.session(settings.current)
    shape = TransactionSoFar()
  }

  private func reported(_ body: UnsafeRawBufferPointer) {
    var reader = WireReader(body)
    guard let name = reader.string(), let value = reader.string() else { return }
    switch name {
    case "server_version": recorder.reported(server: value)
    // Reported since PostgreSQL 18.
    case "search_path":
      settings.reported(searchPath: value)
      session = recorder.session(settings.current)
    default: break
    }
  }

  /// The statements that ran since the session was last idle.
  private struct TransactionSoFar {
    var slots: [Int] = []
    /// Of the last ReadyForQuery: I idle, T in a transaction, E in a failed one.
    var status = UInt8(ascii: "I")
    var hasFailed = false
    /// Since the last ReadyForQuery.
    var hasJustFailed = false
    var isRolledBack = false
    var isCut = false

    /// A transaction that went back to a savepoint has failed once and may yet be committed.
    var endsRolledBack: Bool { status == UInt8(ascii: "E") || hasJustFailed || isRolledBack }

    mutating func append(_ slot: Int) {
      if slots.count < TransactionShape.maximalStatements { slots.append(slot) } else { isCut = true }
    }
  }
}
