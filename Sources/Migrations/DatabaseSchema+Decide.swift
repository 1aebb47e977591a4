import Kernel

extension DatabaseSchema {
  package static func decide(_ input: Input, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let events: [Event]
    switch input {
    case .configure(let policy): events = try configure(policy, in: state)
    case .unconfigure: events = unconfigure(in: state)
    case .ask(let ask): events = queue(.ask(ask), in: state)
    case .review(let review): events = queue(.review(review), in: state)
    case .released(let service, let commit): events = released(service, commit, in: state)
    case .held(let service, let versions): events = held(service, versions, in: state)
    case .surveyed(let survey): events = surveyed(survey, in: state, turn)
    case .examined(let number, let examination, let migrations):
      events = examined(number, examination, migrations, in: state, turn)
    case .unexaminable(let number, let why, let ofPlace):
      events = unexaminable(number, clipped(why), ofPlace: ofPlace, in: state)
    case .reviewEnded(let entry, let repository, let trunk):
      events = reviewEnded(entry, repository, trunk, in: state)
    case .migrated(let number, let outcome): events = migrated(number, outcome, in: state, turn)
    case .adopted(let number, let survey, let marks): events = adopted(number, survey, marks, in: state, turn)
    case .unadoptable(let number, let why):
      guard case .adopting(let adoption, number) = state.phase else { return [] }
      events = [.adoptionFailed(adoption, why: clipped(why))]
    case .override(let request): events = try override(request, in: state, turn)
    case .adopt(let adoption): events = try adopt(adoption, in: state)
    case .record(let upload, let known): events = try record(upload, over: known, in: state)
    case .exhausted(let key, let why): events = exhausted(key, clipped(why), in: state)
    }
    // Each consequence shortens the line, begins the one thing that may run, or makes what was told what is so.
    return settled(events, in: state) { consequences(of: $0) }
  }

  // MARK: Consequences

  private static func consequences(of state: State) -> [Event] {
    let bars = untoldBars(in: state)
    if !bars.isEmpty { return bars }
    guard case .idle = state.phase, state.policy != nil else { return [] }
    // Who waits to go out is asked before who waits to land.
    let next = state.waiting.first(where: \.isAsk) ?? state.waiting.first
    if let next { return [.examinationBegan(next, number: state.number)] }
    return state.wantsAudit ? [.examinationBegan(.audit, number: state.number)] : []
  }

  private static func untoldBars(in state: State) -> [Event] {
    let services = Set(state.versions.map(\.service) + state.told.map(\.service)).sorted()
    return services.compactMap { service in
      let bars = state.bars(of: service)
      let told = state.told.first { $0.service == service }?.bars ?? []
      return bars == told ? nil : .barred(service: service, bars: bars)
    }
  }

  // MARK: Policy

  private static func configure(_ policy: Policy, in state: State) throws(Refusal) -> [Event] {
    if let old = state.policy, old.place != policy.place {
      throw Refusal(
        .malformed, "This stream is the schema of \(old.place), not of \(policy.place): configure that one.")
    }
    return policy == state.policy && state.phase != .closed ? [] : [.configured(policy)]
  }

  private static func unconfigure(in state: State) -> [Event] {
    guard let policy = state.policy, state.phase != .closed else { return [] }
    let errands = (state.current.map { [$0] } ?? []) + state.waiting
    let why = "plimsoll.yaml no longer names \(policy.place)"
    return errands.compactMap { turnAway($0, why, in: state) } + [.closed]
  }

  // MARK: What is asked

  private static func queue(_ errand: Errand, in state: State) -> [Event] {
    guard let policy = state.policy, state.phase != .closed else {
      return turnAway(errand, "plimsoll.yaml names no such database here", in: state).map { [$0] } ?? []
    }
    guard !state.waiting.contains(errand), state.current != errand else { return [] }
    switch errand {
    case .ask(let ask):
      guard policy.names(ask.service) else {
        return [.turnedAway(ask, why: "plimsoll.yaml does not say that \(ask.service) uses \(policy.place)")]
      }
      // Who holds a grant was judged, and its migrations are applied; unless the schema moved since.
      let fit = state.survey.flatMap { state.verdict(of: ask.service, ask.digest, on: $0.schema) }?.fit
      if state.versions.contains(where: { $0.isGranted && $0.isOf(ask) }), let fit, fit != .breaks {
        return [.granted(ask)]
      }
    case .review(let review):
      if state.waiting.count >= reviewLimit {
        let why = "more than \(reviewLimit) changes wait for \(policy.place); its promotion is judged all the same"
        return [.reviewed(review, SchemaReview(fit: .unknown, passes: true, why: why, report: nil))]
      }
    case .audit: break
    }
    return [.queued(errand)]
  }

