import Kernel
import Migrations

/// The databases of the environments: a model of a schema server and of the book that each database keeps. Book and
/// fence live in the database, so they outlive every process of Plimsoll.
final class SimulatedSchemas {
  struct Entry {
    let change: Int
    /// The schema's hash once it was applied.
    let schema: Digest
  }

  struct Database {
    var schema = SimulatedSchema.base
    var book: [Entry] = []
    var fence: Fence?
    /// Of the database that is really there; nil without one.
    var hash: Digest?
    var names: [Int] { book.map(\.change) }
    var digest: Digest { hash ?? schema.digest }
  }

  unowned let world: World
  /// Plays along; nil in a story of models alone.
  private(set) var peer: (any SchemaPeer)?
  private var databases: [SchemaPlace: Database] = [:]
  /// Migrations by the blob that holds them.
  private var blobs: [Digest: [Int]] = [:]
  private static let report = SimulatedNames.digest(5)
  /// Sidecars tell what they see, and the builds of some versions record nothing.
  var hasSidecars = false
  /// So many changes make one whose build records nothing.
  private static let unrecordedEvery = 5

  init(_ world: World) { self.world = world }

  func database(_ place: SchemaPlace) -> Database { databases[place] ?? Database() }
  func schema(_ place: SchemaPlace) -> SimulatedSchema { database(place).schema }
  /// As the ledger knows it.
  func digest(_ place: SchemaPlace) -> Digest { database(place).digest }

  /// From now on real databases answer.
  func attach(_ peer: any SchemaPeer) {
    self.peer = peer
    for place in world.databases { look(at: place) }
  }

  static func mark(_ change: Int) -> MigrationMark {
    MigrationMark(name: "m\(change)", content: SimulatedNames.digest(UInt64(change) &+ 40_000))
  }
  /// Of `m7`, and of a file `0003_m7.sql`.
  static func change(_ mark: MigrationMark) -> Int? { change(named: mark.name) }
  static func change(named name: String) -> Int? {
    name.firstIndex(of: "m").flatMap { Int(name[$0...].dropFirst().prefix(while: \.isNumber)) }
  }

  private func blob(_ chain: [Int]) -> Digest {
    let digest = SimulatedNames.digest(chain.reduce(77) { Chance.mix($0 &+ UInt64($1) &+ 1) })
    blobs[digest] = chain
    return digest
  }

  // MARK: Looking

  /// Nil when a real database cannot be reached.
  func survey(_ place: SchemaPlace) -> SchemaSurvey? { peer == nil ? modelled(place) : look(at: place) }

  private func modelled(_ place: SchemaPlace) -> SchemaSurvey {
    let database = database(place)
    return SchemaSurvey(
      schema: database.schema.digest, applied: database.book.count,
      last: database.book.last.map { Self.mark($0.change) }, at: world.wallClock)
  }

  /// What a commit's migrations add to the book; a reason why nobody can tell where they grew from another branch.
  static func pending(_ chain: [Int], after book: [Int], in place: SchemaPlace) -> Result<[Int], Objection> {
    let pending = chain.filter { !book.contains($0) }
    let lost = book.filter { !chain.contains($0) }
    if !lost.isEmpty, !pending.isEmpty {
      return .failure(Objection("\(place) has \(lost.map { "m\($0)" }), which this commit lacks"))
    }
    return .success(pending)
  }
  struct Objection: Error {
    let why: String
    init(_ why: String) { self.why = why }
  }

  /// Nil when a real database cannot be reached.
  func examine(_ order: DatabaseSchema.ExamineOrder) -> PeerAnswer? {
    let place = order.policy.place
    switch order.errand {
    case .audit: return answer(order, chain: nil, base: [], coming: nil)
    case .ask(let ask):
      let client = SchemaClient(
        service: ask.service, digest: ask.digest, commit: ask.commit, statements: Self.report)
      return answer(order, chain: world.forge.migrations(of: ask.commit), base: [], coming: client)
    case .review(let review):
      let base = world.forge.migrations(of: world.forge.trunk)
      guard let change = world.forge.change(ofHead: review.head), !world.forge.steps(of: change).isEmpty,
        !base.contains(change)
      else {
        guard let survey = survey(place) else { return nil }
        return .examined(
          SchemaExamination(
            survey: survey, pending: [], after: survey.schema, migration: .compatible, why: "",
            verdicts: order.versions.map { SchemaVerdict($0, .compatible) }, coming: nil, comingBefore: nil,
            report: Self.report), migrations: nil)
      }
      return answer(order, chain: base + [change], base: base, coming: nil)
    }
  }

