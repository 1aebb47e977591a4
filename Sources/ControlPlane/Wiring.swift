import Kernel
import MergeQueues
import Migrations
import Promotions
import Ramps
import Rollouts

/// An input for another stream that an event leads to.
package struct RoutedInput: Equatable, Sendable {
  package let stream: StreamID
  package let input: StreamInput
  package let lane: Lane
  init(_ stream: StreamID, _ input: StreamInput, lane: Lane = .progress) {
    self.stream = stream
    self.input = input
    self.lane = lane
  }
}

/// The product on a page: what each recorded fact means for the other streams. Domains never import each other; they
/// meet here (design §3).
package enum Wiring {
  /// Pure and total: the same event under the same topology gives the same inputs in the same order, because
  /// (position, index) is how repeated routing is recognised after a crash.
  package static func route(
    _ event: StreamEvent, of stream: StreamID, at position: Position, on instant: Instant, _ topology: Topology
  ) -> [RoutedInput] {
    switch event {
    case .settings(let event): route(event, topology)
    case .queue(let event): route(event, of: stream, at: position, on: instant, topology)
    case .build(let event): route(event, of: stream, topology)
    case .delivery(let event): route(event, of: stream, topology)
    // What only observes leads to nothing.
    case .observation: []
    case .schema(let event): route(event, of: stream, topology)
    case .flag(let event): route(event, of: stream)
    case .flagFolder(let event): route(event, of: stream, topology)
    }
  }

  // A new topology reaches every queue, environment and database, also those that it no longer names.
  private static func route(_ event: Settings.Event, _ current: Topology) -> [RoutedInput] {
    switch event {
    case .applied(let topology):
      topology.queues.map { RoutedInput(.queue($0.repository, $0.trunk), .queue(.configure($0))) }
        + topology.services.flatMap { service in
          service.environments.map {
            RoutedInput(.delivery(service.name, $0.name), .delivery(.configure($0.rollout)))
          }
        }
        + topology.observed.map {
          RoutedInput(.observation($0.service, $0.environment), .observation(.configure($0)))
        }
        + topology.databases.map { RoutedInput(.schema($0.place), .schema(.configure($0))) }
        + topology.flagFolders.map {
          RoutedInput(.flagFolder($0.repository, $0.trunk), .flagFolder(.configure($0)))
        }
    case .left(let streams):
      streams.compactMap { stream in
        switch stream.kind {
        case .queue: RoutedInput(stream, .queue(.retire))
        case .delivery: RoutedInput(stream, .delivery(.unconfigure))
        case .observation: RoutedInput(stream, .observation(.unconfigure))
        case .schema: RoutedInput(stream, .schema(.unconfigure))
        case .flagFolder: RoutedInput(stream, .flagFolder(.unconfigure))
        case .settings, .build, .flag: nil
        }
      }
    // Who lives on a branch already seen asks its queue for what the trunk holds.
    case .joined(let names):
      current.queues.compactMap { queue in
        let services = names.filter { name in
          current.service(name).map { $0.repository == queue.repository && $0.trunk == queue.trunk } ?? false
        }
        return services.isEmpty
          ? nil : RoutedInput(.queue(queue.repository, queue.trunk), .queue(.recall(services: services)))
      }
    }
  }

  // Whatever becomes the trunk is built once for every service that lives there.
  private static func route(
    _ event: MergeQueue.Event, of stream: StreamID, at position: Position, on instant: Instant, _ topology: Topology
  ) -> [RoutedInput] {
    switch event {
    // Of those pushed together only the last was tested, so only it is built.
    case .landed(let landing) where !landing.isTip: []
    case .landed(let landing):
      flags(at: landing.commit, of: stream, topology)
        + builds(
          of: landing.commit, title: landing.title, author: landing.author, from: stream, at: position, on: instant,
          topology)
    case .trunkMoved(let from, let to, at: _):
      flags(at: to, of: stream, topology)
        + builds(
          of: to, title: from == nil ? "trunk as found" : "pushed to the trunk directly", author: "unknown",
          from: stream, at: position, on: instant, topology)
    case .recalled(let trunk, let services, at: _):
      flags(at: trunk, of: stream, topology)
        + builds(
          of: trunk, for: services, title: "trunk as found", author: "unknown", from: stream, at: position,
          on: instant, topology)
    // Its migrations are judged by every database that they would come to.
    case .submitted(let facts):
      topology.databases(of: stream).map { policy in
        let review = DatabaseSchema.Review(
          repository: policy.repository, trunk: policy.trunk, entry: facts.id, head: facts.head)
        return RoutedInput(.schema(policy.place), .schema(.review(review)))
      }
    // As of those that come, so of those that were in line when a database became required.
    case .reviewsAsked(let entry, let head, let places, at: _):
      topology.databases(of: stream).filter { places.contains($0.place.description) }.map { policy in
        let review = DatabaseSchema.Review(
          repository: policy.repository, trunk: policy.trunk, entry: entry, head: head)
        return RoutedInput(.schema(policy.place), .schema(.review(review)))
      }
    // Who left is judged no more.
    case .withdrawn(let entry, reason: _, at: _, stay: _): unreviewed(entry, of: stream, topology)
    case .ejected(let ejection): unreviewed(ejection.entry, of: stream, topology)
    case .configured, .prepared, .conflicted, .contained, .testPassed, .testFailed,
      .candidateDropped, .troubled, .recovered, .retired, .planned, .runBegan, .runEnded, .runStopped,
      .recognised, .buildDropped, .buildCarried, .landingBegan, .flakeFound, .stackLoosened, .reported, .treePassed,
      .surveyed, .targetsReported, .held, .resumed, .frozen, .thawed, .overdue, .noted, .noteWritten, .noteAbandoned,
      .runnerLost, .runnerFound, .trunkSighted, .trunkTraced, .schemaReviewed:
      []
    }
  }

  private static func unreviewed(_ entry: Int, of queue: StreamID, _ topology: Topology) -> [RoutedInput] {
    topology.databases(of: queue).map { policy in
      RoutedInput(
        .schema(policy.place),
        .schema(.reviewEnded(entry: entry, repository: policy.repository, trunk: policy.trunk)))
    }
  }

  /// - Parameter chosen: nil for every service that lives there.
  private static func builds(
    of commit: CommitID, for chosen: [ServiceName]? = nil, title: String, author: String, from stream: StreamID,
    at position: Position, on instant: Instant, _ topology: Topology
  ) -> [RoutedInput] {
    topology.services.filter {
      StreamID.queue($0.repository, $0.trunk) == stream && chosen?.contains($0.name) ?? true
    }.map { service in
      let order = Promotion.Order(
        service: service.name, repository: service.repository, commit: commit, ordinal: position, title: title,
        author: author, landedAt: instant, build: service.build, stages: service.environments.map(\.stage))
      return RoutedInput(.build(service.name, commit), .build(.begin(order)))
    }
  }

  // A promotion asks the database first, where there is one. What passed an environment's gate is offered to that
  // environment, which decides.
  private static func route(
    _ event: Promotion.Event, of stream: StreamID, _ topology: Topology
  ) -> [RoutedInput] {
    switch event {
    case .schemaAsked(let ask):
      [
        RoutedInput(
          .schema(SchemaPlace(ask.environment, ask.database)),
          .schema(
            .ask(
              DatabaseSchema.Ask(
                service: ask.service, commit: ask.commit, digest: ask.digest, ordinal: ask.ordinal, title: ask.title))
          ))
      ]
    // It holds what environments say they hold, and no more.
    case .superseded, .completed, .halted: released(stream, topology)
    case .requested(let request):
      [
        RoutedInput(
          .delivery(request.service, request.environment),
          .delivery(
            .offer(
              Rollout.Offer(
                digest: request.artifact.digest, commit: request.commit, ordinal: request.ordinal,
                title: request.title, author: request.author, landedAt: request.landedAt,
                override: request.override))))
      ]
    case .begun, .built, .buildFailed, .provenanceVerified, .provenanceRejected, .taken, .condemned, .served,
      .checkPassed, .checkFailed, .soakBegan, .passed, .resumed, .renewed, .schemaGranted, .schemaReconsidered,
      .schemaRefused:
      []
    }
  }

  private static func released(_ stream: StreamID, _ topology: Topology) -> [RoutedInput] {
    guard let (service, commit) = change(of: stream) else { return [] }
    return topology.databases.filter { policy in policy.services.contains { $0.service == service } }.map {
      RoutedInput(.schema($0.place), .schema(.released(service: service, commit: commit)))
    }
  }

  // What an environment decided about a digest goes back to the promotion of its commit; what it runs and keeps, to
  // the database below it.
  private static func route(_ event: Rollout.Event, of stream: StreamID, _ topology: Topology) -> [RoutedInput] {
    guard let (service, environment) = place(of: stream) else { return [] }
    func tell(_ commit: CommitID, _ input: Promotion.Input) -> [RoutedInput] {
      [RoutedInput(.build(service, commit), .build(input))]
    }
    switch event {
    case .started(let start):
      guard start.kind == .forward else { return [] }
      // Checks of an older build that is still being checked here would judge the newer one from now on, so that build
      // ends here; one that already passed this environment ignores it.
      let older = start.knownGood.map {
        tell(
          $0.commit,
          .superseded(environment: environment, by: start.deployment.commit, below: start.offer.ordinal))
      }
      return tell(start.deployment.commit, .taken(environment: environment))
        + (start.knownGood?.commit == start.deployment.commit ? [] : older ?? [])
    case .superseded(let offer, let newer):
      return tell(offer.commit, .superseded(environment: environment, by: newer, below: offer.ordinal + 1))
    case .refusedCondemned(let offer):
      return tell(
        offer.commit, .condemned(environment: environment, reason: "its digest is condemned in \(environment)"))
    case .condemned(let condemnation):
      return tell(condemnation.deployment.commit, .condemned(environment: environment, reason: condemnation.sentence))
    case .completed(_, let deployment, let at):
      return tell(deployment.commit, .served(environment: environment, digest: deployment.digest, at: at))
    case .confirmed(let offer, let deployment, let at):
      return tell(offer.commit, .served(environment: environment, digest: deployment.digest, at: at))
    case .unconfigured(let event): return event.commits.flatMap { tell($0, .withdrawn(environment: environment)) }
    case .refusedUnconfigured(let offer): return tell(offer.commit, .withdrawn(environment: environment))
    case .versionsHeld(let versions):
      guard let database = topology.database(of: service, in: environment) else { return [] }
      return [RoutedInput(.schema(database), .schema(.held(service: service, versions: versions)))]
    case .configured, .offered, .startExtended, .baselineMeasured, .placed, .stepEntered, .routed, .evidenceNoted,
      .stepPassed, .restored, .reported, .retired, .lifted, .instanceEnded, .announced, .announcementAbandoned,
      .troubled, .closed, .gated, .approved, .scalingBegan, .scaled, .finishing, .drillOrdered, .drillMoved, .drilled,
      .drillAbandoned, .frozen, .thawed, .floorRaised, .budgetNoted, .troubleEnded, .barsNoted,
      .rollbackAbandoned:
      return []
    }
  }

  // What a database says is for who asked: a promotion, a queue, or the environment whose way back it is.
  private static func route(
    _ event: DatabaseSchema.Event, of stream: StreamID, _ topology: Topology
  ) -> [RoutedInput] {
    guard let place = database(of: stream) else { return [] }
    func tell(_ ask: DatabaseSchema.Ask, _ input: Promotion.Input) -> [RoutedInput] {
      [RoutedInput(.build(ask.service, ask.commit), .build(input))]
    }
    switch event {
    case .granted(let ask): return tell(ask, .schemaGranted(environment: place.environment))
    case .refused(let refused):
      return tell(refused.ask, .schemaRefused(environment: place.environment, reason: refused.why))
    case .turnedAway(let ask, let why):
      return tell(ask, .schemaRefused(environment: place.environment, reason: why))
    case .migrationFailed(let ask, let name, let why, _):
      return tell(ask, .schemaRefused(environment: place.environment, reason: "its migration \(name) failed: \(why)"))
    case .reconsidered(let ask): return tell(ask, .schemaReconsidered(environment: place.environment))
    case .reviewed(let review, let verdict):
      return [
        RoutedInput(
          .queue(review.repository, review.trunk),
          .queue(.schemaReviewed(entry: review.entry, head: review.head, place: place.description, verdict: verdict)))
      ]
    case .barred(let service, let bars):
      // Of a service that has moved to another database since, that one speaks.
      guard topology.database(of: service, in: place.environment) == place else { return [] }
      return [RoutedInput(.delivery(service, place.environment), .delivery(.schemaBars(bars)))]
    case .configured, .closed, .versionsChanged, .surveyed, .drifted, .queued, .examinationBegan, .examined,
      .migrating, .migrated, .abandoned, .reviewDropped, .audited, .overridden, .adoptionOrdered, .adopted,
      .adoptionFailed, .troubled, .recorded, .newsPostponed:
      return []
    }
  }

  /// Definitions in the repository are what its trunk says.
  private static func flags(at commit: CommitID, of queue: StreamID, _ topology: Topology) -> [RoutedInput] {
    topology.flagFolders.filter { StreamID.queue($0.repository, $0.trunk) == queue }.map {
      RoutedInput(.flagFolder($0.repository, $0.trunk), .flagFolder(.trunkAt(commit)))
    }
  }

  private static func route(
    _ event: FlagFolder.Event, of stream: StreamID, _ topology: Topology
  ) -> [RoutedInput] {
    switch event {
    // The queue may have seen its trunk long ago.
    case .configured(let policy): [RoutedInput(.queue(policy.repository, policy.trunk), .queue(.recall(services: [])))]
    case .declared(let declaration): [RoutedInput(.flag(declaration.key), .flag(.declare(declaration)))]
    case .undeclared(let key, let commit):
      [RoutedInput(.flag(key), .flag(.undeclare(commit: commit, folder: stream)))]
    case .closed, .readingBegan, .segmentsDeclared, .settled, .faulted, .refusalNoted, .refusalEnded: []
    }
  }

  // Who needs another flag asks it for a reservation; what a folder declares and may not have goes back to it.
  private static func route(_ event: FeatureFlag.Event, of stream: StreamID) -> [RoutedInput] {
    guard let key = FlagKey(rawValue: stream.name) else { return [] }
    func tell(_ flags: [FlagKey], _ input: FeatureFlag.Input) -> [RoutedInput] {
      flags.map { RoutedInput(.flag($0), .flag(input)) }
    }
    switch event {
    case .created(_, let revision, salt: _, environments: _, declared: _):
      return tell(revision.definition.prerequisites, .claimed(by: key))
    case .revised(_, let claims, let releases):
      return tell(claims, .claimed(by: key)) + tell(releases, .unclaimed(by: key))
    case .archived(_, let releases): return tell(releases, .unclaimed(by: key))
    case .declarationRefused(let unmet):
      guard let folder = unmet.declaration.folder else { return [] }
      let told = FlagFolder.Unmet(
        key: key, hash: unmet.declaration.definition.hash, place: unmet.declaration.place,
        commit: unmet.declaration.commit, why: unmet.why, at: unmet.at)
      return [RoutedInput(folder, .flagFolder(.refused(told)))]
    case .declarationMet(let folder): return folder.map { [RoutedInput($0, .flagFolder(.met(key)))] } ?? []
    case .declarationDropped, .declared, .placed, .scheduled, .unscheduled, .fellDue, .dueRefused, .rampStarted,
      .sighted, .stageBegan, .settled, .evidenceNoted, .asked, .held, .resumed, .rampStopped, .rolledOut, .killed,
      .proofNoted, .proved, .claimed, .unclaimed, .announced, .announcementAbandoned, .troubled:
      return []
    }
  }

  /// Service and environment of the name of a delivery or an observation.
  package static func place(of stream: StreamID) -> (ServiceName, EnvironmentName)? {
    // By bytes, because every delivery event asks. A name holds no slash, so there is just the one.
    let bytes = stream.name.utf8
    guard stream.kind == .delivery || stream.kind == .observation, let slash = bytes.firstIndex(of: UInt8(ascii: "/")),
      let service = ServiceName(rawValue: String(stream.name[..<slash])),
      let environment = EnvironmentName(rawValue: String(stream.name[bytes.index(after: slash)...]))
    else { return nil }
    return (service, environment)
  }

  /// Environment and database of the name of a schema.
  package static func database(of stream: StreamID) -> SchemaPlace? {
    guard stream.kind == .schema, let slash = stream.name.firstIndex(of: "/"),
      let environment = EnvironmentName(rawValue: String(stream.name[..<slash])),
      let database = DatabaseName(rawValue: String(stream.name[stream.name.index(after: slash)...]))
    else { return nil }
    return SchemaPlace(environment, database)
  }

  /// Service and commit of the name of a build.
  private static func change(of stream: StreamID) -> (ServiceName, CommitID)? {
    guard stream.kind == .build, let slash = stream.name.firstIndex(of: "/"),
      let service = ServiceName(rawValue: String(stream.name[..<slash])),
      let commit = CommitID(rawValue: String(stream.name[stream.name.index(after: slash)...]))
    else { return nil }
    return (service, commit)
  }
}
