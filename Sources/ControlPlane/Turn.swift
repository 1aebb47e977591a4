import Kernel
import MergeQueues
import Migrations
import Promotions
import Ramps
import Rollouts

/// One decision: pure, the same in production and in the simulator.
package enum Turn {
  /// The events that `input` leads to, and the state after them; the same state when there are none.
  ///
  /// - Throws: `Refusal` when a request cannot be honoured.
  /// - Precondition: input and state are of one kind; the engine routes by stream, so another pair is a defect.
  package static func take(
    _ input: StreamInput, in state: StreamState, _ context: TurnContext
  ) throws(Refusal) -> (events: [StreamEvent], state: StreamState) {
    switch (input, state) {
    case (.settings(let input), .settings(let inner)):
      guard let (events, after) = try take(Settings.self, input, in: inner, context) else { return ([], state) }
      return (events.map(StreamEvent.settings), .settings(after))
    case (.queue(let input), .queue(let inner)):
      guard let (events, after) = try take(MergeQueue.self, input, in: inner, context) else { return ([], state) }
      return (events.map(StreamEvent.queue), .queue(after))
    case (.build(let input), .build(let inner)):
      guard let (events, after) = try take(Promotion.self, input, in: inner, context) else { return ([], state) }
      return (events.map(StreamEvent.build), .build(after))
    case (.delivery(let input), .delivery(let inner)):
      guard let (events, after) = try take(Rollout.self, input, in: inner, context) else { return ([], state) }
      return (events.map(StreamEvent.delivery), .delivery(after))
    case (.observation(let input), .observation(let inner)):
      guard let (events, after) = try take(Observation.self, input, in: inner, context) else { return ([], state) }
      return (events.map(StreamEvent.observation), .observation(after))
    case (.schema(let input), .schema(let inner)):
      guard let (events, after) = try take(DatabaseSchema.self, input, in: inner, context) else { return ([], state) }
      return (events.map(StreamEvent.schema), .schema(after))
    case (.flag(let input), .flag(let inner)):
      guard let (events, after) = try take(FeatureFlag.self, input, in: inner, context) else { return ([], state) }
      return (events.map(StreamEvent.flag), .flag(after))
    case (.flagFolder(let input), .flagFolder(let inner)):
      guard let (events, after) = try take(FlagFolder.self, input, in: inner, context) else { return ([], state) }
      return (events.map(StreamEvent.flagFolder), .flagFolder(after))
    default:
      throw Refusal(.malformed, "The input is of another kind than its stream: a defect in Plimsoll; please report it.")
    }
  }

  /// Bookkeeping alone: folds a recorded event.
  package static func fold(_ state: inout StreamState, _ event: StreamEvent) -> Bool {
    switch (state, event) {
    case (.settings(var inner), .settings(let event)):
      Settings.evolve(&inner, event)
      state = .settings(inner)
    case (.queue(var inner), .queue(let event)):
      MergeQueue.evolve(&inner, event)
      state = .queue(inner)
    case (.build(var inner), .build(let event)):
      Promotion.evolve(&inner, event)
      state = .build(inner)
    case (.delivery(var inner), .delivery(let event)):
      Rollout.evolve(&inner, event)
      state = .delivery(inner)
    case (.observation(var inner), .observation(let event)):
      Observation.evolve(&inner, event)
      state = .observation(inner)
    case (.schema(var inner), .schema(let event)):
      DatabaseSchema.evolve(&inner, event)
      state = .schema(inner)
    case (.flag(var inner), .flag(let event)):
      FeatureFlag.evolve(&inner, event)
      state = .flag(inner)
    case (.flagFolder(var inner), .flagFolder(let event)):
      FlagFolder.evolve(&inner, event)
      state = .flagFolder(inner)
    default: return false
    }
    return true
  }

  package static func effects(of state: StreamState) -> [StreamEffect] {
    switch state {
    case .settings: []
    case .queue(let state): MergeQueue.effects(of: state).map(StreamEffect.queue)
    case .build(let state): Promotion.effects(of: state).map(StreamEffect.build)
    case .delivery(let state): Rollout.effects(of: state).map(StreamEffect.delivery)
    case .observation(let state): Observation.effects(of: state).map(StreamEffect.observation)
    case .schema(let state): DatabaseSchema.effects(of: state).map(StreamEffect.schema)
    case .flag(let state): FeatureFlag.effects(of: state).map(StreamEffect.flag)
    case .flagFolder(let state): FlagFolder.effects(of: state).map(StreamEffect.flagFolder)
    }
  }

  package static func violations(in state: StreamState) -> [String] {
    switch state {
    case .settings(let state): Settings.violations(in: state)
    case .queue(let state): MergeQueue.violations(in: state)
    case .build(let state): Promotion.violations(in: state)
    case .delivery(let state): Rollout.violations(in: state)
    case .observation(let state): Observation.violations(in: state)
    case .schema(let state): DatabaseSchema.violations(in: state)
    case .flag(let state): FeatureFlag.violations(in: state)
    case .flagFolder(let state): FlagFolder.violations(in: state)
    }
  }

  /// The observation that an effect of a stream of this kind used up its budget.
  package static func exhausted(_ kind: StreamKind, _ key: EffectKey, why: String) -> StreamInput {
    switch kind {
    case .settings: .settings(Settings.exhausted(key, why: why))
    case .queue: .queue(MergeQueue.exhausted(key, why: why))
    case .build: .build(Promotion.exhausted(key, why: why))
    case .delivery: .delivery(Rollout.exhausted(key, why: why))
    case .observation: .observation(Observation.exhausted(key, why: why))
    case .schema: .schema(DatabaseSchema.exhausted(key, why: why))
    case .flag: .flag(FeatureFlag.exhausted(key, why: why))
    case .flagFolder: .flagFolder(FlagFolder.exhausted(key, why: why))
    }
  }

  /// Nil when nothing happens: most of what a running rollout observes changes nothing, and a state is large to copy.
  private static func take<M: Machine>(
    _ machine: M.Type, _ input: M.Input, in state: M.State, _ context: TurnContext
  ) throws(Refusal) -> ([M.Event], M.State)? {
    let events = try M.decide(input, in: state, context)
    guard !events.isEmpty else { return nil }
    var after = state
    for event in events { M.evolve(&after, event) }
    return (events, after)
  }
}
