import Kernel

extension FeatureFlag {
  /// One long watch over a stage: its evidence through the judge. Its key does not change when the note does: a running
  /// watch goes on, one started after a crash resumes.
  package struct WatchOrder: Equatable, Sendable {
    package let source: RampSource
    package let epoch: Int
    /// Of the units, by plan.
    package let percent: Double
    /// When the share came into force.
    package let began: Instant
    /// When clients had it, if that is known; else the watch finds out, and waits no longer than `settlesBy`.
    package let settled: Instant?
    package let settlesBy: Instant
    package let record: RampRecord?
    package init(
      source: RampSource, epoch: Int, percent: Double, began: Instant, settled: Instant?, settlesBy: Instant,
      record: RampRecord?
    ) {
      self.source = source
      self.epoch = epoch
      self.percent = percent
      self.began = began
      self.settled = settled
      self.settlesBy = settlesBy
      self.record = record
    }
  }

  package struct ProofOrder: Equatable, Sendable {
    package let flag: FlagKey
    package let environment: EnvironmentName
    package let epoch: Int
    /// Nil when the whole flag was switched off.
    package let variant: String?
    package let since: Instant
    package init(flag: FlagKey, environment: EnvironmentName, epoch: Int, variant: String?, since: Instant) {
      self.flag = flag
      self.environment = environment
      self.epoch = epoch
      self.variant = variant
      self.since = since
    }
  }

  // Indirect: some cases are large, and a turn moves each effect several times.
  package indirect enum Effect: WantedEffect {
    /// What guardrails usually see, once.
    case sight(RampSource)
    /// Standing: reports `judged` after every batch of evidence, and `acknowledged` until the epoch is settled.
    case watch(WatchOrder)
    /// Standing: reports `proofTold`, about once a second, until nothing is to be proved any more.
    case prove(ProofOrder)
    case wake(at: Instant, EffectKey)
    case announce(Announcement, target: Int)

    package var key: EffectKey {
      switch self {
      case .sight(let source): sightKey(source.environment, source.ramp)
      case .watch(let order): EffectKey("watch/\(order.source.environment)/\(order.epoch)")
      case .prove(let order): EffectKey("prove/\(order.environment)/\(order.epoch)")
      case .wake(at: _, let key): key
      case .announce(let announcement, let target): announceKey(announcement.id, target)
      }
    }

    package var lane: Lane {
      switch self {
      case .watch, .prove: .protect
      case .sight, .wake, .announce: .progress
      }
    }

    package var retry: RetryBudget {
      switch self {
      case .watch, .prove, .wake: .persistent
      case .sight: .bounded
      case .announce: .patient
      }
    }
  }

  package static func effects(of state: State) -> [Effect] {
    guard let key = state.key else { return [] }
    var wanted: [Effect] = []
    for placement in state.placements {
      if case .sighting(let course) = placement.phase { wanted.append(.sight(source(of: course, key))) }
      if let course = placement.phase.watched {
        wanted.append(
          .watch(
            WatchOrder(
              source: source(of: course, key), epoch: placement.epoch, percent: course.percent,
              began: course.stageBegan, settled: course.settled?.at, settlesBy: course.settlesBy,
              record: course.note?.record)))
        // The audience may be silent for as long as it likes; this is not.
        if course.settled == nil {
          let late = course.settlesBy + settleGrace
          wanted.append(.wake(at: late, settleKey(placement.environment, placement.epoch)))
        }
      }
      if let proof = placement.proof {
        wanted.append(
          .prove(
            ProofOrder(
              flag: key, environment: placement.environment, epoch: proof.epoch, variant: proof.variant,
              since: proof.since)))
      }
    }
    if let next = state.scheduled.first { wanted.append(.wake(at: next.at, scheduleKey(next.number))) }
    for waiting in state.announcements {
      wanted += waiting.targets.map { .announce(waiting.announcement, target: $0) }
    }
    return wanted
  }

  /// The audience has the first word on who has a stage.
  static let settleGrace = Span.seconds(5)

  private static func source(of course: Course, _ key: FlagKey) -> RampSource {
    RampSource(
      flag: key, environment: course.plan.environment, variant: course.plan.variant, ramp: course.number,
      service: course.plan.service, policy: course.plan.policy)
  }
}
