import ControlPlane
import Foundation
import Kernel
import MergeQueues
import Migrations
import Promotions
import Rollouts
import Testing

@testable import MigrationOracle

/// The whole control plane, its engine, wiring and machines, over a ledger in memory, and a real database whose schema is
/// examined and migrated by the real driver. Builds succeed, instances become ready unless a version hangs, and routes
/// are confirmed at once; time passes only when somebody waits.
///
/// Versions and their commits are called by one hexadecimal digit.
final class GatedHarbor {
  private struct Version {
    var migrations: Digest
    var statements: Digest?
  }

  let fixture: EnvironmentFixture
  private let names = HarborNames()
  private let ledger = ListLedger()
  private let starts = StartedEffects()
  private let engine: Engine<ListLedger, StartedEffects>
  private var versions: [CommitID: Version] = [:]
  private var trunk: [(name: String, text: String)] = []
  private var requests: UInt64 = 0
  private(set) var now = Instant(milliseconds: 1_000_000)
  /// Commits whose instances never become ready.
  private var hanging: Set<CommitID> = []

  init(_ fixture: EnvironmentFixture, strict: Bool = false) async throws {
    self.fixture = fixture
    engine = Engine(store: ledger, dispatcher: starts, checksInvariants: true, chance: { 7 }) { stream, violations in
      Issue.record("\(stream): \(violations)")
    }
    try engine.recover(now: now)
    post(.settings(.apply(names.topology(fixture.place, strict: strict))), to: .settings)
    observe(.schema(.surveyed(try await fixture.schemas.survey(fixture.place))), "watch", of: schema)
    try await settle()
  }

  private var schema: StreamID { .schema(fixture.place) }
  private var delivery: StreamID { .delivery(names.service, fixture.place.environment) }

  // MARK: What people do

  /// A commit on the trunk that adds migrations, and what its version sends.
  func commit(
    _ letter: Character, adding migrations: KeyValuePairs<String, String> = [:], sends statements: [String]?
  ) async throws {
    for (name, text) in migrations { trunk.append((name, text)) }
    let texts = trunk.map { MigrationText(MigrationFile(path: $0.name, text: $0.text), in: "") }
    versions[names.commit(letter)] = Version(
      migrations: try fixture.blobs.put(StableJSON.bytes(texts)),
      statements: try await fixture.client("\(letter)", sends: statements).statements)
  }

  /// Takes back what the last commit added: it did not land.
  func dropMigration() { trunk.removeLast() }

  /// The version is built, promoted, and delivered where the database lets it.
  func promote(_ letter: Character, hangs: Bool = false, until: Waiting = .theEnd) async throws {
    if hangs { hanging.insert(names.commit(letter)) }
    observe(.queue(.trunkObserved(names.commit(letter))), "watch-trunk", of: names.queue)
    try await settle(until)
  }

  /// Again, after a refusal.
  func promoteAgain(_ letter: Character, hangs: Bool = false, until: Waiting = .theEnd) async throws {
    if hangs { hanging.insert(names.commit(letter)) }
    request(
      .build(.promote(Promotion.PromoteRequest(environment: nil, override: false, reason: "again"))), of: build(letter))
    try await settle(until)
  }

  /// Time passes until nothing more happens.
  func pass() async throws { try await settle() }

  /// Submits a change to the queue. - Returns: why it was ejected; nil when its migrations passed.
  func submit(_ letter: Character) async throws -> String? {
    request(
      .queue(
        .submit(
          MergeQueue.Submission(
            branch: names.branch("change-\(letter)"), head: names.commit(letter), author: "ada", title: "Change"))),
      of: names.queue)
    try await settle()
    for recorded in ledger.all.reversed() {
      if case .queue(.ejected(let ejection)) = recorded.event, ejection.head == names.commit(letter) {
        return ejection.sentence
      }
    }
    return nil
  }

