import Kernel

extension DatabaseSchema {
  package static func evolve(_ state: inout State, _ event: Event) {
    switch event {
    case .configured(let policy):
      state.policy = policy
      state.versions.removeAll { !policy.names($0.service) }
      state.forgetLeft()
      if policy.coverage == nil { (state.coverage, state.coverageAt) = (nil, nil) }
      if case .closed = state.phase { state.phase = .idle }
      state.trouble = nil
    case .closed:
      state.phase = .closed
      state.abandoned = nil
      state.waiting = []
      state.versions = []
      state.waived = []
      state.matrix = []
    case .versionsChanged(let versions):
      state.forgetRisks(in: versions)
      state.versions = versions
      state.forgetLeft()
      state.matrix.removeAll { row in
        !versions.contains {
          $0.service == row.verdict.client.service && $0.version.digest == row.verdict.client.digest
        }
      }
    case .surveyed(let survey):
      state.survey = survey
      state.trouble = nil
    case .drifted(let drift, let survey):
      // Where the book changed as well it was us, and the word of it was lost.
      let isOurs = state.survey?.applied != survey.applied || state.history.first?.after == survey.schema
      state.see(survey)
      state.drift = isOurs ? nil : drift
      state.trouble = nil
      state.movedMeanwhile = true
    case .queued(let errand):
      if state.current == errand {
        state.countRestart(of: errand)
        state.phase = .idle
      }
      state.waiting.append(errand)
    case .examinationBegan(let errand, let number):
      if state.current == errand { state.countRestart(of: errand) }
      state.waiting.removeAll { $0 == errand }
      state.phase = .examining(errand, number: number)
      state.number = number + 1
      state.movedMeanwhile = false
      state.heard = []
    case .examined(_, let examination):
      state.trouble = nil
      state.learn(examination)
    case .granted(let ask):
      state.finish(ask)
      if state.refused?.ask.commit == ask.commit { state.refused = nil }
      let version = HeldVersion(
        digest: ask.digest, commit: ask.commit, ordinal: ask.ordinal, standing: .rollingOut)
      let known = state.versions.last { $0.isOf(ask) }
      if known.map({ $0.isGranted || $0.version.ordinal < ask.ordinal }) ?? true {
        state.versions.removeAll { $0.isOf(ask) && $0.isGranted }
        let statements = known?.statements ?? state.collected(ask)
        state.versions.append(
          LiveVersion(service: ask.service, version: version, statements: statements, isGranted: true))
        state.versions.sort()
      }
    case .refused(let refused):
      state.finish(refused.ask)
      state.refused = refused
    case .turnedAway(let ask, why: _): state.finish(ask)
    case .abandoned(let ask):
      // What is being applied cannot be called back.
      if state.isApplying, state.current == .ask(ask), state.abandoned == nil {
        state.abandoned = ask
      } else {
        state.finish(ask)
      }
    case .migrating(let ask, let examination, let migrations, let number):
      state.phase = .applying(ask, examination, migrations: migrations, number: number)
    case .migrated(let change, let survey):
      state.phase = .idle
      state.abandoned = nil
      state.take(change, survey)
      state.drift = nil
      if state.override?.pending == change.marks { state.override = nil }
    case .migrationFailed(let ask, name: _, why: _, let survey):
      state.finish(ask)
      if survey.at >= state.survey?.at ?? survey.at { state.see(survey) }
    case .reviewed(let review, _):
      state.finish(.review(review))
    case .reviewDropped(let review): state.finish(.review(review))
    case .audited: state.phase = .idle
    case .barred(let service, let bars):
      state.told.removeAll { $0.service == service }
      if !bars.isEmpty {
        state.told.append(ToldBars(service: service, bars: bars))
        state.told.sort { $0.service < $1.service }
      }
    case .overridden(let override):
      state.override = override
      state.waived += (override.waives ?? []).filter { client in
        !state.waived.contains { $0.isSame(as: client) }
      }
    case .adoptionOrdered(let adoption, let number):
      state.phase = .adopting(adoption, number: number)
      state.number = number + 1
    case .adopted(let change, let survey):
      state.phase = .idle
      state.drift = nil
      state.take(change, survey)
    case .adoptionFailed: state.phase = .idle
    case .troubled(let key, let why): state.trouble = Trouble(key: key, why: why)
    case .recorded(let upload): state.hear(upload)
    case .newsPostponed: break
    case .reconsidered(let ask): if state.refused?.ask == ask { state.refused = nil }
    }
  }
}

extension DatabaseSchema.State {
  fileprivate mutating func finish(_ ask: DatabaseSchema.Ask) {
    if abandoned == ask { abandoned = nil }
    finish(.ask(ask))
  }

  fileprivate mutating func finish(_ errand: DatabaseSchema.Errand) {
    waiting.removeAll { $0 == errand }
    if current == errand { phase = .idle }
    if restarts?.errand == errand { restarts = nil }
  }

  fileprivate mutating func countRestart(of errand: DatabaseSchema.Errand) {
    guard !heard.isEmpty else { return }
    let before = restarts?.errand == errand ? restarts?.count ?? 0 : 0
    restarts = DatabaseSchema.Restarts(errand: errand, count: before + 1)
  }

  /// Of another schema than was judged nobody has read what is at risk on it.
  fileprivate mutating func see(_ survey: SchemaSurvey) {
    self.survey = survey
    if !isApplying, override?.read?.schema != survey.schema { override = nil }
  }