  /// The answer to an errand that is nobody's any more here. No change is to blame for that, and a promotion is.
  private static func turnAway(_ errand: Errand, _ why: String, in state: State) -> Event? {
    switch errand {
    case .ask(let ask): .turnedAway(ask, why: why)
    case .review(let review):
      .reviewed(review, SchemaReview(fit: .unknown, passes: true, why: why, report: nil))
    case .audit: nil
    }
  }

  private static func reviewEnded(
    _ entry: Int, _ repository: RepositoryName, _ trunk: BranchName, in state: State
  ) -> [Event] {
    ((state.current.map { [$0] } ?? []) + state.waiting).compactMap { errand in
      guard case .review(let review) = errand,
        (review.entry, review.repository, review.trunk) == (entry, repository, trunk)
      else { return nil }
      return .reviewDropped(review)
    }
  }

  // MARK: Who lives here

  private static func held(_ service: ServiceName, _ versions: [HeldVersion], in state: State) -> [Event] {
    // Who is not named any more may still be on its way out; its promotion and its place answer for that.
    guard let policy = state.policy, state.phase != .closed, policy.names(service) else { return [] }
    var all = state.versions.filter { known in
      // What is granted is on its way until its place names it, by this offer or a newer one.
      known.service != service
        || (known.isGranted
          && !versions.contains { $0.digest == known.version.digest && $0.ordinal >= known.version.ordinal })
    }
    for version in versions {
      let known = state.versions.first { $0.service == service && $0.version.digest == version.digest }
      all.append(LiveVersion(service: service, version: version, statements: known?.statements, isGranted: false))
    }
    all.sort()
    return all == state.versions ? [] : [.versionsChanged(all)]
  }

  private static func released(_ service: ServiceName, _ commit: CommitID, in state: State) -> [Event] {
    func isFree(_ live: LiveVersion) -> Bool {
      live.isGranted && live.service == service && live.version.commit == commit
    }
    let asked = (state.current.map { [$0] } ?? []) + state.waiting
    let ended: [Event] = asked.compactMap { errand in
      guard case .ask(let ask) = errand, ask.service == service, ask.commit == commit, ask != state.abandoned else {
        return nil
      }
      return .abandoned(ask)
    }
    let left = state.versions.filter { !isFree($0) }
    return ended + (left == state.versions ? [] : [.versionsChanged(left)])
  }

  // MARK: The schema as it is

  private static func surveyed(_ survey: SchemaSurvey, in state: State, _ turn: TurnContext) -> [Event] {
    guard state.policy != nil, state.phase != .closed else { return [] }
    // A look that began before the last change says nothing of after it.
    guard let known = state.survey else { return [.surveyed(survey)] }
    guard survey.at > known.at, !state.isApplying else { return [] }
    if survey.schema != known.schema {
      return [.drifted(Drift(from: known.schema, to: survey.schema, since: min(survey.at, turn.now)), survey)]
    }
    // An equal look is news only where something failed: what was given up is tried again.
    if survey.isLike(known) {
      return state.trouble != nil && survey.at - known.at >= troubleInterval ? [.surveyed(survey)] : []
    }
    return [.surveyed(survey)]
  }

  // MARK: Examined

