import ControlPlane
import Kernel
import Migrations
import Promotions
import Rollouts

/// What schemas owe to those who live on them. Looks at the databases, the routers and the ledger, and computes for
/// itself what fits.
final class SchemaCheckers {
  unowned let world: World
  private let report: (Promise, String) -> Void
  /// Since when nobody does anything any more; nil before.
  var calmSince: Instant?
  private(set) var tally = SchemaTally()

  /// A version that left counts as there for so long: messages late by 30 s, calls that stall for 25 s, retries that
  /// pause as long, and a process that is down for 20 s in between.
  static let memory = Span.seconds(150)
  /// Where nothing fails: an examination of 3 s and the calls before and after it.
  static let memoryWithoutFaults = Span.seconds(8)
  /// In calm nothing is late any more after this.
  static let settling = Span.seconds(60)

  private struct Kept {
    let deployment: Deployment
    let ordinal: Int64
    var version: SimulatedVersion { SimulatedVersion(service: deployment.service, commit: deployment.commit) }
  }
  private struct Judged: Equatable {
    let on: Digest
    let pending: [Int]
  }
  /// Newest first.
  private var kept: [StreamID: [Kept]] = [:]
  private var ordinals: [DeploymentID: Int64] = [:]
  private var inFlight: [SchemaPlace: [SimulatedVersion]] = [:]
  /// What the schema said last, and what of that the place has heard.
  private var said: [StreamID: [Digest]] = [:]
  private var heard: [StreamID: [Digest]] = [:]
  /// The schema that was judged when a person took a risk, and whom that refusal said to break or could not tell of.
  private var overrides: [SchemaPlace: (schema: Digest, atRisk: Set<SimulatedVersion>)] = [:]
  private var refusals: [SchemaPlace: SchemaExamination] = [:]
  /// Whom a person put at risk, by name or with their own hands, until the schema fits them again.
  private var risked: [SchemaPlace: Set<SimulatedVersion>] = [:]
  /// The last time at which a version was there, and at which the schema fitted it.
  private var there: [SchemaPlace: [SimulatedVersion: Instant]] = [:]
  private var fitted: [SchemaPlace: [SimulatedVersion: Instant]] = [:]
  private var verdicts: [SchemaPlace: [Judged]] = [:]
  private var applied: [SchemaPlace: [Int]] = [:]
  private var schemas: [SchemaPlace: SimulatedSchema] = [:]
  /// What the ledger says that each schema is.
  private var known: [SchemaPlace: SchemaSurvey] = [:]
  /// Whose rollout has begun and not ended.
  private var moving: [StreamID: SimulatedVersion] = [:]

  private let memory: Span
  private let recordings: RecordingCheckers

  init(_ world: World, report: @escaping (Promise, String) -> Void) {
    self.world = world
    self.report = report
    recordings = RecordingCheckers(world, report: report)
    memory = world.faults == .none ? Self.memoryWithoutFaults : Self.memory
  }

  // MARK: Who is there

  func hasTraffic(_ version: SimulatedVersion) -> Bool {
    world.deliveries.contains { stream in
      world.router.shares(of: stream).contains { $0.percent > 0 && self.version(of: $0.deployment) == version }
    }
  }

  private func version(of id: DeploymentID) -> SimulatedVersion? {
    world.platform.running[id].map {
      SimulatedVersion(service: $0.deployment.service, commit: $0.deployment.commit)
    }
  }

  private lazy var places = world.deliveries.compactMap { stream in
    Wiring.place(of: stream).map { (stream: stream, place: SimulatedNames.orders($0.1)) }
  }
  private func streams(of place: SchemaPlace) -> [StreamID] { places.filter { $0.place == place }.map(\.stream) }
  private func place(of stream: StreamID) -> SchemaPlace? { places.first { $0.stream == stream }?.place }

  /// Running, on its way, or kept; each once, sorted.
  private func present(in place: SchemaPlace) -> [SimulatedVersion] {
    var found = Set(inFlight[place] ?? [])
    for stream in streams(of: place) {
      found.formUnion((kept[stream] ?? []).map(\.version))
      if let version = moving[stream] { found.insert(version) }
    }
    for (id, running) in world.platform.running where running.deployment.environment == place.environment {
      if let version = version(of: id) { found.insert(version) }
    }
    return found.sorted()
  }

  private func remember(_ place: SchemaPlace) {
    for version in present(in: place) { there[place, default: [:]][version] = world.now }
  }

