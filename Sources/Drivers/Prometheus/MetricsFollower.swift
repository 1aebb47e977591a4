import Foundation
import Kernel

/// Looks at one service's instances in one environment again and again, and hands on what they served.
package actor MetricsFollower {
  /// Research of rollouts §4: instances asked directly at 1 s are the fastest evidence that names versions exactly.
  package static let interval = Span.seconds(1)
  static let keptSeconds: Int64 = 15 * 60
  /// Pages asked for at one time; a service with more instances is asked in turns.
  static let mostAtOnce = 32
  /// Ten minutes of looks wait for a consumer that is held up; older ones are let go.
  private static let binsKept = 600

  private struct Subscription {
    let slowerThan: Span
    let width: Span
    let bins: AsyncStream<EvidenceBin>.Continuation
    var pending: [ServedBin] = []
  }

  private let scrape: MetricsScrape
  private let interval: Span
  private let targets: @Sendable () async -> [MetricsTarget]
  private var feed: MetricsFeed
  private var history: [ServedBin] = []
  private var subscriptions: [Int: Subscription] = [:]
  private var nextSubscription = 0

  init(
    _ service: ScrapedService, scrape: MetricsScrape, interval: Span,
    targets: @escaping @Sendable () async -> [MetricsTarget]
  ) {
    self.scrape = scrape
    self.interval = interval
    self.targets = targets
    feed = MetricsFeed(mapping: service.mapping, excluded: service.excludedRoutes, from: .now)
  }

  /// Looks until the task is cancelled, then ends all streams.
  func follow() async {
    var next = ContinuousClock.now
    while !Task.isCancelled {
      await lookOnce()
      // A look that took too long is followed at once by the next, never by two.
      next = max(next + .milliseconds(interval.milliseconds), .now)
      try? await Task.sleep(until: next, clock: .continuous)
    }
    for subscription in subscriptions.values { subscription.bins.finish() }
    subscriptions = [:]
  }

  /// Asks every instance once and hands on what they served since the last look.
  private func lookOnce() async {
    let targets = await targets()
    let mapping = feed.mapping
    let looks = await Self.looks(at: targets) { [scrape] in await scrape.look($0, mapping) }
    guard !Task.isCancelled else { return }
    take(feed.looked(looks, at: .now))
  }

  /// Looks at all of them, at most `mostAtOnce` at a time; in any order.
  static func looks<Place: Sendable, Look: Sendable>(
    at places: [Place], _ look: @escaping @Sendable (Place) async -> Look
  ) async -> [Look] {
    var looks: [Look] = []
    for start in stride(from: 0, to: places.count, by: mostAtOnce) {
      looks += await withTaskGroup(of: Look.self) { group in
        for place in places[start..<min(start + mostAtOnce, places.count)] { group.addTask { await look(place) } }
        return await group.reduce(into: []) { $0.append($1) }
      }
    }
    return looks
  }

  private func take(_ bin: ServedBin) {
    history.append(bin)
    // A minute at a time, because removing from the front is O(n).
    let oldest = bin.to - .seconds(Double(Self.keptSeconds))
    if let first = history.first, first.to < oldest - .minutes(1) { history.removeAll { $0.to < oldest } }
    for number in subscriptions.keys.sorted() { deliver(bin, to: number) }
  }

  private func deliver(_ bin: ServedBin, to number: Int) {
    guard var subscription = subscriptions[number] else { return }
    subscription.pending.append(bin)
    // Half a look may be missing: looks do not come to the millisecond.
    let half = Span(milliseconds: interval.milliseconds / 2)
    if let from = subscription.pending.first?.from, bin.to - from + half >= subscription.width {
      subscription.bins.yield(Self.joined(subscription.pending).evidence(slowerThan: subscription.slowerThan))
      subscription.pending = []
    }
    subscriptions[number] = subscription
  }

  /// One bin over several, in order; broken when any was.
  static func joined(_ bins: [ServedBin]) -> ServedBin {
    let broken = bins.map(\.source).last { $0 != .sound }
    return ServedBin(
      from: bins.first?.from ?? .now, to: bins.last?.to ?? .now,
      arms: bins.reduce(into: [:]) { $0.merge($1.arms, uniquingKeysWith: +) },
      since: bins.reduce(into: [:]) { $0.merge($1.since, uniquingKeysWith: min) }, source: broken ?? .sound)
  }

  func bins(slowerThan: Span, width: Span) -> AsyncStream<EvidenceBin> {
    let number = nextSubscription
    nextSubscription += 1
    let (stream, continuation) = AsyncStream.makeStream(
      of: EvidenceBin.self, bufferingPolicy: .bufferingNewest(Self.binsKept))
    subscriptions[number] = Subscription(slowerThan: slowerThan, width: width, bins: continuation)
    continuation.onTermination = { [weak self] _ in
      guard let self else { return }
      Task { await self.forget(number) }
    }
    return stream
  }

  private func forget(_ number: Int) { subscriptions[number] = nil }

  /// Windows of `width` from `since` on, up to the last look with requests of the deployment.
  func windows(of deployment: DeploymentID, slowerThan: Span, since: Instant, width: Span) -> [RequestCounts] {
    Self.windows(history, of: deployment, slowerThan: slowerThan, since: since, width: width)
  }

  static func windows(
    _ bins: [ServedBin], of deployment: DeploymentID, slowerThan: Span, since: Instant, width: Span
  ) -> [RequestCounts] {
    var windows: [ServedCounts] = []
    for bin in bins where bin.to > since {
      guard let served = bin.arms[deployment] else { continue }
      let index = Int(max((bin.to - since).milliseconds - 1, 0) / max(width.milliseconds, 1))
      while windows.count <= index { windows.append(.zero) }
      windows[index] = windows[index] + served
    }
    return windows.map { $0.counts(slowerThan: slowerThan) }
  }

  func counts(of deployment: DeploymentID, slowerThan: Span, since: Instant) -> Harm {
    let bins = history.filter { $0.to > since && $0.arms[deployment] != nil }
    let bad = bins.map { $0.evidence(slowerThan: slowerThan) }.flatMap(\.arms).filter { $0.deployment == deployment }
    return Harm(
      counts: bins.reduce(.zero) { $0 + ($1.arms[deployment] ?? .zero) }.counts(slowerThan: slowerThan),
      firstBadAt: bad.compactMap(\.firstBadAt).min(), lastBadAt: bad.compactMap(\.lastBadAt).max(), clientMinutes: 0)
  }

  func resources(of deployment: DeploymentID) -> [InstanceResources] { feed.resources(of: deployment) }
  func caveats(slowerThan: Span) -> [String] { feed.caveats(slowerThan: slowerThan) }
}
