import Kernel

/// All pages of one observed place, look by look: what each version served, and which versions serve.
struct VersionedFeed: Sendable {
  /// Looks in a row that may fail before the source is broken, as for instances of ours.
  static let toleratedMisses = MetricsFeed.toleratedMisses
  /// A page that did not answer for so long, while another one does, is an instance that was stopped. Before that it is
  /// a hole in the evidence. Longer than an instance takes to start anew.
  static let goneAfter = InstanceTrack.longestGap
  /// On a page that speaks for several versions, one that had none of so many requests serves no more; of more where its
  /// share says that it would have had fewer than `missedRequests` of them.
  static let idleRequests = 500.0
  /// A version that is due so many requests and gets none still serves with a chance of e^-21, 1 in 10^9: rare also over
  /// the thousand gaps between the requests of a version with 1 % that is watched for half an hour.
  static let missedRequests = 21.0
  /// Requests after which what a share was known by counts for half: shares move.
  private static let shareMemory = 5_000.0
  /// Versions whose last sight is remembered.
  static let mostRemembered = 50

  private struct VersionOnPage {
    var track = InstanceTrack()
    var hasMoved = false
    /// Requests that the page's other versions answered since this one last answered any, or since it was first seen.
    var passedBy = 0.0
    /// Of the page's latest requests, its own and all.
    var own = 0.0
    var all = 0.0
    /// It stood there at the page's first look, so nobody knows yet whether it serves or is long gone.
    var isOld = false
    var serves: Bool {
      hasMoved && passedBy < max(VersionedFeed.idleRequests, VersionedFeed.missedRequests * all / own)
    }
    var isUndecided: Bool { isOld && !hasMoved && passedBy < VersionedFeed.idleRequests }

    mutating func note(own served: Double, of everyone: Double) {
      guard served > 0 else { return passedBy += everyone }
      hasMoved = true
      own += served
      all += everyone + passedBy
      passedBy = 0
      if all > VersionedFeed.shareMemory { (own, all) = (own / 2, all / 2) }
    }
  }
  private struct Page {
    var versions: [ObservedVersion?: VersionOnPage] = [:]
    var present: Set<ObservedVersion> = []
    var misses = 0
    var fault: String?
    var isSenseless = false
    var goodAt: Instant?
  }

  private let begunAt: Instant
  let place: (service: ServiceName, environment: EnvironmentName)
  let source: VersionSource
  private(set) var mapping: MetricsMapping?
  private let excluded: [String]
  private var pages: [String: Page] = [:]
  private var survey = MetricsSurvey()
  private var detection: String?
  private var hasShownRequests = false
  private var to: Instant
  private var lastSeen: [ObservedVersion: Instant] = [:]
  /// Requests of the latest bin, by version.
  private var requests: [ObservedVersion: Double] = [:]

  /// - Parameters:
  ///   - mapping: nil to find the conventions by which the service names its metrics.
  ///   - excluded: routes of probes, left out where the metrics have a route.
  init(
    _ service: ServiceName, _ environment: EnvironmentName, source: VersionSource, mapping: MetricsMapping?,
    excluded: [String], from: Instant
  ) {
    place = (service, environment)
    self.source = source
    self.mapping = mapping
    self.excluded = excluded
    to = from
    begunAt = from
  }

  /// Closes the bin since the last call; one look for each page, in any order.
  mutating func looked(_ looks: [VersionedLook], at: Instant) -> ServedBin {
    var arms: [DeploymentID: ServedCounts] = [:]
    var since: [DeploymentID: Instant] = [:]
    requests = [:]
    for look in looks.sorted(by: { $0.url < $1.url }) {
      for (arm, served, from) in apply(look) {
        arms[arm] = (arms[arm] ?? .zero) + served
        since[arm] = min(since[arm] ?? from, from)
      }
    }
    detect()
    let asked = Set(looks.map(\.url))
    pages = pages.filter { asked.contains($0.key) }
    forgetOldest()
    let bin = ServedBin(from: to, to: max(to, at), arms: arms, since: since, source: health(at: at))
    to = bin.to
    return bin
  }

  /// Which versions serve; nil while no page has said any, and while one that served before our start might only not
  /// have shown itself yet: taken for gone, it would look like a rollback.
  var sighting: VersionSighting? {
    for page in pages.values {
      if page.goodAt == nil, to - begunAt <= Self.goneAfter { return nil }
      if page.versions.count > 1, page.versions.values.contains(where: \.isUndecided) { return nil }
    }
    var shown: [ObservedVersion: Int] = [:]
    for page in pages.values where page.goodAt.map({ to - $0 <= Self.goneAfter }) ?? false {
      for version in page.present { shown[version, default: 0] += 1 }
    }
    guard !shown.isEmpty else { return nil }
    let versions = shown.keys.sorted { left, right in
      let (a, b) = (shown[left] ?? 0, shown[right] ?? 0)
      let (c, d) = (requests[left] ?? 0, requests[right] ?? 0)
      return a != b ? a > b : c != d ? c > d : left < right
    }
    let gone = lastSeen.filter { shown[$0.key] == nil }.sorted { $0.key < $1.key }
    return VersionSighting(
      versions, gone: gone.map { VersionSighting.Departure($0.key, lastSeenAt: $0.value) }, at: to)
  }

