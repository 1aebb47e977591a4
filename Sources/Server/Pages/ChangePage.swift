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
    history = view.history.map { row in
      Row(
        at: Moment(row.atMs, now: now), sentence: row.sentence, log: row.log.map { "/logs/\($0)" },
        ledger: LedgerPage.address(of: row.position))
    }
    promotions = view.promotions.map { PromotionBlock($0, now: now) }
    hasPromotions = !view.promotions.isEmpty
    hasLanded = view.outcome == "landed"
  }
}
