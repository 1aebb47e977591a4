import Kernel

// What the state says, for decisions and pages.

extension FeatureFlag.State {
  /// What it is now; nil before it was created.
  package var definition: FlagDefinition? { revisions.first?.definition }
  /// The number of the newest revision; 0 before the first.
  package var revision: Int { revisions.first?.number ?? 0 }
  package var isLive: Bool { key != nil && archived == nil }

  package func placement(in environment: EnvironmentName) -> FeatureFlag.Placement? {
    placements.first { $0.environment == environment }
  }

  /// "flag new-checkout", for a sentence.
  var subject: String { "Flag \(key?.rawValue ?? "")" }
}

extension FeatureFlag.Placement {
  /// The ramp that has a share, or is about to; nil when none has.
  package var course: FeatureFlag.Course? { phase.course }

  /// The stage that waits to be advanced, with its verdict: what a person looks at.
  package var isAsking: Bool {
    if case .asking = phase { true } else { false }
  }
}

extension FeatureFlag.Phase {
  /// Of a ramp that is under way.
  package var course: FeatureFlag.Course? {
    switch self {
    case .sighting(let course), .placing(let course), .watching(let course), .asking(let course, _),
      .holding(let course, _):
      course
    case .still, .stopping, .stopped, .rolledOut: nil
    }
  }

  /// Under way and in force: its evidence counts.
  var watched: FeatureFlag.Course? {
    switch self {
    case .placing(let course), .watching(let course), .asking(let course, _), .holding(let course, _): course
    case .still, .sighting, .stopping, .stopped, .rolledOut: nil
    }
  }
}

extension FeatureFlag.Course {
  /// When a stage that has seen nothing of what is promised asks a person; nil before clients have it.
  ///
  /// A stage that cannot see it, or not within the plan's patience, asks once its least time is over.
  package var asksAt: Instant? {
    guard let settled, plan.policy.stages.indices.contains(stage) else { return nil }
    let least = plan.policy.stages[stage].least
    let holds = sights.indices.contains(stage) ? sights[stage].holds : nil
    guard let holds, holds <= plan.patience else { return settled.at + least }
    return settled.at + max(least, plan.patience)
  }

  /// When the stage is no longer waited for by clients that have not heard of it.
  package var settlesBy: Instant { stageBegan + plan.settleLimit }
}

extension RampVerdict {
  /// What it says, in one sentence.
  package var sentence: String {
    switch self {
    case .good(let power): power.sentence
    case .bad(let conviction): conviction.sentence
    case .undecided(let lack): lack.sentence
    case .untrusted(let mistrust): mistrust.sentence
    }
  }

  /// Two of one kind are no news of each other.
  func isLike(_ other: RampVerdict) -> Bool {
    switch (self, other) {
    case (.good, .good), (.bad, .bad), (.undecided, .undecided): true
    case (.untrusted(let left), .untrusted(let right)): left.reason == right.reason
    case (.good, _), (.bad, _), (.undecided, _), (.untrusted, _): false
    }
  }
}

extension FeatureFlag {
  static func sightKey(_ environment: EnvironmentName, _ ramp: Int) -> EffectKey {
    EffectKey("sight/\(environment)/\(ramp)")
  }
  static func scheduleKey(_ number: Int) -> EffectKey { EffectKey("due/\(number)") }
  static func settleKey(_ environment: EnvironmentName, _ epoch: Int) -> EffectKey {
    EffectKey("settle/\(environment)/\(epoch)")
  }
  static func announceKey(_ id: String, _ target: Int) -> EffectKey { EffectKey("announce/\(id)/\(target)") }
}
