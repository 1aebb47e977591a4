import Drivers
import Foundation
import Kernel
import Logging
import PlimsollFile
import Runtime
import Server
import Synchronization

/// One `plimsoll serve`: the engine and the pages, from start to an orderly stop.
enum RunningServer {
  struct Facts: Sendable {
    let url: String
    let dataFolder: String
    /// Where clients of flags ask; nil where none are served.
    let flags: String?
    let warnings: [Problem]
  }

  /// Events that are older than this are covered by a signature.
  static let checkpointInterval = Duration.seconds(30)

  /// Runs until SIGINT, SIGTERM or a failure of the web server.
  static func run(
    file path: String, data: String, listen override: PlimsollFile.ListenAddress?,
    started: @escaping @Sendable (Facts) -> Void
  ) async throws {
    let file = try PlimsollFile.read(path)
    var listen = override ?? file.listen
    if listen.port == 0, let free = freeLoopbackPort() {
      listen = PlimsollFile.ListenAddress(host: listen.host, port: free)
    }
    let url = "http://\(listen.host):\(listen.port)"
    var logger = Logger(label: "plimsoll")
    logger.logLevel = .warning
    let assembly = try await Assembly(
      file: file, path: path, dataFolder: data, address: file.address ?? url, logger: logger)
    let token = try assembly.data.token()
    let server = try makeApplication(
      backend: LiveBackend(assembly), token: token, host: listen.host, port: listen.port, logger: logger)
    let folder = assembly.data.path
    let failedStart = Mutex<(any Error)?>(nil)
    let flags = ServedFlagsTask(assembly.flags)
    let announcing = Task {
      // Only a server that could bind its port begins to act on the world.
      guard (try? await server.port()) != nil else { return }
      let address: String?
      do {
        try await assembly.start()
        // Only now: a client must never meet an environment without flags because nobody has read them yet.
        address = try await flags.begin { error in
          failedStart.withLock { $0 = error }
          await server.stop()
        }
      } catch {
        failedStart.withLock { $0 = error }
        await server.stop()
        return
      }
      // Best effort: commands can be given the address by hand.
      try? ServerAddress(url: url, pid: getpid()).write(folder)
      started(Facts(url: url, dataFolder: folder, flags: address, warnings: file.warnings))
    }
    // A quiet ledger's tail is signed too, so that a cut of it is found.
    let ledger = assembly.ledger
    let signing = Task { [logger] in
      var spell = OutageSpell()
      while !Task.isCancelled {
        try? await Task.sleep(for: Self.checkpointInterval)
        // Reading in a cancelled task fails, which would be told as a ledger that cannot be signed.
        if Task.isCancelled { return }
        // The failure is kept by the ledger, which the overview and the health answer show it from.
        _ = try? ledger.checkpoint()
        switch spell.look(ledger.checkpointFailure) {
        case .began(let outage): logger.error("\(ProcessTroubles.unsigned(outage))")
        case .ended: logger.warning("The ledger's last events are signed again.")
        case nil: break
        }
      }
    }
    defer { signing.cancel() }
    let interruption = Interruption { _ in Task { await server.stop() } }
    defer { interruption.end() }
    let failure: Outage?
    do throws(Outage) {
      try await server.run()
      failure = nil
    } catch {
      failure = error
    }
    announcing.cancel()
    await flags.end()
    await assembly.stop()
    try? FileManager.default.removeItem(atPath: "\(folder)/server.json")
    if let error = failedStart.withLock({ $0 }) { throw error }
    if let failure { throw failure }
  }
}