  private static func examined(
    _ number: Int, _ examination: SchemaExamination, _ migrations: Digest?, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard case .examining(let errand, number) = state.phase, let policy = state.policy else { return [] }
    var examination = examination
    var seen = [Event.examined(number: number, examination)]
    // A version that came meanwhile was not asked, one that left need not be; and a schema that moved was not judged.
    let again = Event.examinationBegan(errand, number: state.number)
    guard state.versions.allSatisfy({ live in examination.verdicts.contains { $0.client.isSame(as: live.client) } })
    else { return [again] }
    // Nor was it judged by all that is known of them. A recording is news only while it brings new statements; a busy
    // sidecar may bring some each minute, and then what was there has to do.
    if !state.heard.isEmpty {
      switch errand {
      // What it does not tell is looked for by the next.
      case .audit: break
      case .review, .ask:
        if state.restarts?.errand == errand, state.restarts?.count ?? 0 >= restartLimit {
          // A review is not the last word: its promotion is judged again.
          if errand.isAsk { examination = examination.leavingOpen(state.heard) }
          seen = [.newsPostponed(number: number, state.heard), .examined(number: number, examination)]
        } else {
          // Nobody who waits to go out stands behind a change that is judged again.
          return errand.isAsk || !state.waiting.contains(where: \.isAsk) ? [again] : [.queued(errand)]
        }
      }
    }
    if let known = state.survey, known.schema != examination.survey.schema {
      // What was seen while it ran is newer than what it saw.
      if state.movedMeanwhile { return [again] }
      let since = min(examination.survey.at, turn.now)
      return [
        .drifted(Drift(from: known.schema, to: examination.survey.schema, since: since), examination.survey), again,
      ]
    }
    switch errand {
    case .audit: return seen + [.audited(number: number)]
    case .review(let review): return seen + [.reviewed(review, verdict(examination, in: state, policy))]
    case .ask(let ask):
      if let why = objection(to: ask, examination, in: state, policy) {
        let refused = RefusedAsk(ask: ask, examination: examination, why: clipped(why), at: turn.now)
        let isMended = state.heard.contains { $0.mends(refused) }
        return seen + [.refused(refused)] + (isMended ? [.reconsidered(ask)] : [])
      }
      if examination.pending.isEmpty { return seen + [.granted(ask)] }
      guard let migrations else { return seen + [.turnedAway(ask, why: "its migrations were not kept")] }
      return seen + [.migrating(ask, examination, migrations: migrations, number: number)]
    }
  }

  /// Why the version may not come, in one sentence; nil when it may.
  private static func objection(
    to ask: Ask, _ examination: SchemaExamination, in state: State, _ policy: Policy
  ) -> String? {
    // What cannot work is no risk that somebody could take.
    if examination.migration == .breaks {
      return "its migration cannot be applied to \(policy.place): \(examination.why)"
    }
    if let coming = examination.coming, coming.fit == .breaks {
      return "\(policy.place) lacks what it needs: \(coming.why)"
    }
    let risks = state.risks(of: examination, policy)
    guard !risks.isEmpty || !policy.accepts(examination.migration) else { return nil }
    if let override = state.override, override.answers(examination), risks.allSatisfy({ override.takes($0) }),
      policy.accepts(examination.migration) || override.takes(examination.migration)
    {
      return nil
    }
    guard let worst = state.gravest(of: risks) else {
      return "its migration is dangerous in \(policy.place): \(examination.why)"
    }
    let others = risks.count > 1 ? " (and \(risks.count - 1) more)" : ""
    let subject = state.standing(of: worst.client)
    switch worst.fit {
    case .breaks: return "its migration breaks \(subject)\(others): \(worst.why)"
    case .hazard: return "its migration endangers \(subject)\(others): \(worst.why)"
    case .unknown, .compatible: return "whether \(subject)\(others) bears its migration cannot be told: \(worst.why)"
    }
  }

  private static func verdict(
    _ examination: SchemaExamination, in state: State, _ policy: Policy
  ) -> SchemaReview {
    if examination.pending.isEmpty { return SchemaReview(fit: .compatible, passes: true, why: "", report: nil) }
    if examination.migration == .breaks {
      return SchemaReview(
        fit: .breaks, passes: false, why: "it cannot be applied to \(policy.place): \(examination.why)",
        report: examination.report)
    }
    let risks = state.risks(of: examination, policy)
    guard let worst = state.gravest(of: risks) else {
      return SchemaReview(
        fit: examination.migration, passes: policy.accepts(examination.migration), why: examination.why,
        report: examination.report)
    }
    let subject = "\(worst.client.service) \(worst.client.commit.short) in \(policy.place)"
    return SchemaReview(
      fit: worst.fit, passes: false, why: clipped("\(subject): \(worst.why)"), report: examination.report)
  }

  /// - Parameter ofPlace: the database is at fault and not what was asked about it: no book, half a migration.
  private static func unexaminable(_ number: Int, _ why: String, ofPlace: Bool, in state: State) -> [Event] {
    guard case .examining(let errand, number) = state.phase else { return [] }
    switch errand {
    case .ask(let ask): return [.turnedAway(ask, why: why)]
    case .review(let review):
      // Its promotion will be told the same; no other change is held up for it.
      let passes = ofPlace || state.policy?.trusting == true
      return [.reviewed(review, SchemaReview(fit: .unknown, passes: passes, why: why, report: nil))]
    case .audit: return [.troubled(examineKey(number), why: why), .audited(number: number)]
    }
  }

  // MARK: Applied

