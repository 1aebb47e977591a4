import Kernel
import Statistics

/// What became of an objective's error budget: whether it lets new versions through.
package struct BudgetStanding: Codable, Equatable, Sendable {
  package enum Gate: String, Codable, Sendable {
    case open
    /// Nothing is left over the objective's window. Opens again with `BurnRate.recoveredShare`.
    case spent
    /// It is being spent at a rate that pages a person. Opens again when the short windows are calm.
    case burning
  }
  /// No evidence: neither good nor bad.
  package struct Missing: Codable, Equatable, Sendable {
    package let reason: String
    package let since: Instant
    package init(reason: String, since: Instant) {
      self.reason = reason
      self.since = since
    }
  }
  /// The objective's.
  package let objective: String
  package let gate: Gate
  /// Since it is so; nil while nothing was known yet.
  package let since: Instant?
  /// The share of the budget that was left when it was last known: 1 untouched, 0 spent, below 0 overspent.
  package let left: Double?
  /// What the last evidence says, in one sentence; nil before there was any.
  package let sentence: String?
  package let missing: Missing?
  package init(
    objective: String, gate: Gate, since: Instant?, left: Double?, sentence: String?, missing: Missing?
  ) {
    self.objective = objective
    self.gate = gate
    self.since = since
    self.left = left
    self.sentence = sentence
    self.missing = missing
  }

  package var isClosed: Bool { gate != .open }

  /// A change that people must hear of, whatever the numbers do.
  func isSameKind(as other: BudgetStanding) -> Bool {
    objective == other.objective && gate == other.gate && (missing == nil) == (other.missing == nil)
  }
}

/// The error budgets of one place.
package struct ErrorBudget: Codable, Equatable, Sendable {
  /// Counts the objectives that were configured here: an answer to earlier ones says nothing of these.
  package let number: Int
  /// In the policy's order; those that were never looked at are absent.
  package var standings: [BudgetStanding]
  /// The last one in the ledger.
  package var notedAt: Instant?
  /// Who thawed the place although a budget had closed it. They know; it stays open until the budget has recovered and
  /// is spent anew.
  package var passedBy: String?
  init(number: Int) {
    self.number = number
    standings = []
    notedAt = nil
    passedBy = nil
  }

  package var closed: BudgetStanding? { standings.first { $0.isClosed } }
}

/// What one look at an objective gave.
package struct BudgetReading: Codable, Equatable, Sendable {
  package let objective: String
  package let answer: WindowAnswer
  package init(objective: String, answer: WindowAnswer) {
    self.objective = objective
    self.answer = answer
  }
}

extension BudgetStanding {
  /// What a look makes of what was known. Without evidence nothing closes and nothing opens.
  init(of objective: Objective, _ answer: WindowAnswer, after before: BudgetStanding?, at: Instant) {
    func unknown(_ reason: String) -> BudgetStanding {
      BudgetStanding(
        objective: objective.name, gate: before?.gate ?? .open, since: before?.since, left: before?.left,
        sentence: before?.sentence, missing: Missing(reason: reason, since: before?.missing?.since ?? at))
    }
    switch answer {
    case .unknown(let reason): self = unknown(String(reason.prefix(Rollout.reasonLimit)))
    case .counts(let counts):
      let finding = BurnRate.finding(
        target: objective.target, objectiveWindow: objective.window,
        counts: counts.map { BudgetWindow(window: $0.window, requests: $0.requests, errors: $0.errors) })
      guard let left = finding.budgetLeft else {
        self = unknown("no request was counted in \(objective.window.budgetWords)")
        return
      }
      let gate = Self.gate(finding, after: before?.gate ?? .open)
      self.init(
        objective: objective.name, gate: gate, since: gate == before?.gate ? before?.since ?? at : at, left: left,
        sentence: objective.sentence(finding, left: left, gate), missing: nil)
    }
  }

  private static func gate(_ finding: BurnRate.Finding, after before: Gate) -> Gate {
    if finding.isBudgetSpent { return .spent }
    if finding.paging != nil { return .burning }
    return before == .open || finding.isRecovered ? .open : before
  }
}

extension Objective {
  /// "orders: 37 % of the error budget of 99.9 % over 30 days is left."
  fileprivate func sentence(_ finding: BurnRate.Finding, left: Double, _ gate: BudgetStanding.Gate) -> String {
    let budget = "the error budget of \(name) (\(JudgeWords.target(target)) over \(window.budgetWords))"
    let rest =
      left > 0
      ? "\(JudgeWords.percent(left)) of it is left"
      : left == 0 ? "nothing of it is left" : "it is overspent by \(JudgeWords.percent(-left))"
    let pace = finding.burning.map { burning in
      let (long, short) = (burning.longRate ?? 0, burning.shortRate ?? 0)
      return "it is spent at \(JudgeWords.pace(long)) the even pace over \(burning.pair.long.budgetWords) and "
        + "\(JudgeWords.pace(short)) over \(burning.pair.short.budgetWords), and "
        + "\(JudgeWords.pace(burning.factor)) is the limit"
    }
    let waits =
      gate == .open || finding.isBudgetSpent || finding.paging != nil
      ? nil
      : "it counts as recovered with \(JudgeWords.percent(BurnRate.recoveredShare)) left and calm for half an hour"
    let few =
      left <= 0 && finding.errors < BurnRate.leastErrors
      ? "fewer than \(Int(BurnRate.leastErrors)) bad requests decide nothing" : nil
    return "\(([budget + ": " + rest, few, pace, waits] as [String?]).compactMap(\.self).joined(separator: "; "))."
  }
}

