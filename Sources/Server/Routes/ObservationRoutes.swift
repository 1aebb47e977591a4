import API
import Hummingbird
import Kernel
import Rollouts

/// Reading what is only observed.
struct ObservationRoutes: Sendable {
  let reader: Reader

  func add(to router: some RouterMethods<BasicRequestContext>) {
    let reader = reader
    router.get("observations") { _, _ in try Answer.json(await reader.observations()) }
    router.get("observations/:service/:environment") { request, context in
      let query = Query(request, context)
      return try Answer.json(try await reader.observation(query.path("service"), query.path("environment")))
    }
    router.get("observations/:service/:environment/:id") { request, context in
      let query = Query(request, context)
      return try Answer.json(
        try await reader.observed(query.path("service"), query.path("environment"), query.path("id")))
    }
    router.get("observations/:service/:environment/:id/evidence") { request, context in
      let query = Query(request, context)
      return try Answer.json(
        try await reader.observedEvidence(query.path("service"), query.path("environment"), query.path("id")))
    }
    router.get("observations/:service/:environment/:id/evidence.png") { request, context in
      let query = Query(request, context)
      return Answer.bytes(
        try await reader.observedPNG(query.path("service"), query.path("environment"), query.path("id")),
        type: "image/png")
    }
  }
}

/// Telling what was deployed, and what the team did about it. Nothing else can be asked of an observed place.
extension ChangingRoutes {
  func addObservations(to router: some RouterMethods<BasicRequestContext>) {
    router.post("observations/:service/:environment/deployments") { request, context in
      try await tell(request, Query(request, context))
    }
    router.post("observations/:service/:environment/team") { request, context in
      try await correct(request, Query(request, context))
    }
  }

  private func tell(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(DeploymentRequest.self, of: request)
    let (service, environment, _) = try await lookup.observation(query.path("service"), query.path("environment"))
    guard let version = ObservedVersion(rawValue: wish.version) else {
      throw Refusal(
        .malformed,
        "The field 'version' is '\(Lookup.shown(wish.version))': give 1 to \(ObservedVersion.longest) bytes on one line."
      )
    }
    let at = wish.atMs.map(Instant.init(milliseconds:))
    let source: Observation.Source = wish.byHand == true ? .person : .webhook
    let events = try await decide(request, wish, .observation(service, environment), lane: .progress) {
      .observation(.tell(Observation.Telling(version, at: at, source: source)))
    }
    return try receipt(events)
  }

  private func correct(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(TeamRequest.self, of: request)
    let (service, environment, _) = try await lookup.observation(query.path("service"), query.path("environment"))
    let did: Observation.Correction.Act
    switch wish.did {
    case "kept": did = .kept
    case "rolledBack": did = .rolledBack(at: wish.atMs.map(Instant.init(milliseconds:)))
    case let other:
      throw Refusal(.malformed, "The field 'did' is '\(Lookup.shown(other))': give kept or rolledBack.")
    }
    let actor = try actor(request)
    let events = try await decide(request, wish, .observation(service, environment), lane: .progress) {
      .observation(
        .correct(
          Observation.Correction(deployment: wish.deployment, did: did, actor: actor, reason: wish.reason ?? "")))
    }
    return try receipt(events)
  }
}