  private static func migrated(
    _ number: Int, _ outcome: MigrationOutcome, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard case .applying(let ask, let examination, migrations: _, number) = state.phase else { return [] }
    switch outcome {
    case .applied(let survey):
      let change = Change(
        commit: ask.commit, title: ask.title, marks: examination.pending, before: examination.survey.schema,
        after: survey.schema, report: examination.report,
        override: state.override.flatMap { $0.answers(examination) ? $0 : nil }, at: turn.now)
      let applied = Event.migrated(change, survey)
      if state.abandoned == ask { return [applied] }
      // Another schema than was judged: what lives here is judged again before anyone joins it.
      return survey.schema == examination.after
        ? [applied, .granted(ask)] : [applied, .examinationBegan(.ask(ask), number: state.number)]
    case .drifted(let survey):
      let drift = Drift(from: examination.survey.schema, to: survey.schema, since: min(survey.at, turn.now))
      let again = Event.examinationBegan(.ask(ask), number: state.number)
      return [.drifted(drift, survey), state.abandoned == ask ? .abandoned(ask) : again]
    case .failed(let name, let why, let survey):
      return [.migrationFailed(ask, name: name, why: clipped(why), survey)]
    }
  }

  // MARK: What people ask

  private static func override(
    _ request: OverrideRequest, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    let place = try configuredPlace(in: state)
    try checkReason(request.reason, request.actor, "An override")
    guard let policy = state.policy, let refused = state.refused, refused.ask.commit == request.commit else {
      let last = state.refused.map { ": the last was \($0.ask.commit.short)" } ?? ""
      throw Refusal(
        .notNow, "Nothing of \(request.commit.short) was refused in \(place) last\(last). Promote it, then read why.")
    }
    let examination = refused.examination
    if let survey = state.survey, survey.schema != examination.survey.schema {
      throw Refusal(
        .notNow,
        "\(place) is another schema since \(request.commit.short) was refused: promote it again, then read why.")
    }
    guard examination.migration != .breaks, examination.coming?.fit != .breaks else {
      throw Refusal(
        .notNow, "\(request.commit.short) cannot work in \(place) whatever the risk: \(refused.why). Land a fix.")
    }
    let risks = state.risks(of: examination, policy)
    let atRisk = risks.map(\.client)
    let unrecorded = atRisk.filter { $0.statements == nil }
    let read = Override.Reading(
      schema: examination.survey.schema, migration: examination.migration,
      breaks: risks.filter { $0.fit == .breaks }.map(\.client))
    let override = Override(
      pending: examination.pending, atRisk: atRisk, waives: unrecorded.isEmpty ? nil : unrecorded, read: read,
      actor: request.actor, reason: request.reason, at: turn.now)
    return state.override?.isLike(override) == true ? [] : [.overridden(override)]
  }

  private static func adopt(_ adoption: Adoption, in state: State) throws(Refusal) -> [Event] {
    let place = try configuredPlace(in: state)
    try checkReason(adoption.reason, adoption.actor, "An adoption")
    switch state.phase {
    case .idle: return [.adoptionOrdered(adoption, number: state.number)]
    case .adopting(adoption, number: _): return []
    case .adopting, .examining, .applying:
      throw Refusal(.notNow, "\(place) is busy: \(state.business ?? "something else runs"). Ask again when it is done.")
    case .closed: throw retired(place)
    }
  }

  private static func adopted(
    _ number: Int, _ survey: SchemaSurvey, _ marks: [MigrationMark], in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard case .adopting(let adoption, number) = state.phase else { return [] }
    let change = Change(
      commit: adoption.commit, title: adoption.reason, marks: marks, before: state.survey?.schema ?? survey.schema,
      after: survey.schema, report: nil, override: nil, at: turn.now)
    return [.adopted(change, survey)]
  }

  private static func record(_ upload: Upload, over known: Digest?, in state: State) throws(Refusal) -> [Event] {
    let place = try configuredPlace(in: state)
    guard let policy = state.policy, policy.names(upload.service) else {
      throw Refusal(
        .notNow, "plimsoll.yaml does not say that \(upload.service) uses \(place): write 'database' in the service.")
    }
    let held = state.upload(of: upload.service, upload.digest)
    if held == upload.statements { return [] }
    // Two that were joined with the same would each lose what the other brought.
    guard held == known else {
      throw Refusal(
        .notNow, "\(place) was told other statements of \(upload.digest.short) at the same time: send them again.")
    }
    let recorded = Event.recorded(upload)
    // A person would have to guess that it may pass by now.
    guard let refused = state.refused, upload.mends(refused) else { return [recorded] }
    return [recorded, .reconsidered(refused.ask)]
  }

