import Kernel

/// What the proxy saw of one version: statements, how they follow each other in transactions, and what it left out.
package struct Recording: Equatable, Sendable {
  package var heading: Heading
  /// Sorted by fingerprint, text, parameter types, transport, role and search path.
  package var statements: [RecordedStatement]
  /// Sorted by their statements.
  package var transactions: [TransactionShape]

  package init(heading: Heading, statements: [RecordedStatement] = [], transactions: [TransactionShape] = []) {
    self.heading = heading
    self.statements = statements.sorted { $0.order < $1.order }
    self.transactions = transactions.sorted { $0.statements.lexicographicallyPrecedes($1.statements) }
  }

  /// Whose statements these are, under which policy, and everything that a reader must know before trusting them.
  package struct Heading: Codable, Equatable, Sendable {
    /// The format's number, first so that a reader can refuse a newer one.
    package var format: Int
    /// A digest, or a label such as `v41`.
    package var version: String
    package var policy: RecordingPolicy
    /// `server_version` as the server reported it.
    package var server: String?
    /// Names that clients connected to, sorted.
    package var databases: [String]
    package var connections: Int
    package var leftOut: LeftOut

    package static let format = 1

    package init(
      version: String, policy: RecordingPolicy, server: String? = nil, databases: [String] = [], connections: Int = 0,
      leftOut: LeftOut = LeftOut()
    ) {
      format = Self.format
      self.version = version
      self.policy = policy
      self.server = server
      self.databases = databases
      self.connections = connections
      self.leftOut = leftOut
    }
  }

  /// Counts of what passed through and is not in the recording. All zero means that nothing is missing.
  package struct LeftOut: Codable, Equatable, Sendable {
    /// Statements whose text was longer than the recorder keeps.
    package var oversizedTexts: Int = 0
    /// Statements beyond the most that a recording holds.
    package var surplusStatements: Int = 0
    /// Settings of role and search path beyond the most that a recording tells apart.
    package var surplusSettings: Int = 0
    /// Transaction shapes beyond the most that a recording holds.
    package var surplusTransactions: Int = 0
    /// Calls by the function-call message, which names a function by number and no statement; those of functions that
    /// the server brought along are not counted.
    package var functionCalls: Int = 0
    /// Connections whose conversation the recorder could not follow to the end.
    package var unfollowedConnections: Int = 0
    /// Replication connections, whose commands are no SQL.
    package var replicationConnections: Int = 0
    /// Statements of a file whose constants cannot be told from the rest, so that they stay where they are.
    package var unreadableTexts: Int = 0

    package init() {}

    package var isNothing: Bool { self == LeftOut() }

    /// Statements that are missing, at least: of a connection that was not followed nobody knows how many. Settings,
    /// shapes of transactions and replication are no statements.
    package var statements: Int {
      oversizedTexts + surplusStatements + functionCalls + unfollowedConnections + unreadableTexts
    }
  }

  /// What the oracle checks: statements that ran, or were prepared without fault, at least once. One that only ever
  /// failed is no evidence of what the version needs.
  package var statementSet: StatementSet {
    StatementSet(
      version: heading.version, statements: statements.compactMap(\.captured), leftOut: heading.leftOut.statements)
  }
}

extension Recording.LeftOut {
  /// A count that is not written is zero: recordings are read by newer versions too.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    func count(_ key: CodingKeys) throws -> Int { try container.decodedCount(forKey: key) }
    oversizedTexts = try count(.oversizedTexts)
    surplusStatements = try count(.surplusStatements)
    surplusSettings = try count(.surplusSettings)
    surplusTransactions = try count(.surplusTransactions)
    functionCalls = try count(.functionCalls)
    unfollowedConnections = try count(.unfollowedConnections)
    replicationConnections = try count(.replicationConnections)
    unreadableTexts = try count(.unreadableTexts)
  }
}

