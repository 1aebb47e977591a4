import Kernel

/// One canary's whole watch: the judge of its requests' answers, and the guards beside it, in one verdict.
///
/// The first conviction of either is final. A check that says nothing is a broken source: nothing moves until it
/// speaks. A suspicion of a guard makes a good verdict wait, and so does a guard that is told nothing. Nothing else
/// changes what the judge says, and without guards in the policy this is the judge.
package struct WatchJudge: Sendable {
  private var judge: Judge
  private var guards: Guards?
  private var now: Instant

  /// - Parameter checkpoint: of the same deployment. A guard that it does not know begins anew.
  package init(
    policy: JudgePolicy, baseline: Baseline, canary: DeploymentID, control: DeploymentID?,
    resuming checkpoint: JudgeCheckpoint? = nil
  ) {
    judge = Judge(policy: policy, baseline: baseline, canary: canary, control: control, resuming: checkpoint)
    guards = checkpoint?.guards ?? policy.guards.map { Guards($0, of: policy) }
    now = checkpoint?.through ?? Instant(milliseconds: 0)
  }

  package var checkpoint: JudgeCheckpoint {
    var checkpoint = judge.checkpoint
    checkpoint.guards = guards
    return checkpoint
  }
  package var path: [EvidencePoint] { judge.path }

  /// The verdict on all that came so far, this bin included.
  package mutating func absorb(_ bin: EvidenceBin) -> Verdict {
    now = max(now, bin.to)
    let judged = judge.absorb(bin)
    if case .bad = judged {} else { guards?.absorb(bin, canary: judge.canary, control: judge.control) }
    return joined(judged)
  }

  /// The conviction, if there is one after all that came so far, this bin included; at a tenth of the cost of `absorb`.
  package mutating func conviction(after bin: EvidenceBin) -> Conviction? {
    now = max(now, bin.to)
    if let conviction = judge.conviction(after: bin) { return conviction }
    guards?.absorb(bin, canary: judge.canary, control: judge.control)
    return guards?.conviction
  }

  /// The router confirmed these shares; nil while they move.
  package mutating func routed(_ shares: GuardShares?) { guards?.routed(shares) }

  package mutating func measured(_ usages: [InstanceUsage], limit: Int64?, at: Instant) {
    guards?.measured(usages, canary: judge.canary, control: judge.control, limit: limit, at: at)
  }

  package mutating func answered(_ check: CheckName, _ answer: CheckAnswer, at: Instant) {
    guards?.answered(check, answer, at: at)
  }

  /// The verdict now, without new evidence.
  package var verdict: Verdict { joined(judge.verdict) }

  private func joined(_ judged: Verdict) -> Verdict {
    guard let guards else { return judged }
    if let conviction = guards.conviction {
      if case .bad(let first) = judged, first.decidedAt <= conviction.decidedAt { return judged }
      return .bad(conviction)
    }
    switch judged {
    case .bad, .sourceBroken: return judged
    case .notEnoughEvidence, .good: break
    }
    if let missing = guards.missing(at: now) { return .sourceBroken(reason: missing) }
    guard case .good(let power) = judged, let suspicion = guards.suspicion ?? guards.blindness(at: now) else {
      return judged
    }
    return .notEnoughEvidence(
      Scarcity(
        requests: power.requests, needed: power.needed, detectableRatio: power.detectableRatio, sentence: suspicion))
  }
}