  private func answer(
    _ order: DatabaseSchema.ExamineOrder, chain: [Int]?, base: [Int], coming: SchemaClient?
  ) -> PeerAnswer? {
    let expected = modelled(order, chain: chain, base: base, coming: coming)
    guard let peer else { return planted(limited(expected, by: order)) }
    let isReview = if case .review = order.errand { true } else { false }
    let question = PeerQuestion(
      place: order.policy.place, chain: chain.map(migrations), base: isReview ? migrations(base) : nil,
      versions: order.versions.map(peerVersion), coming: coming.map(peerVersion))
    let answer: PeerAnswer
    do throws(Outage) {
      answer = try peer.examine(question, at: world.wallClock)
      try SchemaComparison(world: world, peer: peer, question: question).compare(answer, with: expected)
    } catch {
      away(error)
      return nil
    }
    if case .examined(let examination, _) = answer {
      world.checkers.schemas.judged(
        question.place, on: examination.survey.schema, examination.pending.compactMap(Self.change))
    }
    return planted(answer)
  }

  private func migrations(_ chain: [Int]) -> [PeerMigration] {
    chain.map { PeerMigration(change: $0, steps: world.forge.steps(of: $0)) }
  }
  private func peerVersion(_ client: SchemaClient) -> PeerVersion {
    PeerVersion(client: client, sends: world.forge.statements(of: version(client)))
  }

  private func modelled(
    _ order: DatabaseSchema.ExamineOrder, chain: [Int]?, base: [Int], coming: SchemaClient?
  ) -> PeerAnswer {
    let place = order.policy.place
    let database = database(place)
    var pending: [Int] = []
    var before = database.schema
    if let chain {
      switch Self.pending(chain, after: database.names, in: place) {
      case .success(let found): pending = found
      case .failure(let objection): return .unexaminable(objection.why, ofPlace: false)
      }
    }
    let landed = pending.filter(base.contains)
    pending.removeAll(where: base.contains)
    var states: [SimulatedSchema]?
    if let landedOn = before.after(landed.flatMap(world.forge.steps)) {
      before = landedOn
      states = before.states(through: pending.map(world.forge.steps))
    }
    let after = states.map { $0.last ?? before }
    let verdicts = order.versions.map { verdict($0, from: before, through: states, isPending: !pending.isEmpty) }
    let examination = SchemaExamination(
      survey: modelled(place), pending: pending.map(Self.mark), after: (after ?? database.schema).digest,
      migration: after == nil ? .breaks : .compatible, why: after == nil ? "it cannot be applied" : "",
      verdicts: verdicts, coming: coming.map { verdict($0, to: after) },
      comingBefore: coming.map { verdict($0, to: database.schema).fit }, report: Self.report)
    if peer == nil { world.checkers.schemas.judged(place, on: database.schema.digest, pending) }
    return .examined(examination, migrations: chain.map(blob))
  }

  // MARK: What is known of versions

  private func recordsNothing(_ version: SimulatedVersion) -> Bool {
    guard hasSidecars, let last = world.forge.content(of: version.commit).last else { return false }
    return last % Self.unrecordedEvery == Self.unrecordedEvery - 1
  }

  /// The blob of what a version's build recorded, joined with what was told of it; nil where neither is.
  func known(of version: SimulatedVersion, _ told: Digest?) -> Digest? {
    let own = recordsNothing(version) ? nil : Self.report
    guard let own, let told else { return own ?? told }
    return SimulatedNames.digest(told.hex.utf8.reduce(Chance.mix(own == told ? 0 : 1)) { Chance.mix($0 &+ UInt64($1)) })
  }

  private func known(of client: SchemaClient, _ order: DatabaseSchema.ExamineOrder) -> SchemaClient {
    let told = order.uploads.first { ($0.service, $0.digest) == (client.service, client.digest) }?.statements
    let statements =
      order.versions.first { ($0.service, $0.digest) == (client.service, client.digest) }?.statements
      ?? known(of: version(client), world.plant == .recordingsUnheard ? nil : told)
    return SchemaClient(
      service: client.service, digest: client.digest, commit: client.commit, statements: statements)
  }

  /// Of who is not recorded nobody can tell.
  private func limited(_ answer: PeerAnswer, by order: DatabaseSchema.ExamineOrder) -> PeerAnswer {
    guard hasSidecars, case .examined(let examination, let migrations) = answer else { return answer }
    func limited(_ verdict: SchemaVerdict) -> SchemaVerdict {
      let client = known(of: verdict.client, order)
      return client.statements == nil
        ? SchemaVerdict(client, .unknown, why: "nothing was recorded")
        : SchemaVerdict(client, verdict.fit, why: verdict.why)
    }
    return .examined(
      SchemaExamination(
        survey: examination.survey, pending: examination.pending, after: examination.after,
        migration: examination.migration, why: examination.why, verdicts: examination.verdicts.map(limited),
        coming: examination.coming.map(limited), comingBefore: examination.comingBefore, report: examination.report),
      migrations: migrations)
  }

