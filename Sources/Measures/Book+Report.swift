import Kernel
import Rollouts

extension Book {
  /// The measures of `window` (its end not included), of one service or of all.
  ///
  /// Deployments fall into the window by when they reached all traffic or were condemned, rollbacks by their decision,
  /// lead and promotion times by their arrival, queue waits by the landing. O(facts kept).
  ///
  /// - Parameter environment: nil for the last environment of each service, by its newest order.
  package func report(
    window: Range<Instant>, service: ServiceName? = nil, environment: EnvironmentName? = nil
  ) -> Report {
    let scope = Scope(book: self, service: service, environment: environment)
    let walk = DeliveryWalk(deliveries) { scope.includes($0, $1) }
    let deployed = walk.deployments.filter { window.contains($0.at) }
    let reports = walk.reports.filter { window.contains($0.row.decidedAt) }
    let failed = deployed.filter { $0.condemnedPosition != nil }
    let positions = deployed.map(\.position)
    let failedPositions = failed.compactMap(\.condemnedPosition)

    let days = (window.upperBound - window.lowerBound).seconds / 86_400
    let known = !walk.isEmpty
    let perDay = known && days > 0 ? Double(deployed.count) / days : nil
    let failureRate = deployed.isEmpty ? nil : Double(failed.count) / Double(deployed.count)
    let velocity: Velocity? =
      if let perDay, let failureRate { failureRate > 0 ? .ratio(perDay / failureRate) : .noFailuresYet } else { nil }

    return Report(
      from: window.lowerBound, to: window.upperBound, service: service, environment: environment,
      knownSince: knownSince,
      deployments: Figure(
        value: known ? deployed.count : nil, facts: deployed.count, unmeasured: walk.unattributed,
        positions: positions, definition: Definition.deployments),
      deploymentsPerDay: Figure(
        value: perDay, facts: deployed.count, positions: positions, definition: Definition.frequency),
      changeFailureRate: Figure(
        value: failureRate, facts: deployed.count, positions: failedPositions, definition: Definition.failureRate),
      velocity: Figure(
        value: velocity, facts: deployed.count, positions: positions, definition: Definition.velocity),
      leadTime: leadTime(walk.arrivals, window),
      failedDeploymentRecoveryTime: Self.spans(reports, Definition.recovery) { report in
        report.to == nil ? nil : report.restoredAt.map { $0 - (report.firstBadAt ?? report.detectedAt) }
      },
      reworkRate: Figure(value: nil, facts: 0, positions: [], definition: Definition.rework),
      queueWait: queueWait(scope, window),
      promotionTime: promotionTime(scope, window),
      rollbacks: Self.rollbackShares(reports, deployments: deployed.count),
      requestsHurt: Figure(
        value: reports.isEmpty ? nil : reports.reduce(0) { $0 + $1.row.requestsHurt }, facts: reports.count,
        positions: reports.map(\.position), definition: Definition.requestsHurt),
      clientMinutesHurt: Self.clientMinutes(reports),
      chain: ChainLink.allCases.map { link in
        ChainSpan(
          link: link,
          span: Self.spans(reports, link.definition) { report in link.span(in: report).map { max($0, .zero) } })
      },
      detectionToRestoredAutomated: Self.spans(
        reports.filter { $0.row.cause != .operator }, Definition.detectionToRestored,
        mark: Threshold.markRollback(Threshold.automatedRollback), Self.detectionToRestored),
      detectionToRestoredManual: Self.spans(
        reports.filter { $0.row.cause == .operator }, Definition.detectionToRestored,
        mark: Threshold.markRollback(Threshold.manualRollback), Self.detectionToRestored))
  }

  /// The later of the oldest facts kept where a shelf has forgotten some; else the oldest fact of all.
  private var knownSince: Instant? {
    let shelves = [
      (landings.rows.first?.at, landings.forgottenThrough), (commits.rows.first?.at, commits.forgottenThrough),
      (builds.rows.first?.at, builds.forgottenThrough), (deliveries.rows.first?.at, deliveries.forgottenThrough),
    ]
    return shelves.filter { $0.1 > 0 }.compactMap(\.0).max() ?? shelves.compactMap(\.0).min()
  }

  // MARK: Times

  private func queueWait(_ scope: Scope, _ window: Range<Instant>) -> Figure<Spread> {
    let landed = landings.rows.filter { window.contains($0.row.landedAt) && scope.includes(landing: $0.row) }
    return Self.spans(landed, Definition.queueWait, mark: Threshold.markQueueWait) { row in
      row.landedAt - row.submittedAt
    }
  }

