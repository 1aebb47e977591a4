import API
import ControlPlane
import Hummingbird
import Kernel
import Migrations

/// Reading what is known of databases.
struct SchemaRoutes: Sendable {
  let lookup: Lookup

  func add(to router: some RouterMethods<BasicRequestContext>) {
    let lookup = lookup
    router.get("schemas") { _, _ in
      try Answer.json(SchemasView(schemas: await lookup.schemas().map { Views.schema($0.1, $0.0) }))
    }
    router.get("schemas/:environment/:database") { request, context in
      let query = Query(request, context)
      let (policy, state) = try await lookup.schema(query.path("environment"), query.path("database"))
      return try Answer.json(Views.schema(state, policy))
    }
  }
}

/// Overriding a refusal by name and reason, and telling which migrations a database has.
extension ChangingRoutes {
  func addSchemas(to router: some RouterMethods<BasicRequestContext>) {
    router.post("schemas/:environment/:database/override") { request, context in
      try await override(request, Query(request, context))
    }
    router.post("schemas/:environment/:database/adopt") { request, context in
      try await adopt(request, Query(request, context))
    }
  }

  private func override(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(SchemaOverrideRequest.self, of: request)
    let (policy, state) = try await lookup.schema(query.path("environment"), query.path("database"))
    let actor = try actor(request)
    let events = try await decide(request, wish, .schema(policy.place), lane: .progress) {
      let last = state.refused?.ask.commit
      guard let commit = last, wish.commit.count >= Lookup.shortestPrefix, commit.rawValue.hasPrefix(wish.commit) else {
        throw Refusal(
          .notNow,
          "Nothing of '\(Lookup.shown(wish.commit))' was refused in \(policy.place) last"
            + (last.map { ": the last was \($0.short)." } ?? ". Promote it, then read why."))
      }
      return .schema(
        .override(DatabaseSchema.OverrideRequest(commit: commit, actor: actor, reason: wish.reason)))
    }
    return try receipt(events)
  }

  private func adopt(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(SchemaAdoptionRequest.self, of: request)
    let (policy, _) = try await lookup.schema(query.path("environment"), query.path("database"))
    let actor = try actor(request)
    let lookup = self.lookup
    let events = try await decide(request, wish, .schema(policy.place), lane: .progress) {
      let commit = try await lookup.commit(wish.commit, of: policy)
      return .schema(
        .adopt(
          DatabaseSchema.Adoption(commit: commit, through: wish.through, actor: actor, reason: wish.reason)))
    }
    return try receipt(events)
  }
}

extension Lookup {
  /// Every database of the topology, and those that plimsoll.yaml named once, sorted by place.
  func schemas() async -> [(DatabaseSchema.Policy, DatabaseSchema.State)] {
    var found: [(DatabaseSchema.Policy, DatabaseSchema.State)] = []
    for standing in await backend.states(.schema) {
      if case .schema(let state) = standing.state, let policy = state.policy { found.append((policy, state)) }
    }
    for policy in await backend.topology().databases where !found.contains(where: { $0.0.place == policy.place }) {
      found.append((policy, DatabaseSchema.initial))
    }
    return found.sorted { $0.0.place < $1.0.place }
  }

  func schema(_ environment: String, _ database: String) async throws -> (DatabaseSchema.Policy, DatabaseSchema.State) {
    let known = await schemas()
    let here = known.filter { $0.0.place.environment.rawValue == environment }
    guard !here.isEmpty else {
      let names = known.reduce(into: [String]()) { names, schema in
        let name = schema.0.place.environment.rawValue
        if !names.contains(name) { names.append(name) }
      }
      throw Self.unknown("environment with a database", environment, among: names)
    }
    guard let found = here.first(where: { $0.0.place.database.rawValue == database }) else {
      throw Self.unknown("database in \(environment)", database, among: here.map { $0.0.place.database.rawValue })
    }
    return found
  }

  /// - Parameter text: a whole commit; nil for the trunk of the database's migrations.
  fileprivate func commit(_ text: String?, of policy: DatabaseSchema.Policy) async throws -> CommitID {
    guard let text else {
      guard let trunk = await queueState(.queue(policy.repository, policy.trunk)).trunk else {
        throw Refusal(.notNow, "The trunk of \(policy.repository) was not seen yet: wait, or name the commit.")
      }
      return trunk
    }
    guard let commit = CommitID(rawValue: text.lowercased()) else {
      throw Refusal(.malformed, "The field 'commit' is '\(Self.shown(text))': give all of a commit's digits.")
    }
    return commit
  }
}
