import Kernel
import Rollouts

/// A recorded watch, told to the judge second by second.
struct Telling {
  private(set) var judge: Judge
  private let policy: JudgePolicy
  private let baseline: Baseline
  private let deploy: ReplayRun.Deploy
  private let old: String?
  private let crashLimit: Int
  /// From the deploy on.
  private var marks: ArraySlice<RecordedEvidence.Mark>
  private var brokenReason: String?
  /// Since the deploy: what ends instances of both is not the new one's doing.
  private var crashes = CrashCount()
  /// The new version ended too often or never was ready; final, like a conviction.
  private var fall: Fall?
  private var entries: [ReplayReport.Entry] = []
  private var decidedSecond: Int64?
  private var firstBadSecond: Int64?
  private var bad = 0
  private var badAfter = 0
  /// Requests of the new version in the last seconds, for what could be seen now.
  private var lately: ArraySlice<Int> = []

  /// The detail of an end by which the platform says so, and the rule's name.
  private static let outOfMemory = "out of memory"
  /// Long enough to smooth a second without a request at 1 request/s.
  private static let latelySeconds = 30

  /// A recording does not tell instances apart: each version is read as one.
  private static let instances = CrashCount.Instances(new: nil, old: nil)

  private struct Fall {
    /// As production names it (`Condemnation.rule`).
    let rule: String
    let sentence: String
  }

  init(
    policy: JudgePolicy, baseline: Baseline, deploy: ReplayRun.Deploy, old: String?, crashLimit: Int,
    marks: [RecordedEvidence.Mark]
  ) {
    self.policy = policy
    self.baseline = baseline
    self.deploy = deploy
    self.old = old
    self.crashLimit = crashLimit
    self.marks = marks[...]
    judge = Judge(
      policy: policy, baseline: baseline, canary: ReplayRun.canary,
      control: old == nil ? nil : ReplayRun.control)
  }

  /// A source that was lost before the deploy is still lost.
  mutating func begin(before: [RecordedEvidence.Mark]) {
    for mark in before { note(mark) }
    crashes = CrashCount()
    fall = nil
  }

  /// - Parameter rows: of this second, of both versions at most.
  mutating func tell(_ second: Int64, _ rows: ArraySlice<RecordedEvidence.Row>) {
    while let mark = marks.first, mark.second <= second {
      note(mark)
      marks = marks.dropFirst()
    }
    let from = Instant(milliseconds: second * 1000)
    let to = Instant(milliseconds: (second + 1) * 1000)
    let arms = rows.map { row in
      let isBad = row.counts.errors + row.counts.slow > 0
      return ArmEvidence(
        deployment: row.version == deploy.version ? ReplayRun.canary : ReplayRun.control, counts: row.counts,
        firstBadAt: isBad ? from : nil, lastBadAt: isBad ? to : nil)
    }.sorted { $0.deployment < $1.deployment }
    let canary = rows.first { $0.version == deploy.version }?.counts ?? .zero
    count(canary, in: second)
    let verdict = judge.absorb(
      EvidenceBin(from: from, to: to, arms: arms, source: brokenReason.map { .broken(reason: $0) } ?? .sound))
    let kind = kind(of: verdict)
    guard entries.last?.verdict != kind else { return }
    entries.append(entry(second, kind, verdict))
    if kind == .bad, decidedSecond == nil { decidedSecond = second }
  }

