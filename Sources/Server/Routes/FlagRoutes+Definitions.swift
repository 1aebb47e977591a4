import API
import ControlPlane
import Flags
import Foundation
import HTTPTypes
import Hummingbird
import Kernel
import Ramps

/// Creating and editing flags: a body is the definition itself, or has it as `definition`, so that what is wrong is told
/// with its line and column.
extension ChangingRoutes {
  func addFlags(to router: some RouterMethods<BasicRequestContext>, now: @escaping @Sendable () -> Kernel.Instant) {
    router.post("flags") { request, _ in try await createFlag(request, now: now) }
    router.post("flags/:key/edit") { request, context in
      try await editFlag(request, Query(request, context), now: now)
    }
    router.post("flags/:key/restore") { request, context in
      let wish = try await Answer.body(FlagRestoreRequest.self, of: request)
      return try await change(request, Query(request, context), wish) { flag, actor in
        try await checkRestored(wish.revision, of: flag, now: now())
        return .restore(revision: wish.revision, FeatureFlag.Signature(actor: actor, reason: wish.reason))
      }
    }
    router.post("flags/:key/archive") { request, context in
      let wish = try await Answer.body(FlagArchiveRequest.self, of: request)
      return try await change(request, Query(request, context), wish) { flag, actor in
        .archive(FeatureFlag.Signature(actor: actor, reason: wish.reason))
      }
    }
    addPlaces(to: router)
    addRamps(to: router)
  }

  /// A definition and what stands around it.
  struct FlagBody: Sendable {
    let text: String
    private let parts: MemberTexts

    /// Twice what a definition may have: as a text in a text, each quote has a backslash.
    static let limit = 2 * FlagDefinition.sizeLimit

    init(_ request: Request) async throws {
      let buffer = try await Answer.collected(
        request, type: "application/json", limit: Self.limit, next: "keep data where data is kept")
      guard let text = String(validating: buffer.readableBytesView, as: UTF8.self) else {
        throw Refusal(.malformed, "The body is no UTF-8: send JSON.")
      }
      self.text = text
      parts = try FlagDraft.reading { () throws(FlagRefusal) in
        try MemberTexts(text, subject: "the body", limit: Self.limit)
      }
    }

    /// The definition's own text: the member `definition`, as an object or a text, or else the body.
    func definition() throws(Refusal) -> String {
      guard let member = parts.member("definition") else { return text }
      for name in parts.members.map(\.name) where !FlagDraft.envelope.contains(name) {
        throw Refusal(
          .malformed, "The body has both `definition` and `\(Lookup.shown(name))`: write the members in one place.")
      }
      if member.json.hasPrefix("{") { return member.json }
      guard let text = try? JSONDecoder().decode(String.self, from: Data(member.json.utf8)) else {
        throw fault(member, "is no definition", "send an object, or its JSON as a text")
      }
      return text
    }

    func text(_ name: String) throws(Refusal) -> String? {
      guard let member = parts.member(name) else { return nil }
      guard let text = try? JSONDecoder().decode(String.self, from: Data(member.json.utf8)) else {
        throw fault(member, "is no text", "write one")
      }
      return text
    }

    func required(_ name: String) throws(Refusal) -> String {
      guard let text = try text(name) else { throw Refusal(.malformed, "The field '\(name)' is missing: give it.") }
      return text
    }

    func number(_ name: String) throws(Refusal) -> Int? {
      guard let member = parts.member(name) else { return nil }
      guard let number = Int(member.json) else { throw fault(member, "is no whole number", "write one") }
      return number
    }

    /// `{"production": true}`, in written order.
    func environments() throws -> [(name: String, isOn: Bool)] {
      guard let member = parts.member("environments") else { return [] }
      let inner = try FlagDraft.reading { () throws(FlagRefusal) in
        try MemberTexts(member.json, subject: "`environments`", limit: Self.limit)
      }
      return try inner.members.map { entry in
        guard entry.json == "true" || entry.json == "false" else {
          throw fault(
            member, "has '\(Lookup.shown(entry.name))' neither true nor false", "write {\"production\": true}")
        }
        return (entry.name, entry.json == "true")
      }
    }

    private func fault(_ member: MemberTexts.Member, _ cause: String, _ next: String) -> Refusal {
      Refusal(
        .malformed, "Line \(member.line), column \(member.column): the field '\(member.name)' \(cause): \(next).")
    }
  }

