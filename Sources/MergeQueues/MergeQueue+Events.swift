import Kernel

extension MergeQueue {
  package enum Event: DomainEvent {
    case configured(Policy)
    /// An external push, or the first sight of the trunk (`from` is nil).
    case trunkMoved(from: CommitID?, to: CommitID, at: Instant)
    case submitted(EntryFacts)
    case withdrawn(entry: Int, reason: String, at: Instant)
    case prepared(entry: Int, base: CommitID, assumed: [Int], commit: CommitID, tree: TreeID, at: Instant)
    case conflicted(entry: Int, base: CommitID, assumed: [Int], paths: [String], detail: String, at: Instant)
    /// The base already contains the change.
    case contained(entry: Int, base: CommitID, assumed: [Int], at: Instant)
    case testPassed(entry: Int, commit: CommitID, log: Digest, startedAt: Instant, endedAt: Instant)
    case testFailed(
      entry: Int, commit: CommitID, end: RunEnd, reason: String, log: Digest, startedAt: Instant, endedAt: Instant)
    /// The entry is built anew; `commit` is nil when a conflict or containment was dropped.
    case candidateDropped(entry: Int, commit: CommitID?, because: DropCause, at: Instant)
    case landed(Landing)
    case ejected(Ejection)
    /// The world keeps failing at a wanted effect. The entry stays and the effect is tried again: an outage is not the
    /// change's fault, so it never ejects. Told once per key and reason.
    case troubled(entry: Int?, key: EffectKey, why: String, at: Instant)
    /// The watch on the trunk works again; for other effects their own result says so.
    case recovered(key: EffectKey, at: Instant)
    /// plimsoll.yaml no longer names the branch; who waited is ejected in the same turn.
    case retired(at: Instant)
    /// What the trunk holds is wanted by services that were not there when it came.
    case recalled(trunk: CommitID, services: [ServiceName], at: Instant)

    package var name: String {
      switch self {
      case .configured: "configured"
      case .trunkMoved: "trunkMoved"
      case .submitted: "submitted"
      case .withdrawn: "withdrawn"
      case .prepared: "prepared"
      case .conflicted: "conflicted"
      case .contained: "contained"
      case .testPassed: "testPassed"
      case .testFailed: "testFailed"
      case .candidateDropped: "candidateDropped"
      case .landed: "landed"
      case .ejected: "ejected"
      case .troubled: "troubled"
      case .recovered: "recovered"
      case .retired: "retired"
      case .recalled: "recalled"
      }
    }
  }
}
