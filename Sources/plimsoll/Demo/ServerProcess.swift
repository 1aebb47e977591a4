import Drivers
import Foundation
import Kernel
import Synchronization

/// A `plimsoll serve`, unless told otherwise of this very binary, in a process of its own, in its own session, so that it can be killed without
/// warning and can outlive whoever started it.
final class ServerProcess: Sendable {
  private let folder: String
  private let port: Int
  private let program: String
  private let process = Mutex<OwnedProcess?>(nil)

  /// A server that does not answer its health page by then is not coming.
  static let startLimit = Duration.seconds(60)
  static let stopLimit = Duration.seconds(10)
  private static let look = Duration.milliseconds(50)

  init(folder: String, port: Int, program: String = "/proc/self/exe") {
    self.folder = folder
    self.port = port
    self.program = program
  }

  var pid: Int32? { process.withLock { $0?.pid } }
  var url: String { "http://127.0.0.1:\(port)" }
  private var data: String { "\(folder)/data" }
  var log: String { "\(folder)/serve.log" }

  /// The token exists once the server has started.
  func client() throws -> Client { Client(base: url, tokenFile: "\(data)/token") }

  func start() async throws {
    let environment = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
    let started = try OwnedProcess.start(
      [program, "serve", "--file", "\(folder)/plimsoll.yaml", "--data", data], environment: environment,
      folder: folder, output: log)
    process.withLock { $0 = started }
    if try await answers(started) { return }
    let said = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
    throw Outage("plimsoll", "the server did not start; its log is \(log)", sources: [String(said.suffix(500))])
  }

  /// Whether it answers within `startLimit`; false as soon as it has ended.
  private func answers(_ started: OwnedProcess) async throws -> Bool {
    let client = try client()
    let deadline = ContinuousClock.now + Self.startLimit
    return await withTaskGroup(of: Bool.self) { group in
      // A request that finds nobody is tried again for a while by itself, which is no reason to wait for it.
      group.addTask {
        while !Task.isCancelled {
          if (try? await client.text("/v1/health")) != nil { return true }
          try? await Task.sleep(for: Self.look)
        }
        return false
      }
      group.addTask {
        while started.isAlive, ContinuousClock.now < deadline, !Task.isCancelled {
          try? await Task.sleep(for: Self.look)
        }
        return false
      }
      defer { group.cancelAll() }
      return await group.next() ?? false
    }
  }

  func kill(_ signal: Int32) {
    process.withLock { $0 }?.signal(signal)
  }

  /// SIGKILL, and its end: another server may be started at once.
  func killAndWait() async {
    guard let running = process.withLock({ $0 }) else { return }
    running.signal(SIGKILL)
    while running.isAlive { try? await Task.sleep(for: .milliseconds(5)) }
    process.withLock { $0 = nil }
  }

  /// SIGTERM, and SIGKILL when that is not enough.
  func stop() async {
    guard let running = process.withLock({ $0 }) else { return }
    running.signal(SIGTERM)
    let clock = ContinuousClock()
    let deadline = clock.now + Self.stopLimit
    while running.isAlive, clock.now < deadline { try? await Task.sleep(for: .milliseconds(50)) }
    running.signal(SIGKILL)
    process.withLock { $0 = nil }
  }
}
