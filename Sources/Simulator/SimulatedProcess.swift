import ControlPlane
import Kernel

/// One life of the control plane: the real engine on a session of its own, until it is killed.
final class SimulatedProcess {
  let dispatcher: SimulatedDispatcher
  let engine: Engine<LedgerSession, SimulatedDispatcher>
  let startedAt: Instant
  /// It should be dead and is not: its successor has the lease.
  var isZombie = false
  var isTurnDue = false
  var alarmAt: Instant?
  var effects: [(sign: String, key: EffectKey, stream: StreamID)] = []

  init(
    world: World, session: LedgerSession, isRestart: Bool, chance: @escaping () -> UInt64,
    onViolation: @escaping (StreamID, [String]) -> Void
  ) {
    let dispatcher = SimulatedDispatcher(world, isRestart: isRestart)
    self.dispatcher = dispatcher
    startedAt = world.now
    session.isDead = { [unowned dispatcher] in !dispatcher.isAlive }
    engine = Engine(
      store: session, dispatcher: dispatcher, checksInvariants: true, chance: chance, onViolation: onViolation)
  }
  var isAlive: Bool { dispatcher.isAlive }
}
