import ControlPlane
import Kernel
import Migrations

/// What a database's events say, one sentence each.
extension Sentences {
  static func sentence(_ event: DatabaseSchema.Event, at place: String) -> String {
    switch event {
    case .configured(let policy):
      "Migrations of \(place) come from \(policy.path) of \(policy.repository), for "
        + "\(policy.services.map(\.service.rawValue).joined(separator: ", "))."
    case .closed: "plimsoll.yaml no longer names \(place): its migrations are nobody's business here any more."
    case .versionsChanged(let versions):
      versions.isEmpty
        ? "Nothing lives on \(place) any more."
        : "On \(place) live \(versions.map { "\($0.service) \($0.version.commit.short)" }.joined(separator: ", "))."
    case .surveyed(let survey): "\(place) was looked at: \(words(for: survey))."
    case .drifted(let drift, let survey):
      "The schema of \(place) was changed by somebody else, from \(drift.from.short) to \(drift.to.short): "
        + "\(words(for: survey))."
    case .queued(let errand): "\(words(for: errand)) waits for \(place)."
    case .examinationBegan(let errand, let number):
      "Examination \(number) of \(place) began, for \(words(for: errand).lowercasedFirst)."
    case .examined(let number, let examination): "Examination \(number) of \(place): \(words(for: examination))"
    case .granted(let ask): "\(words(for: ask)) may live on \(place)."
    case .refused(let refused): "\(place) refused \(words(for: refused.ask)): \(Words.closed(refused.why))"
    case .turnedAway(let ask, let why): "\(words(for: ask)) could not be judged by \(place): \(Words.closed(why))"
    case .abandoned(let ask): "\(words(for: ask)) wants to live on \(place) no more: its promotion ended."
    case .migrating(let ask, let examination, migrations: _, number: _):
      "\(names(examination.pending)) \(examination.pending.count == 1 ? "is" : "are") being applied to \(place), "
        + "for \(words(for: ask))."
    case .migrated(let change, _):
      "\(names(change.marks)) \(change.marks.count == 1 ? "was" : "were") applied to \(place)"
        + "\(change.override.map { ", by an override of \($0.actor)" } ?? "")."
    case .migrationFailed(let ask, let name, let why, let survey):
      "\(name) failed on \(place), for \(words(for: ask)): \(Words.closed(why))"
        + (survey.unfinished.map { " Part of \($0) may be there." } ?? "")
    case .reviewed(let review, let verdict): sentence(verdict, of: review, at: place)
    case .reviewDropped(let review): "Change #\(review.entry) left its queue before \(place) had judged it."
    case .audited(let number): "Everything that lives on \(place) was judged anew by examination \(number)."
    case .barred(let service, let bars):
      bars.isEmpty
        ? "Every version of \(service) that is kept may come back to \(place)."
        : "\(service) may not come back to \(place) as \(bars.map(\.digest.short).joined(separator: ", ")): "
          + Words.closed(
            bars.map(\.why).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
              .joined(separator: "; "))
    case .overridden(let override):
      "\(override.actor) overrides the refusal of \(names(override.pending)) on \(place), which puts "
        + "\(clients(override.atRisk)) at risk: \(Words.closed(override.reason))"
    case .adoptionOrdered(let adoption, number: _):
      "\(adoption.actor) says that \(place) has \(adoption.through.map { "all migrations up to \($0)" } ?? "no migration")"
        + " of \(adoption.commit.short): \(Words.closed(adoption.reason))"
    case .adopted(let change, _):
      change.marks.isEmpty
        ? "The book of \(place) is empty: no migration counts as applied."
        : "The book of \(place) names \(Words.count(change.marks.count, "migration")) as applied, "
          + "up to \(change.marks.last?.name ?? "")."
    case .adoptionFailed(_, let why): "The book of \(place) stays as it is: \(Words.closed(why))"
    case .troubled(let key, let why): "The world keeps failing at \(key): \(Words.closed(why))"
    case .recorded(let upload):
      "More is known of what \(upload.service) \(upload.digest.short) sends to \(place): it is judged by all of it."
    case .newsPostponed(_, let news):
      "New statements keep coming, the last of \(news.last.map { "\($0.service) \($0.digest.short)" } ?? "a version"): "
        + "\(place) judges by those that were there, and by the newer ones next."
    case .reconsidered(let ask):
      "More is known than when \(place) refused \(ask.service) \(ask.commit.short): it is asked again."
    }
  }

  // MARK: Parts

  private static func sentence(
    _ verdict: SchemaReview, of review: DatabaseSchema.Review, at place: String
  ) -> String {
    let why = verdict.why.isEmpty ? "." : ": \(Words.closed(verdict.why))"
    return verdict.passes
      ? "\(place) lets the migrations of #\(review.entry) pass\(why)"
      : "\(place) does not let the migrations of #\(review.entry) pass\(why)"
  }

  private static func words(for survey: SchemaSurvey) -> String {
    let applied = survey.last.map { "\(Words.count(survey.applied, "migration")), the last \($0.name)" }
    return (applied ?? "no migration is applied")
      + (survey.unfinished.map { ", and \($0) was begun and not ended" } ?? "")
  }

  private static func words(for errand: DatabaseSchema.Errand) -> String {
    switch errand {
    case .ask(let ask): words(for: ask)
    case .review(let review): "The review of #\(review.entry) at \(review.head.short)"
    case .audit: "A new judgement of what lives there"
    }
  }

  private static func words(for ask: DatabaseSchema.Ask) -> String { "\(ask.service) \(ask.commit.short)" }

  private static func words(for examination: SchemaExamination) -> String {
    let verdicts = examination.everyVerdict
    let worst = verdicts.filter { $0.fit != .compatible }
    let pending = examination.pending.isEmpty ? "nothing is pending" : "\(names(examination.pending)) would be applied"
    let migration = examination.why.isEmpty ? "" : " \(Words.sentence(examination.why))"
    guard !worst.isEmpty else {
      return "\(pending), and \(Words.count(verdicts.count, "version")) can live with that.\(migration)"
    }
    let reasons = worst.map {
      "\($0.client.service) \($0.client.commit.short): \($0.why.isEmpty ? $0.fit.rawValue : $0.why)"
    }
    return "\(pending). \(Words.closed(reasons.joined(separator: "; ")))\(migration)"
  }

  private static func names(_ marks: [MigrationMark]) -> String {
    marks.isEmpty ? "No migration" : marks.map(\.name).joined(separator: ", ")
  }

  private static func clients(_ clients: [SchemaClient]) -> String {
    clients.isEmpty ? "nobody" : clients.map { "\($0.service) \($0.commit.short)" }.joined(separator: ", ")
  }
}

extension String {
  /// For the middle of a sentence; names of services begin with a small letter anyway.
  fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
