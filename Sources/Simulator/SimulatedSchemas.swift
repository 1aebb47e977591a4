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
    var names: [Int] { book.map(\.change) }
  }

  enum Answer {
    case examined(SchemaExamination, migrations: Digest?)
    case unexaminable(String)
  }

  unowned let world: World
  private var databases: [SchemaPlace: Database] = [:]
  /// Migrations by the blob that holds them.
  private var blobs: [Digest: [Int]] = [:]
  private static let report = SimulatedNames.digest(5)

  init(_ world: World) { self.world = world }

  func database(_ place: SchemaPlace) -> Database { databases[place] ?? Database() }
  func schema(_ place: SchemaPlace) -> SimulatedSchema { database(place).schema }

  static func mark(_ change: Int) -> MigrationMark {
    MigrationMark(name: "m\(change)", content: SimulatedNames.digest(UInt64(change) &+ 40_000))
  }
  static func change(_ mark: MigrationMark) -> Int? { Int(mark.name.dropFirst()) }

  private func blob(_ chain: [Int]) -> Digest {
    let digest = SimulatedNames.digest(chain.reduce(77) { Chance.mix($0 &+ UInt64($1) &+ 1) })
    blobs[digest] = chain
    return digest
  }

  // MARK: Looking

  func survey(_ place: SchemaPlace) -> SchemaSurvey {
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

  func examine(_ order: DatabaseSchema.ExamineOrder) -> Answer {
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
        let survey = survey(place)
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
  ) -> Answer {
    let place = order.policy.place
    let database = database(place)
    var pending: [Int] = []
    var before = database.schema
    if let chain {
      switch Self.pending(chain, after: database.names, in: place) {
      case .success(let found): pending = found
      case .failure(let objection): return .unexaminable(objection.why)
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
    let verdicts = order.versions.map { verdict($0, from: before, through: states, pending) }
    let examination = SchemaExamination(
      survey: survey(place), pending: pending.map(Self.mark), after: (after ?? database.schema).digest,
      migration: after == nil ? .breaks : .compatible, why: after == nil ? "it cannot be applied" : "",
      verdicts: verdicts, coming: coming.map { verdict($0, to: after) },
      comingBefore: coming.map { verdict($0, to: database.schema).fit }, report: Self.report)
    world.checkers.schemas.judged(place, on: database.schema.digest, pending)
    return .examined(examination, migrations: chain.map(blob))
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
    _ client: SchemaClient, from before: SimulatedSchema, through states: [SimulatedSchema]?, _ pending: [Int]
  ) -> SchemaVerdict {
    let known = SchemaClient(
      service: client.service, digest: client.digest, commit: client.commit, statements: Self.report)
    let version = version(client)
    if world.plant == .examinerBlind { return SchemaVerdict(known, .compatible) }
    if world.plant == .targetsUnjudged, !world.checkers.schemas.hasTraffic(version) {
      return SchemaVerdict(known, .compatible)
    }
    if world.plant == .contractsFeared, pending.flatMap(world.forge.steps).contains(where: \.isContract) {
      return SchemaVerdict(known, .breaks, why: "contracts are dangerous")
    }
    if pending.isEmpty { return verdict(known, to: before) }
    guard let states else { return SchemaVerdict(known, .unknown, why: "the migration cannot be applied") }
    let failure = world.forge.statements(of: version).firstBreak(from: before, through: states)
    return failure.map { SchemaVerdict(known, .breaks, why: $0) } ?? SchemaVerdict(known, .compatible)
  }

  // MARK: Changing

  /// Nil for an outage: somebody with a later fence has been here, or the connection was lost in the middle.
  func apply(_ order: MigrationOrder, fence: Fence) -> MigrationOutcome? {
    var database = database(order.place)
    if let highest = database.fence, fence < highest { return nil }
    database.fence = fence
    databases[order.place] = database
    world.checkers.carriedOut("database \(order.place)", fence)
    let pending = order.pending.compactMap(Self.change)
    let done = database.names
    let isForgetful = world.plant == .bookForgets
    let remaining = isForgetful ? pending : pending.filter { !done.contains($0) }
    if remaining.isEmpty { return .applied(survey(order.place)) }
    if world.plant == .driftIgnored, let altered = database.schema.after(.add(30)) {
      alter(order.place, to: altered)
      database.schema = altered
    }
    // What was judged, or what the last of this order's own migrations left.
    var expected: Digest? = order.on
    if remaining.count < pending.count {
      expected = database.book.last.flatMap { pending.contains($0.change) ? $0.schema : nil }
    }
    if database.schema.digest != expected, world.plant != .driftIgnored, !isForgetful {
      return .drifted(survey(order.place))
    }
    for change in remaining {
      if world.chance.happens(world.faults.refused / 2) {
        return .failed(name: "m\(change)", why: "a lock was not to be had", survey(order.place))
      }
      world.checkers.schemas.applies(change, of: order, on: database.schema)
      guard let after = database.schema.after(world.forge.steps(of: change)) else {
        return .failed(name: "m\(change)", why: "the database refuses it", survey(order.place))
      }
      database.schema = after
      database.book.append(Entry(change: change, schema: after.digest))
      databases[order.place] = database
      world.checkers.schemas.changed(order.place, byHand: false)
      // The connection is lost between two.
      if change != remaining.last, world.chance.happens(world.faults.lostReplies) { return nil }
    }
    return .applied(survey(order.place))
  }

  /// The book says so from now on, and nothing is run. Nil for an outage.
  func adopt(_ adoption: DatabaseSchema.Adoption, in place: SchemaPlace, fence: Fence) -> StreamAnswer? {
    guard let through = adoption.through else { return adopt([], in: place, fence: fence) }
    let chain = world.forge.migrations(of: adoption.commit)
    guard let index = chain.firstIndex(where: { "m\($0)" == through }) else {
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
    database.book = chain.map { change in
      database.book.first { $0.change == change } ?? Entry(change: change, schema: database.schema.digest)
    }
    databases[place] = database
    world.checkers.schemas.adopted(chain, in: place)
    return .adopted(survey(place), chain.map(Self.mark))
  }

  /// Somebody alters the schema past everyone.
  func alter(_ place: SchemaPlace, to schema: SimulatedSchema) {
    var database = database(place)
    guard database.schema != schema else { return }
    database.schema = schema
    databases[place] = database
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