  /// There now, or not long enough gone for everyone to know.
  private func recent(in place: SchemaPlace) -> [SimulatedVersion] {
    remember(place)
    let span = isSettled ? Span.zero : memory
    return (there[place] ?? [:]).filter { world.now - $0.value <= span }.map(\.key).sorted()
  }

  private func fits(_ version: SimulatedVersion, _ place: SchemaPlace) -> Bool {
    world.forge.statements(of: version).fits(world.schemas.schema(place))
  }

  // MARK: The world

  /// The schema server answered.
  func judged(_ place: SchemaPlace, on schema: Digest, _ pending: [Int]) {
    verdicts[place, default: []].append(Judged(on: schema, pending: pending))
  }

  func applies(_ change: Int, of order: MigrationOrder, on schema: Digest) {
    let place = order.place
    let pending = order.pending.compactMap(SimulatedSchemas.change)
    if applied[place, default: []].contains(change) { report(.migratedOnce, "m\(change) is applied to \(place) twice") }
    if !(verdicts[place] ?? []).contains(Judged(on: order.on, pending: pending)) {
      report(.migratedOnce, "m\(change) is applied to \(place) without a verdict")
    }
    if change == pending.first, schema != order.on {
      report(.migratedOnce, "m\(change) is applied to \(place), whose schema is another than was judged")
    }
    applied[place, default: []].append(change)
    tally.applied += 1
    if world.forge.steps(of: change).contains(where: \.isContract) { tally.contracts += 1 }
  }

  func adopted(_ chain: [Int], in place: SchemaPlace) {
    applied[place] = chain
    tally.adoptions += 1
  }

  func changed(_ place: SchemaPlace, byHand: Bool) {
    let before = schemas[place] ?? .base
    let after = world.schemas.schema(place)
    schemas[place] = after
    let broken = Set(versions(in: place)).filter { version in
      let statements = world.forge.statements(of: version)
      return statements.firstBreak(from: before, through: [after]) != nil
    }
    if byHand {
      tally.drifts += 1
      risked[place, default: []].formUnion(broken)
    } else if let override = overrides[place] {
      risked[place, default: []].formUnion(broken.intersection(override.atRisk))
    }
    look(at: place)
  }

  /// Everything that was ever built, sorted.
  private func versions(in place: SchemaPlace) -> [SimulatedVersion] { world.runner.artifacts.keys.sorted() }

  func routed(_ stream: StreamID) {
    if let place = place(of: stream) { look(at: place) }
  }

  /// Whoever gets requests, or may be gone back to, fits.
  private func look(at place: SchemaPlace) {
    for stream in streams(of: place) {
      let receivers = world.router.shares(of: stream).filter { $0.percent > 0 }.map(\.deployment)
      for id in receivers + (world.router.preview(of: stream).map { [$0] } ?? []) {
        guard let version = version(of: id), !isExcused(version, place) else { continue }
        let failures = world.forge.statements(of: version).failures(on: world.schemas.schema(place))
        if let failure = failures.first { report(.schemaServesAll, "\(id) gets requests in \(place), and \(failure)") }
      }
      for entry in kept[stream] ?? [] {
        if fits(entry.version, place) {
          fitted[place, default: [:]][entry.version] = world.now
        } else if !isExcused(entry.version, place), !(heard[stream] ?? []).contains(entry.deployment.digest) {
          report(.rollbackTargetsFit, "\(entry.deployment.id) is kept in \(place), would fail and is not barred")
        }
      }
    }
    reallySend(to: place)
  }

  // MARK: Real databases

  private struct Sending: Equatable {
    let schema: Digest
    let senders: [SimulatedVersion]
    let targets: [SimulatedVersion]
  }
  /// What was sent last: the same again says nothing new.
  private var sent: [SchemaPlace: Sending] = [:]

