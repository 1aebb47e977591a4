import API
import Kernel

/// `/changes/{repository}/{entry}`: what became of a change, and where it is now.
struct ChangePage: Sendable {
  let entry: Int
  let repository: String
  let subject: String
  let branch: String
  let author: String
  let head: String
  let submitted: Moment
  let badge: Badge
  let sentence: String
  let commit: String?
  let priority: String?
  let team: String?
  let lanes: String?
  let unit: String?
  let wait: WaitBar
  /// What its waits were, or are so far.
  let waitHeading: String
  let forecast: String?
  let stall: QueuePage.Stall?
  let note: Note?
  let approvals: String?
  let checks: [Check]
  let hasChecks: Bool
  let reviews: [Review]
  let hasReviews: Bool
  let missing: [String]
  let isMissing: Bool
  let queue: String
  let history: [Row]
  let promotions: [PromotionBlock]
  let hasPromotions: Bool
  let hasLanded: Bool

  struct Row: Sendable {
    let at: Moment
    let sentence: String
    let log: String?
    let ledger: String
  }

  /// What is said on the change itself.
  struct Note: Sendable {
    let lines: [String]
    /// Whether it is there, since when, and else why not.
    let words: String
    let at: Moment

    init(_ view: NoteView, now: Instant) {
      lines = view.text.split(separator: "\n").map(String.init)
      at = Moment(view.writtenAtMs ?? view.atMs, now: now)
      words =
        switch view.state {
        case "written": "written"
        case "abandoned": "given up: \(view.why ?? "no reason is known")"
        default: "not written yet, and tried on; so it became"
        }
    }
  }

  struct Check: Sendable {
    let name: String
    let badge: Badge
    /// Who says so of which commit.
    let words: String
  }

  /// What a database says of its migrations: a check like those of others.
  struct Review: Sendable {
    let place: String
    let address: String
    let badge: Badge
    let why: String?
    /// Migration, statement and reason side by side; nil when it has none, or could not be judged.
    let report: String?

    init(_ view: ReviewView) {
      place = view.place
      address = "/schemas/" + view.place.split(separator: "/").map { Short.part(String($0)) }.joined(separator: "/")
      badge = Badge(review: view)
      why = view.why.isEmpty ? nil : Words.sentence(view.why)
      report = view.report.map { "/migrations/\($0)" }
    }
  }

  init(_ view: ChangeView, now: Instant) {
    entry = view.entry
    repository = view.repository
    subject = view.title
    branch = view.branch
    author = view.author
    head = Short.commit(view.head)
    submitted = Moment(view.submittedAtMs, now: now)
    badge = OverviewPage.badge(outcome: view.outcome)
    sentence = view.sentence
    commit = view.commit.map(Short.commit)
    priority = view.priority == "normal" ? nil : view.priority
    team = view.team
    let standing = view.standing
    lanes = standing.flatMap { $0.lanes.isEmpty ? nil : $0.lanes.joined(separator: ", ") }
    unit = standing.flatMap { $0.unit.isEmpty ? nil : $0.unit.map { "#\($0)" }.joined(separator: ", ") }
    wait = WaitBar(view.waits)
    waitHeading = standing == nil ? "Where its time went" : "Where its time went so far"
    forecast = standing?.forecast.map { QueuePage.words($0, now: now) }
    stall = standing?.stall.map { QueuePage.Stall($0) }
    note = view.note.map { Note($0, now: now) }
    approvals = view.approvals.isEmpty ? nil : view.approvals.joined(separator: ", ")
    checks = view.checks.map { check in
      let tone = ["passed": "good", "failed": "bad"][check.state, default: "moving"]
      let elsewhere = check.commit == view.head ? "" : ", which is not what was submitted"
      return Check(
        name: check.name, badge: Badge(words: check.state, tone: tone),
        words: "by \(check.reporter) on \(Short.commit(check.commit))\(elsewhere)")
    }
    hasChecks = !checks.isEmpty
    // Of a change without migrations there is nothing to be read.
    reviews = view.reviews.filter { $0.report != nil || !$0.why.isEmpty || !$0.passes }.map(Review.init)
    hasReviews = !reviews.isEmpty
    missing = view.missing.map(Words.sentence)
    isMissing = !missing.isEmpty
    queue = "/queues/\(Short.part(view.repository))"
    history = view.history.map { row in
      Row(
        at: Moment(row.atMs, now: now), sentence: row.sentence, log: row.log.map(view.reviews.page),
        ledger: LedgerPage.address(of: row.position))
    }
    promotions = view.promotions.map { PromotionBlock($0, now: now) }
    hasPromotions = !view.promotions.isEmpty
    hasLanded = view.outcome == "landed"
  }
}

extension [ReviewView] {
  /// Where the output of a run is read, or a report on migrations.
  func page(of log: String) -> String { contains { $0.report == log } ? "/migrations/\(log)" : "/logs/\(log)" }
}

extension Badge {
  fileprivate init(review: ReviewView) {
    let tone = review.passes ? (review.fit == "compatible" ? "good" : "waiting") : "bad"
    let words =
      switch review.fit {
      case "breaks": "breaks what lives there"
      case "hazard": review.passes ? "passed with a hazard" : "hazard"
      case "unknown": review.passes ? "passed untold" : "cannot be told"
      default: review.passes ? "compatible" : "refused"
      }
    self.init(words: words, tone: tone)
  }
}
