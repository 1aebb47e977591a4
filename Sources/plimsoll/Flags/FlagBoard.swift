import FlagServing
import Kernel
import Ramps
import Synchronization

/// Since which version an environment serves each flag's epoch, and who has it.
final class FlagBoard: FlagAudience {
  private struct Served {
    let epoch: Int
    let version: Int
  }
  private struct State {
    /// The newest epochs of each flag, by environment; rising.
    var served: [EnvironmentName: [FlagKey: [Served]]] = [:]
    var faults: [EnvironmentName: String] = [:]
    /// Until when clients of the process before may not have come back.
    var returning: Instant?
  }

  private let state = Mutex(State())
  private let environments: [EnvironmentName: FlagEnvironment]
  /// Who asks for an epoch asks for the newest or the one before.
  private static let epochsKept = 4

  init(_ environments: [EnvironmentName: FlagEnvironment]) { self.environments = environments }

  /// - Parameter version: by which the flag is served as its state is.
  func note(_ key: FlagKey, _ flag: FeatureFlag.State, in environment: EnvironmentName, servedSince version: Int) {
    guard let epoch = flag.placements.first(where: { $0.environment == environment })?.epoch else { return }
    state.withLock { state in
      let known = state.served[environment]?[key] ?? []
      guard known.last.map({ $0.epoch < epoch }) ?? true else { return }
      state.served[environment, default: [:]][key] =
        (known + [Served(epoch: epoch, version: version)]).suffix(Self.epochsKept)
    }
  }

  /// Clients that polled the process before come back within the time that polling clients take.
  func awaitClients() { state.withLock { $0.returning = .now + RampPlan.defaultSettleLimit } }

  func blame(_ environment: EnvironmentName, _ fault: String) { state.withLock { $0.faults[environment] = fault } }
  func clear(_ environment: EnvironmentName) { state.withLock { $0.faults[environment] = nil } }

  /// Why an environment's newest definitions are not served; nil while they are.
  func fault(in environment: String) -> String? {
    EnvironmentName(rawValue: environment).flatMap { name in state.withLock { $0.faults[name] } }
  }

  /// The first version that serves the epoch; nil while none does.
  func version(of flag: FlagKey, in environment: EnvironmentName, epoch: Int) -> Int? {
    state.withLock { state in
      state.served[environment]?[flag]?.first { $0.epoch >= epoch }?.version
    }
  }

  func standing(of flag: FlagKey, in environment: EnvironmentName, epoch: Int) async throws(Outage) -> FlagStanding {
    guard let place = environments[environment] else {
      throw Outage("flags", "no flags are served in \(environment); add it to plimsoll.yaml")
    }
    if let returning = state.withLock({ $0.returning }), Instant.now < returning {
      throw Outage("flags", "clients are coming back after a restart, so nobody can say yet who has what")
    }
    let now = WallClock.seconds()
    // What is served nowhere nobody has.
    let version = version(of: flag, in: environment, epoch: epoch) ?? .max
    let standing = place.registry.standing(of: version, changedAt: place.store.current.changedAt, at: now)
    // Whose stream broke off may live on with what it had.
    let lacking = standing.lacking + standing.left
    // `delivered` is everything that was written to a stream, proven or not; `/v1/flags/clients` tells the two apart.
    let written = (standing.byEvidence[.delivered] ?? 0) + (standing.byEvidence[.sent] ?? 0)
    return FlagStanding(
      delivered: written, refetched: standing.byEvidence[.refetched] ?? 0,
      evaluated: standing.byEvidence[.evaluated] ?? 0, lackingCount: lacking.count,
      lacking: lacking.prefix(FlagStanding.lackingLimit).map {
        FlagStanding.Lacking(
          client: $0.client.name, seenAt: Instant(milliseconds: Int64(($0.lastSeen * 1000).rounded())))
      })
  }
}
