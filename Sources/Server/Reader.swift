import API
import ControlPlane
import Foundation
import Kernel
import MergeQueues
import Promotions
import Rollouts

/// Answers every reading question once, for the API and for the pages alike.
struct Reader: Sendable {
  let backend: any Backend
  let chronicle: Chronicle
  let lookup: Lookup
  let now: @Sendable () -> Instant

  /// Promotions of the overview.
  static let overviewPromotions = 20
  /// Promotions or artifacts listed at most.
  static let listLimit = 200
  /// Events of one answer.
  static let eventLimit = 500
  /// Days that measures may look back: the book keeps about ten weeks at a deployment every half hour.
  static let measureDays = 1...366
  static let defaultMeasureDays = 30

  init(backend: any Backend, now: @escaping @Sendable () -> Instant) {
    self.backend = backend
    self.now = now
    chronicle = Chronicle(records: backend)
    lookup = Lookup(backend: backend)
  }

  // MARK: What is where

  func overview() async throws -> Overview {
    let topology = await backend.topology()
    var services: [ServiceView] = []
    for service in topology.services {
      var environments: [EnvironmentView] = []
      for environment in service.environments {
        environments.append(try await self.environment(service.name, environment.name))
      }
      services.append(
        ServiceView(
          name: service.name.rawValue, repository: service.repository.rawValue, environments: environments))
    }
    for (service, environment, _) in await lookup.retired() {
      let view = try await self.environment(service, environment)
      if let index = services.firstIndex(where: { $0.name == service.rawValue }) {
        services[index].environments.append(view)
      } else {
        services.append(ServiceView(name: service.rawValue, repository: nil, environments: [view]))
      }
    }
    let moving = await lookup.builds().filter { build in
      switch build.state.phase {
      case .idle, .completed, .unbuilt: false
      case .halted: !isOld(build)
      case .building, .buildHalted, .promoting: true
      }
    }
    return Overview(
      services: services, queues: await queues(),
      promotions: moving.prefix(Self.overviewPromotions).compactMap { Views.promotion($0.state) },
      troubles: await backend.troubles().sentences)
  }

  /// A halt is news for a day after the landing.
  private func isOld(_ build: Lookup.Build) -> Bool {
    now() - build.order.landedAt > .minutes(24 * 60)
  }

  func environment(_ service: ServiceName, _ environment: EnvironmentName) async throws -> EnvironmentView {
    let stream = StreamID.delivery(service, environment)
    let state = await lookup.delivery(service, environment)
    let records = try await chronicle.rollouts(of: stream)
    var running: RolloutView?
    if let record = state.running.flatMap({ course in records.last { $0.start.id == course.id } }) {
      running = Views.rollout(record, in: state, await series(record), await origin(record, in: state))
    }
    let drilled = records.last { $0.drill != nil }
    return Views.environment(
      state, service: service, environment: environment, port: await backend.address(service, environment),
      shares: try await chronicle.shares(of: stream), rollout: running,
      drilled: drilled)
  }

  func environment(_ service: String, _ environment: String) async throws -> EnvironmentView {
    let (service, environment, _) = try await lookup.delivery(service, environment)
    return try await self.environment(service, environment)
  }

  // MARK: Changes

  func queues() async -> [QueueView] {
    var views: [QueueView] = []
    for policy in await backend.topology().queues {
      let stream = StreamID.queue(policy.repository, policy.trunk)
      views.append(Views.queue(await lookup.queueState(stream), of: stream, now: now()))
    }
    for (_, stream) in await lookup.retiredQueues() {
      views.append(Views.queue(await lookup.queueState(stream), of: stream, now: now()))
    }
    return views
  }

  func queue(_ repository: String) async throws -> QueueView {
    let (_, stream) = try await lookup.queue(repository)
    return Views.queue(await lookup.queueState(stream), of: stream, now: now())
  }

  func change(_ repository: String, _ entry: String) async throws -> ChangeView {
    let (policy, stream) = try await lookup.queue(repository)
    guard let number = Int(entry), number > 0 else {
      throw Refusal(.malformed, "'\(Lookup.shown(entry))' is no entry: give its number, as plimsoll queue shows it.")
    }
    let state = await lookup.queueState(stream)
    guard let record = try await chronicle.change(number, of: stream) else {
      let newest = state.nextEntry - 1
      throw Refusal(
        .unknown,
        newest == 0
          ? "\(policy.repository) has no change yet: submit a branch with plimsoll submit BRANCH."
          : "\(policy.repository) shows no change #\(number): the newest is #\(newest).")
    }
    var promotions: [PromotionView] = []
    if case .landed(let commit)? = record.outcome?.outcome {
      for service in await backend.topology().services(of: policy.repository, trunk: policy.trunk) {
        guard case .build(let build)? = await backend.state(of: .build(service.name, commit)),
          let view = Views.promotion(build)
        else { continue }
        promotions.append(view)
      }
    }
    return Views.change(record, in: state, repository: policy.repository, promotions: promotions, now: now())
  }

