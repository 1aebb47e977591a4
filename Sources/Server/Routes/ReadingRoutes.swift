import API
import HTTPTypes
import Hummingbird
import Kernel

/// The reading half of `/v1`.
struct ReadingRoutes: Sendable {
  let reader: Reader
  let feed: EventFeed

  func add(to router: some RouterMethods<BasicRequestContext>) {
    let reader = reader
    let feed = feed
    router.get("overview") { _, _ in try Answer.json(try await reader.overview()) }
    router.get("services/:service/:environment") { request, context in
      let query = Query(request, context)
      return try Answer.json(try await reader.environment(query.path("service"), query.path("environment")))
    }
    router.get("queues") { _, _ in try Answer.json(QueuesView(queues: await reader.queues())) }
    router.get("queues/:repository") { request, context in
      try Answer.json(try await reader.queue(Query(request, context).path("repository")))
    }
    router.get("queues/:repository/waits") { request, context in
      let query = Query(request, context)
      let days = try Self.days(query)
      return try Answer.json(try await reader.waits(query.path("repository"), days: days))
    }
    router.get("changes/:repository/:entry") { request, context in
      let query = Query(request, context)
      return try Answer.json(try await reader.change(query.path("repository"), query.path("entry")))
    }
    router.get("promotions") { request, context in
      let limit = try Query(request, context).number("limit", in: Self.listRange, otherwise: Self.usualList)
      return try Answer.json(await reader.promotions(limit: Int(limit)))
    }
    router.get("promotions/:service/:commit") { request, context in
      let query = Query(request, context)
      return try Answer.json(try await reader.promotion(query.path("service"), query.path("commit")))
    }
    router.get("artifacts") { request, context in
      let limit = try Query(request, context).number("limit", in: Self.listRange, otherwise: Self.usualList)
      return try Answer.json(await reader.artifacts(limit: Int(limit)))
    }
    router.get("artifacts/:digest") { request, context in
      try Answer.json(try await reader.artifact(Query(request, context).path("digest")))
    }
    router.get("artifacts/:digest/provenance") { request, context in
      Answer.bytes(try await reader.provenance(Query(request, context).path("digest")), type: "application/json")
    }
    addRollouts(to: router)
    addPast(to: router, feed)
  }

  private func addRollouts(to router: some RouterMethods<BasicRequestContext>) {
    let reader = reader
    router.get("rollouts/:service/:environment") { request, context in
      let query = Query(request, context)
      return try Answer.json(try await reader.rollouts(query.path("service"), query.path("environment")))
    }
    router.get("rollouts/:service/:environment/:id") { request, context in
      let query = Query(request, context)
      return try Answer.json(
        try await reader.rollout(query.path("service"), query.path("environment"), query.path("id")))
    }
    router.get("rollouts/:service/:environment/:id/evidence") { request, context in
      let query = Query(request, context)
      return try Answer.json(
        try await reader.evidence(query.path("service"), query.path("environment"), query.path("id")))
    }
    router.get("rollouts/:service/:environment/:id/evidence.png") { request, context in
      let query = Query(request, context)
      return Answer.bytes(
        try await reader.png(query.path("service"), query.path("environment"), query.path("id")), type: "image/png")
    }
  }

  private func addPast(to router: some RouterMethods<BasicRequestContext>, _ feed: EventFeed) {
    let reader = reader
    router.get("measures") { request, context in
      let query = Query(request, context)
      let days = try Self.days(query)
      return try Answer.json(
        try await reader.measures(
          service: query.text("service"), environment: query.text("environment"), days: days))
    }
    router.get("events") { request, context in
      let query = Query(request, context)
      let after = try query.number("after", in: 0...Int64.max, otherwise: 0)
      let limit = try query.number("limit", in: 1...Int64(Reader.eventLimit), otherwise: 100)
      return try Answer.json(
        try await reader.events(after: after, stream: query.text("stream"), limit: Int(limit)))
    }
    router.get("events/live") { request, context in
      let query = Query(request, context)
      let after: Int64? =
        if let name = HTTPField.Name("Last-Event-ID"), let text = request.headers[name] {
          try Self.position(text)
        } else if query.text("after") != nil {
          try query.number("after", in: 0...Int64.max, otherwise: 0)
        } else {
          nil
        }
      // The head of an endless answer has no body whose end could free the connection's place.
      guard request.method != .head else { return Answer.bytes([], type: "text/event-stream") }
      return try await feed.response(after: after)
    }
    router.get("logs/:digest") { request, context in
      Answer.bytes(
        try await reader.log(Query(request, context).path("digest")), type: "text/plain; charset=utf-8")
    }
    router.get("health") { _, _ in
      let health = await reader.health()
      return try Answer.json(health, health.well ? .ok : .serviceUnavailable)
    }
    router.get("openapi.yaml") { _, _ in Answer.text(OpenAPI.document, type: "application/yaml; charset=utf-8") }
  }

  private static func days(_ query: Query) throws -> Int {
    Int(
      try query.number(
        "days", in: Int64(Reader.measureDays.lowerBound)...Int64(Reader.measureDays.upperBound),
        otherwise: Int64(Reader.defaultMeasureDays)))
  }

  private static func position(_ text: String) throws -> Int64 {
    guard let position = Int64(text), position >= 0 else {
      throw Refusal(
        .malformed, "Last-Event-ID is '\(Lookup.shown(text))': give the id of an event, which is a ledger position.")
    }
    return position
  }

  private static let listRange = 1...Int64(Reader.listLimit)
  private static let usualList: Int64 = 50
}