  fileprivate mutating func take(_ change: DatabaseSchema.Change, _ survey: SchemaSurvey) {
    see(survey)
    trouble = nil
    history.insert(change, at: 0)
    if history.count > DatabaseSchema.historyLimit { history.removeLast() }
  }

  /// Verdicts are about the schema after what was pending. A review's pending migrations are a change's that may never
  /// land, so of them only what was collected is kept. And a statement that fails before a migration is set aside when
  /// that is judged, so only a look at a schema as it stands acquits who failed on it.
  fileprivate mutating func learn(_ examination: SchemaExamination) {
    let verdicts = examination.everyVerdict
    if let measured = examination.coverage { (coverage, coverageAt) = (measured, examination.survey.at) }
    func isOutdated(_ client: SchemaClient) -> Bool { heard.contains { $0.isOf(client.service, client.digest) } }
    for verdict in verdicts where !isOutdated(verdict.client) {
      for place in versions.indices where versions[place].client.isSame(as: verdict.client) {
        versions[place].statements = verdict.client.statements ?? versions[place].statements
      }
    }
    if case .examining(.review, number: _) = phase { return }
    if survey == nil { survey = examination.survey }
    let stands = examination.pending.isEmpty
    if !stands, examination.after == examination.survey.schema { return }
    let certain = verdicts.filter { verdict in
      // Of whom more was told meanwhile, only that it breaks stays true: what is sent only grows.
      if isOutdated(verdict.client), verdict.fit != .breaks { return false }
      // Of several migrations the worst state between counts, which may be another than the last.
      if !stands, verdict.fit == .breaks { return examination.pending.count == 1 }
      if stands || verdict == examination.coming { return true }
      // Nor is who was never judged on the schema before it, as after a drift.
      let before = self.verdict(of: verdict.client.service, verdict.client.digest, on: examination.survey.schema)
      return before.map { $0.fit != .breaks } ?? false
    }
    matrix.removeAll { $0.schema == examination.after }
    matrix += certain.map { DatabaseSchema.MatrixRow(schema: examination.after, verdict: $0) }
    var schemas: [Digest] = []
    for row in matrix.reversed() where !schemas.contains(row.schema) { schemas.append(row.schema) }
    let kept = schemas.prefix(DatabaseSchema.schemaLimit) + [survey?.schema].compactMap(\.self)
    matrix.removeAll { !kept.contains($0.schema) }
  }

  /// A risk that was taken for a version to which one could have gone back is not taken for one that users meet.
  fileprivate mutating func forgetRisks(in versions: [DatabaseSchema.LiveVersion]) {
    let before = self.versions
    func rises(_ client: SchemaClient) -> Bool {
      versions.contains { $0.version.standing != .target && $0.client.isSame(as: client) }
        && before.contains { $0.version.standing == .target && $0.client.isSame(as: client) }
    }
    waived.removeAll(where: rises)
    if let override, !isApplying, override.atRisk.contains(where: rises) { self.override = nil }
  }

  /// Who left takes with it that somebody let it pass; who may yet come does not.
  fileprivate mutating func forgetLeft() {
    let known = versions.map(\.client) + (override?.atRisk ?? [])
    waived.removeAll { client in !known.contains { $0.isSame(as: client) } }
  }

  /// What was said of a version on less than is known now is void: verdicts, and what a person said of a version of which
  /// nothing was recorded.
  fileprivate mutating func hear(_ upload: DatabaseSchema.Upload) {
    uploads.removeAll { $0.isOf(upload.service, upload.digest) }
    uploads.append(upload)
    if uploads.count > DatabaseSchema.uploadLimit {
      let asks = (waiting + [current].compactMap(\.self)).compactMap { errand in
        if case .ask(let ask) = errand { ask } else { nil }
      }
      let oldest = uploads.firstIndex { sent in
        !versions.contains { sent.isOf($0.service, $0.version.digest) }
          && !asks.contains { sent.isOf($0.service, $0.digest) }
      }
      uploads.remove(at: oldest ?? 0)
    }
    for place in versions.indices where upload.isOf(versions[place].service, versions[place].version.digest) {
      versions[place].statements = nil
    }
    var judged = versions.map(\.client)
    if case .ask(let ask)? = current {
      judged.append(SchemaClient(service: ask.service, digest: ask.digest, commit: ask.commit, statements: nil))
    }
    if current != nil, judged.contains(where: { upload.isOf($0.service, $0.digest) }) {
      heard.removeAll { $0.isOf(upload.service, upload.digest) }
      heard.append(upload)
    }
    matrix.removeAll { upload.isOf($0.verdict.client.service, $0.verdict.client.digest) }
    func wasUnrecorded(_ client: SchemaClient) -> Bool {
      client.statements == nil && upload.isOf(client.service, client.digest)
    }
    waived.removeAll(where: wasUnrecorded)
    if let override, !isApplying, override.atRisk.contains(where: wasUnrecorded) { self.override = nil }
    if let refused, upload.mends(refused) { self.refused = nil }
  }

  fileprivate func collected(_ ask: DatabaseSchema.Ask) -> Digest? {
    matrix.last { $0.verdict.client.service == ask.service && $0.verdict.client.digest == ask.digest }?
      .verdict.client.statements
  }
}
