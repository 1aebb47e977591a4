import API
import ControlPlane
import Foundation
import HTTPTypes
import Hummingbird
import Kernel
import MergeQueues
import Promotions
import Rollouts

/// The changing half of `/v1`: each call becomes one input to one machine, which decides.
struct ChangingRoutes: Sendable {
  let backend: any Backend
  let lookup: Lookup

  /// Characters of `Plimsoll-Request` and `Plimsoll-Actor`.
  static let headerLimit = 120

  func add(to router: some RouterMethods<BasicRequestContext>) {
    router.post("changes") { request, _ in try await submit(request) }
    router.delete("changes/:repository/:entry") { request, context in
      try await withdraw(request, Query(request, context))
    }
    router.post("promotions/:service/:commit") { request, context in
      try await promote(request, Query(request, context))
    }
    router.post("rollouts/:service/:environment/rollback") { request, context in
      try await rollBack(request, Query(request, context))
    }
    router.post("rollouts/:service/:environment/lift") { request, context in
      try await lift(request, Query(request, context))
    }
  }

  private func submit(_ request: Request) async throws -> Response {
    let wish = try await Answer.body(SubmitRequest.self, of: request)
    let (policy, stream) = try await lookup.queue(wish.repository)
    guard let branch = BranchName(rawValue: wish.branch) else {
      throw Refusal(.malformed, "The field 'branch' is '\(Lookup.shown(wish.branch))', which is no branch name of git.")
    }
    let found = try await backend.resolve(branch: branch, in: policy.repository)
    let submission = MergeQueue.Submission(
      branch: found.branch, head: found.head, author: found.author, title: found.title)
    let events = try await decide(.queue(.submit(submission)), stream, request, lane: .progress)
    // A repeated submission decides nothing and still has an entry to follow.
    let entry = events.lazy.compactMap { event -> Int? in
      if case .queue(.submitted(let facts)) = event.event { facts.id } else { nil }
    }.first
    let waiting = await lookup.queueState(stream).entries.first {
      $0.facts.branch == found.branch && $0.facts.head == found.head
    }
    return try receipt(events, entry: entry ?? waiting?.id)
  }

  private func withdraw(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(WithdrawRequest.self, of: request)
    let (_, stream) = try await lookup.queue(query.path("repository"))
    guard let entry = Int(query.path("entry")) else {
      throw Refusal(.malformed, "'\(Lookup.shown(query.path("entry")))' is no entry: give its number.")
    }
    return try receipt(
      try await decide(.queue(.withdraw(entry: entry, reason: wish.reason)), stream, request, lane: .progress),
      entry: entry)
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
    let input = Promotion.Input.promote(
      Promotion.PromoteRequest(environment: environment, override: wish.override ?? false, reason: wish.reason))
    return try receipt(try await decide(.build(input), build.stream, request, lane: .progress))
  }

  private func rollBack(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(RollbackRequest.self, of: request)
    let (service, environment, state) = try await lookup.delivery(query.path("service"), query.path("environment"))
    let known = state.knownGood.map(\.deployment.digest) + state.condemned.map(\.digest)
    let to: Digest? =
      if let text = wish.to { try Lookup.digest(text, among: known, "version of \(service) in \(environment)") } else {
        nil
      }
    let input = Rollout.Input.rollBack(
      Rollout.RollBackRequest(to: to, reason: wish.reason, actor: try actor(request)))
    return try receipt(
      try await decide(.delivery(input), .delivery(service, environment), request, lane: .protect))
  }

  private func lift(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(LiftRequest.self, of: request)
    let (service, environment, state) = try await lookup.delivery(query.path("service"), query.path("environment"))
    let digest = try Lookup.digest(
      wish.digest, among: state.condemned.reversed().map(\.digest),
      "condemned version of \(service) in \(environment)")
    return try receipt(
      try await decide(
        .delivery(.lift(digest, reason: wish.reason)), .delivery(service, environment), request, lane: .protect))
  }

  // MARK: Parts

  private func decide(_ input: StreamInput, _ stream: StreamID, _ request: Request, lane: Lane) async throws
    -> [RecordedEvent<StreamEvent>]
  {
    let id = try header("Plimsoll-Request", request) ?? UUID().uuidString.lowercased()
    switch await backend.request(input, to: stream, actor: try actor(request), id: id, lane: lane) {
    case .accepted(let events): return events
    case .refused(let refusal): throw refusal
    case .unavailable(let outage): throw outage
    }
  }

  private func receipt(_ events: [RecordedEvent<StreamEvent>], entry: Int? = nil) throws -> Response {
    try Answer.json(
      Receipt(
        decided: events.map { Sentences.sentence(for: $0.event, of: $0.stream) }, positions: events.map(\.position),
        entry: entry))
  }

  /// Who asks, by their own word: whoever has the token may say so. `api` when they say nothing.
  private func actor(_ request: Request) throws -> String { try header("Plimsoll-Actor", request) ?? "api" }

  private func header(_ name: String, _ request: Request) throws -> String? {
    guard let field = HTTPField.Name(name), let value = request.headers[field] else { return nil }
    guard (1...Self.headerLimit).contains(value.count), !value.contains(where: \.isNewline) else {
      throw Refusal(.malformed, "The header '\(name)' is empty or too long: give 1 to \(Self.headerLimit) characters.")
    }
    return value
  }
}