  /// - Returns: where it goes, or why it may not.
  func rollBack(to letter: Character? = nil) async throws -> String {
    let refusal = request(
      .delivery(
        .rollBack(Rollout.RollBackRequest(to: letter.map(names.digest), reason: "it is broken", actor: "ada"))),
      of: delivery)
    if let refusal { return refusal }
    try await settle(.now)
    return serving
  }

  func override(_ letter: Character) async throws -> String? {
    let refusal = request(
      .schema(
        .override(
          DatabaseSchema.OverrideRequest(commit: names.commit(letter), actor: "ada", reason: "it must go out today"))),
      of: schema)
    try await settle()
    return refusal
  }

  func raiseFloor(to letter: Character) async throws {
    let refusal = request(
      .delivery(.setFloor(Rollout.Floor(digest: names.digest(letter), reason: "for good", actor: "ada"))),
      of: delivery)
    #expect(refusal == nil)
    try await settle()
  }

  // MARK: What is so

  /// The version that users meet.
  var serving: String {
    guard case .delivery(let state)? = engine.state(of: delivery) else { return "" }
    let shares = state.routed?.shares ?? []
    return shares.filter { $0.percent > 0 }.map { names.letter($0.deployment, in: state) }.joined(separator: " ")
  }

  /// Why the version's promotion ended before its delivery; nil when it did not.
  func halt(_ letter: Character) -> String? {
    guard case .build(let state)? = engine.state(of: build(letter)), case .halted(_, let why) = state.phase
    else { return nil }
    return why
  }

  /// Kept versions that no rollback may go to.
  var barred: [String] { state.bars(of: names.service).map { names.letter($0.digest) } }
  var floor: String? { state.floor(of: names.service).map { names.letter($0.digest) } }
  var state: DatabaseSchema.State {
    guard case .schema(let state)? = engine.state(of: schema) else { return DatabaseSchema.initial }
    return state
  }
  /// Of the whole ledger, by type.
  func events(_ type: String) -> Int { ledger.all.count { $0.event.type == type } }

  /// Whether a version's statement runs on the database as it is.
  func runs(_ sql: String) async throws -> Bool {
    do {
      try await fixture.run("BEGIN; \(sql); ROLLBACK")
      return true
    } catch is PostgresError { return false }
  }

  // MARK: The world

  enum Waiting: Equatable {
    /// Nothing happens that takes time.
    case now
    /// Time passes until nothing more happens.
    case theEnd
  }

  private func build(_ letter: Character) -> StreamID { .build(names.service, names.commit(letter)) }
  private func post(_ input: StreamInput, to stream: StreamID) {
    engine.post(.letter(Letter(to: stream, input, cause: .pulse)))
  }
  private func observe(_ input: StreamInput, _ key: String, of stream: StreamID) {
    engine.post(.letter(Letter(to: stream, input, cause: .observed(effect: EffectKey(key)))))
  }

  /// - Returns: why it was refused.
  @discardableResult
  private func request(_ input: StreamInput, of stream: StreamID) -> String? {
    requests += 1
    engine.post(
      .letter(Letter(to: stream, input, cause: .request(id: "r\(requests)"), reply: ReplyID(requests))))
    for reply in run() where reply.id == ReplyID(requests) {
      if case .refused(let refusal) = reply.outcome { return refusal.sentence }
    }
    return nil
  }

  @discardableResult
  private func run() -> [Reply] {
    var replies: [Reply] = []
    repeat { replies += engine.run(now: now).replies } while engine.hasWork
    return replies
  }

  /// Rounds in which everything wanted is done once; a rollout takes a dozen.
  private static let roundLimit = 100

  /// Does what is wanted until nothing new follows.
  private func settle(_ until: Waiting = .theEnd) async throws {
    run()
    for _ in 0..<Self.roundLimit {
      let before = ledger.all.count
      for stream in engine.streams { try await act(on: stream, until) }
      if ledger.all.count == before { return }
    }
    Issue.record("it never came to rest")
  }

