import API
import Kernel
import MergeQueues
import Migrations

extension Views {
  static func schema(_ state: DatabaseSchema.State, _ policy: DatabaseSchema.Policy) -> SchemaView {
    SchemaView(
      environment: policy.place.environment.rawValue, database: policy.place.database.rawValue,
      repository: policy.repository.rawValue, migrations: policy.path, phase: phase(state), sentence: sentence(state),
      schema: state.survey?.schema.rawValue, applied: state.survey?.applied, last: state.survey?.last?.name,
      unfinished: state.survey?.unfinished, waiting: state.waiting.count,
      versions: state.versions.map { version($0, in: state) }, refused: state.refused.map { refusal($0, in: state) },
      override: state.override.map(override), history: state.history.map(change), floors: floors(state.reaches()),
      coverage: state.coverage.map { coverage($0, at: state.coverageAt) })
  }

  private static func floors(
    _ reaches: [(service: ServiceName, reach: DatabaseSchema.State.Reach)]
  ) -> [SchemaFloorView] {
    reaches.map { service, reach in
      SchemaFloorView(
        service: service.rawValue, commit: reach.floor?.commit.rawValue, digest: reach.floor?.digest.rawValue,
        barred: reach.barred.map(\.commit.rawValue))
    }
  }

  private static func coverage(_ coverage: SchemaCoverage, at: Instant?) -> SchemaCoverageView {
    SchemaCoverageView(
      share: coverage.share, least: coverage.least, counted: coverage.counted, unrecorded: coverage.unrecorded,
      examples: coverage.examples, measuredAtMs: at?.milliseconds)
  }

  static func review(_ noted: MergeQueue.NotedReview) -> ReviewView {
    ReviewView(
      place: noted.place, fit: noted.review.fit.rawValue, passes: noted.review.passes, why: noted.review.why,
      report: noted.review.report?.rawValue)
  }

  private static func phase(_ state: DatabaseSchema.State) -> String {
    switch state.phase {
    case .idle: "idle"
    case .examining: "examining"
    case .applying: "applying"
    case .adopting: "adopting"
    case .closed: "closed"
    }
  }

  private static func sentence(_ state: DatabaseSchema.State) -> String {
    if case .closed = state.phase { return "plimsoll.yaml no longer names it." }
    var parts = [state.business.map(Words.sentence) ?? "Nothing is being judged or applied."]
    if state.survey == nil { parts.append("It was not looked at yet.") }
    if let unfinished = state.survey?.unfinished {
      parts.append("\(unfinished) was begun and did not end: look what of it is there, then adopt or mend it.")
    }
    if let words = state.survey?.invalidWords { parts.append(words) }
    if let drift = state.drift {
      parts.append("Somebody else changed it, from \(drift.from.short) to \(drift.to.short).")
    }
    if let trouble = state.trouble { parts.append("The world keeps failing at it: \(Words.closed(trouble.why))") }
    return parts.joined(separator: " ")
  }

  private static func version(
    _ live: DatabaseSchema.LiveVersion, in state: DatabaseSchema.State
  ) -> SchemaVersionView {
    version(live, state.verdict(on: live.client), in: state)
  }

  private static func version(
    _ live: DatabaseSchema.LiveVersion, _ verdict: SchemaVerdict?, in state: DatabaseSchema.State
  ) -> SchemaVersionView {
    SchemaVersionView(
      service: live.service.rawValue, digest: live.version.digest.rawValue, commit: live.version.commit.rawValue,
      standing: live.isGranted ? "granted" : live.version.standing.rawValue,
      recorded: live.statements != nil || state.upload(of: live.service, live.version.digest) != nil,
      fit: verdict?.fit.rawValue, why: verdict?.why ?? "")
  }

  private static func refusal(
    _ refused: DatabaseSchema.RefusedAsk, in state: DatabaseSchema.State
  ) -> SchemaRefusalView {
    let examination = refused.examination
    let atRisk = examination.verdicts.filter { $0.fit != .compatible }.compactMap { verdict in
      state.versions.first {
        $0.service == verdict.client.service && $0.version.digest == verdict.client.digest
      }.map { version($0, verdict, in: state) }
    }
    // Who brings no migration leaves everybody where they are.
    let floors = examination.pending.isEmpty ? [] : self.floors(state.reaches(after: examination))
    return SchemaRefusalView(
      service: refused.ask.service.rawValue, commit: refused.ask.commit.rawValue, title: refused.ask.title,
      why: refused.why, pending: examination.pending.map(\.name), report: examination.report.rawValue,
      atRisk: atRisk, floors: floors, atMs: refused.at.milliseconds)
  }

  private static func override(_ override: DatabaseSchema.Override) -> SchemaOverrideView {
    SchemaOverrideView(
      actor: override.actor, reason: override.reason, pending: override.pending.map(\.name),
      atRisk: override.atRisk.map { "\($0.service) \($0.commit.short)" }, atMs: override.at.milliseconds)
  }

  private static func change(_ change: DatabaseSchema.Change) -> SchemaChangeView {
    SchemaChangeView(
      commit: change.commit.rawValue, title: change.title, migrations: change.marks.map(\.name),
      before: change.before.rawValue, after: change.after.rawValue, report: change.report?.rawValue,
      override: change.override.map(override), atMs: change.at.milliseconds)
  }
}