  private func createFlag(
    _ request: Request, now: @escaping @Sendable () -> Kernel.Instant
  ) async throws -> Response {
    let body = try await FlagBody(request)
    let key = try Lookup.flagKey(try body.required("key"))
    let reason = try body.required("reason")
    let actor = try actor(request)
    let lookup = lookup
    let places = try body.environments()
    let text = try body.definition()
    let draft = try FlagDraft(
      text, of: key, among: await allFlags(), segments: await lookup.segments(), owner: actor, now: now())
    let events = try await decide(request, body.text, .flag(key), lane: .progress) {
      var environments: [FeatureFlag.Switch] = []
      for place in places {
        let environment = try await lookup.flagEnvironment(place.name)
        environments.append(FeatureFlag.Switch(environment: environment, isOn: place.isOn))
      }
      return .flag(
        .create(
          FeatureFlag.Creation(
            key: key, definition: draft.definition, environments: environments,
            by: FeatureFlag.Signature(actor: actor, reason: reason))))
    }
    return try await flagReceipt(key, events, notes: draft.notes)
  }

  private func editFlag(
    _ request: Request, _ query: Query, now: @escaping @Sendable () -> Kernel.Instant
  ) async throws -> Response {
    let body = try await FlagBody(request)
    let (key, state) = try await lookup.flag(query.path("key"))
    let reason = try body.required("reason")
    let actor = try actor(request)
    let over = try Self.revision(request, try body.number("over"), of: key)
    let flags = await allFlags()
    let segments = await lookup.segments()
    let draft = try FlagDraft(
      try body.definition(), of: key, among: flags, segments: segments, owner: state.definition?.owner ?? actor,
      now: now())
    // Of what was made over another revision the machine says so first.
    if over == state.revision, draft.definition != state.definition {
      try FlagDraft.checkNeighbours(of: draft.definition, key, among: flags, segments: segments)
    }
    let events = try await decide(request, "\(over) \(body.text)", .flag(key), lane: .progress) {
      .flag(
        .edit(
          FeatureFlag.Edit(
            definition: draft.definition, over: over, by: FeatureFlag.Signature(actor: actor, reason: reason))))
    }
    return try await flagReceipt(key, events, notes: draft.notes)
  }

  /// Other flags, segments and overrides may have changed since the revision: it is judged as an edit is. Which
  /// revisions are at hand, the machine says.
  private func checkRestored(
    _ number: Int, of flag: (key: FlagKey, state: FeatureFlag.State), now: Kernel.Instant
  ) async throws {
    guard flag.state.isLive, flag.state.declared == nil,
      let old = flag.state.revisions.first(where: { $0.number == number })?.definition, old != flag.state.definition
    else { return }
    let flags = await allFlags()
    let segments = await lookup.segments()
    _ = try FlagDraft(
      old.native(own: true), of: flag.key, among: flags, segments: segments, owner: old.owner, now: now)
    try FlagDraft.checkNeighbours(of: old, flag.key, among: flags, segments: segments)
  }

  /// - Throws: `Refused` (428) when the sender does not say which revision it saw.
  private static func revision(_ request: Request, _ over: Int?, of key: FlagKey) throws -> Int {
    guard let header = request.headers[.ifMatch] else {
      guard let over else {
        throw Refused(
          status: .preconditionRequired, kind: "malformed",
          sentence: "An edit of flag \(key) says which revision it changes: send If-Match with the ETag that you saw, "
            + "or `over`.")
      }
      return over
    }
    let text = header.trimmingCharacters(in: CharacterSet(charactersIn: "\" "))
    guard let seen = Int(text), over == nil || over == seen else {
      throw Refusal(
        .malformed, "If-Match is '\(Lookup.shown(header))': send the ETag of the flag, which is its revision in quotes."
      )
    }
    return seen
  }

  private func allFlags() async -> [FlagKey: FeatureFlag.State] {
    var found: [FlagKey: FeatureFlag.State] = [:]
    for flag in await lookup.flags() { found[flag.key] = flag.state }
    return found
  }

  // MARK: Parts

  typealias FlagChange =
    @Sendable (
      _ flag: (key: FlagKey, state: FeatureFlag.State), _ actor: String
    ) async throws -> FeatureFlag.Input

  /// One input to one flag.
  func change(
    _ request: Request, _ query: Query, _ wish: some Hashable & Sendable, lane: Lane = .progress,
    stages: [FlagStageView] = [], _ input: @escaping FlagChange
  ) async throws -> Response {
    let flag = try await lookup.flag(query.path("key"))
    let actor = try actor(request)
    let events = try await decide(request, wish, .flag(flag.key), lane: lane) { .flag(try await input(flag, actor)) }
    return try await flagReceipt(flag.key, events, stages: stages)
  }

  func flagReceipt(
    _ key: FlagKey, _ events: [RecordedEvent<StreamEvent>], notes: [String] = [], stages: [FlagStageView] = []
  ) async throws -> Response {
    let state = try? await lookup.flag(key.rawValue).state
    var response = try Answer.json(
      FlagReceipt(
        key: key.rawValue, revision: state?.revision ?? 0,
        decided: events.map { Sentences.sentence(for: $0.event, of: $0.stream) }, positions: events.map(\.position),
        notes: notes, stages: stages))
    response.headers[.eTag] = "\"\(state?.revision ?? 0)\""
    return response
  }
}