  /// Whoever gets requests really sends all it has, and what may be gone back to is tried.
  private func reallySend(to place: SchemaPlace) {
    guard let peer = world.schemas.peer else { return }
    var senders: Set<SimulatedVersion> = []
    var targets: Set<SimulatedVersion> = []
    for stream in streams(of: place) {
      let receivers = world.router.shares(of: stream).filter { $0.percent > 0 }.map(\.deployment)
      for id in receivers + (world.router.preview(of: stream).map { [$0] } ?? []) {
        if let version = version(of: id), !isExcused(version, place) { senders.insert(version) }
      }
      for entry in kept[stream] ?? [] where !(heard[stream] ?? []).contains(entry.deployment.digest) {
        if !isExcused(entry.version, place) { targets.insert(entry.version) }
      }
    }
    let sending = Sending(
      schema: world.schemas.digest(place), senders: senders.sorted(), targets: targets.subtracting(senders).sorted())
    guard sent[place] != sending else { return }
    sent[place] = sending
    do throws(Outage) {
      for version in sending.senders {
        tally.sendings += 1
        if let failure = try peer.send(world.forge.statements(of: version), to: place) {
          report(.schemaServesAll, "\(version.service) \(version.commit.short) sends to \(place): \(failure)")
        }
      }
      let trial = PeerTrial(
        place: place, landed: [], pending: [], versions: sending.targets.map(world.forge.statements))
      guard !trial.versions.isEmpty else { return }
      tally.targetsTried += trial.versions.count
      for (version, fate) in zip(sending.targets, try peer.rehearse(trial).versions) {
        guard let failure = fate.after else { continue }
        report(
          .rollbackTargetsFit, "\(version.service) \(version.commit.short), kept in \(place), would fail: \(failure)")
      }
    } catch { world.schemas.away(error) }
  }

  /// Whether what was refused breaks somebody on the real database; nil without one.
  private func reallyBreaks(
    _ pending: [Int], after landed: [Int], coming: SimulatedVersion?, _ place: SchemaPlace
  ) -> Bool? {
    guard let peer = world.schemas.peer else { return nil }
    func migrations(_ changes: [Int]) -> [PeerMigration] {
      changes.map { PeerMigration(change: $0, steps: world.forge.steps(of: $0)) }
    }
    let living = recent(in: place)
    let trial = PeerTrial(
      place: place, landed: migrations(landed), pending: migrations(pending),
      versions: (living + (coming.map { [$0] } ?? [])).map(world.forge.statements))
    tally.refusalsTried += 1
    do throws(Outage) {
      let outcome = try peer.rehearse(trial)
      if outcome.migration != nil || coming != nil && outcome.versions.last?.after != nil { return true }
      return outcome.versions.prefix(living.count).contains { $0.broken != nil }
    } catch {
      world.schemas.away(error)
      return nil
    }
  }

  private func isExcused(_ version: SimulatedVersion, _ place: SchemaPlace) -> Bool {
    (risked[place]?.contains(version) ?? false) || (recordings.waived[place]?.contains(version) ?? false)
  }

  // MARK: The ledger

  func recorded(_ event: RecordedEvent<StreamEvent>) {
    switch event.event {
    case .schema(let inner):
      guard let place = Wiring.database(of: event.stream) else { return }
      schema(inner, place)
    case .delivery(let inner): delivery(inner, event.stream)
    case .build(let inner): build(inner, event.stream)
    case .settings, .queue, .observation, .flag, .flagFolder: break
    }
  }

  private func learned(_ survey: SchemaSurvey, _ place: SchemaPlace) {
    // A look that began earlier says nothing new.
    if let last = known[place], survey.at < last.at { return }
    known[place] = survey
    guard isKnown(place) else { return }
    // From now on nobody new is let onto a schema that fails it, and whom it fits again nobody may break. Not before:
    // what migrations mend and break again on their way was broken when they were judged.
    let living = Set(present(in: place))
    risked[place] = (risked[place] ?? []).intersection(living).filter { !fits($0, place) }
  }

  private func isKnown(_ place: SchemaPlace) -> Bool { known[place]?.schema == world.schemas.digest(place) }

