import Kernel
import MergeQueues
import Promotions
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
    case .build(let event): route(event, of: stream)
    case .delivery(let event): route(event, of: stream)
    // What only observes leads to nothing.
    case .observation: []
    }
  }

  // A new topology reaches every queue and every environment, also those that it no longer names.
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
    case .left(let streams):
      streams.compactMap { stream in
        switch stream.kind {
        case .queue: RoutedInput(stream, .queue(.retire))
        case .delivery: RoutedInput(stream, .delivery(.unconfigure))
        case .observation: RoutedInput(stream, .observation(.unconfigure))
        case .settings, .build: nil
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
      builds(
        of: landing.commit, title: landing.title, author: landing.author, from: stream, at: position, on: instant,
        topology)
    case .trunkMoved(let from, let to, at: _):
      builds(
        of: to, title: from == nil ? "trunk as found" : "pushed to the trunk directly", author: "unknown",
        from: stream, at: position, on: instant, topology)
    case .recalled(let trunk, let services, at: _):
      builds(
        of: trunk, for: services, title: "trunk as found", author: "unknown", from: stream, at: position, on: instant,
        topology)
    case .configured, .submitted, .withdrawn, .prepared, .conflicted, .contained, .testPassed, .testFailed,
      .candidateDropped, .ejected, .troubled, .recovered, .retired, .planned, .runBegan, .runEnded, .runStopped,
      .recognised, .buildDropped, .buildCarried, .landingBegan, .flakeFound, .stackLoosened, .reported, .treePassed,
      .surveyed, .targetsReported, .held, .resumed, .frozen, .thawed, .overdue, .noted, .noteWritten, .noteAbandoned,
      .runnerLost, .runnerFound, .trunkSighted, .trunkTraced:
      []
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

  // A promotion that passed an environment's gate is offered to that environment, which decides.
  private static func route(_ event: Promotion.Event, of stream: StreamID) -> [RoutedInput] {
    switch event {
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
    case .begun, .built, .buildFailed, .provenanceVerified, .provenanceRejected, .taken, .superseded, .condemned,
      .served, .checkPassed, .checkFailed, .soakBegan, .passed, .completed, .halted, .resumed, .renewed:
      []
    }
  }

  // What an environment decided about a digest goes back to the promotion of its commit.
  private static func route(_ event: Rollout.Event, of stream: StreamID) -> [RoutedInput] {
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
    case .configured, .offered, .startExtended, .baselineMeasured, .placed, .stepEntered, .routed, .evidenceNoted,
      .stepPassed, .restored, .reported, .retired, .lifted, .instanceEnded, .announced, .announcementAbandoned,
      .troubled, .closed, .gated, .approved, .scalingBegan, .scaled, .finishing, .drillOrdered, .drillMoved, .drilled,
      .drillAbandoned, .frozen, .thawed, .floorRaised, .budgetNoted, .troubleEnded:
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
}
