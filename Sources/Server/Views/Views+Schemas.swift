import API
import Kernel
import Migrations

extension Views {
  static func schema(_ state: DatabaseSchema.State, _ policy: DatabaseSchema.Policy) -> SchemaView {
    SchemaView(
      environment: policy.place.environment.rawValue, database: policy.place.database.rawValue,
      repository: policy.repository.rawValue, migrations: policy.path, phase: phase(state), sentence: sentence(state),
      schema: state.survey?.schema.rawValue, applied: state.survey?.applied, last: state.survey?.last?.name,
      unfinished: state.survey?.unfinished, waiting: state.waiting.count,
      versions: state.versions.map { version($0, in: state) }, refused: state.refused.map(refusal),
      override: state.override.map(override), history: state.history.map(change))
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
    if let drift = state.drift {
      parts.append("Somebody else changed it, from \(drift.from.short) to \(drift.to.short).")
    }
    if let trouble = state.trouble { parts.append("The world keeps failing at it: \(Words.closed(trouble.why))") }
    return parts.joined(separator: " ")
  }

  private static func version(
    _ live: DatabaseSchema.LiveVersion, in state: DatabaseSchema.State
  ) -> SchemaVersionView {
    let verdict = state.verdict(on: live.client)
    return SchemaVersionView(
      service: live.service.rawValue, digest: live.version.digest.rawValue, commit: live.version.commit.rawValue,
      standing: live.isGranted ? "granted" : live.version.standing.rawValue, recorded: live.statements != nil,
      fit: verdict?.fit.rawValue, why: verdict?.why ?? "")
  }

  private static func refusal(_ refused: DatabaseSchema.RefusedAsk) -> SchemaRefusalView {
    SchemaRefusalView(
      service: refused.ask.service.rawValue, commit: refused.ask.commit.rawValue, title: refused.ask.title,
      why: refused.why, pending: refused.examination.pending.map(\.name),
      report: refused.examination.report.rawValue, atMs: refused.at.milliseconds)
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