  private static func configuredPlace(in state: State) throws(Refusal) -> String {
    guard let policy = state.policy else {
      throw Refusal(.notNow, "No database is configured here yet: add it to 'databases' in plimsoll.yaml and restart.")
    }
    let place = policy.place.description
    if state.phase == .closed { throw retired(place) }
    return place
  }

  private static func retired(_ place: String) -> Refusal {
    Refusal(
      .notNow, "\(place) is closed, because plimsoll.yaml no longer names it: add it again and restart the server.")
  }

  private static func checkReason(_ reason: String, _ actor: String, _ subject: String) throws(Refusal) {
    guard !actor.isEmpty, !reason.isEmpty, !reason.contains(where: \.isNewline), reason.count <= reasonLimit else {
      throw Refusal(
        .malformed,
        "\(subject) needs a name, and a reason of one line and at most \(reasonLimit) characters: give both.")
    }
  }

  // MARK: What the world keeps failing at

  private static func exhausted(_ key: EffectKey, _ why: String, in state: State) -> [Event] {
    guard effects(of: state).contains(where: { $0.key == key }) else { return [] }
    let trouble: [Event] = state.trouble == Trouble(key: key, why: why) ? [] : [.troubled(key, why: why)]
    switch state.phase {
    case .examining(let errand, let number):
      guard key == examineKey(number) else { return trouble }
      switch errand {
      case .ask(let ask): return trouble + [.turnedAway(ask, why: "it could not be examined: \(why)")]
      // No change leaves a queue because a server was away; others have their turn first, and alone it is tried again.
      case .review: return state.waiting.isEmpty ? trouble : trouble + [.queued(errand)]
      case .audit: return trouble + [.audited(number: number)]
      }
    case .applying(let ask, let examination, migrations: _, let number):
      guard key == migrateKey(number) else { return trouble }
      // What was applied of it the book knows; the next look finds it.
      return trouble + [
        .migrationFailed(
          ask, name: examination.pending.first?.name ?? "", why: why, examination.survey)
      ]
    case .adopting(let adoption, let number):
      return key == adoptKey(number) ? trouble + [.adoptionFailed(adoption, why: why)] : trouble
    case .idle, .closed: return trouble
    }
  }

  private static func clipped(_ text: String) -> String { text.onOneLine(upTo: reasonLimit) }

  /// Reviews that wait at once: a queue's own limit.
  package static let reviewLimit = 10_000
  /// After a failure a look at an unchanged schema says so this often.
  package static let troubleInterval = Span.seconds(600)
}

extension DatabaseSchema.Errand {
  var isAsk: Bool {
    switch self {
    case .ask: true
    case .review, .audit: false
    }
  }
}

extension SchemaExamination {
  /// Whether who sent more meanwhile bears the migrations cannot be told; that it does not, can. Where nothing is pending
  /// nothing happens to anybody.
  fileprivate func leavingOpen(_ news: [DatabaseSchema.Upload]) -> SchemaExamination {
    guard !pending.isEmpty else { return self }
    func limited(_ verdict: SchemaVerdict) -> SchemaVerdict {
      guard verdict.fit != .breaks, news.contains(where: { $0.isOf(verdict.client.service, verdict.client.digest) })
      else { return verdict }
      return SchemaVerdict(
        verdict.client, .unknown,
        why: "it keeps sending statements that were never recorded before, and the last were not judged: promote it "
          + "again when that has ended")
    }
    return SchemaExamination(
      survey: survey, pending: pending, after: after, migration: migration, why: why,
      verdicts: verdicts.map(limited), coming: coming.map(limited), comingBefore: comingBefore, report: report,
      coverage: coverage)
  }
}

extension SchemaClient {
  /// Whatever is known of its statements.
  func isSame(as other: SchemaClient) -> Bool { (service, digest) == (other.service, other.digest) }
}

extension DatabaseSchema.LiveVersion: Comparable {
  package static func < (left: Self, right: Self) -> Bool {
    (left.service, left.version.ordinal, left.version.digest) < (
      right.service, right.version.ordinal, right.version.digest
    )
  }
  func isOf(_ ask: DatabaseSchema.Ask) -> Bool { service == ask.service && version.digest == ask.digest }
}

extension DatabaseSchema.Override {
  func isLike(_ other: Self) -> Bool {
    (pending, atRisk, read, actor, reason) == (other.pending, other.atRisk, other.read, other.actor, other.reason)
  }
}

extension SchemaSurvey {
  /// Equal but for its time.
  package func isLike(_ other: SchemaSurvey) -> Bool {
    (schema, applied, last, unfinished, invalidIndexes)
      == (other.schema, other.applied, other.last, other.unfinished, other.invalidIndexes)
  }
}
