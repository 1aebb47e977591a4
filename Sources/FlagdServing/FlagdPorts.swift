import FlagServing
import Kernel

/// flagd's services on the ports that were asked for, while a server runs.
package final class FlagdPorts: Sendable {
  /// How long a port may stay taken: while a process takes over from another, the old one still lets go of it.
  private static let patience = Duration.seconds(15)
  private static let pause = Duration.milliseconds(50)

  private struct Running {
    let server: FlagdServer
    let task: Task<Void, any Error>
  }

  private let running: [Running]
  /// As they were asked for; a free one where 0 was.
  package let ports: [Int]

  private init(running: [Running], ports: [Int]) {
    self.running = running
    self.ports = ports
  }

  /// Listens on each of the ports; every one speaks all of flagd's services.
  ///
  /// - Throws: `Outage` when a port stays taken.
  package static func listening(
    host: String, ports: [Int], environments: FlagEnvironments, documents: FlagdDocuments,
    access: FlagAccess = FlagAccess(token: nil), now: @escaping @Sendable () -> Double = WallClock.seconds
  ) async throws -> FlagdPorts {
    var running: [Running] = []
    var found: [Int] = []
    for port in ports {
      let deadline = ContinuousClock.now + patience
      while true {
        let server = FlagdServer(
          .address(host: host, port: port), environments: environments, documents: documents, access: access,
          now: now)
        let task = Task { try await server.run() }
        do {
          found.append(try await server.port)
          running.append(Running(server: server, task: task))
          break
        } catch {
          task.cancel()
          guard ContinuousClock.now < deadline else {
            for other in running { other.server.shutDown() }
            throw Outage(
              "flagd's services", "cannot listen on port \(port): is it taken? Choose another.", sources: ["\(error)"])
          }
          try await Task.sleep(for: pause)
        }
      }
    }
    return FlagdPorts(running: running, ports: found)
  }

  /// Ends streams, answers what was asked, and lets go of the ports; what takes longer than the limit is cut off.
  package func stop(within limit: Duration) async {
    for one in running { one.server.shutDown() }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [running] in
        for one in running { _ = await one.task.result }
      }
      group.addTask { try? await Task.sleep(for: limit) }
      _ = await group.next()
      for one in running { one.task.cancel() }
      group.cancelAll()
    }
  }
}