  private func promotionTime(_ scope: Scope, _ window: Range<Instant>) -> Figure<Spread> {
    var arrived: Set<StreamID> = []
    var first: [Shelved<Span?>] = []
    for shelved in builds.rows {
      guard case .served(let stream, let environment, let at) = shelved.row, let service = Scope.service(of: stream),
        scope.includes(service, environment), arrived.insert(stream).inserted, window.contains(at)
      else { continue }
      let span = scope.builds[stream].map { at - $0.landedAt }
      first.append(Shelved(position: shelved.position, at: at, row: span))
    }
    return Self.spans(first, Definition.promotionTime, mark: Threshold.markPromotion) { $0 }
  }

  /// For each arrival, the commits of the landings after the newest one that had arrived there before.
  private func leadTime(_ arrivals: [Arrival], _ window: Range<Instant>) -> Figure<Spread> {
    let repositories = Scope.repositories(in: builds)
    var newest: [Place: Int64] = [:]
    var spans: [Span] = []
    var positions: [Position] = []
    var unmeasured = 0
    for arrival in arrivals {
      let place = Place(service: arrival.identity.service, environment: arrival.identity.environment)
      let before = newest[place]
      newest[place] = max(before ?? arrival.ordinal, arrival.ordinal)
      guard window.contains(arrival.at) else { continue }
      guard let before, let repository = repositories[StreamID.build(place.service, arrival.commit)] else {
        unmeasured += commits.row(at: arrival.ordinal)?.committedAt.count ?? 1
        continue
      }
      let landed = landings.rows(after: before, through: arrival.ordinal).filter {
        Scope.isQueue($0.row.stream, of: repository) && commits.row(at: $0.position) == nil
      }
      unmeasured += landed.count
      let brought = commits.rows(after: before, through: arrival.ordinal).filter {
        Scope.isQueue($0.row.stream, of: repository)
      }
      for committedAt in brought.flatMap(\.row.committedAt) {
        // A clock of another machine says that it was committed after it arrived.
        guard committedAt <= arrival.at else {
          unmeasured += 1
          continue
        }
        spans.append(arrival.at - committedAt)
      }
      if !brought.isEmpty { positions.append(arrival.position) }
    }
    return Figure(
      value: Spread(spans), facts: spans.count, unmeasured: unmeasured, positions: positions,
      definition: Definition.leadTime)
  }

  private struct Place: Hashable {
    let service: ServiceName
    let environment: EnvironmentName
  }

  // MARK: Rollbacks

  private static func detectionToRestored(_ report: RollbackReport) -> Span? {
    report.to == nil ? nil : report.restoredAt.map { $0 - report.detectedAt }
  }

  private static func rollbackShares(_ reports: [Shelved<RollbackReport>], deployments: Int) -> [RollbackShare] {
    CauseClass.allCases.map { cause in
      let same = reports.filter { $0.row.cause == cause }
      return RollbackShare(
        cause: cause,
        count: Figure(
          value: same.count, facts: same.count, positions: same.map(\.position),
          definition: Definition.rollbackShare),
        share: deployments == 0 ? nil : Double(same.count) / Double(deployments))
    }
  }

  private static func clientMinutes(_ reports: [Shelved<RollbackReport>]) -> Figure<Int> {
    let evident = reports.filter { $0.row.evidence != nil }
    return Figure(
      value: evident.isEmpty ? nil : evident.reduce(0) { $0 + $1.row.clientMinutesHurt }, facts: evident.count,
      unmeasured: reports.count - evident.count, positions: evident.map(\.position),
      definition: Definition.clientMinutes)
  }

  /// Negative spans, which only clocks of several machines give, are not measured and are counted as such.
  private static func spans<Row>(
    _ rows: [Shelved<Row>], _ definition: String, mark: (Spread) -> Mark? = { _ in nil }, _ span: (Row) -> Span?
  ) -> Figure<Spread> {
    let measured = rows.compactMap { shelved in
      span(shelved.row).flatMap { $0 < .zero ? nil : (span: $0, position: shelved.position) }
    }
    let spread = Spread(measured.map(\.span))
    return Figure(
      value: spread, facts: measured.count, unmeasured: rows.count - measured.count,
      positions: measured.map(\.position), definition: definition, mark: spread.flatMap(mark))
  }
}
