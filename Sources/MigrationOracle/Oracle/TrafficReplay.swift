import Foundation
import Kernel
import Migrations

/// L6, measured: the statements are sent again and again on a second connection while the migration runs with its
/// `lock_timeout`, and the longest that one waited is told. The shadow's tables are small, so this finds locks that are
/// held across statements, not the time that a large table takes: that is predicted from its size.
struct TrafficReplay: Sendable {
  /// Statements sent in turn; more only dilute those that meet the migration.
  static let maximalStatements = 200
  /// A wait that is nothing beside the machine's own jitter, in milliseconds.
  static let quietMs = 50

  let database: ServerAddress
  let migration: [MigrationFile]
  let lockTimeout: Span

  struct Traffic: Sendable {
    var candidates: [Candidate]
    var roles: [String]
    /// nil: NULL for every parameter.
    var values: [[String?]?]
  }

  struct Measured: Sendable {
    /// Of all statements, in milliseconds.
    var longestMs: Int
    var executions: Int
    /// The statement that waited longest.
    var slowest: Int?
    /// Why the migration did not run to its end.
    var failure: PostgresError?
  }

  func run(_ all: Traffic) async throws -> Measured {
    let stopped = Flag()
    async let traffic = BlockingThread.run { try send(all, until: stopped) }
    var failure: PostgresError?
    do {
      failure = try await BlockingThread.run { try migrate() }
    } catch {
      stopped.set()
      _ = try? await traffic
      throw error
    }
    stopped.set()
    var measured = try await traffic
    measured.failure = failure
    return measured
  }

  private func migrate() throws -> PostgresError? {
    let connection = try PostgresConnection(database)
    try connection.query("SET lock_timeout = \(lockTimeout.milliseconds)")
    var applier = MigrationApplier(connection, relaxesSeededRows: true)
    return try applier.apply(migration)?.error
  }

  private func send(_ traffic: Traffic, until stopped: Flag) throws -> Measured {
    let candidates = Array(traffic.candidates.prefix(Self.maximalStatements))
    let (roles, values) = (traffic.roles, traffic.values)
    let trial = try Trial(PostgresConnection(database, statementSeconds: OracleCheck.trialSeconds))
    let outcomes = try trial.prepare(candidates, Array(candidates.indices), roles: roles)
    let sound = candidates.indices.filter { outcomes[$0].error == nil }
    var measured = Measured(longestMs: 0, executions: 0, slowest: nil, failure: nil)
    guard !sound.isEmpty else { return measured }
    while !stopped.isSet {
      for index in sound where !stopped.isSet {
        let count = outcomes[index].shape?.parameters.count ?? 0
        let parameters = values[index] ?? Array(repeating: nil, count: count)
        let start = ContinuousClock.now
        _ = try trial.execute(candidates, [Trial.Execution(index: index, parameters: parameters)], roles: roles)
        let waited = ContinuousClock.now - start
        let ms = Int(waited.components.seconds) * 1000 + Int(waited.components.attoseconds / 1_000_000_000_000_000)
        measured.executions += 1
        if ms > measured.longestMs {
          measured.longestMs = ms
          measured.slowest = index
        }
      }
    }
    return measured
  }

  /// Set once by one thread, read by another.
  private final class Flag: @unchecked Sendable {
    private let lock = NSLock()
    private var value = false
    var isSet: Bool { lock.withLock { value } }
    func set() { lock.withLock { value = true } }
  }
}

extension TrafficReplay.Measured {
  func findings(_ traffic: TrafficReplay.Traffic, lockTimeout: Span) -> [Finding] {
    var found: [Finding] = []
    if let failure {
      let waited = failure.sqlState == "55P03"
      found.append(
        Finding(
          .hazard, .locks, rule: waited ? "lock-not-taken" : "fails-under-traffic",
          waited
            ? "the migration did not get a lock within \(lockTimeout.milliseconds) ms while the statements ran; try again"
              + " when traffic is low, or wait longer"
            : "the migration fails while the statements run: \(failure)", sqlState: failure.sqlState,
          instead: Advice.shorterLock(nil)))
    }
    guard let slowest, longestMs > TrafficReplay.quietMs else { return found }
    let stalls = Int64(longestMs) > lockTimeout.milliseconds
    found.append(
      Finding(
        stalls ? .hazard : .note, .locks, rule: "traffic-stalled",
        "“\(OracleFindings.title(traffic.candidates[slowest]))” waited \(longestMs) ms while the migration ran on a shadow of"
          + " few rows (\(executions) statements sent)", statement: traffic.candidates[slowest].references.first,
        direction: .oldCodeNewSchema, instead: Advice.shorterLock(nil)))
    return found
  }
}
