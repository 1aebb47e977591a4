import Foundation
import Kernel

#if canImport(Glibc)
  import Glibc
#endif

extension HAProxyRouter {
  /// How long a HAProxy may take to end after SIGTERM.
  private static let stopLimit = Duration.seconds(5)

  /// Ends every HAProxy that a server with this folder left running. Only for a data folder that no server owns.
  package static func stopEverything(folder: String) async {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    for environment in names.compactMap(EnvironmentName.init(rawValue:)) {
      let site = HAProxyFolder(root: folder, environment: environment)
      if let process = HAProxyProcess.answering(site) {
        kill(process.pid, SIGTERM)
        let clock = ContinuousClock()
        let deadline = clock.now + stopLimit
        while process.isAlive, clock.now < deadline { try? await Task.sleep(for: .milliseconds(20)) }
      }
      HAProxyProcess.clearAway(site)
    }
  }
}
