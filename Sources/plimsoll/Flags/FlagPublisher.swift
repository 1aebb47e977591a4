import ControlPlane
import FlagServing
import Flags
import Foundation
import Kernel
import Ledger
import Logging
import Ramps
import Runtime

/// Serves what the flags' streams say: follows the ledger, and gives every environment's store each change under the
/// position that decided it. It remembers nothing that could not be made anew from the states.
actor FlagPublisher {
  private let host: EngineHost<ProductLedger>
  private let ledger: ProductLedger
  private let stores: [EnvironmentName: FlagStore]
  private let logger: Logger
  private let board: FlagBoard

  private var document = ServedDocument()
  /// What each store really took of a flag.
  private var taken: [EnvironmentName: [FlagKey: String]] = [:]
  private var through: Position = 0
  private var following: Task<Void, Never>?

  init(
    host: EngineHost<ProductLedger>, ledger: ProductLedger, stores: [EnvironmentName: FlagStore], board: FlagBoard,
    logger: Logger
  ) {
    self.host = host
    self.ledger = ledger
    self.stores = stores
    self.board = board
    self.logger = logger
  }

  /// Serves everything as it stands, and follows.
  func start() async throws(Outage) {
    let events = await host.subscribe()
    try await publishAll()
    // Clients of the process before come back one by one; until then nobody can say who has what.
    if !document.flags.isEmpty { board.awaitClients() }
    following = Task { [weak self] in
      for await event in events {
        guard let self else { return }
        await self.follow(event)
      }
    }
  }

  func stop() { following?.cancel() }

  // MARK: Following

  private func follow(_ recorded: RecordedEvent<StreamEvent>) async {
    guard recorded.position > through else { return }
    // A follower that was too slow has lost some: everything is looked at again.
    guard recorded.position == through + 1 else { return await again() }
    switch recorded.event {
    case .flag:
      through = recorded.position
      await publish(recorded.stream, recorded)
    case .flagFolder(.segmentsDeclared), .flagFolder(.closed): await again()
    case .settings, .queue, .build, .delivery, .observation, .schema, .flagFolder: through = recorded.position
    }
  }

  private func publish(_ stream: StreamID, _ recorded: RecordedEvent<StreamEvent>) async {
    guard let key = FlagKey(rawValue: stream.name), case .flag(let state)? = await host.state(of: stream) else {
      return
    }
    document.flags[key] = state
    for (environment, store) in stores.sorted(by: { $0.key < $1.key }) {
      // One change may rest on another that has not come: together they may be well.
      guard board.fault(in: environment.rawValue) == nil else {
        serve(environment, store, at: recorded.position, recorded.at)
        continue
      }
      let wanted = state.served(in: environment)
      if wanted == taken[environment]?[key] {
        board.note(key, state, in: environment, servedSince: store.current.version)
        continue
      }
      do throws(FlagRefusal) {
        let version = try store.publish(
          changing: key.rawValue, to: wanted, version: Int(recorded.position), at: recorded.at.seconds
        ).version
        taken[environment, default: [:]][key] = wanted
        board.note(key, state, in: environment, servedSince: version)
      } catch {
        serve(environment, store, at: recorded.position, recorded.at)
      }
    }
  }

  /// Everything, as often as it takes: what was missed may be a kill.
  private func again() async {
    while !Task.isCancelled {
      do throws(Outage) {
        return try await publishAll()
      } catch {
        logger.error("Flags are served as they were: \(error)")
        do { try await Task.sleep(for: Self.pause) } catch { return }
      }
    }
  }

  private static let pause = Duration.seconds(1)

  private func publishAll() async throws(Outage) {
    // Of an empty ledger too something is served: nothing, as version 1.
    let known = try ledger.lastPosition()
    let position = max(known, 1)
    var document = ServedDocument()
    for (stream, state) in await host.states(.flag) {
      if case .flag(let state) = state, let key = FlagKey(rawValue: stream.name) { document.flags[key] = state }
    }
    var folders: [StreamID: FlagFolder.State] = [:]
    for (stream, state) in await host.states(.flagFolder) {
      if case .flagFolder(let state) = state { folders[stream] = state }
    }
    document.segments = FlagFolder.segments(of: folders)
    self.document = document
    through = known
    for (environment, store) in stores.sorted(by: { $0.key < $1.key }) {
      serve(environment, store, at: position, Kernel.Instant.now)
    }
  }

  /// All of it, or all but what cannot be served, which is told.
  private func serve(
    _ environment: EnvironmentName, _ store: FlagStore, at position: Position, _ instant: Kernel.Instant
  ) {
    var faulty: Set<FlagKey> = []
    let served: ServedFlags
    do throws(FlagRefusal) {
      served = try store.publish(
        definitions: document.text(in: environment), version: Int(position), at: instant.seconds)
      board.clear(environment)
    } catch {
      let before = store.current
      let (text, faults) = document.sound(in: environment) { before.definition(of: $0.rawValue) }
      faulty = Set(faults.map(\.flag))
      let named = faults.map { "\($0.flag): \($0.why)" }.joined(separator: " ")
      board.blame(environment, "Not served as they should be: \(named.isEmpty ? error.sentence : named)")
      logger.error("In \(environment) some flags cannot be served as they should be: \(error) \(named)")
      do throws(FlagRefusal) {
        served = try store.publish(definitions: text, version: Int(position), at: instant.seconds)
      } catch {
        logger.error("The flags of \(environment) cannot be served, so those before stay: \(error)")
        return
      }
    }
    // What is not served as its state says must not count as known to anybody.
    taken[environment] = document.flags.filter { !faulty.contains($0.key) }.compactMapValues {
      $0.served(in: environment)
    }
    for (key, state) in document.flags where !faulty.contains(key) {
      board.note(key, state, in: environment, servedSince: served.version)
    }
  }
}

extension Kernel.Instant {
  /// Since 1970.
  fileprivate var seconds: Double { Double(milliseconds) / 1000 }
}
