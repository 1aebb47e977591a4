import ControlPlane
import Kernel
import Ledger
import Ramps
import Runtime
import Synchronization

/// Every flag that there is, for drivers that are made before the engine is.
final class FlagStates: Sendable {
  private let host = Mutex<EngineHost<ProductLedger>?>(nil)

  func follow(_ host: EngineHost<ProductLedger>) { self.host.withLock { $0 = host } }

  /// None before the engine runs.
  func all() async -> [FlagKey: FeatureFlag.State] {
    guard let host = host.withLock({ $0 }) else { return [:] }
    var flags: [FlagKey: FeatureFlag.State] = [:]
    for (stream, state) in await host.states(.flag) {
      if case .flag(let state) = state, let key = FlagKey(rawValue: stream.name) { flags[key] = state }
    }
    return flags
  }

  /// Every folder, closed ones too; none before the engine runs.
  func folders() async -> [StreamID: FlagFolder.State] {
    guard let host = host.withLock({ $0 }) else { return [:] }
    var folders: [StreamID: FlagFolder.State] = [:]
    for (stream, state) in await host.states(.flagFolder) {
      if case .flagFolder(let state) = state { folders[stream] = state }
    }
    return folders
  }
}
