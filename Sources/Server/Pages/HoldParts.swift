import API
import Kernel

/// A person is asked whether a rollout may go on, with the commands that answer.
struct AskPart: Sendable {
  let heading: String
  let asked: Moment
  let approve: String
  let rollBack: String

  init(_ gate: GateView, of rollout: RolloutView, now: Instant) {
    let place = "\(rollout.service) \(rollout.environment)"
    let step = rollout.plan.indices.contains(gate.step) ? rollout.plan[gate.step] : nil
    let from = step.map { " from \($0.percent) %" } ?? ""
    heading = gate.kind == "approval" ? "May it go on\(from)?" : "May it go on\(from) without evidence?"
    asked = Moment(gate.sinceMs, now: now)
    approve = "plimsoll rollout approve \(place) --reason TEXT"
    rollBack = "plimsoll rollback \(place) --reason TEXT"
  }
}

/// Nothing new begins or goes on here: who says so, why, and until when.
struct FreezePart: Sendable {
  let actor: String
  let reason: String
  let frozen: Moment
  let until: Moment?
  /// Nil until one says it.
  let thaw: String

  init(_ freeze: FreezeView, service: String, environment: String, now: Instant) {
    actor = freeze.actor
    reason = Words.closed(freeze.reason)
    frozen = Moment(freeze.sinceMs, now: now)
    until = freeze.untilMs.map { Moment($0, now: now) }
    thaw = "plimsoll thaw \(environment) --service \(service) --reason TEXT"
  }
}

/// The judge cannot say.
struct InconclusivePart: Sendable {
  let heading: String
  let missing: String
  let source: String?
  let since: Moment

  init(_ view: InconclusiveView, now: Instant) {
    heading = view.verdict == "sourceBroken" ? "The evidence cannot be believed" : "There is not enough evidence yet"
    missing = view.missing
    source = view.source
    since = Moment(view.sinceMs, now: now)
  }
}

/// An error budget that closed the place, or of which nothing is known; the open ones need no card.
struct BudgetPart: Sendable {
  let objective: String
  let title: String
  let sentence: String?
  let badge: Badge
  let since: Moment?
  let inconclusive: InconclusivePart?
  /// Who let new versions through all the same.
  let passedBy: String?
  let isQuiet: Bool

  init(_ view: BudgetView, now: Instant) {
    objective = view.objective
    title = view.title
    sentence = view.sentence
    badge =
      switch view.gate {
      case "spent": Badge(words: "spent", tone: "bad")
      case "burning": Badge(words: "burning", tone: "bad")
      default: view.sentence == nil ? Badge(words: "unknown", tone: "waiting") : Badge(words: "open", tone: "good")
      }
    since = view.sinceMs.map { Moment($0, now: now) }
    inconclusive = view.inconclusive.map { InconclusivePart($0, now: now) }
    passedBy = view.passedBy
    isQuiet = view.gate == "open" && view.inconclusive == nil
  }
}

/// A step of the plan, and where the rollout stands.
struct StepRow: Sendable {
  let number: Int
  let words: String
  let tone: String
  let symbol: String
  /// In words, for those who do not see the symbol.
  let standing: String

  static func rows(_ rollout: RolloutView) -> [StepRow] {
    rollout.plan.enumerated().map { index, step in
      let (standing, tone, symbol) =
        if rollout.outcome == "completed" || rollout.step.map({ index < $0 }) ?? false {
          ("passed", "good", "✓")
        } else if index == rollout.step {
          rollout.gate == nil ? ("now", "moving", "◐") : ("asks", "waiting", "?")
        } else {
          (rollout.outcome == "running" ? "not yet" : "not reached", "calm", "·")
        }
      return StepRow(number: index + 1, words: step.words, tone: tone, symbol: symbol, standing: standing)
    }
  }
}