  private func version(_ client: SchemaClient) -> SimulatedVersion {
    SimulatedVersion(service: client.service, commit: client.commit)
  }

  /// The version to come, on a schema.
  private func verdict(_ client: SchemaClient, to after: SimulatedSchema?) -> SchemaVerdict {
    guard let after else { return SchemaVerdict(client, .unknown, why: "the migration cannot be applied") }
    let failure = world.forge.statements(of: version(client)).failures(on: after).first
    return failure.map { SchemaVerdict(client, .breaks, why: $0) } ?? SchemaVerdict(client, .compatible)
  }

  /// One that lives: what a migration breaks of it, or what fails on the schema as it is.
  private func verdict(
    _ client: SchemaClient, from before: SimulatedSchema, through states: [SimulatedSchema]?, isPending: Bool
  ) -> SchemaVerdict {
    let known = SchemaClient(
      service: client.service, digest: client.digest, commit: client.commit, statements: Self.report)
    if !isPending { return verdict(known, to: before) }
    guard let states else { return SchemaVerdict(known, .unknown, why: "the migration cannot be applied") }
    let failure = world.forge.statements(of: version(client)).firstBreak(from: before, through: states)
    return failure.map { SchemaVerdict(known, .breaks, why: $0) } ?? SchemaVerdict(known, .compatible)
  }

  /// What a defect makes of an answer.
  private func planted(_ answer: PeerAnswer) -> PeerAnswer {
    guard let plant = world.plant, case .examined(let examination, let migrations) = answer else { return answer }
    let hasContract = examination.pending.compactMap(Self.change).flatMap(world.forge.steps).contains(
      where: \.isContract)
    let verdicts = examination.verdicts.map { verdict in
      switch plant {
      case .examinerBlind: return SchemaVerdict(verdict.client, .compatible)
      case .targetsUnjudged where !world.checkers.schemas.hasTraffic(version(verdict.client)):
        return SchemaVerdict(verdict.client, .compatible)
      case .contractsFeared where hasContract:
        return SchemaVerdict(verdict.client, .breaks, why: "contracts are dangerous")
      default: return verdict
      }
    }
    return .examined(
      SchemaExamination(
        survey: examination.survey, pending: examination.pending, after: examination.after,
        migration: examination.migration, why: examination.why, verdicts: verdicts, coming: examination.coming,
        comingBefore: examination.comingBefore, report: examination.report), migrations: migrations)
  }

  // MARK: Changing

  /// Nil for an outage: somebody with a later fence has been here, or the connection was lost in the middle.
  func apply(_ order: MigrationOrder, fence: Fence) -> MigrationOutcome? {
    var database = database(order.place)
    if let highest = database.fence, fence < highest {
      really(order, [], fence) { $0 == nil }
      return nil
    }
    database.fence = fence
    databases[order.place] = database
    world.checkers.carriedOut("database \(order.place)", fence)
    really(order, [], fence, isApplied)
    let pending = order.pending.compactMap(Self.change)
    let done = database.names
    let isForgetful = world.plant == .bookForgets
    let remaining = isForgetful ? pending : pending.filter { !done.contains($0) }
    if remaining.isEmpty { return survey(order.place).map(MigrationOutcome.applied) }
    if world.plant == .driftIgnored, let altered = database.schema.after(.add(30)) {
      alter(order.place, to: altered)
      database.schema = altered
    }
    // What was judged, or what the last of this order's own migrations left.
    var expected: Digest? = order.on
    if remaining.count < pending.count {
      expected = database.book.last.flatMap { pending.contains($0.change) ? $0.schema : nil }
    }
    if database.digest != expected, world.plant != .driftIgnored, !isForgetful {
      really(order, pending, fence) { if case .drifted = $0 { true } else { false } }
      return survey(order.place).map(MigrationOutcome.drifted)
    }
    for change in remaining {
      if world.chance.happens(world.faults.refused / 2) {
        return survey(order.place).map { .failed(name: "m\(change)", why: "a lock was not to be had", $0) }
      }
      world.checkers.schemas.applies(change, of: order, on: database.digest)
      let reached = Array(pending[...(pending.firstIndex(of: change) ?? 0)])
      guard let after = database.schema.after(world.forge.steps(of: change)) else {
        really(order, reached, fence) { if case .failed = $0 { true } else { false } }
        return survey(order.place).map { .failed(name: "m\(change)", why: "the database refuses it", $0) }
      }
      really(order, reached, fence, isApplied)
      database.schema = after
      databases[order.place] = database
      if peer != nil { database.hash = look(at: order.place)?.schema }
      database.book.append(Entry(change: change, schema: database.digest))
      databases[order.place] = database
      world.checkers.schemas.changed(order.place, byHand: false)
      // The connection is lost between two.
      if change != remaining.last, world.chance.happens(world.faults.lostReplies) { return nil }
    }
    return survey(order.place).map(MigrationOutcome.applied)
  }

