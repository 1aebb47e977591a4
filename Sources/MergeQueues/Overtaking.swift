import Kernel

extension MergeQueue {
  /// A push past the queue, looked into: builds that are disjoint in lane from all that it changed go on.
  package struct Overtaking: Codable, Equatable, Sendable {
    package let from: CommitID
    package let to: CommitID
    package let how: HeadMove
    /// What it changed; all lanes unless the trunk only advanced.
    package let lanes: Lanes
    package init(from: CommitID, to: CommitID, how: HeadMove, lanes: Lanes) {
      self.from = from
      self.to = to
      self.how = how
      self.lanes = lanes
    }
  }

  /// Stands for a push past the queue among the landings that a build's runs did not see; entries begin at 1.
  package static let pastTheQueue = 0

  /// Somebody else moved the trunk. Where lanes are on, and there is work that they could save, it is first looked up
  /// what changed: until then the trunk is where it was, and the forge's lease refuses what is pushed onto it.
  static func overtaken(
    by commit: CommitID, from trunk: CommitID, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard let policy = state.policy, policy.wantsSurvey, !state.builds.isEmpty else {
      return settled([.trunkMoved(from: trunk, to: commit, at: turn.now)], in: state, turn)
    }
    return state.sighted == commit ? [] : [.trunkSighted(to: commit, at: turn.now)]
  }

  static func traced(
    from old: CommitID, to new: CommitID, _ how: HeadMove, _ paths: ChangedPaths, under policy: Policy,
    in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard state.trunk == old, state.sighted == new else { return [] }
    // Going back takes away what builds were tested on, whichever paths that were.
    let lanes = how == .advanced ? policy.lanes.lanes(of: paths) : .all(.pathsIncomplete)
    let overtaking = Overtaking(from: old, to: new, how: how, lanes: lanes)
    return settled(
      [.trunkTraced(overtaking, at: turn.now), .trunkMoved(from: old, to: new, at: turn.now)], in: state, turn)
  }

  /// What changed cannot be looked up: then everything may have.
  static func untraceable(in state: State, _ turn: TurnContext) -> [Event] {
    guard let trunk = state.trunk, let sighted = state.sighted else { return [] }
    return settled([.trunkMoved(from: trunk, to: sighted, at: turn.now)], in: state, turn)
  }
}
