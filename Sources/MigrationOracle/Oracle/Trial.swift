/// Tries statements on one database, each level in one pipeline. Everything that is executed is rolled back.
final class Trial {
  /// How a statement fared at the levels that execute nothing.
  struct Outcome: Equatable, Sendable {
    /// nil where it could not be parsed.
    var shape: StatementShape?
    var error: PostgresError?
    /// Whether the error came at the plan, not at the parse.
    var failedAtPlan = false
    /// The role that it ran with.
    var role: String
  }

  /// A session of the server: what it has looked up once, it keeps.
  private final class Session {
    let connection: PostgresConnection
    var role = ""
    var path = ""
    init(_ connection: PostgresConnection) { self.connection = connection }
  }

  private let session: Session
  private let prefix: String
  private var prepared: Set<Int> = []

  private var connection: PostgresConnection { session.connection }

  init(_ connection: PostgresConnection) throws {
    session = Session(connection)
    prefix = "p"
    try connection.query("SET plan_cache_mode = force_generic_plan")
  }

  /// Of other statements on the connection of another trial; both are used by one thread at a time.
  init(beside other: Trial) {
    session = other.session
    prefix = other.prefix + "n"
  }

  private func name(_ index: Int) -> String { "\(prefix)\(index)" }

  /// L1 and L2: parse, describe, generic plan with no values.
  /// - Parameter indices: which of the candidates; the answer has one entry for each.
  func prepare(_ candidates: [Candidate], _ indices: [Int], roles: [String]) throws -> [Outcome] {
    var outcomes = indices.map { Outcome(shape: nil, error: nil, role: roles[$0]) }
    for group in groups(candidates, indices, roles) {
      try enter(role: group.role, path: group.path)
      let replies = try connection.pipeline(
        group.members.map { place in
          let candidate = candidates[indices[place]]
          let name = name(indices[place])
          let again: [PostgresConnection.Message] =
            prepared.contains(indices[place]) ? [.run("DEALLOCATE \(name)")] : []
          return again + [.prepare(name: name, text: candidate.text, types: candidate.types), .describe(name: name)]
        })
      for (place, reply) in zip(group.members, replies) {
        outcomes[place].error = reply.error
        if reply.error == nil {
          outcomes[place].shape = reply.answers.last?.shape
          prepared.insert(indices[place])
        } else {
          prepared.remove(indices[place])
        }
      }
      let planned = group.members.filter { outcomes[$0].shape != nil && candidates[indices[$0]].reading.isPlanned }
      let plans = try connection.pipeline(
        planned.map { place in
          let nulls = Array(repeating: "NULL", count: outcomes[place].shape?.parameters.count ?? 0)
          let list = nulls.isEmpty ? "" : "(\(nulls.joined(separator: ", ")))"
          return [.run("EXPLAIN (COSTS OFF) EXECUTE \(name(indices[place]))\(list)")]
        })
      for (place, reply) in zip(planned, plans) where reply.error != nil {
        outcomes[place].error = reply.error
        outcomes[place].failedAtPlan = true
      }
    }
    return outcomes
  }

  struct Execution: Equatable, Sendable {
    var index: Int
    var parameters: [String?]
    /// SQL that the shadow's owner runs first, in the same transaction: it puts rows into a state that they may have.
    var arrangement: [String] = []
    /// Values with which it is executed once more after that.
    var again: [String?]?

    /// - Parameter enter: takes the application's role again after an arrangement.
    func messages(name: String, enter: PostgresConnection.Message) -> [PostgresConnection.Message] {
      let arranged: [PostgresConnection.Message] =
        arrangement.isEmpty ? [] : [.run("RESET ROLE")] + arrangement.map { .run($0) } + [enter]
      let second: [PostgresConnection.Message] = again.map { [.execute(name: name, parameters: $0)] } ?? []
      return arranged + [.execute(name: name, parameters: parameters)] + second
    }

    /// Messages before the first execution.
    var lead: Int { arrangement.isEmpty ? 0 : arrangement.count + 2 }
  }

  struct Result: Equatable, Sendable {
    var error: PostgresError?
    var affected: Int?
    /// The error met the arrangement, not the statement: nothing was tried.
    var isUntried = false
  }

  /// L3: executes prepared statements, each in its own transaction that ends by ROLLBACK, deferred constraints checked.
  func execute(_ candidates: [Candidate], _ executions: [Execution], roles: [String]) throws -> [Result] {
    var results = executions.map { _ in Result() }
    for group in groups(candidates, executions.map(\.index), roles) {
      try enter(role: group.role, path: group.path)
      let back = PostgresConnection.Message.run("SET ROLE \(quoted(group.role))")
      let replies = try connection.pipeline(
        group.members.map { place in
          let execution = executions[place]
          // The first ROLLBACK ends what a failed segment before it left open.
          return [.run("ROLLBACK"), .run("BEGIN")]
            + execution.messages(name: name(execution.index), enter: back)
            + [.run("SET CONSTRAINTS ALL IMMEDIATE"), .run("ROLLBACK")]
        })
      for (place, reply) in zip(group.members, replies) {
        let first = 2 + executions[place].lead
        results[place] = Result(
          error: reply.error, affected: reply.answers.count > first ? reply.answers[first].affected : nil,
          isUntried: reply.error != nil && reply.answers.count < first)
      }
      try connection.query("ROLLBACK")
    }
    return results
  }

  private struct Group {
    var role: String
    var path: String
    var members: [Int] = []
  }

  /// Statements of one role and one search path run together; in the order in which those are met first.
  private func groups(_ candidates: [Candidate], _ indices: [Int], _ roles: [String]) -> [Group] {
    var groups: [Group] = []
    var places: [String: Int] = [:]
    for (place, index) in indices.enumerated() {
      let path = candidates[index].statement.searchPath ?? ""
      let key = "\(roles[index])\u{0}\(path)"
      if places[key] == nil {
        places[key] = groups.count
        groups.append(Group(role: roles[index], path: path))
      }
      if let group = places[key] { groups[group].members.append(place) }
    }
    return groups
  }

  private func enter(role: String, path: String) throws {
    if role != session.role {
      try connection.query("SET ROLE \(quoted(role))")
      session.role = role
    }
    if path != session.path {
      try connection.query(path.isEmpty ? "RESET search_path" : "SET search_path = \(path)")
      session.path = path
    }
  }
}

extension StatementReading {
  /// Whether EXPLAIN takes it.
  var isPlanned: Bool { kind == .read || kind == .insert || kind == .update || kind == .delete || kind == .unreadable }
}
