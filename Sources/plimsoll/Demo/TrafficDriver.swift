import AsyncHTTPClient
import Foundation
import Kernel
import NIOCore
import NIOHTTP1
import Runtime
import Synchronization

/// One request shape of a traffic file.
struct RequestShape: Codable, Sendable {
  var method: String
  var path: String
  var body: String?

  /// From 35 nights on: where the harbor's bad versions go wrong (`Examples/harbor/make-traffic`).
  private static let longStayNights = 35

  var isLongStay: Bool {
    guard let query = path.split(separator: "?").dropFirst().first else { return false }
    return query.split(separator: "&").contains { pair in
      pair.hasPrefix("nights=") && Int(pair.dropFirst("nights=".count)).map { $0 >= Self.longStayNights } ?? false
    }
  }
}

extension [RequestShape] {
  /// A thousand of them, of which this share (0 to 1, to the nearest thousandth) are long stays. Both kinds must be
  /// among them, else there is nothing to mix.
  func mixed(longStays share: Double) -> [RequestShape] {
    let (long, others) = (filter(\.isLongStay), filter { !$0.isLongStay })
    guard !long.isEmpty, !others.isEmpty else { return self }
    let wanted = Int((share * 1000).rounded())
    return (0..<1000).map { $0 < wanted ? long[$0 % long.count] : others[$0 % others.count] }
  }
}

/// Sends requests at a steady rate, whatever the answers take (an open loop: a slow service gets no mercy), in random
/// order, so that a proxy's round robin and the file's order never fall into step.
final class TrafficDriver: Sendable {
  struct Answer: Sendable {
    let sentAt: Instant
    let endedAt: Instant
    /// Nil when there was no answer at all.
    let status: Int?
    /// The first 12 hex digits of the digest that answered, by its own word; nil when nobody said.
    let digest: String?
    var isFailed: Bool { status.map { $0 >= 500 } ?? true }
    /// An error that a version answered by itself. Everything else that fails was lost on the way.
    func isOwnFailure(of digests: Set<String>) -> Bool { status == 500 && digest.map(digests.contains) == true }
  }

  /// Where a harbor names its digest.
  static let digestHeader = "x-harbor-digest"

  private struct Book {
    var answers: [Answer] = []
    var open = 0
  }

  private let client: HTTPClient
  private let shapes: Mutex<[RequestShape]>
  private let base: String
  private let book = Mutex(Book())
  private let task = Mutex<Task<Void, Never>?>(nil)
  private let rate = Mutex<Double>(0)

  /// A request without an answer after this long counts as failed.
  static let timeLimit = TimeAmount.seconds(10)

  init(base: String, shapes: [RequestShape]) {
    self.base = base
    self.shapes = Mutex(shapes)
    var configuration = HTTPClient.Configuration()
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
    // A user agent that repeats a request by itself would hide what the proxy did to it.
    configuration.connectionPool.retryConnectionEstablishment = false
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }

  /// - Parameter perSecond: requests each second; 0 pauses.
  func start(perSecond: Double, seed: UInt64) {
    rate.withLock { $0 = perSecond }
    task.withLock { running in
      guard running == nil else { return }
      running = Task { await self.drive(seed: seed) }
    }
  }

  func change(perSecond: Double) { rate.withLock { $0 = perSecond } }
  /// - Parameter shapes: at least one; each is sent as often as the others.
  func change(shapes fresh: [RequestShape]) { shapes.withLock { $0 = fresh } }

  /// Stops sending, waits for what is under way, closes the connections.
  func stop() async {
    let running = task.withLock { $0 }
    running?.cancel()
    await running?.value
    try? await client.shutdown()
  }

  var answers: [Answer] { book.withLock { $0.answers } }
  var count: Int { book.withLock { $0.answers.count } }
  var failed: Int { book.withLock { $0.answers.count { $0.isFailed } } }

  private func drive(seed: UInt64) async {
    var random = SplitMix64(state: seed)
    let clock = ContinuousClock()
    var next = clock.now
    await withTaskGroup(of: Void.self) { group in
      while !Task.isCancelled {
        let perSecond = rate.withLock { $0 }
        guard perSecond > 0 else {
          try? await Task.sleep(for: .milliseconds(50))
          next = clock.now
          continue
        }
        next = next.advanced(by: .nanoseconds(Int(1e9 / perSecond)))
        let drawn = random.next()
        let shape = shapes.withLock { $0[Int(drawn % UInt64($0.count))] }
        group.addTask { await self.send(shape) }
        if next > clock.now { try? await Task.sleep(until: next, clock: clock) }
      }
    }
  }

  private func send(_ shape: RequestShape) async {
    var request = HTTPClientRequest(url: base + shape.path)
    request.method = HTTPMethod(rawValue: shape.method)
    if let body = shape.body {
      request.headers.add(name: "content-type", value: "application/json")
      request.body = .bytes(Array(body.utf8))
    }
    let sentAt = Instant.now
    // Its own task, so that stopping the driver lets requests under way end as they would have.
    let asked = request
    let exchange = Task { [client] () -> (status: Int, digest: String?)? in
      do {
        let response = try await client.execute(asked, timeout: Self.timeLimit)
        _ = try await response.body.collect(upTo: 1_048_576)
        return (Int(response.status.code), response.headers.first(name: Self.digestHeader))
      } catch {
        return nil
      }
    }
    let got = await exchange.value
    let answer = Answer(sentAt: sentAt, endedAt: .now, status: got?.status, digest: got?.digest)
    book.withLock { $0.answers.append(answer) }
  }
}

/// Sebastiano Vigna's SplitMix64: small, and the same sequence everywhere from one seed.
struct SplitMix64 {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