extension JudgeWords {
  /// An objective's target, whose last digits matter: "99.9 %", "99.95 %".
  static func target(_ share: Double) -> String {
    var digits = "\((share * 10_000_000).rounded() / 100_000)"
    if digits.hasSuffix(".0") { digits.removeLast(2) }
    return "\(digits) %"
  }

  /// A burn rate: "14.4x", "200x".
  static func pace(_ rate: Double) -> String {
    let tenths = Int((min(rate, 1e9) * 10).rounded())
    return tenths % 10 == 0 || rate >= 100 ? "\(Int(min(rate, 1e9).rounded()))x" : "\(tenths / 10).\(tenths % 10)x"
  }
}

extension Span {
  /// A window of a budget: "5 min", "6 h", "30 days".
  fileprivate var budgetWords: String {
    let minutes = Int((seconds / 60).rounded())
    if minutes % 1440 == 0, minutes > 1440 { return "\(minutes / 1440) days" }
    return minutes % 60 == 0 ? "\(minutes / 60) h" : "\(minutes) min"
  }
}

// MARK: In the machine

extension Rollout {
  /// Who freezes a place whose error budget is spent.
  package static let budgetActor = "error budget"
  /// Between two notes of budgets that stand as before: pages are at most so old, and a day is 24 events.
  package static let budgetNoteInterval = Span.minutes(60)

  /// A standing want: look at these objectives.
  package struct BudgetOrder: Equatable, Sendable {
    package let number: Int
    package let objectives: [Objective]
    package init(number: Int, objectives: [Objective]) {
      self.number = number
      self.objectives = objectives
    }
  }

  /// A spent budget freezes the place, which halts offers and steps and takes nothing back: it cannot tell which version
  /// spends it. What a person froze or thawed stays as it is.
  static func budgetLooked(
    _ number: Int, _ readings: [BudgetReading], at: Instant, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard !state.isRetired, let policy = state.policy, let budget = state.budget, budget.number == number else {
      return []
    }
    let standings = policy.objectives.map { objective in
      let answer = readings.first { $0.objective == objective.name }?.answer ?? .unknown("it was not asked about")
      return BudgetStanding(
        of: objective, answer, after: budget.standings.first { $0.objective == objective.name }, at: at)
    }
    let isSame =
      standings.count == budget.standings.count
      && zip(standings, budget.standings).allSatisfy { $0.isSameKind(as: $1) }
    let isDue = budget.notedAt.map { at - $0 >= budgetNoteInterval } ?? true
    let note: [Event] = isSame && !isDue ? [] : [.budgetNoted(standings, at: at)]
    let closed = standings.first { $0.isClosed }
    if let closed, state.frozen == nil, budget.passedBy == nil { return note + [budgetFreeze(closed, turn)] }
    guard closed == nil, state.freeze?.actor == budgetActor else { return note }
    // Only evidence opens a gate, so what was closed is known to have recovered, and another that is not known was open
    // when it was. Where what was closed is gone from the policy, or has another name, each that is left must be known.
    guard budget.closed != nil || standings.allSatisfy({ $0.missing == nil }) else { return note }
    return note + [.thawed(actor: budgetActor, reason: "the error budget has recovered", at: turn.now)]
  }

  static func budgetFreeze(_ closed: BudgetStanding, _ turn: TurnContext) -> Event {
    let reason = String((closed.sentence ?? "it is spent").prefix(reasonLimit))
    return .frozen(Freeze(reason: reason, actor: budgetActor, until: nil), at: turn.now)
  }

  /// Nobody else would thaw what a budget froze that is not watched any more.
  static func budgetLeft(_ policy: Policy, in state: State, _ turn: TurnContext) -> [Event] {
    guard policy.objectives.isEmpty, state.frozen?.freeze.actor == budgetActor else { return [] }
    return [.thawed(actor: itself, reason: "no error budget is watched here any more", at: turn.now)]
  }
}

extension Rollout.State {
  /// The objectives that a policy brings are looked at anew when they are others than before. What was known of one that
  /// keeps its name holds until then: a new title, while nothing can be asked, opens no gate.
  mutating func follow(_ objectives: [Objective], insteadOf before: [Objective]) {
    guard objectives != before else { return }
    let known = budget
    var anew = ErrorBudget(number: (known?.number ?? 0) + 1)
    anew.standings = objectives.compactMap { objective in
      known?.standings.first { $0.objective == objective.name }
    }
    anew.passedBy = anew.closed == nil ? nil : known?.passedBy
    budget = anew
  }

  mutating func note(_ standings: [BudgetStanding], at: Instant) {
    budget?.standings = standings
    budget?.notedAt = at
    if budget?.closed == nil { budget?.passedBy = nil }
  }

  /// - Parameter actor: who thaws.
  mutating func thaw(by actor: String) {
    if frozen?.freeze.actor == Rollout.budgetActor, actor != Rollout.budgetActor, budget?.closed != nil {
      budget?.passedBy = actor
    }
    frozen = nil
  }

  var budgetOrder: Rollout.BudgetOrder? {
    guard !isRetired, let budget, let objectives = policy?.objectives, !objectives.isEmpty else { return nil }
    return Rollout.BudgetOrder(number: budget.number, objectives: objectives)
  }
}
