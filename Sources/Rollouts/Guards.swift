import Kernel
import Statistics

/// What is watched of a canary beside its requests' answers, from its first request to the end of its watch. All of it
/// is in the checkpoint: a copy goes on where this one stood.
///
/// Each guard of `GuardPolicy.rules` has its part of the deploy's one false-rollback budget (`GuardPolicy.budgetShare`)
/// and an anytime-valid test; checks are the user's own rule and have none. All compare with the old version beside it,
/// so without one in traffic there is none, except for checks.
package struct Guards: Codable, Equatable, Sendable {
  package private(set) var conviction: Conviction?
  private let rules: [Rule]
  private let threshold: Double
  private let settle: Span
  private var checks: [CheckTrack]

  private var throughput = ThroughputGuard()
  private var shares: GuardShares?
  private var memory = GuardWindows()
  private var processor = GuardWindows()
  private var memoryFinding: MemoryFinding?
  private var processorFinding: ProcessorFinding?
  private var tracks: [UsageTrack] = []
  /// The most that an instance of the old version took in any window, bytes.
  private var highestOld = 0.0
  private var limit: Int64?
  /// Since when both versions have had requests, and when each version's instances were last looked at.
  private var besideSince: Instant?
  private var canarySeenAt: Instant?
  private var controlSeenAt: Instant?

  private var exposedAt: Instant?
  private var windowFrom: Instant?
  /// No source was broken in the window.
  private var isSound = true
  private var canaryRequests = 0
  private var controlRequests = 0
  private var observed = RequestCounts.zero
  private var through: Instant?

  /// A guard that has come half the way to its threshold keeps a step from passing.
  private static let suspicion = 0.5
  /// Two windows without a look at a version's instances: the guards about resources are blind.
  private static let longestSilence = GuardWindows.length * 2

  init(_ policy: GuardPolicy, of judge: JudgePolicy) {
    rules = policy.rules
    threshold = MixtureWindows.threshold(budget: judge.budget * GuardPolicy.budgetShare)
    settle = judge.slowerThan
    checks = policy.checks.map { CheckTrack($0) }
  }

  // MARK: What comes in

  /// The router confirmed these shares; nil while they move or are not known.
  mutating func routed(_ shares: GuardShares?) { self.shares = shares }

  /// Cumulative figures of both versions' instances, about once a second.
  ///
  /// - Parameter limit: of the canary's instances, bytes; nil for none.
  mutating func measured(
    _ usages: [InstanceUsage], canary: DeploymentID, control: DeploymentID?, limit: Int64?, at: Instant
  ) {
    self.limit = limit
    // A look at which the platform told nothing is a silence, not the end of every instance.
    guard !usages.isEmpty else { return }
    if usages.contains(where: { $0.deployment == canary }) { canarySeenAt = at }
    if usages.contains(where: { $0.deployment == control }) { controlSeenAt = at }
    tracks.removeAll { track in
      !usages.contains { track.isCanary == ($0.deployment == canary) && track.instance == $0.instance }
    }
    for usage in usages where usage.deployment == canary || usage.deployment == control {
      let isCanary = usage.deployment == canary
      guard let index = tracks.firstIndex(where: { $0.isCanary == isCanary && $0.instance == usage.instance }) else {
        tracks.append(UsageTrack(usage, isCanary: isCanary, at: at))
        continue
      }
      if !tracks[index].look(usage, at: at) { tracks[index] = UsageTrack(usage, isCanary: isCanary, at: at) }
    }
  }

  mutating func answered(_ name: CheckName, _ answer: CheckAnswer, at: Instant) {
    guard conviction == nil, let index = checks.firstIndex(where: { $0.check.name == name }) else { return }
    checks[index].answer(answer, at: at)
    if checks[index].condemns {
      let track = checks[index]
      convict(
        .check, rate: Double(track.badInRow), against: Double(track.check.fails), evidence: 0, threshold: 0,
        GuardSentences.check(track), at: at)
    }
  }

  mutating func absorb(_ bin: EvidenceBin, canary: DeploymentID, control: DeploymentID?) {
    if let through, bin.from < through { return }
    guard conviction == nil, bin.to > bin.from else { return }
    through = bin.to
    for index in checks.indices { checks[index].begin(at: bin.from) }
    let own = bin.counts(of: canary)
    let others = control.map { bin.counts(of: $0) } ?? .zero
    let isSound = bin.source == .sound && min(own.requests, others.requests) >= 0
    if isSound, own.requests > 0 { exposedAt = exposedAt ?? bin.from }
    self.isSound = self.isSound && isSound
    canaryRequests += isSound ? own.requests : 0
    controlRequests += isSound ? others.requests : 0
    if isSound { observed = observed + own }
    if rules.contains(.throughput) {
      throughput.absorb(
        canary: own.requests, control: others.requests, isSound ? shares : nil, settle: settle, from: bin.from,
        to: bin.to)
    }
    let from = windowFrom ?? bin.from
    windowFrom = from
    if bin.to - from >= GuardWindows.length { closeWindow(at: bin.to) }
    decide(at: bin.to)
  }

  // MARK: What follows

  private mutating func closeWindow(at now: Instant) {
    var (used, usedByOld): ([Double], [Double]) = ([], [])
    for index in tracks.indices {
      guard let processors = tracks[index].close() else { continue }
      if !tracks[index].isCanary {
        usedByOld.append(processors)
      } else if let exposedAt, tracks[index].isWarm(after: ProcessorGuard.warmUp, since: exposedAt, at: now) {
        used.append(processors)
      }
    }
    besideSince = canaryRequests > 0 && controlRequests > 0 ? besideSince ?? now : nil
    let old = tracks.filter { !$0.isCanary }.compactMap(\.means.last).max() ?? 0
    highestOld = max(highestOld, old)
    // An old version without requests rests, and resting takes less memory.
    if rules.contains(.memory), controlRequests > 0,
      let finding = MemoryGuard.judge(tracks, highestOld: highestOld, limit: limit)
    {
      memory.close(isSuspicious: finding != nil)
      memoryFinding = finding ?? memoryFinding
    }
    if rules.contains(.processor), isSound,
      let finding = ProcessorGuard.judge(
        canary: ProcessorGuard.Arm(
          processors: used, requests: canaryRequests, instances: tracks.count { $0.isCanary }),
        control: ProcessorGuard.Arm(
          processors: usedByOld, requests: controlRequests, instances: tracks.count { !$0.isCanary }))
    {
      processor.close(isSuspicious: finding != nil)
      processorFinding = finding ?? processorFinding
    }
    windowFrom = nil
    isSound = true
    (canaryRequests, controlRequests) = (0, 0)
  }

  private mutating func decide(at now: Instant) {
    if throughput.logEvidence >= threshold {
      let seen = throughput.seen
      let all = Double(max(seen.all, 1))
      convict(
        .throughput, rate: Double(seen.canary) / all, against: seen.expected / all, evidence: throughput.logEvidence,
        threshold: threshold, GuardSentences.throughput(seen), at: now)
    } else if memory.logEvidence >= threshold, let finding = memoryFinding {
      convict(
        .memory, rate: finding.bytes, against: finding.oldBytes, evidence: memory.logEvidence, threshold: threshold,
        GuardSentences.memory(finding), at: now)
    } else if processor.logEvidence >= threshold, let finding = processorFinding {
      convict(
        .processor, rate: finding.canary, against: finding.control, evidence: processor.logEvidence,
        threshold: threshold, GuardSentences.processor(finding), at: now)
    }
  }

  private mutating func convict(
    _ rule: Rule, rate: Double, against: Double, evidence: Double, threshold: Double, _ sentence: String, at: Instant
  ) {
    conviction = Conviction(
      rule: rule, observed: observed, rate: rate, baselineRate: against, logEvidence: evidence, threshold: threshold,
      firstBadAt: nil, lastBadAt: nil, decidedAt: at, sentence: sentence)
  }

  /// What is missing, from which check, since when; nil when every check has answered.
  func missing(at now: Instant) -> String? {
    checks.first { !$0.isKnown }.map { GuardSentences.missing($0, at: now) }
  }

  /// What guards about resources lack of whom, and since when; nil while they can judge, or there is nothing to judge.
  func blindness(at now: Instant) -> String? {
    let blind = rules.filter { $0 == .processor || ($0 == .memory && (limit != nil || rules.contains(.processor))) }
    guard !blind.isEmpty, conviction == nil, let besideSince else { return nil }
    let silent = [("new", canarySeenAt), ("old", controlSeenAt)].first { _, seenAt in
      now - max(seenAt ?? besideSince, besideSince) > Guards.longestSilence
    }
    guard let (version, seenAt) = silent else { return nil }
    return GuardSentences.blindness(blind, version, since: max(seenAt ?? besideSince, besideSince), at: now)
  }

  /// What keeps a step from passing though it condemns nothing yet.
  var suspicion: String? {
    if let bad = checks.first(where: { $0.badInRow > 0 }) { return GuardSentences.suspicion(bad) }
    let most = threshold * Guards.suspicion
    if throughput.logEvidence >= most {
      return "Perhaps \(GuardSentences.throughput(throughput.seen).lowercasedFirst)"
    }
    if memory.logEvidence >= most, let finding = memoryFinding {
      return "Perhaps \(GuardSentences.memory(finding).lowercasedFirst)"
    }
    if processor.logEvidence >= most, let finding = processorFinding {
      return "Perhaps \(GuardSentences.processor(finding).lowercasedFirst)"
    }
    return nil
  }

  /// For simulations: ln e-values of the guards that are on, sorted by rule.
  package var evidence: [RuleEvidence] {
    rules.map { rule in
      let evidence =
        switch rule {
        case .throughput: throughput.logEvidence
        case .memory: memory.logEvidence
        case .processor: processor.logEvidence
        case .errorRate, .latency, .ceiling, .check: 0.0
        }
      return RuleEvidence(rule: rule, logEvidence: evidence, threshold: threshold)
    }
  }
}