  // MARK: One look

  private mutating func apply(_ look: VersionedLook) -> [(DeploymentID, ServedCounts, Instant)] {
    var page = pages[look.url] ?? Page()
    defer { pages[look.url] = page }
    page.isSenseless = false
    switch look.outcome {
    case .away(let sentence):
      page.misses += 1
      page.fault = sentence
      return []
    case .senseless(let sentence):
      page.isSenseless = true
      page.fault = sentence
      return []
    case .survey(let found):
      survey = survey + found
      page.misses = 0
      return []
    case .readings(let readings):
      page.misses = 0
      page.goodAt = look.at
      return take(readings, at: look.at, into: &page)
    }
  }

  private mutating func take(
    _ readings: [ObservedVersion?: InstanceReading], at: Instant, into page: inout Page
  ) -> [(DeploymentID, ServedCounts, Instant)] {
    var result: [(DeploymentID, ServedCounts, Instant)] = []
    var moved: [ObservedVersion: Double] = [:]
    let sorted = readings.sorted { ($0.key?.rawValue ?? "") < ($1.key?.rawValue ?? "") }
    let isFirst = page.versions.isEmpty
    for (version, reading) in sorted {
      hasShownRequests = hasShownRequests || reading.showsRequests
      var known = page.versions[version] ?? VersionOnPage(isOld: isFirst)
      switch known.track.look(reading, at: at) {
      case .begun, .repeated: break
      case .served(let served, let since):
        result.append((arm(of: version), served, since))
        if let version { moved[version] = served.requests }
      case .unbelievable(let sentence):
        page.isSenseless = true
        page.fault = sentence
      }
      page.versions[version] = known
    }
    page.versions = page.versions.filter { entry in
      readings[entry.key] != nil || entry.value.track.lookedAt.map { at - $0 <= Self.goneAfter } ?? false
    }
    note(moved, of: readings.keys.compactMap { $0 }, at: at, in: &page)
    return result
  }

  /// A page with one version is that version's. Where there are several, counters of versions that are gone stand
  /// still for ever, so only those that move are there.
  private mutating func note(
    _ moved: [ObservedVersion: Double], of versions: [ObservedVersion], at: Instant, in page: inout Page
  ) {
    page.present = []
    let all = moved.sorted { $0.key < $1.key }.reduce(0) { $0 + $1.value }
    for version in versions {
      let own = moved[version] ?? 0
      requests[version, default: 0] += own
      var known = page.versions[version] ?? VersionOnPage()
      known.note(own: own, of: all)
      page.versions[version] = known
      if own > 0 || versions.count == 1 { lastSeen[version] = at }
      if versions.count == 1 || known.serves { page.present.insert(version) }
    }
  }

  private func arm(of version: ObservedVersion?) -> DeploymentID {
    // Without a version all requests have one arm, whatever it is called.
    guard let version else { return DeploymentID.all(of: place.service, place.environment) }
    return source.arm(of: version, place.service, place.environment)
  }

  private mutating func forgetOldest() {
    while lastSeen.count > Self.mostRemembered,
      let oldest = lastSeen.min(by: { ($0.value, $0.key) < ($1.value, $1.key) })
    {
      lastSeen[oldest.key] = nil
    }
  }

  // MARK: What can be believed

  private mutating func detect() {
    guard mapping == nil else { return }
    do throws(Refusal) {
      mapping = try MetricsConventions.mapping(of: survey, excluded: excluded)
      detection = mapping == nil ? "no metric of requests is recognised yet" : nil
    } catch {
      detection = error.sentence
    }
    if mapping != nil { survey = MetricsSurvey() }
  }

  private func health(at: Instant) -> SourceHealth {
    let sorted = pages.sorted { $0.key < $1.key }
    if let (_, page) = sorted.first(where: { $0.value.isSenseless }) {
      return .broken(reason: page.fault ?? "a page makes no sense")
    }
    let answering = sorted.contains { $0.value.misses == 0 }
    for (url, page) in sorted where page.misses > 0 {
      let isGone = page.goodAt.map { at - $0 > Self.goneAfter } ?? true
      if answering, isGone { continue }
      if page.misses > Self.toleratedMisses || page.goodAt == nil {
        return .broken(reason: page.fault ?? "\(url) does not answer")
      }
    }
    if let detection { return .broken(reason: "the metrics of \(place.service): \(detection)") }
    guard hasShownRequests || sorted.isEmpty else {
      let name = mapping?.requests ?? "a metric of requests"
      return .broken(reason: "no page of \(place.service) has shown '\(name)' yet")
    }
    return .sound
  }
}
