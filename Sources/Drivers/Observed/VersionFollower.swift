import Foundation
import Kernel

/// Looks at one observed place again and again, hands on what its versions served, and remembers 25 minutes.
actor VersionFollower {
  /// The baseline's ten minutes, before a deployment that was told up to ten minutes late, and some room.
  static let keptSeconds: Double = 25 * 60
  /// A sighting that did not change is told again this often, so that no single observation is essential.
  static let reminder = Span.seconds(30)
  private static let binsKept = 2000

  private struct Subscription {
    let slowerThan: Span
    let bins: AsyncStream<EvidenceBin>.Continuation
  }

  private let scrape: VersionedScrape
  private let urls: [String]
  private let interval: Span
  private var feed: VersionedFeed
  private var history: [ServedBin] = []
  private var subscriptions: [Int: Subscription] = [:]
  private var watchers: [Int: AsyncStream<VersionSighting>.Continuation] = [:]
  private var nextNumber = 0
  private var told: VersionSighting?

  init(_ place: ObservedPages, fetcher: any HTTPFetcher, interval: Span) {
    scrape = VersionedScrape(fetcher: fetcher, source: place.source)
    urls = place.urls
    self.interval = interval
    feed = VersionedFeed(
      place.service, place.environment, source: place.source, mapping: place.mapping,
      excluded: place.excludedRoutes, from: .now)
  }

  /// Looks until the task is cancelled, then ends all streams.
  func follow() async {
    var next = ContinuousClock.now
    while !Task.isCancelled {
      await lookOnce()
      next = max(next + .milliseconds(interval.milliseconds), .now)
      try? await Task.sleep(until: next, clock: .continuous)
    }
    for subscription in subscriptions.values { subscription.bins.finish() }
    for watcher in watchers.values { watcher.finish() }
    subscriptions = [:]
    watchers = [:]
  }

  private func lookOnce() async {
    let mapping = feed.mapping
    let looks = await MetricsFollower.looks(at: urls) { [scrape] in await scrape.look($0, mapping) }
    guard !Task.isCancelled else { return }
    take(feed.looked(looks, at: .now))
  }

  private func take(_ bin: ServedBin) {
    history.append(bin)
    // A minute at a time, because removing from the front is O(n).
    let oldest = bin.to - .seconds(Self.keptSeconds)
    if let first = history.first, first.to < oldest - .minutes(1) { history.removeAll { $0.to < oldest } }
    for subscription in subscriptions.values {
      subscription.bins.yield(bin.evidence(slowerThan: subscription.slowerThan))
    }
    guard let sighting = feed.sighting else { return }
    if let told, told.versions.sorted() == sighting.versions.sorted(), sighting.at - told.at < Self.reminder { return }
    told = sighting
    for watcher in watchers.values { watcher.yield(sighting) }
  }

  func sightings() -> AsyncStream<VersionSighting> {
    let number = nextNumber
    nextNumber += 1
    let (stream, continuation) = AsyncStream.makeStream(of: VersionSighting.self, bufferingPolicy: .bufferingNewest(16))
    watchers[number] = continuation
    continuation.onTermination = { [weak self] _ in
      guard let self else { return }
      Task { await self.forget(number) }
    }
    if let sighting = feed.sighting { continuation.yield(sighting) }
    return stream
  }

  /// What is remembered since an instant, then what comes.
  func bins(slowerThan: Span, since: Instant) -> AsyncStream<EvidenceBin> {
    let number = nextNumber
    nextNumber += 1
    let (stream, continuation) = AsyncStream.makeStream(
      of: EvidenceBin.self, bufferingPolicy: .bufferingNewest(Self.binsKept))
    for bin in history where bin.from >= since { continuation.yield(bin.evidence(slowerThan: slowerThan)) }
    subscriptions[number] = Subscription(slowerThan: slowerThan, bins: continuation)
    continuation.onTermination = { [weak self] _ in
      guard let self else { return }
      Task { await self.forget(number) }
    }
    return stream
  }

  private func forget(_ number: Int) {
    subscriptions[number] = nil
    watchers[number] = nil
  }

  func windows(of arm: DeploymentID, slowerThan: Span, from: Instant, until: Instant, width: Span) -> [RequestCounts] {
    let before = history.filter { $0.to <= until && $0.source == .sound }
    return MetricsFollower.windows(before, of: arm, slowerThan: slowerThan, since: from, width: width)
  }
}