  private let isApplied: (MigrationOutcome?) -> Bool = { if case .applied = $0 { true } else { false } }

  /// The same order to the real database, up to the last of `pending`: one by one, so that requests come between two.
  private func really(
    _ order: MigrationOrder, _ pending: [Int], _ fence: Fence, _ isExpected: (MigrationOutcome?) -> Bool
  ) {
    guard let peer else { return }
    let part = MigrationOrder(
      place: order.place, migrations: order.migrations,
      pending: order.pending.filter { Self.change($0).map(pending.contains) ?? false }, on: order.on)
    do throws(Outage) {
      let outcome = try peer.apply(part, fence: fence, at: world.wallClock)
      if isExpected(outcome) { return }
      let words = outcome.map { "\($0)" } ?? "it came too late"
      world.checkers.report(
        .modelHolds,
        "m\(pending) applied to \(order.place) by \(fence.position) ends otherwise than in the model: \(words)")
    } catch { away(error) }
  }

  @discardableResult private func look(at place: SchemaPlace) -> SchemaSurvey? {
    guard let peer else { return nil }
    do throws(Outage) {
      let survey = try peer.survey(place, at: world.wallClock)
      databases[place, default: Database()].hash = survey.schema
      return survey
    } catch {
      away(error)
      return nil
    }
  }

  /// No story has a real database that fails.
  func away(_ outage: Outage) { world.checkers.report(.modelHolds, "a real database failed: \(outage)") }

  /// The book says so from now on, and nothing is run. Nil for an outage.
  func adopt(_ adoption: DatabaseSchema.Adoption, in place: SchemaPlace, fence: Fence) -> StreamAnswer? {
    guard let through = adoption.through else { return adopt([], in: place, fence: fence) }
    let chain = world.forge.migrations(of: adoption.commit)
    guard let index = chain.firstIndex(where: { Self.change(named: through) == $0 }) else {
      return .unadoptable("\(adoption.commit.short) has no migration \(through)")
    }
    return adopt(Array(chain[...index]), in: place, fence: fence)
  }
  enum StreamAnswer {
    case adopted(SchemaSurvey, [MigrationMark])
    case unadoptable(String)
  }

  private func adopt(_ chain: [Int], in place: SchemaPlace, fence: Fence) -> StreamAnswer? {
    var database = database(place)
    if let highest = database.fence, fence < highest { return nil }
    database.fence = fence
    world.checkers.carriedOut("database \(place)", fence)
    var adopted = PeerAdoption(survey: modelled(place), marks: chain.map(Self.mark))
    if let peer {
      do throws(Outage) {
        guard let real = try peer.adopt(migrations(chain), in: place, fence: fence, at: world.wallClock) else {
          world.checkers.report(.modelHolds, "\(place) refuses to adopt by \(fence.position)")
          return nil
        }
        adopted = real
      } catch {
        away(error)
        return nil
      }
    }
    database.book = chain.map { change in
      database.book.first { $0.change == change } ?? Entry(change: change, schema: database.digest)
    }
    databases[place] = database
    world.checkers.schemas.adopted(chain, in: place)
    if peer == nil { adopted = PeerAdoption(survey: modelled(place), marks: adopted.marks) }
    return .adopted(adopted.survey, adopted.marks)
  }

  /// Somebody alters the schema past everyone.
  func alter(_ place: SchemaPlace, to schema: SimulatedSchema) {
    var database = database(place)
    guard database.schema != schema else { return }
    let steps = database.schema.steps(to: schema)
    database.schema = schema
    databases[place] = database
    if let peer {
      do throws(Outage) { try peer.alter(place, by: steps) } catch { away(error) }
      look(at: place)
    }
    world.checkers.schemas.changed(place, byHand: true)
  }
}

extension SimulatedSchema.Step {
  var isContract: Bool {
    switch self {
    case .drop, .require: true
    case .add, .relax: false
    }
  }
}