  // MARK: Promotions and artifacts

  func promotions(limit: Int) async -> PromotionsView {
    PromotionsView(promotions: await lookup.builds().prefix(limit).compactMap { Views.promotion($0.state) })
  }

  func promotion(_ service: String, _ commit: String) async throws -> PromotionView {
    let build = try await lookup.build(service, commit)
    guard let view = Views.promotion(build.state) else {
      throw Refusal(.unknown, "Nothing is known of \(service) \(Lookup.shown(commit)) yet.")
    }
    return view
  }

  func artifacts(limit: Int) async -> ArtifactsView {
    let builds = await lookup.builds()
    let deliveries = await lookup.deliveries()
    var digests: [Digest] = []
    for build in builds where digests.count < limit {
      if let digest = build.state.course?.digest, !digests.contains(digest) { digests.append(digest) }
    }
    return ArtifactsView(
      artifacts: digests.compactMap { digest in
        artifact(digest, builds.filter { $0.state.course?.digest == digest }, deliveries)
      })
  }

  func artifact(_ text: String) async throws -> ArtifactView {
    let (digest, builds) = try await lookup.artifact(text)
    guard let view = artifact(digest, builds, await lookup.deliveries()) else {
      throw Refusal(.unknown, "No artifact \(digest.short) is known.")
    }
    return view
  }

  private func artifact(
    _ digest: Digest, _ builds: [Lookup.Build], _ deliveries: [(ServiceName, EnvironmentName, Rollout.State)]
  ) -> ArtifactView? {
    guard let newest = builds.first, let artifact = newest.state.course?.build.artifact else { return nil }
    return ArtifactView(
      digest: digest.rawValue, service: newest.order.service.rawValue, files: artifact.files, bytes: artifact.bytes,
      provenance: artifact.provenance.rawValue, builds: builds.compactMap { Views.promotion($0.state) },
      places: Views.places(of: digest, in: deliveries))
  }

  /// - Throws: `Refusal.unknown` when the artifact has no statement.
  func provenance(_ text: String) async throws -> [UInt8] {
    let (digest, _) = try await lookup.artifact(text)
    guard let statement = try await backend.provenance(of: digest) else {
      throw Refusal(.unknown, "Artifact \(digest.short) has no provenance statement: build its commit again.")
    }
    return statement
  }

  func log(_ text: String) async throws -> [UInt8] {
    guard let digest = Digest(rawValue: text.hasPrefix("sha256:") ? text : "sha256:\(text)") else {
      throw Refusal(.malformed, "'\(Lookup.shown(text))' is no digest of a log: give sha256: and its 64 digits.")
    }
    guard let bytes = try await backend.log(digest) else {
      throw Refusal(.unknown, "There is no log \(digest.short): it may have been of another server.")
    }
    return bytes
  }

  // MARK: Rollouts

  func rollouts(_ service: String, _ environment: String) async throws -> RolloutsView {
    let (service, environment, state) = try await lookup.delivery(service, environment)
    let records = try await chronicle.rollouts(of: .delivery(service, environment))
    return RolloutsView(rollouts: records.reversed().map { Views.rollout($0, in: state) })
  }

  func rollout(_ service: String, _ environment: String, _ id: String) async throws -> RolloutView {
    let (record, state) = try await rolloutRecord(service, environment, id)
    return Views.rollout(record, in: state, await series(record), await origin(record, in: state))
  }

  /// Of a rollout that is judged now; the usual one where nobody asks.
  func origin(_ record: Chronicle.RolloutRecord, in state: Rollout.State) async -> EvidenceOrigin {
    guard let course = state.running, course.id == record.start.id, course.isJudged else { return .log }
    return await backend.origin(
      course.policy.service, course.policy.environment, slowerThan: course.policy.judge.slowerThan)
  }

  func rolloutRecord(
    _ service: String, _ environment: String, _ id: String
  ) async throws -> (Chronicle.RolloutRecord, Rollout.State) {
    let (service, environment, state) = try await lookup.delivery(service, environment)
    guard let number = Int(id), number > 0 else {
      throw Refusal(.malformed, "'\(Lookup.shown(id))' is no rollout: give its number.")
    }
    let records = try await chronicle.rollouts(of: .delivery(service, environment))
    guard let record = records.last(where: { $0.start.id == number }) else {
      let next = records.last.map { "the newest is \($0.start.id)." } ?? "none has begun."
      throw Refusal(.unknown, "\(service) in \(environment) shows no rollout \(number): \(next)")
    }
    return (record, state)
  }

