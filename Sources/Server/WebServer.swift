import Foundation
import HTTPTypes
import Hummingbird
import Kernel
import Logging
import NIOCore
import Synchronization

/// Makes the server of the API and the pages; it does nothing until it is run.
///
/// - Parameters:
///   - token: what mutating calls must carry; an empty one lets none through.
///   - host: an address, `127.0.0.1` unless the operator wants otherwise.
///   - port: 0 for any free one, which `port()` then tells.
///   - heartbeat: how often a live connection is told that it still lives.
///   - now: the wall clock, for times shown as "3 min ago".
/// - Throws: `Outage` when a template does not parse, which only a defect can cause.
package func makeApplication(
  backend: any Backend, token: String, host: String, port: Int, logger: Logger,
  heartbeat: Duration = EventFeed.usualHeartbeat, now: @escaping @Sendable () -> Instant = WebServer.wallClock
) throws(Outage) -> WebServer {
  let traffic = Traffic()
  let reader = Reader(backend: backend, now: now)
  let pages = Pages(reader: reader, library: try TemplateLibrary.load())
  let router = makeRouter(
    backend: backend, token: token, host: host, reader: reader, pages: pages, traffic: traffic, heartbeat: heartbeat,
    logger: logger)
  return WebServer(router: router, traffic: traffic, host: host, port: port, logger: logger)
}

/// Hummingbird's router; the kernel has one of its own.
typealias WebRouter = Hummingbird.Router<WebContext>
typealias WebContext = BasicRequestContext

/// Every route there is; apart from `makeApplication` for the test that holds it against `openapi.yaml`.
func makeRouter(
  backend: any Backend, token: String, host: String, reader: Reader, pages: Pages, traffic: Traffic,
  heartbeat: Duration, logger: Logger
) -> WebRouter {
  let router = WebRouter(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
  router.add(middleware: Manners(traffic: traffic, pages: pages, logger: logger))
  router.add(middleware: HostGuard(host: host))
  router.add(middleware: TokenGuard(token: token))
  let api = router.group("v1")
  ReadingRoutes(reader: reader, feed: EventFeed(backend: backend, traffic: traffic, heartbeat: heartbeat)).add(to: api)
  ObservationRoutes(reader: reader).add(to: api)
  SchemaRoutes(lookup: reader.lookup).add(to: api)
  FlagRoutes(flags: reader.flags).add(to: api)
  let changing = ChangingRoutes(backend: backend, lookup: reader.lookup)
  changing.add(to: api)
  changing.addObservations(to: api)
  changing.addSchemas(to: api)
  changing.addStatements(to: api)
  changing.addFlags(to: api, now: reader.now)
  pages.add(to: router)
  return router
}

/// A server that can be run, asked for its port, and stopped.
package final class WebServer: Sendable {
  /// Requests under way get this long to end when the server stops.
  static let stopLimit = Duration.seconds(5)
  private static let stopPoll = Duration.milliseconds(20)

  private let traffic: Traffic
  private let bound: BoundPort
  private let serve: @Sendable () async throws -> Void
  private let address: String
  private let task = Mutex<Task<Void, any Error>?>(nil)

  init(router: WebRouter, traffic: Traffic, host: String, port: Int, logger: Logger) {
    let bound = BoundPort()
    var quiet = logger
    // Hummingbird tells every start and stop at info; the executable says so itself.
    quiet.logLevel = max(logger.logLevel, .warning)
    let application = Application(
      router: router, configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: nil),
      onServerRunning: { channel in bound.set(channel.localAddress?.port ?? port) }, logger: quiet)
    self.traffic = traffic
    self.bound = bound
    address = "\(host):\(port)"
    serve = { try await application.run() }
  }

  /// Serves until `stop()` is called or the calling task is cancelled.
  /// - Throws: `Outage` when the address cannot be had.
  package func run() async throws(Outage) {
    let serving = Task { [serve] in try await serve() }
    task.withLock { $0 = serving }
    let result = await withTaskCancellationHandler {
      await serving.result
    } onCancel: {
      serving.cancel()
    }
    traffic.stop()
    let wasBound = bound.isSet
    let failure = Outage("server", "cannot listen on \(address): is the port taken? Choose another with --listen.")
    bound.fail(failure)
    guard case .failure(let error) = result, !wasBound, !serving.isCancelled else { return }
    throw Outage(failure.subject, failure.sentence, sources: ["\(error)"])
  }

  /// The port that it listens on; waits until it does.
  package func port() async throws(Outage) -> Int { try await bound.value().get() }

  /// Ends live connections, waits for the requests under way, and ends `run()`.
  package func stop() async {
    traffic.stop()
    let clock = ContinuousClock()
    let deadline = clock.now + Self.stopLimit
    while !traffic.isIdle, clock.now < deadline {
      do { try await Task.sleep(for: Self.stopPoll) } catch { break }
    }
    task.withLock { $0?.cancel() }
  }

  package static let wallClock: @Sendable () -> Instant = {
    Instant(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
  }
}

/// A port that is known later.
private final class BoundPort: Sendable {
  private struct State {
    var result: Result<Int, Outage>?
    var waiting: [CheckedContinuation<Result<Int, Outage>, Never>] = []
  }
  private let state = Mutex(State())

  var isSet: Bool {
    state.withLock { state in
      if case .success? = state.result { true } else { false }
    }
  }

  func set(_ port: Int) { settle(.success(port)) }
  func fail(_ outage: Outage) { settle(.failure(outage)) }

  private func settle(_ result: Result<Int, Outage>) {
    let waiting = state.withLock { state in
      guard state.result == nil else { return [CheckedContinuation<Result<Int, Outage>, Never>]() }
      state.result = result
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume(returning: result) }
  }

  func value() async -> Result<Int, Outage> {
    await withCheckedContinuation { continuation in
      let known = state.withLock { state -> Result<Int, Outage>? in
        if state.result == nil { state.waiting.append(continuation) }
        return state.result
      }
      if let known { continuation.resume(returning: known) }
    }
  }
}
