import API
import Kernel
import Rollouts

extension Views {
  static func environment(
    _ state: Rollout.State, service: ServiceName, environment: EnvironmentName, port: Int?,
    shares: [TrafficShare], rollout: RolloutView?, drilled: Chronicle.RolloutRecord?
  ) -> EnvironmentView {
    EnvironmentView(
      service: service.rawValue, environment: environment.rawValue, address: port.map { "http://127.0.0.1:\($0)" },
      serving: state.isRetired ? nil : state.knownGood.first.map(deployment), phase: phase(state),
      sentence: sentence(state, service: service, environment: environment), rollout: rollout,
      shares: (state.routed?.shares ?? shares).map {
        ShareView(deployment: $0.deployment.rawValue, percent: $0.percent)
      },
      condemned: state.condemned.reversed().map {
        CondemnedView(
          digest: $0.digest.rawValue, cause: $0.cause.rawValue, sentence: $0.sentence, atMs: $0.at.milliseconds)
      },
      targets: state.knownGood.dropFirst().filter(state.allows).map(deployment),
      leaving: state.isRetired ? nil : state.leaving?.id.rawValue,
      freeze: state.isRetired ? nil : state.frozen.map(freeze), floor: state.floor.map(floor),
      drill: drilled.flatMap { record in record.drill.map { drill($0.report, of: record, at: $0.at) } },
      budgets: state.isRetired ? [] : budgets(state))
  }

  static func phase(_ state: Rollout.State) -> String {
    switch state.phase {
    case .idle: "idle"
    case .sealing: "sealing"
    case .placing: "placing"
    case .drilling: "drilling"
    case .stepping: "stepping"
    case .scaling: "scaling"
    case .watching: "watching"
    case .gated: "gated"
    case .finalWatch: "finalWatch"
    case .finishing: "finishing"
    case .restoring: "restoring"
    case .reporting: "reporting"
    case .closing: "closing"
    case .closed: "retired"
    }
  }

  private static func sentence(_ state: Rollout.State, service: ServiceName, environment: EnvironmentName) -> String {
    if let reason = Rollout.waitReason(state) { return reason }
    if let trouble = state.trouble { return "The world keeps failing: \(trouble.why)." }
    guard let serving = state.knownGood.first else {
      guard let last = state.condemned.last else { return "Nothing has been rolled out here yet." }
      return "Nothing serves here: \(last.sentence)"
    }
    let bars = Rollout.barReason(state).map { " \($0)" } ?? ""
    return "\(serving.deployment.commit.short) serves all traffic; nothing moves.\(bars)"
  }

  static func deployment(_ known: KnownGood) -> DeploymentView {
    deployment(known.deployment, title: known.offer.title)
  }

  static func deployment(_ deployment: Deployment, title: String?) -> DeploymentView {
    DeploymentView(
      id: deployment.id.rawValue, digest: deployment.digest.rawValue, commit: deployment.commit.rawValue,
      configuration: deployment.configuration.rawValue, title: title)
  }

  /// - Parameters:
  ///   - series: of this rollout, when it may be running.
  ///   - origin: of its evidence, when it may be running.
  static func rollout(
    _ record: Chronicle.RolloutRecord, in state: Rollout.State, _ series: EvidenceSeries? = nil,
    _ origin: EvidenceOrigin = .log
  ) -> RolloutView {
    let start = record.start
    let running = state.running?.id == start.id ? state.running : nil
    let verdict = running?.note?.verdict ?? record.verdict
    let policy = running?.policy ?? record.policy
    let isForward = start.kind == .forward
    return RolloutView(
      service: start.deployment.service.rawValue, environment: start.deployment.environment.rawValue, id: start.id,
      kind: start.kind.rawValue, outcome: outcome(record),
      deployment: deployment(start.deployment, title: start.offer.title),
      knownGood: start.knownGood.map { deployment($0, title: nil) }, plan: plan(start, policy),
      step: running == nil ? nil : state.step, strategy: isForward ? policy?.strategy.rawValue : nil,
      holdback: holdback(start, policy), preview: isForward ? policy?.preview.map(preview) : nil,
      guarantee: (running ?? policy.map { Course(start: start, policy: $0) }).flatMap(guarantee),
      startedAtMs: start.at.milliseconds,
      endedAtMs: (record.completedAt ?? record.restoredAt ?? record.abandonedAt)?.milliseconds,
      verdict: verdict.map(name), sentence: sentence(record, verdict, isRunning: running != nil, in: state),
      detectable: running.flatMap { Detectability.sentence(of: $0, series) },
      gate: running == nil ? nil : gate(state), inconclusive: running.flatMap { inconclusive($0, record, origin) },
      caveats: caveats(record, running?.isJudged == true ? origin.caveats : []),
      drill: record.drill.map { drill($0.report, of: record, at: $0.at) }, report: record.report.map(report))
  }

  private static func outcome(_ record: Chronicle.RolloutRecord) -> String {
    if record.completedAt != nil { return "completed" }
    if record.abandonedAt != nil { return record.condemnation == nil ? "abandoned" : "takenOut" }
    guard record.condemnation != nil, record.restoredAt != nil else { return "running" }
    return record.start.knownGood == nil ? "takenOut" : "rolledBack"
  }

  private static func sentence(
    _ record: Chronicle.RolloutRecord, _ verdict: Verdict?, isRunning: Bool, in state: Rollout.State
  ) -> String? {
    if let condemnation = record.condemnation { return condemnation.sentence }
    if isRunning, let reason = Rollout.waitReason(state) { return reason }
    if let why = record.abandonedFor { return Words.sentence(why) }
    if let reason = record.start.reason { return "\(reason)." }
    return verdict.map { Sentences.words(for: $0) }
  }

  static func name(_ verdict: Verdict) -> String {
    switch verdict {
    case .good: "good"
    case .bad: "bad"
    case .notEnoughEvidence: "notEnoughEvidence"
    case .sourceBroken: "sourceBroken"
    }
  }

  static func report(_ report: RollbackReport) -> RollbackReportView {
    RollbackReportView(
      cause: report.cause.rawValue, sentence: report.sentence, remedy: report.cause.remedy,
      firstBadAtMs: report.firstBadAt?.milliseconds,
      detectedAtMs: report.detectedAt.milliseconds, decidedAtMs: report.decidedAt.milliseconds,
      lastBadAtMs: report.lastBadAt?.milliseconds, restoredAtMs: report.restoredAt?.milliseconds,
      closedAtMs: report.restoredAt == nil ? report.endedAt.milliseconds : nil,
      requestsHurt: report.requestsHurt, clientMinutesHurt: report.clientMinutesHurt,
      to: report.to?.digest.rawValue)
  }

  static func evidence(_ series: EvidenceSeries) -> EvidenceView {
    EvidenceView(
      rollout: series.rollout, canary: series.canary.rawValue, control: series.control?.rawValue,
      slowerThanMs: series.slowerThan.milliseconds,
      points: series.points.map { point in
        EvidencePointView(
          atMs: point.at.milliseconds, canary: counts(point.canary), control: counts(point.control),
          tests: point.evidence.map {
            TestView(rule: $0.rule.rawValue, logEvidence: $0.logEvidence, threshold: $0.threshold)
          })
      })
  }

  static func counts(_ counts: RequestCounts) -> CountsView {
    CountsView(requests: counts.requests, errors: counts.errors, slow: counts.slow)
  }
}
