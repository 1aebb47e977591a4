import API
import ControlPlane
import Hummingbird
import Kernel
import MergeQueues

/// What people and other CI say to a queue.
extension ChangingRoutes {
  func addQueues(to router: some RouterMethods<BasicRequestContext>) {
    router.post("changes") { request, _ in try await submit(request) }
    router.delete("changes/:repository/:entry") { request, context in
      try await withdraw(request, Query(request, context))
    }
    let reports: [(RouterPath, @Sendable (Request, Query) async throws -> Response)] = [
      ("approvals", approveChange), ("checks", check), ("targets", target),
    ]
    for (noun, call) in reports {
      router.post("changes/:repository/:entry/\(noun)") { request, context in
        try await call(request, Query(request, context))
      }
    }
    router.post("queues/:repository/hold") { request, context in try await hold(request, Query(request, context)) }
    router.post("queues/:repository/resume") { request, context in try await resume(request, Query(request, context)) }
  }

  private func submit(_ request: Request) async throws -> Response {
    let wish = try await Answer.body(SubmitRequest.self, of: request)
    let (policy, stream) = try await lookup.queue(wish.repository)
    guard let branch = BranchName(rawValue: wish.branch) else {
      throw Refusal(.malformed, "The field 'branch' is '\(Lookup.shown(wish.branch))', which is no branch name of git.")
    }
    let priority = try choice(wish.priority ?? "normal", "priority", MergeQueue.Priority.self)
    let events = try await decide(request, wish, stream, lane: .progress) {
      let found = try await backend.resolve(branch: branch, in: policy.repository)
      return .queue(
        .submit(
          MergeQueue.Submission(
            branch: found.branch, head: found.head, author: found.author, title: found.title, priority: priority,
            team: wish.team, after: wish.after ?? [])))
    }
    let entry = events.lazy.compactMap { event -> Int? in
      if case .queue(.submitted(let facts)) = event.event { facts.id } else { nil }
    }.first
    return try receipt(events, entry: entry)
  }

  private func withdraw(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(WithdrawRequest.self, of: request)
    let (stream, entry) = try await change(query)
    let events = try await decide(request, wish, stream, lane: .progress) {
      .queue(.withdraw(entry: entry, reason: wish.reason))
    }
    return try receipt(events, entry: entry)
  }

  // MARK: Reports

  private func approveChange(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(ApprovalRequest.self, of: request)
    let (stream, entry) = try await change(query)
    let actor = try actor(request)
    let events = try await decide(request, wish, stream, lane: .progress) {
      .queue(
        .report(
          entry: entry, wish.withdraw == true ? .approvalWithdrawn(by: actor) : .approved(by: actor)))
    }
    return try receipt(events, entry: entry)
  }

  private func check(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(CheckRequest.self, of: request)
    let (stream, entry) = try await change(query)
    let actor = try actor(request)
    guard !wish.name.isEmpty else {
      throw Refusal(.malformed, "The field 'name' is empty: give the check's name, as 'queue.requires' has it.")
    }
    let state = try choice(wish.state, "state", CheckResult.State.self)
    let tree = try wish.tree.map { text throws(Refusal) in
      guard let tree = TreeID(rawValue: text) else {
        throw Refusal(.malformed, "The field 'tree' is '\(Lookup.shown(text))', which is no tree of git.")
      }
      return tree
    }
    let commit = try wish.commit.map { text throws(Refusal) in
      guard let commit = CommitID(rawValue: text) else {
        throw Refusal(
          .malformed, "The field 'commit' is '\(Lookup.shown(text))', which is no commit: give all of its digits.")
      }
      return commit
    }
    let events = try await decide(request, wish, stream, lane: .progress) {
      guard let head = await lookup.queueState(stream).entry(entry)?.facts.head else {
        throw Refusal(.unknown, "#\(entry) is not in the queue; 'plimsoll queue' lists those that are.")
      }
      return .queue(
        .report(
          entry: entry,
          .checked(
            CheckResult(name: wish.name, state: state, commit: commit ?? head, reporter: wish.reporter ?? actor),
            tree: tree)))
    }
    return try receipt(events, entry: entry)
  }

  private func target(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(TargetsRequest.self, of: request)
    let (stream, entry) = try await change(query)
    let events = try await decide(request, wish, stream, lane: .progress) {
      .queue(.report(entry: entry, .affects(wish.targets)))
    }
    return try receipt(events, entry: entry)
  }

  // MARK: Holds

  private func hold(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(HoldRequest.self, of: request)
    let (_, stream) = try await lookup.queue(query.path("repository"))
    let kind = try choice(wish.kind, "kind", MergeQueue.Hold.Kind.self)
    let actor = try actor(request)
    let events = try await decide(request, wish, stream, lane: .protect) {
      .queue(.hold(kind, reason: wish.reason, by: actor))
    }
    return try receipt(events)
  }

  private func resume(_ request: Request, _ query: Query) async throws -> Response {
    let wish = try await Answer.body(ResumeRequest.self, of: request)
    let (_, stream) = try await lookup.queue(query.path("repository"))
    let actor = try actor(request)
    let events = try await decide(request, wish, stream, lane: .protect) {
      .queue(.resume(reason: wish.reason, by: actor))
    }
    return try receipt(events)
  }

  // MARK: Parts

  private func change(_ query: Query) async throws -> (StreamID, Int) {
    let (_, stream) = try await lookup.queue(query.path("repository"))
    guard let entry = Int(query.path("entry")) else {
      throw Refusal(.malformed, "'\(Lookup.shown(query.path("entry")))' is no entry: give its number.")
    }
    return (stream, entry)
  }

  private func choice<Choice: RawRepresentable & CaseIterable>(
    _ text: String, _ field: String, _ type: Choice.Type
  ) throws(Refusal) -> Choice where Choice.RawValue == String {
    if let found = Choice(rawValue: text) { return found }
    let names = Choice.allCases.map(\.rawValue)
    let hint = nearestMatch(to: text, among: names).map { "; did you mean '\($0)'?" } ?? ""
    throw Refusal(
      .malformed, "The field '\(field)' is '\(Lookup.shown(text))'; give one of \(names.joined(separator: ", "))\(hint)"
    )
  }
}
