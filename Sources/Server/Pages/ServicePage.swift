import API
import Kernel

/// `/services/{service}/{environment}`: what serves, what was rolled out, what may not return,
/// where one can go back to.
struct ServicePage: Sendable {
  let service: String
  let card: PlaceCard
  let rollouts: [RolloutRow]
  let hasRollouts: Bool
  let condemned: [CondemnedRow]
  let hasCondemned: Bool
  let targets: [Target]
  let hasTargets: Bool
  let floor: Floor?
  /// The newest drill, in one sentence.
  let drill: Drill?
  let rehearse: String
  let ledger: String

  struct RolloutRow: Sendable {
    let id: Int
    let address: String
    let commit: String
    let subject: String
    let badge: Badge
    /// Nil when it went as it should.
    let sentence: String?
    let started: Moment
    /// Nil while it runs.
    let took: String?
  }
  struct CondemnedRow: Sendable {
    let artifact: Link
    let cause: String
    let sentence: String
    let at: Moment
  }
  struct Target: Sendable {
    let artifact: Link
    let commit: String
    let subject: String
  }

  struct Floor: Sendable {
    let artifact: Link
    let words: String
  }
  struct Drill: Sendable {
    let sentence: String
    let drilled: Moment
  }

  init(_ view: EnvironmentView, _ rollouts: [RolloutView], now: Instant) {
    service = view.service
    card = PlaceCard(view, now: now)
    self.rollouts = rollouts.map { rollout in
      RolloutRow(
        id: rollout.id,
        address: "/rollouts/\(Short.part(rollout.service))/\(Short.part(rollout.environment))/\(rollout.id)",
        commit: Short.commit(rollout.deployment.commit), subject: rollout.deployment.title ?? "",
        badge: Self.badge(rollout), sentence: rollout.outcome == "completed" ? nil : rollout.sentence,
        started: Moment(rollout.startedAtMs, now: now),
        took: rollout.endedAtMs.map { Span(milliseconds: $0 - rollout.startedAtMs).words })
    }
    hasRollouts = !rollouts.isEmpty
    condemned = view.condemned.map {
      CondemnedRow(
        artifact: Link(address: "/artifacts/\($0.digest)", words: Short.digest($0.digest)), cause: $0.cause,
        sentence: $0.sentence, at: Moment($0.atMs, now: now))
    }
    hasCondemned = !view.condemned.isEmpty
    targets = view.targets.map {
      Target(
        artifact: Link(address: "/artifacts/\($0.digest)", words: Short.digest($0.digest)),
        commit: Short.commit($0.commit), subject: $0.title ?? "")
    }
    hasTargets = !view.targets.isEmpty
    floor = view.floor.map {
      Floor(
        artifact: Link(address: "/artifacts/\($0.digest)", words: Short.digest($0.digest)),
        words: "set by \($0.actor): \(Words.closed($0.reason))")
    }
    drill = view.drill.map { Drill(sentence: $0.sentence, drilled: Moment($0.atMs, now: now)) }
    rehearse = "plimsoll rollback \(view.service) \(view.environment) --drill"
    ledger = "/ledger?stream=delivery:\(Short.part(view.service))/\(Short.part(view.environment))"
  }

  static func badge(_ rollout: RolloutView) -> Badge {
    switch rollout.outcome {
    case "completed":
      Badge(words: ["rollback": "rolled back to", "drill": "drilled"][rollout.kind] ?? "completed", tone: "good")
    case "rolledBack": Badge(words: "rolled back", tone: "bad")
    case "takenOut": Badge(words: "taken out", tone: "bad")
    case "abandoned": Badge(words: "abandoned", tone: "calm")
    default:
      if rollout.gate != nil {
        Badge(words: "asks you", tone: "waiting")
      } else {
        Badge(words: ["rollback": "rolling back", "drill": "drilling"][rollout.kind] ?? "running", tone: "moving")
      }
    }
  }
}
