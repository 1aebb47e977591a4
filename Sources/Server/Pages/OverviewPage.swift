import API
import Kernel

/// `/`: what is where, what moves, why it waits.
struct OverviewPage: Sendable {
  let troubles: [String]
  let services: [ServiceBlock]
  let promotions: [PromotionBlock]
  let queues: [QueueBlock]
  let hasTroubles: Bool
  let hasServices: Bool
  let isMoving: Bool

  struct ServiceBlock: Sendable {
    let serviceName: String
    let environments: [PlaceCard]
  }

  struct QueueBlock: Sendable {
    let address: String
    let repository: String
    let trunk: String
    let headline: String
    let queueTroubles: [String]
    let isEmpty: Bool
    let hasFinished: Bool
    /// Those that are not shown, in words.
    let beyond: String?
    let entries: [EntryRow]
    let finished: [FinishedRow]
  }

  struct EntryRow: Sendable {
    let entry: Int
    let address: String
    let place: Int
    let subject: String
    let branch: String
    let author: String
    let badge: Badge
    let reason: String
    let since: Moment
  }

  struct FinishedRow: Sendable {
    let entry: Int
    let address: String
    let subject: String
    let author: String
    let badge: Badge
    let sentence: String
    let log: String?
    let at: Moment
  }

  /// Who waits in each queue; its page has more.
  static let entriesShown = 20
  /// Finished changes under each queue; the ledger has them all.
  static let finishedShown = 6

  init(_ overview: Overview, now: Instant) {
    troubles = overview.troubles + overview.queues.flatMap(\.troubles)
    hasTroubles = !troubles.isEmpty
    hasServices = !overview.services.isEmpty
    services = overview.services.map { service in
      ServiceBlock(serviceName: service.name, environments: service.environments.map { PlaceCard($0, now: now) })
    }
    promotions = overview.promotions.map { PromotionBlock($0, now: now) }
    isMoving = !overview.promotions.isEmpty
    queues = overview.queues.map { Self.block($0, now: now) }
  }

  private static func block(_ queue: QueueView, now: Instant) -> QueueBlock {
    QueueBlock(
      address: "/queues/\(Short.part(queue.repository))", repository: queue.repository, trunk: queue.trunk,
      headline: queue.headline, queueTroubles: queue.troubles,
      isEmpty: queue.entries.isEmpty, hasFinished: !queue.finished.isEmpty,
      beyond: queue.entries.count > entriesShown ? "\(queue.entries.count - entriesShown) more wait" : nil,
      entries: queue.entries.prefix(entriesShown).map { entry in
        EntryRow(
          entry: entry.entry, address: "/changes/\(Short.part(queue.repository))/\(entry.entry)", place: entry.place,
          subject: entry.title, branch: entry.branch, author: entry.author, badge: badge(activity: entry.activity),
          reason: entry.reason, since: Moment(entry.submittedAtMs, now: now))
      },
      finished: queue.finished.prefix(finishedShown).map { finished in
        FinishedRow(
          entry: finished.entry, address: "/changes/\(Short.part(queue.repository))/\(finished.entry)",
          subject: finished.title, author: finished.author, badge: badge(outcome: finished.outcome),
          sentence: finished.sentence, log: finished.log.map(finished.reviews.page),
          at: Moment(finished.atMs, now: now))
      })
  }

  static func badge(activity: String) -> Badge {
    switch activity {
    case "testing", "merging", "landing": Badge(words: activity, tone: "moving")
    case "passed": Badge(words: "passed", tone: "good")
    case "missing": Badge(words: "lacks something", tone: "waiting")
    case "awaitingSlot": Badge(words: "awaits a slot", tone: "waiting")
    case "undecided": Badge(words: "undecided", tone: "bad")
    default: Badge(words: activity, tone: "waiting")
    }
  }

  static func badge(outcome: String) -> Badge {
    switch outcome {
    case "landed": Badge(words: outcome, tone: "good")
    case "ejected": Badge(words: outcome, tone: "bad")
    case "withdrawn": Badge(words: outcome, tone: "calm")
    default: Badge(words: outcome, tone: "moving")
    }
  }
}