  /// Nil while nothing was seen.
  func series(_ record: Chronicle.RolloutRecord) async -> EvidenceSeries? {
    let deployment = record.start.deployment
    return await backend.evidence(
      of: .delivery(deployment.service, deployment.environment), rollout: record.start.id)
  }

  func evidence(_ service: String, _ environment: String, _ id: String) async throws -> EvidenceView {
    let (record, _) = try await rolloutRecord(service, environment, id)
    guard let series = await series(record) else {
      throw Refusal(.unknown, "No request has reached rollout \(record.start.id) of \(service) in \(environment).")
    }
    return Views.evidence(series)
  }

  /// - Throws: `Refusal.unknown` while there is nothing to draw.
  func png(_ service: String, _ environment: String, _ id: String) async throws -> [UInt8] {
    let (record, _) = try await rolloutRecord(service, environment, id)
    let picture = Picture(await series(record), record)
    guard picture.hasPoints else {
      throw Refusal(
        .unknown, "There is nothing to draw of rollout \(record.start.id) of \(service) in \(environment) yet.")
    }
    return try await backend.png(of: picture.still)
  }

  // MARK: The past

  func waits(_ repository: String, days: Int = Self.defaultMeasureDays) async throws -> QueueWaitsView {
    let (policy, stream) = try await lookup.queue(repository)
    let report = try await backend.waits(window: try window(days: days), queue: stream)
    return Views.waits(report, of: policy.repository)
  }

  private func window(days: Int) throws(Refusal) -> Range<Instant> {
    guard Self.measureDays.contains(days) else {
      throw Refusal(
        .malformed, "days is \(days): give \(Self.measureDays.lowerBound) to \(Self.measureDays.upperBound).")
    }
    let to = now()
    // One millisecond more, because the window's end is not in it and what happened now should be.
    return (to - .minutes(Double(days) * 1440))..<(to + Span(milliseconds: 1))
  }

  func measures(service: String?, environment: String?, days: Int) async throws -> MeasuresView {
    let window = try window(days: days)
    let known = await backend.topology()
    let chosen = if let service { try await lookup.service(service) } else { Topology.Service?.none }
    let name: EnvironmentName? =
      switch (environment, chosen) {
      case (nil, _): nil
      case (let environment?, let service?): try lookup.environment(environment, of: service)
      case (let environment?, nil):
        if let found = known.environments.first(where: { $0.rawValue == environment }) {
          found
        } else {
          throw Lookup.unknown("environment", environment, among: known.environments.map(\.rawValue))
        }
      }
    return Views.measures(try await backend.report(window: window, service: chosen?.name, environment: name))
  }

  func events(after: Int64, stream: String?, limit: Int) async throws -> EventsView {
    let events: [RecordedEvent<StreamEvent>]
    let next: Int64
    if let stream {
      events = try await backend.events(of: try await self.stream(stream), after: after, limit: limit)
      next = events.last?.version ?? after
    } else {
      events = try await backend.events(after: after, limit: limit)
      next = events.last?.position ?? after
    }
    return EventsView(events: events.map(Views.event), next: next)
  }

  func stream(_ text: String) async throws -> StreamID {
    guard let stream = StreamID(text) else {
      let kinds = StreamKind.allCases.map(\.rawValue).joined(separator: ", ")
      throw Refusal(.malformed, "'\(Lookup.shown(text))' is no stream: write KIND:NAME, where KIND is one of \(kinds).")
    }
    guard await backend.state(of: stream) != nil else {
      var known: [String] = []
      for kind in StreamKind.allCases { known += await backend.states(kind).map(\.stream.description) }
      throw Refusal(
        .unknown,
        "There is no stream '\(Lookup.shown(text))'"
          + (nearestMatch(to: text, among: known).map { ": did you mean \($0)?" }
            ?? ": plimsoll ledger show lists them."))
    }
    return stream
  }

  func health() async -> HealthView {
    let process = await backend.troubles()
    var troubles = process.sentences
    // A world that refuses one effect is shown, but the server that says so is well.
    var isWell = process.outage == nil && process.quarantined.isEmpty
    var head: Position = 0
    do throws(Outage) { head = try await backend.head() } catch {
      troubles.append("The ledger cannot be read: \(error.sentence)")
      isWell = false
    }
    return HealthView(well: isWell, version: backend.version, head: head, troubles: troubles)
  }
}
