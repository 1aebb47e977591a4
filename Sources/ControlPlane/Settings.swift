import Kernel

/// The machine behind the one stream `settings:plimsoll`: which topology is in force. What influenced a decision is in
/// events, and `plimsoll.yaml` influences many, so its secret-free part is recorded whenever it changes.
package enum Settings: Machine {
  package struct State: Codable, Equatable, Sendable {
    package var topology: Topology
    /// Queues, places and databases that were configured and have not been told to leave, sorted.
    package var named: [StreamID]
    package init(topology: Topology = Topology()) {
      self.topology = topology
      named = topology.streams
    }
  }

  package enum Input: Codable, Equatable, Sendable {
    /// Request: make this topology the one in force. Repeating it is free.
    case apply(Topology)
    /// Settings want no effects, so this is never observed.
    case exhausted(EffectKey, why: String)
  }

  package enum Event: DomainEvent {
    case applied(Topology)
    /// Queues, places and databases that the topology in force no longer names, sorted.
    case left([StreamID])
    /// Services that are new on a branch already known, or go through other environments than before; sorted.
    case joined([ServiceName])
    package var name: String {
      switch self {
      case .applied: "applied"
      case .left: "left"
      case .joined: "joined"
      }
    }
  }

  /// Uninhabited: settings want nothing done.
  package enum Effect: WantedEffect {
    package var key: EffectKey { switch self {} }
    package var lane: Lane { switch self {} }
    package var retry: RetryBudget { switch self {} }
  }

  package static var initial: State { State() }

  package static func decide(_ input: Input, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    switch input {
    case .apply(let topology):
      // The streams would refuse such a policy, where nobody waits for the answer.
      for queue in topology.queues { try queue.validate() }
      for environment in topology.services.flatMap(\.environments) {
        if let fault = environment.rollout.fault { throw Refusal(.malformed, fault) }
      }
      for policy in topology.observed { if let fault = policy.fault { throw Refusal(.malformed, fault) } }
      let streams = topology.streams
      let left = state.named.filter { !streams.contains($0) }
      let joined = topology.newcomers(since: state.topology)
      return (topology == state.topology ? [] : [.applied(topology)]) + (left.isEmpty ? [] : [.left(left)])
        + (joined.isEmpty ? [] : [.joined(joined)])
    case .exhausted:
      return []
    }
  }

  package static func evolve(_ state: inout State, _ event: Event) {
    switch event {
    case .applied(let topology):
      state.topology = topology
      state.named = (state.named + topology.streams.filter { !state.named.contains($0) }).sorted()
    case .left(let streams): state.named.removeAll { streams.contains($0) }
    case .joined: break
    }
  }

  package static func effects(of state: State) -> [Effect] { [] }
  package static func exhausted(_ key: EffectKey, why: String) -> Input { .exhausted(key, why: why) }
  package static func violations(in state: State) -> [String] { [] }
}