/// What of the values and constants that pass through is kept.
package enum RecordingPolicy: String, Codable, Equatable, Sendable, CaseIterable {
  /// Of bound values the length and whether they are NULL; constants in simple-query text become `$1`, `$2`.
  case types
  /// Bound values and texts as sent, except passwords of roles.
  case keep
}

/// A statement as it passed through the proxy.
package struct RecordedStatement: Equatable, Sendable {
  package var fingerprint: String
  package var text: String
  package var transport: Transport
  package var parameterTypes: [UInt32]
  package var samples: [[SampleValue]]
  /// Executions that succeeded.
  package var count: Int
  /// Preparations that succeeded.
  package var prepared: Int
  /// Executions and preparations that failed.
  package var failures: Int
  /// SQLSTATE of the last failure.
  package var lastFailure: String?
  package var role: String?
  package var searchPath: String?

  package init(
    fingerprint: String, text: String, transport: Transport, parameterTypes: [UInt32] = [],
    samples: [[SampleValue]] = [], count: Int = 0, prepared: Int = 0, failures: Int = 0, lastFailure: String? = nil,
    role: String? = nil, searchPath: String? = nil
  ) {
    self.fingerprint = fingerprint
    self.text = text
    self.transport = transport
    self.parameterTypes = parameterTypes
    self.samples = samples
    self.count = count
    self.prepared = prepared
    self.failures = failures
    self.lastFailure = lastFailure
    self.role = role
    self.searchPath = searchPath
  }

  /// Which of the protocol's two ways of sending a statement.
  package enum Transport: String, Codable, Equatable, Sendable {
    case simple
    case extended
  }

  fileprivate var order: (String, String, String, String, String, String) {
    (
      fingerprint, text, parameterTypes.map(String.init).joined(separator: ","), transport.rawValue, role ?? "",
      searchPath ?? ""
    )
  }

  /// Nil for a statement that never succeeded, unless it failed for its data or for others' doings: the version sends it,
  /// and the schema was there.
  package var captured: CapturedStatement? {
    guard count > 0 || (prepared > 0 && failures == 0) || hasMetItsSchema else { return nil }
    return CapturedStatement(
      fingerprint: fingerprint, text: text, parameterTypes: parameterTypes, samples: samples, count: max(count, 1),
      source: .proxy, role: role, searchPath: searchPath)
  }

  /// Its last failure came after the statement had found everything that it names.
  private var hasMetItsSchema: Bool { lastFailure.map { Self.otherCauses.contains(String($0.prefix(2))) } ?? false }

  /// Classes of SQLSTATE (PostgreSQL's appendix A): data exceptions, violated constraints, transactions rolled back,
  /// lacking resources, objects in use, an operator's intervention, errors that a function raises.
  private static let otherCauses: Set<String> = ["22", "23", "40", "53", "55", "57", "P0"]
}

/// Statements that ran one after the other in one transaction, by their fingerprints, and how often they did.
/// BEGIN, COMMIT and their like are not among them.
package struct TransactionShape: Codable, Equatable, Sendable {
  package var statements: [String]
  package var count: Int
  /// How many of `count` met an error.
  package var failed: Int
  /// The transaction was longer than `maximalStatements`; its end is missing.
  package var isCut: Bool

  package static let maximalStatements = 64

  package init(statements: [String], count: Int, failed: Int = 0, isCut: Bool = false) {
    self.statements = statements
    self.count = count
    self.failed = failed
    self.isCut = isCut
  }
}

extension Recording {
  /// What a server holds, whoever can reach it may read.
  ///
  /// - Throws: `Refusal` when it keeps values.
  package func mayLeave() throws(Refusal) {
    guard heading.policy == .types else { throw Self.holdsValues }
  }

  package static let holdsValues = Refusal(
    .malformed,
    "The recording keeps values (--policy keep), which may be secrets, and the server shows what it holds to whoever "
      + "can read it: record with --policy types and send that.")
}