  private func schema(_ event: DatabaseSchema.Event, _ place: SchemaPlace) {
    recordings.heard(event, place)
    (tally.uploads, tally.postponed) = (recordings.uploads, recordings.postponed)
    switch event {
    case .reconsidered: tally.reconsidered += 1
    case .surveyed(let survey): learned(survey, place)
    // The first word of a schema may be an examination's.
    case .examined(_, let examination): if known[place] == nil { learned(examination.survey, place) }
    case .drifted(_, let survey):
      tally.driftsSeen += 1
      learned(survey, place)
    case .granted(let ask):
      tally.granted += 1
      inFlight[place, default: []].append(SimulatedVersion(service: ask.service, commit: ask.commit))
      overrides[place] = nil
    case .refused(let refused):
      tally.refused += 1
      refusals[place] = refused.examination
      refuses(refused, place)
    case .turnedAway(let ask, let why):
      tally.turnedAway += 1
      // Faults end with the calm, and with them their excuses.
      if isSettled, !isTangled(ask, place) {
        report(.contractsPass, "\(ask.service) \(ask.commit.short) is turned away from \(place) in calm: \(why)")
      }
    case .migrated(let change, let survey):
      if change.override != nil { tally.overridesUsed += 1 }
      overrides[place] = nil
      learned(survey, place)
    case .migrationFailed(_, _, _, let survey):
      tally.failed += 1
      learned(survey, place)
    case .adopted(_, let survey): learned(survey, place)
    case .reviewed(let review, let verdict):
      tally.reviews += 1
      if !verdict.passes, verdict.fit != .unknown {
        tally.reviewsRefused += 1
        refuses(review, verdict, place)
      }
    case .barred(let service, let bars):
      let stream = StreamID.delivery(service, place.environment)
      said[stream] = bars.map(\.digest)
      if !bars.isEmpty { tally.bars += 1 }
    case .overridden:
      tally.overrides += 1
      overrides[place] = refusals[place].map { read in
        let verdicts = read.everyVerdict.filter { $0.fit == .breaks || $0.fit == .unknown }
        return (
          read.survey.schema,
          Set(verdicts.map { SimulatedVersion(service: $0.client.service, commit: $0.client.commit) })
        )
      }
    case .migrating(_, let examination, _, _):
      // A risk is taken on the schema on which it was read.
      if overrides[place]?.schema != examination.survey.schema { overrides[place] = nil }
    case .configured, .closed, .versionsChanged, .queued, .examinationBegan, .abandoned,
      .reviewDropped, .audited, .adoptionOrdered, .adoptionFailed, .troubled, .recorded, .newsPostponed:
      break
    }
  }

  private func delivery(_ event: Rollout.Event, _ stream: StreamID) {
    switch event {
    case .evidenceNoted, .stepEntered, .stepPassed, .placed, .routed: return
    default: break
    }
    guard let place = place(of: stream) else { return }
    remember(place)
    switch event {
    case .started(let start):
      let version = SimulatedVersion(service: start.deployment.service, commit: start.deployment.commit)
      ordinals[start.deployment.id] = start.offer.ordinal
      inFlight[place]?.removeAll { $0 == version }
      switch start.kind {
      case .forward: tally.rollouts += 1
      case .rollback, .drill:
        if start.kind == .rollback { tally.rollbacks += 1 }
        if heard[stream]?.contains(start.deployment.digest) ?? false {
          report(.noRollbackToBarred, "\(start.kind) to \(start.deployment.id), which \(place) would fail")
        }
      }
      moving[stream] = version
    case .confirmed(let offer, let deployment, at: _): ordinals[deployment.id] = offer.ordinal
    case .drilled, .drillAbandoned, .rollbackAbandoned, .reported: moving[stream] = nil
    case .completed(_, let deployment, at: _):
      moving[stream] = nil
      kept[stream, default: []].removeAll { $0.deployment.id == deployment.id }
      kept[stream, default: []].insert(
        Kept(deployment: deployment, ordinal: ordinals[deployment.id] ?? 0), at: 0)
      kept[stream] = Array((kept[stream] ?? []).prefix(SimulatedSettings.keep))
      look(at: place)
    case .condemned(let condemnation):
      tally.condemned += 1
      kept[stream]?.removeAll { world.checkers.isCondemned($0.deployment.id, in: stream) }
      let gone = SimulatedVersion(service: condemnation.deployment.service, commit: condemnation.deployment.commit)
      inFlight[place]?.removeAll { $0 == gone }
    case .floorRaised(_, let ordinal, at: _):
      tally.floors += 1
      kept[stream]?.removeAll { $0.ordinal < ordinal }
    case .barsNoted:
      unbars(stream, place)
      heard[stream] = said[stream] ?? []
      look(at: place)
    default: break
    }
  }

  /// What fails is barred until it fits.
  private func unbars(_ stream: StreamID, _ place: SchemaPlace) {
    let now = said[stream] ?? []
    for entry in kept[stream] ?? [] where (heard[stream] ?? []).contains(entry.deployment.digest) {
      guard !now.contains(entry.deployment.digest), !fits(entry.version, place) else { continue }
      let last = fitted[place]?[entry.version] ?? Agenda.beginning
      if world.now - last > Self.memory {
        report(.rollbackTargetsFit, "\(entry.deployment.id) is barred in \(place) no more, and would fail")
      }
    }
  }