  private func act(on stream: StreamID, _ until: Waiting) async throws {
    switch engine.state(of: stream) {
    case .schema(let state): try await serve(DatabaseSchema.effects(of: state))
    case .build(let state): for effect in Promotion.effects(of: state) { serve(effect, of: stream) }
    case .delivery(let state): for effect in Rollout.effects(of: state) { serve(effect, until) }
    case .queue, .observation, .settings, .flag, .flagFolder, nil: break
    }
  }

  private func serve(_ effect: Promotion.Effect, of stream: StreamID) {
    let input: Promotion.Input?
    switch effect {
    case .build(_, _, let commit, _):
      input = .built(
        Promotion.BuildResult(
          artifact: StoredArtifact(digest: names.digest(of: commit), provenance: names.digest("e"), files: 1, bytes: 1),
          log: names.digest("e"), startedAt: now, endedAt: now))
    case .verifyProvenance(let environment, _, _, _):
      input = .provenanceFound(environment: environment, finding: .verified(builder: "plimsoll"))
    case .check, .wake: input = nil
    }
    if let input { observe(.build(input), effect.key.text, of: stream) }
    run()
  }

  private func serve(_ effect: Rollout.Effect, _ until: Waiting) {
    let input: Rollout.Input?
    switch effect {
    case .seal(let offer, _, _):
      input = .sealed(
        ordinal: offer.ordinal, configuration: names.digest("e"), sealedConfiguration: names.digest("f"))
    case .run(let deployment, let limit):
      let hangs = hanging.contains(deployment.commit)
      input = hangs ? nil : .ready(deployment.id, digest: deployment.digest, endpoints: 1, limit: limit)
    case .route(let routing): input = .routed(routing, at: now)
    case .wake(let at, let key):
      input = until == .now ? nil : .woke(key)
      if until != .now { now = max(now, at) }
    case .retire(let deployment): input = .retired(deployment.id)
    case .close: input = .closed(at: now)
    case .measureBaseline, .watch, .collectAftermath, .countServed, .watchBudget, .announce: input = nil
    }
    if let input { observe(.delivery(input), effect.key.text, of: delivery) }
    run()
  }

  /// As `Performer` does it, with commits and artifacts out of `versions`.
  private func serve(_ effects: [DatabaseSchema.Effect]) async throws {
    for effect in effects {
      let key = effect.key.text
      switch effect {
      case .watch, .adopt: continue
      case .examine(let order):
        let input: DatabaseSchema.Input
        do {
          let (examination, migrations) = try await examine(order)
          input = .examined(number: order.number, examination, migrations: migrations)
        } catch let refusal as Refusal {
          input = .unexaminable(number: order.number, why: refusal.sentence, ofPlace: refusal.kind == .notNow)
        }
        observe(.schema(input), key, of: schema)
      case .migrate(let order, let number):
        let fence = try #require(starts.fence(of: effect.key, in: schema))
        let outcome = try await fixture.schemas.apply(order, fence: fence)
        observe(.schema(.migrated(number: number, outcome)), key, of: schema)
      }
      run()
    }
  }

  private func examine(_ order: DatabaseSchema.ExamineOrder) async throws -> (SchemaExamination, Digest?) {
    let living = order.versions.map { client in
      SchemaClient(
        service: client.service, digest: client.digest, commit: client.commit,
        statements: versions[client.commit]?.statements)
    }
    var (migrations, base): (Digest?, Digest?) = (nil, nil)
    var coming: SchemaClient?
    switch order.errand {
    case .audit: break
    case .ask(let ask):
      migrations = versions[ask.commit]?.migrations
      coming = SchemaClient(
        service: ask.service, digest: ask.digest, commit: ask.commit, statements: versions[ask.commit]?.statements)
    case .review(let review):
      migrations = versions[review.head]?.migrations
      base = order.versions.last.flatMap { versions[$0.commit]?.migrations }
    }
    let question = SchemaQuestion(
      place: order.policy.place, migrations: migrations, base: base, versions: living, coming: coming)
    return (try await fixture.schemas.examine(question), migrations)
  }
}
