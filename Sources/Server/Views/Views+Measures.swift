import API
import Kernel
import Measures
import Rollouts

extension Views {
  static func measures(_ report: Report) -> MeasuresView {
    MeasuresView(
      fromMs: report.from.milliseconds, toMs: report.to.milliseconds, service: report.service?.rawValue,
      environment: report.environment?.rawValue, knownSinceMs: report.knownSince?.milliseconds,
      measures: delivery(report) + times(report) + rollbacks(report) + restore(report))
  }

  private static func delivery(_ report: Report) -> [MeasureView] {
    [
      measure("deployments", "Deployments", "delivery", report.deployments, { "\($0)" }, { Double($0) }),
      measure("deploymentsPerDay", "Deployments per day", "delivery", report.deploymentsPerDay, Words.decimal) { $0 },
      measure("changeFailureRate", "Change failure rate", "delivery", report.changeFailureRate, Words.percent) { $0 },
      measure("velocity", "Frequency ÷ failure rate", "delivery", report.velocity, velocity) { velocity in
        switch velocity {
        case .ratio(let ratio): ratio
        case .noFailuresYet: nil
        }
      },
      measure("reworkRate", "Rework rate", "delivery", report.reworkRate, Words.percent) { $0 },
    ]
  }

  private static func velocity(_ velocity: Velocity) -> String {
    switch velocity {
    case .ratio(let ratio): Words.decimal(ratio)
    case .noFailuresYet: "no failures yet"
    }
  }

  private static func times(_ report: Report) -> [MeasureView] {
    [
      spread("leadTime", "Lead time per commit", "time", report.leadTime),
      spread("queueWait", "Queue wait", "time", report.queueWait),
      spread("promotionTime", "Promotion time", "time", report.promotionTime),
    ]
  }

  private static func rollbacks(_ report: Report) -> [MeasureView] {
    report.rollbacks.map { share in
      measure(
        "rollbacks.\(share.cause.rawValue)", "Rollbacks: \(share.cause.rawValue)", "rollbacks", share.count,
        { count in "\(count)\(share.share.map { " (\(Words.percent($0)) of deployments)" } ?? "")" },
        { Double($0) })
    } + [
      measure("requestsHurt", "Requests hurt", "rollbacks", report.requestsHurt, { "\($0)" }, { Double($0) }),
      measure(
        "clientMinutesHurt", "Client minutes hurt", "rollbacks", report.clientMinutesHurt, { "\($0)" },
        { Double($0) }),
    ]
  }

  private static func restore(_ report: Report) -> [MeasureView] {
    report.chain.map { spread("chain.\($0.link.rawValue)", label(for: $0.link), "restore", $0.span) } + [
      spread(
        "detectionToRestoredAutomated", "Detection to restored, automatic", "restore",
        report.detectionToRestoredAutomated),
      spread(
        "detectionToRestoredManual", "Detection to restored, by a person", "restore", report.detectionToRestoredManual),
      spread(
        "failedDeploymentRecoveryTime", "Failed deployment recovery time", "restore",
        report.failedDeploymentRecoveryTime),
    ]
  }

  private static func label(for link: ChainLink) -> String {
    switch link {
    case .firstBadToDetected: "First bad response to detected"
    case .detectedToDecided: "Detected to decided"
    case .decidedToLastBad: "Decided to last bad response"
    case .lastBadToRestored: "Last bad response to restored"
    case .firstBadToRestored: "First bad response to restored"
    }
  }

  // MARK: One figure

  private static func measure<Value>(
    _ key: String, _ label: String, _ group: String, _ figure: Figure<Value>, _ text: (Value) -> String,
    _ number: (Value) -> Double?
  ) -> MeasureView {
    view(key, label, group, figure, text: figure.value.map(text), value: figure.value.flatMap(number), spread: nil)
  }

  private static func spread(_ key: String, _ label: String, _ group: String, _ figure: Figure<Spread>) -> MeasureView {
    let spread = figure.value.map {
      SpreadView(
        count: $0.count, meanMs: $0.mean.milliseconds, p50Ms: $0.p50.milliseconds, p75Ms: $0.p75.milliseconds,
        p90Ms: $0.p90.milliseconds, p95Ms: $0.p95.milliseconds, p99Ms: $0.p99.milliseconds,
        longestMs: $0.longest.milliseconds)
    }
    return view(
      key, label, group, figure, text: figure.value.map { "\($0.p50.words) (median)" }, value: nil, spread: spread)
  }

  private static func view<Value>(
    _ key: String, _ label: String, _ group: String, _ figure: Figure<Value>, text: String?, value: Double?,
    spread: SpreadView?
  ) -> MeasureView {
    let (mark, advice): (String?, String?) =
      switch figure.mark {
      case nil: (nil, nil)
      case .elite: ("elite", nil)
      case .good: ("good", nil)
      case .flagged(let advice): ("flagged", advice)
      }
    return MeasureView(
      key: key, label: label, group: group, text: text ?? "not measured", value: value, spread: spread,
      facts: figure.facts, unmeasured: figure.unmeasured, positions: figure.positions, definition: figure.definition,
      mark: mark, advice: advice)
  }
}
