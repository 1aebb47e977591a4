import Kernel

extension Observation {
  package static func evolve(_ state: inout State, _ event: Event) {
    switch event {
    case .configured(let policy):
      state.policy = policy
      if case .closed = state.phase { state.phase = .unseen }
    case .found(let version, let at): state.phase = .serving(version, since: at)
    case .versionsSeen(let versions, at: _): state.present = versions
    case .deployed(let deployed):
      guard let policy = state.policy else { return }
      state.phase = .watching(Watch(deployed, policy: policy))
      state.nextDeployment = deployed.id + 1
    case .evidenceNoted(_, let verdict, let checkpoint, let at):
      change(&state) { watch in
        if watch.note?.verdict.isSameKind(as: verdict) != true { watch.kindSince = at }
        watch.note = EvidenceNote(verdict: verdict, checkpoint: checkpoint, at: at)
      }
    case .wouldHaveRolledBack(_, let conviction):
      change(&state) { $0.conviction = conviction }
      if let watch = state.watch, watch.policy.announceTargets > 0 {
        state.announcements.append(
          PendingAnnouncement(
            announcement: watch.announcement(conviction), targets: Array(0..<watch.policy.announceTargets)))
      }
    case .announced(let id, let target), .announcementAbandoned(let id, let target, why: _):
      for index in state.announcements.indices where state.announcements[index].id == id {
        state.announcements[index].targets.removeAll { $0 == target }
      }
      state.announcements.removeAll { $0.targets.isEmpty }
    case .wentBack(let id, let to, source: _, let at):
      // During a watch its settlement follows and says the rest.
      guard state.watch?.id != id else { return }
      revise(id, .rolledBack(at: at), in: &state)
      state.phase = .serving(to, since: at)
    case .settled(let settlement):
      guard let watch = state.watch else { return }
      state.records.insert(
        Record(
          deployed: watch.deployed, judgement: settlement.judgement, team: settlement.team, settledAt: settlement.at),
        at: 0)
      if state.records.count > recordLimit, let oldest = state.records.popLast() { state.dropped.add(oldest) }
      state.phase = .serving(settlement.serving, since: settlement.at)
    case .corrected(let id, let act, let correction, at: _):
      revise(id, act, in: &state)
      if let index = state.records.firstIndex(where: { $0.deployed.id == id }) {
        state.records[index].correctedBy = correction.actor
      }
    case .unconfigured:
      state.phase = .closed
      state.present = []
    }
  }

  private static func change(_ state: inout State, _ change: (inout Watch) -> Void) {
    guard case .watching(var watch) = state.phase else { return }
    change(&watch)
    state.phase = .watching(watch)
  }

  private static func revise(_ id: ObservedID, _ act: TeamAct, in state: inout State) {
    guard let index = state.records.firstIndex(where: { $0.deployed.id == id }) else { return }
    state.records[index].team = act
  }
}