/// One service in one environment, as a card.
struct PlaceCard: Sendable {
  let environment: String
  let address: String
  let url: String?
  let serving: Version?
  let isEmpty: Bool
  let badge: Badge
  let sentence: String
  let rollout: Link?
  let ask: AskPart?
  let freeze: FreezePart?
  let budgets: [BudgetPart]
  let hasBudgets: Bool
  /// Those that people must hear of.
  let loudBudgets: [BudgetPart]
  let hasShares: Bool
  let shares: [Share]
  /// In words, for those who do not see the bar.
  let sharesWords: String

  struct Version: Sendable {
    let commit: String
    let artifact: String
    let subject: String
  }
  /// A stretch of the bar, in percent.
  struct Share: Sendable {
    let start: Int
    let percent: Int
    let shareClass: String
    let words: String
  }

  init(_ view: EnvironmentView, now: Instant) {
    environment = view.environment
    address = "/services/\(Short.part(view.service))/\(Short.part(view.environment))"
    url = view.address
    serving = view.serving.map {
      Version(commit: Short.commit($0.commit), artifact: "/artifacts/\($0.digest)", subject: $0.title ?? "")
    }
    isEmpty = view.serving == nil
    badge = Self.badge(view)
    sentence = view.sentence
    rollout = view.rollout.map {
      Link(
        address: "/rollouts/\(Short.part($0.service))/\(Short.part($0.environment))/\($0.id)",
        words: "\(Short.noun($0.kind)) \($0.id): "
          + "\(Short.commit($0.deployment.commit)) \($0.deployment.title ?? "")")
    }
    ask = view.rollout.flatMap { rollout in rollout.gate.map { AskPart($0, of: rollout, now: now) } }
    freeze = view.freeze.map {
      FreezePart($0, service: view.service, environment: view.environment, now: now)
    }
    budgets = view.budgets.map { BudgetPart($0, now: now) }
    hasBudgets = !budgets.isEmpty
    loudBudgets = budgets.filter { !$0.isQuiet }
    shares = Self.shares(view)
    hasShares = shares.contains { $0.percent > 0 }
    sharesWords = shares.filter { $0.percent > 0 }.map(\.words).joined(separator: ", ")
  }

  private static func badge(_ view: EnvironmentView) -> Badge {
    switch view.phase {
    case "idle" where view.freeze != nil: Badge(words: "frozen", tone: "waiting")
    case "idle":
      view.serving == nil ? Badge(words: "nothing here", tone: "calm") : Badge(words: "steady", tone: "good")
    case "restoring", "reporting": Badge(words: "rolling back", tone: "bad")
    case "sealing", "placing": Badge(words: "starting", tone: "moving")
    case "gated": Badge(words: "asks you", tone: "waiting")
    case "drilling": Badge(words: "drilling", tone: "moving")
    case "stepping", "scaling", "watching":
      Badge(words: step(view).map { "watching at \($0) %" } ?? "watching", tone: "moving")
    case "finalWatch": Badge(words: "final watch", tone: "moving")
    case "retired": Badge(words: "closed", tone: "calm")
    default: Badge(words: view.phase, tone: "moving")
    }
  }

  private static func step(_ view: EnvironmentView) -> Int? {
    guard let rollout = view.rollout, let index = rollout.step, rollout.steps.indices.contains(index) else {
      return nil
    }
    return rollout.steps[index]
  }

  private static func shares(_ view: EnvironmentView) -> [Share] {
    // Known-good first, whatever the order of names, so that the new version grows from the right.
    let sorted = view.shares.sorted { left, right in
      let (isLeftServing, isRightServing) = (left.deployment == view.serving?.id, right.deployment == view.serving?.id)
      return isLeftServing == isRightServing ? left.deployment < right.deployment : isLeftServing
    }
    var start = 0
    return sorted.map { share in
      defer { start += share.percent }
      let isNew = share.deployment == view.rollout?.deployment.id && share.deployment != view.serving?.id
      let commit = [view.serving, view.rollout?.deployment, view.rollout?.knownGood].compactMap { $0 }
        .first { $0.id == share.deployment }?.commit
      return Share(
        start: start, percent: share.percent, shareClass: isNew ? "share-new" : "share-old",
        words: "\(share.percent) % \(isNew ? "new " : "")\(commit.map { Short.commit($0) } ?? share.deployment)")
    }
  }
}