  private func build(_ event: Promotion.Event, _ stream: StreamID) {
    switch event {
    case .schemaAsked: tally.asked += 1
    case .halted, .completed, .superseded:
      let parts = stream.name.split(separator: "/").map(String.init)
      guard parts.count == 2, let service = ServiceName(rawValue: parts[0]), let commit = CommitID(rawValue: parts[1])
      else { return }
      let version = SimulatedVersion(service: service, commit: commit)
      for place in world.databases {
        remember(place)
        inFlight[place]?.removeAll { $0 == version }
      }
    default: break
    }
  }

  // MARK: Refusals

  var isSettled: Bool { calmSince.map { world.now - $0 >= Self.settling } ?? false }

  /// The commit's migrations and the book grew apart.
  private func isTangled(_ ask: DatabaseSchema.Ask, _ place: SchemaPlace) -> Bool {
    isTangled(world.forge.migrations(of: ask.commit), place)
  }
  private func isTangled(_ chain: [Int], _ place: SchemaPlace) -> Bool {
    if case .failure = SimulatedSchemas.pending(chain, after: world.schemas.database(place).names, in: place) {
      return true
    }
    return false
  }

  private func refuses(_ refused: DatabaseSchema.RefusedAsk, _ place: SchemaPlace) {
    if recordings.isDoubted(refused.examination, place) { return }
    // What was judged is gone: nothing can be said of it.
    guard refused.examination.survey.schema == world.schemas.digest(place) else { return }
    let chain = world.forge.migrations(of: refused.ask.commit)
    let coming = SimulatedVersion(service: refused.ask.service, commit: refused.ask.commit)
    if isRight(chain, base: [], coming: coming, place) { return }
    report(.contractsPass, "\(coming.service) \(coming.commit.short) breaks nobody in \(place): \(refused.why)")
  }

  private func refuses(
    _ review: DatabaseSchema.Review, _ verdict: SchemaReview, _ place: SchemaPlace
  ) {
    guard let change = world.forge.change(ofHead: review.head) else { return }
    // The trunk may have moved since, and the schema: only where neither can have is it certain.
    guard isSettled else { return }
    let base = world.forge.migrations(of: world.forge.trunk)
    if isRight(base + [change], base: base, coming: nil, place) { return }
    report(.contractsPass, "change \(change) breaks nobody in \(place): \(verdict.why)")
  }

  /// Whether somebody would be broken.
  private func isRight(
    _ chain: [Int], base: [Int], coming: SimulatedVersion?, _ place: SchemaPlace
  ) -> Bool {
    let database = world.schemas.database(place)
    guard !isTangled(chain, place) else { return true }
    let pending = chain.filter { !database.names.contains($0) }
    if let breaks = reallyBreaks(
      pending.filter { !base.contains($0) }, after: pending.filter(base.contains), coming: coming, place)
    {
      return breaks
    }
    guard let before = database.schema.after(pending.filter(base.contains).flatMap(world.forge.steps)),
      let states = before.states(through: pending.filter { !base.contains($0) }.map(world.forge.steps))
    else { return true }
    if let coming, !world.forge.statements(of: coming).fits(states.last ?? before) { return true }
    return recent(in: place).contains {
      world.forge.statements(of: $0).firstBreak(from: before, through: states) != nil
    }
  }

  // MARK: At the end

  /// When everything is at rest.
  func settle() {
    for place in world.databases {
      for stream in streams(of: place) {
        for entry in kept[stream] ?? [] {
          recordings.settle(place, entry.deployment)
          let isBarred = (heard[stream] ?? []).contains(entry.deployment.digest)
          if isBarred == fits(entry.version, place) {
            let words = isBarred ? "fits and is barred" : "would fail and is not barred"
            report(.rollbackTargetsFit, "at rest \(entry.deployment.id) in \(place) \(words)")
          }
        }
      }
      if !isKnown(place) { report(.rollbackTargetsFit, "at rest nobody knows how \(place) was altered") }
    }
  }

  /// Kept versions of a place, newest first.
  func targets(of stream: StreamID) -> [Digest] { (kept[stream] ?? []).map(\.deployment.digest) }
}
