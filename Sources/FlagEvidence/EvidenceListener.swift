import FlagServing
import Foundation
import HTTPTypes
import Hummingbird
import Kernel
import Logging
import NIOCore
import Synchronization

/// The listener of sources: OTLP over HTTP and our own batches, apart from the one that evaluates, so that a flood of
/// evidence never waits in an evaluation's way.
package final class EvidenceListener: Sendable {
  /// OpenTelemetry's own for OTLP over HTTP.
  package static let usualPort = 4318
  /// Bytes of all bodies that are being read: sixteen of the largest.
  static let bodiesLimit = 64 << 20
  /// For a whole body; exporters give up after ten seconds (OTEL_EXPORTER_OTLP_TIMEOUT).
  static let bodySeconds: Int64 = 30

  private let task: Task<Void, any Error>
  package let port: Int

  /// Listens, and answers until `stop`.
  ///
  /// - Parameters:
  ///   - port: 0 for any free one.
  ///   - token: what senders must show as `Authorization: Bearer TOKEN`; nil lets everybody in, who can then stop ramps.
  /// - Throws: `Outage` when the address cannot be listened on.
  package init(
    intake: EvidenceIntake, host: String = "127.0.0.1", port: Int = usualPort, token: String?, logger: Logger
  ) async throws(Outage) {
    let (ports, told) = AsyncStream.makeStream(of: Int.self)
    let access = FlagAccess(token: token)
    let budget = BodyBudget(limit: EvidenceListener.bodiesLimit)
    let router = Hummingbird.Router(context: EvidenceContext.self)
    router.post("**") { request, context in
      await EvidenceListener.answer(request, context, intake: intake, access: access, budget: budget)
    }
    var quiet = logger
    quiet.logLevel = max(logger.logLevel, .warning)
    let application = Application(
      router: router, configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: nil),
      onServerRunning: { channel in told.yield(channel.localAddress?.port ?? port) }, logger: quiet)
    let task = Task {
      defer { told.finish() }
      try await application.run()
    }
    self.task = task
    var iterator = ports.makeAsyncIterator()
    guard let bound = await iterator.next() else {
      let why = await task.result
      throw Outage("evidence", "cannot listen on \(host):\(port): is it taken? Choose another.", sources: ["\(why)"])
    }
    self.port = bound
  }

  package func stop() async {
    task.cancel()
    _ = await task.result
  }

  private static let prefix = "/flags/"
  private static let environmentHeader = HTTPField.Name("Plimsoll-Environment")

  private static func answer(
    _ request: Request, _ context: EvidenceContext, intake: EvidenceIntake, access: FlagAccess,
    budget: BodyBudget
  ) async -> Response {
    guard access.admits(authorization: request.headers[.authorization]) else {
      return response(.sentence(401, "A token is wanted: send it as Authorization: Bearer TOKEN."))
    }
    var path = request.uri.path
    var environment = environmentHeader.flatMap { request.headers[$0] }
    if path.hasPrefix(prefix) {
      let rest = path.dropFirst(prefix.count)
      let end = rest.firstIndex(of: "/") ?? rest.endIndex
      environment = String(rest[..<end]).removingPercentEncoding ?? ""
      path = String(rest[end...])
    }
    let told = request.headers[.contentLength].flatMap { Int($0) }
    guard told ?? 0 <= EvidenceIntake.bodyLimit else { return response(EvidenceIntake.tooLarge) }
    guard intake.hasRoom else { return response(EvidenceIntake.full) }
    var body: [UInt8] = []
    // Given back when the body has been handed over, whatever came of it.
    defer { budget.give(body.count) }
    let channel = context.channel
    let deadline = channel.eventLoop.scheduleTask(in: .seconds(bodySeconds)) { channel.close(promise: nil) }
    do {
      defer { deadline.cancel() }
      for try await piece in request.body {
        guard body.count + piece.readableBytes <= EvidenceIntake.bodyLimit else {
          return response(EvidenceIntake.tooLarge)
        }
        guard budget.take(piece.readableBytes) else { return response(EvidenceIntake.full) }
        body.append(contentsOf: piece.readableBytesView)
      }
    } catch {
      return response(cutShort)
    }
    // A connection that is closed ends the body without an error, and half a batch is none.
    guard channel.isActive, told ?? body.count == body.count else { return response(cutShort) }
    return response(
      intake.receive(
        EvidenceRequest(
          path: path, environment: environment, contentType: request.headers[.contentType] ?? "",
          contentEncoding: request.headers[.contentEncoding] ?? "", body: body, peer: context.peer)))
  }

  private static let cutShort = EvidenceAnswer.sentence(400, "The body did not come whole: send it again.")

  private static func response(_ answer: EvidenceAnswer) -> Response {
    var headers = HTTPFields()
    headers[.contentType] = answer.contentType
    if let seconds = answer.retryAfterSeconds { headers[.retryAfter] = "\(seconds)" }
    return Response(
      status: HTTPResponse.Status(code: answer.status), headers: headers,
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
  }
}

/// The bytes of all bodies that are in memory at once.
final class BodyBudget: Sendable {
  private let used = Mutex(0)
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  /// - Returns: false when there is no room; nothing is taken then.
  func take(_ bytes: Int) -> Bool {
    used.withLock { used in
      guard used + bytes <= limit else { return false }
      used += bytes
      return true
    }
  }

  func give(_ bytes: Int) { used.withLock { $0 -= bytes } }
}

/// With the sender's address.
struct EvidenceContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  let peer: String
  let channel: any Channel

  init(source: ApplicationRequestContextSource) {
    coreContext = .init(source: source)
    channel = source.channel
    peer = source.channel.remoteAddress?.ipAddress ?? "unknown"
  }
}
