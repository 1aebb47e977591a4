import API
import ControlPlane
import Hummingbird
import Kernel
import Rollouts

/// What people decide about one service in one environment. All in the protect lane: none of it waits behind results
/// of tests.
extension ChangingRoutes {
  func addRollouts(to router: some RouterMethods<BasicRequestContext>) {
    let calls: [(RouterPath, @Sendable (Request, Query) async throws -> Response)] = [
      ("rollback", rollBack), ("drill", drill), ("lift", lift), ("floor", setFloor), ("approve", approve),
      ("freeze", freeze), ("thaw", thaw),
    ]
    for (verb, call) in calls {
      router.post("rollouts/:service/:environment/\(verb)") { request, context in
        try await call(request, Query(request, context))
      }
    }
  }

  private func rollBack(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(RollbackRequest.self, of: request)
    let (service, environment, state) = try await lookup.delivery(query.path("service"), query.path("environment"))
    let actor = try actor(request)
    let events = try await decide(request, wish, .delivery(service, environment), lane: .protect) {
      let known = state.knownGood.map(\.deployment.digest) + state.condemned.map(\.digest)
      let to = try wish.to.map { try Lookup.digest($0, among: known, "version of \(service) in \(environment)") }
      let from = try wish.from.map { text throws(Refusal) -> DeploymentID in
        guard let deployment = DeploymentID(rawValue: text) else {
          throw Refusal(
            .malformed,
            "The field 'from' is '\(Lookup.shown(text))', which is no deployment: give what "
              + "/v1/services/\(service)/\(environment) shows as 'leaving'.")
        }
        return deployment
      }
      return .delivery(.rollBack(Rollout.RollBackRequest(to: to, from: from, reason: wish.reason, actor: actor)))
    }
    return try receipt(events)
  }

  private func lift(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(LiftRequest.self, of: request)
    let (service, environment, state) = try await lookup.delivery(query.path("service"), query.path("environment"))
    let events = try await decide(request, wish, .delivery(service, environment), lane: .protect) {
      let digest = try Lookup.digest(
        wish.digest, among: state.condemned.reversed().map(\.digest),
        "condemned version of \(service) in \(environment)")
      return .delivery(.lift(digest, reason: wish.reason))
    }
    return try receipt(events)
  }

  private func drill(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(DrillRequest.self, of: request)
    let place = try await place(query)
    let actor = try actor(request)
    let events = try await decide(request, wish, place, lane: .protect) {
      .delivery(.drill(actor: actor, reason: wish.reason))
    }
    let rollout = events.lazy.compactMap { event -> RolloutID? in
      switch event.event {
      case .delivery(.started(let start)): start.id
      case .delivery(.drillOrdered(let id, actor: _, at: _)): id
      default: nil
      }
    }.first
    return try receipt(events, rollout: rollout)
  }

  private func approve(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(ApproveRequest.self, of: request)
    let place = try await place(query)
    let actor = try actor(request)
    let events = try await decide(request, wish, place, lane: .protect) {
      .delivery(
        .approve(Rollout.Approval(rollout: wish.rollout, step: wish.step, actor: actor, reason: wish.reason)))
    }
    return try receipt(events, rollout: wish.rollout)
  }

  private func freeze(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(FreezeRequest.self, of: request)
    let place = try await place(query)
    let actor = try actor(request)
    let events = try await decide(request, wish, place, lane: .protect) {
      .delivery(
        .freeze(
          Rollout.Freeze(reason: wish.reason, actor: actor, until: wish.untilMs.map { Instant(milliseconds: $0) })))
    }
    return try receipt(events)
  }

  private func thaw(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(ThawRequest.self, of: request)
    let place = try await place(query)
    let actor = try actor(request)
    let events = try await decide(request, wish, place, lane: .protect) {
      .delivery(.thaw(actor: actor, reason: wish.reason))
    }
    return try receipt(events)
  }

  private func setFloor(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(FloorRequest.self, of: request)
    let (service, environment, state) = try await lookup.delivery(query.path("service"), query.path("environment"))
    let actor = try actor(request)
    let events = try await decide(request, wish, .delivery(service, environment), lane: .protect) {
      let digest = try Lookup.digest(
        wish.digest, among: state.knownGood.map(\.deployment.digest),
        "known-good version of \(service) in \(environment)")
      return .delivery(.setFloor(Rollout.Floor(digest: digest, reason: wish.reason, actor: actor)))
    }
    return try receipt(events)
  }

  private func place(_ query: Query) async throws -> StreamID {
    let (service, environment, _) = try await lookup.delivery(query.path("service"), query.path("environment"))
    return .delivery(service, environment)
  }
}