  private mutating func note(_ mark: RecordedEvidence.Mark) {
    let at = Instant(milliseconds: mark.second * 1000)
    switch mark.event {
    case .deploy: break
    case .restart(let version, let detail):
      guard version == deploy.version else {
        if version == old { crashes.noteOld(inRow: 1, at: at, Self.instances, crashLimit: crashLimit) }
        return
      }
      crashes.note(at: at, Self.instances)
      if crashes.counted(Self.instances) >= crashLimit, fall == nil {
        let why = detail.isEmpty ? "" : ", the last time with '\(detail)'"
        fall = Fall(
          rule: detail == Self.outOfMemory ? Self.outOfMemory : "crash loop",
          sentence: "Instances of '\(version)' ended \(crashes.ends) times\(why)"
            + CrashCount.words("the old version's", ended: crashes.oldEnds) + "; \(crashLimit) are not allowed.")
      }
    case .notReady(let version):
      guard version == deploy.version, fall == nil else { return }
      fall = Fall(rule: "failed readiness", sentence: "'\(version)' was not ready in time.")
    case .sourceLost(let reason): brokenReason = reason
    case .sourceBack: brokenReason = nil
    }
  }

  private mutating func count(_ canary: RequestCounts, in second: Int64) {
    lately.append(canary.requests)
    if lately.count > Self.latelySeconds { lately.removeFirst() }
    let hurt = canary.errors + canary.slow
    guard hurt > 0 else { return }
    firstBadSecond = firstBadSecond ?? second
    bad += hurt
    if let decidedSecond, second > decidedSecond { badAfter += hurt }
  }

  // MARK: The report

  private func kind(of verdict: Verdict) -> ReplayReport.Kind {
    if fall != nil { return .bad }
    return switch verdict {
    case .good: .good
    case .bad: .bad
    case .notEnoughEvidence: .notEnoughEvidence
    case .sourceBroken: .sourceBroken
    }
  }

  private func entry(_ second: Int64, _ kind: ReplayReport.Kind, _ verdict: Verdict) -> ReplayReport.Entry {
    let rate = Double(lately.reduce(0, +)) / Double(max(lately.count, 1))
    let effect = DetectableEffect(requestsPerSecond: rate, baseline: baseline, policy: policy)
    var entry = ReplayReport.Entry(
      second: second, sinceDeploySeconds: second - deploy.second, verdict: kind, sentence: "",
      requestsPerSecond: rate, detectable: effect.sentence)
    switch verdict {
    case .bad(let conviction):
      entry.sentence = conviction.sentence
      entry.rule = conviction.rule.rawValue
      entry.give(CauseClass(conviction.rule))
      entry.requests = conviction.observed.requests
      entry.logEvidence = conviction.logEvidence
      entry.threshold = conviction.threshold
      return entry
    case .good(let power):
      (entry.sentence, entry.requests, entry.detectableRatio) = (power.sentence, power.requests, power.detectableRatio)
    case .notEnoughEvidence(let scarcity):
      (entry.sentence, entry.requests, entry.detectableRatio) =
        (scarcity.sentence, scarcity.requests, scarcity.detectableRatio)
    case .sourceBroken(let reason): entry.sentence = reason
    }
    if let fall {
      entry.sentence = fall.sentence
      entry.rule = fall.rule
      entry.give(.infrastructure)
    }
    return entry
  }

  func report(file: String, baselineSeconds: Int64, notes: [String]) -> ReplayReport {
    let last = entries.last
    let outcome = ReplayReport.Outcome(
      verdict: decidedSecond == nil ? last?.verdict ?? .notEnoughEvidence : .bad, second: decidedSecond,
      sinceDeploySeconds: decidedSecond.map { $0 - deploy.second },
      firstBadSecond: firstBadSecond,
      sinceFirstBadSeconds: decidedSecond.flatMap { decided in firstBadSecond.map { decided - $0 } },
      badRequests: bad, badRequestsAfter: badAfter)
    return ReplayReport(
      file: file, newVersion: deploy.version, oldVersion: old, deploySecond: deploy.second,
      baseline: ReplayReport.Before(
        seconds: baselineSeconds, requests: baseline.requests, errors: baseline.errors, slow: baseline.slow),
      verdicts: entries, outcome: outcome, notes: notes)
  }
}

extension ReplayReport.Entry {
  fileprivate mutating func give(_ cause: CauseClass) {
    self.cause = cause.rawValue
    remedy = cause.remedy
  }
}
