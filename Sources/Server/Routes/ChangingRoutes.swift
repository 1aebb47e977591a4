import API
import ControlPlane
import Foundation
import HTTPTypes
import Hummingbird
import Kernel
import MergeQueues
import Promotions

/// The changing half of `/v1`: each call becomes one input to one machine, which decides.
struct ChangingRoutes: Sendable {
  let backend: any Backend
  let lookup: Lookup
  private let requests: RecentRequests

  init(backend: any Backend, lookup: Lookup) {
    self.backend = backend
    self.lookup = lookup
    requests = RecentRequests(backend: backend)
  }

  /// Characters of `Plimsoll-Request` and `Plimsoll-Actor`.
  static let headerLimit = 120

  func add(to router: some RouterMethods<BasicRequestContext>) {
    router.post("promotions/:service/:commit") { request, context in
      try await promote(request, Query(request, context))
    }
    addQueues(to: router)
    addRollouts(to: router)
  }

  private func promote(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(API.PromoteRequest.self, of: request)
    let build = try await lookup.build(query.path("service"), query.path("commit"))
    let environment: EnvironmentName? =
      if let name = wish.environment {
        try lookup.environment(name, of: try await lookup.service(query.path("service")))
      } else {
        nil
      }
    let events = try await decide(request, wish, build.stream, lane: .progress) {
      .build(
        .promote(
          Promotion.PromoteRequest(environment: environment, override: wish.override ?? false, reason: wish.reason)))
    }
    return try receipt(events)
  }

  // MARK: Parts

  /// - Parameter input: looks up what the wish names. It is not asked when the request is a repeated one: what it named
  ///   may be gone since, by its own doing.
  func decide(
    _ request: Request, _ wish: some Hashable & Sendable, _ stream: StreamID, lane: Lane,
    _ input: @escaping @Sendable () async throws -> StreamInput
  ) async throws -> [RecordedEvent<StreamEvent>] {
    let actor = try actor(request)
    let backend = backend
    @Sendable func ask(_ name: String) async throws -> [RecordedEvent<StreamEvent>] {
      switch await backend.request(try await input(), to: stream, actor: actor, id: name, lane: lane) {
      case .accepted(let events): return events
      case .refused(let refusal): throw refusal
      case .unavailable(let outage): throw outage
      }
    }
    guard let name = try header("Plimsoll-Request", request) else {
      return try await ask(UUID().uuidString.lowercased())
    }
    var call = Hasher()
    call.combine(request.method.rawValue)
    call.combine(request.uri.path)
    call.combine(wish)
    return try await requests.events(of: name, to: stream, call: call.finalize()) { try await ask(name) }
  }

  func receipt(
    _ events: [RecordedEvent<StreamEvent>], entry: Int? = nil, rollout: Int? = nil
  ) throws -> Response {
    try Answer.json(
      Receipt(
        decided: events.map { Sentences.sentence(for: $0.event, of: $0.stream) }, positions: events.map(\.position),
        entry: entry, rollout: rollout))
  }

  /// Who asks, by their own word: whoever has the token may say so. `api` when they say nothing.
  func actor(_ request: Request) throws -> String { try header("Plimsoll-Actor", request) ?? "api" }

  private func header(_ name: String, _ request: Request) throws -> String? {
    guard let field = HTTPField.Name(name), let value = request.headers[field] else { return nil }
    guard (1...Self.headerLimit).contains(value.count), !value.contains(where: \.isNewline) else {
      throw Refusal(.malformed, "The header '\(name)' is empty or too long: give 1 to \(Self.headerLimit) characters.")
    }
    return value
  }
}
