import Kernel

/// Where an instance shows its metrics.
package struct MetricsTarget: Hashable, Comparable, Sendable {
  package let deployment: DeploymentID
  package let instance: Int
  /// `http://127.0.0.1:20001/metrics`
  package let url: String
  package init(_ deployment: DeploymentID, instance: Int, url: String) {
    self.deployment = deployment
    self.instance = instance
    self.url = url
  }
  package static func < (left: Self, right: Self) -> Bool {
    (left.deployment, left.instance, left.url) < (right.deployment, right.instance, right.url)
  }
}

/// What came of asking one instance once.
struct InstanceLook: Sendable {
  enum Page: Sendable {
    /// No mapping was known yet: what the page has.
    case survey(MetricsSurvey)
    case reading(InstanceReading)
  }
  let target: MetricsTarget
  let result: Result<Page, Outage>
  /// When the answer had come, by our clock.
  let at: Instant
}

/// What all instances of a service served in one look's time.
struct ServedBin: Sendable {
  let from: Instant
  let to: Instant
  let arms: [DeploymentID: ServedCounts]
  /// Since when an arm's counts are: earlier than `from` after a missed look.
  let since: [DeploymentID: Instant]
  let source: SourceHealth

  func evidence(slowerThan threshold: Span) -> EvidenceBin {
    let arms = arms.sorted { $0.key < $1.key }.map { deployment, served in
      let counts = served.counts(slowerThan: threshold)
      let isBad = counts.errors + counts.slow > 0
      // Counters say how many, not when: all of it may have been at the look before.
      return ArmEvidence(
        deployment: deployment, counts: counts, firstBadAt: isBad ? since[deployment] ?? from : nil,
        lastBadAt: isBad ? to : nil, p99Ms: served.p99Ms)
    }
    return EvidenceBin(from: from, to: to, arms: arms, source: source)
  }
}

/// One service's instances in one environment, look by look. Instances come and go: a new one's first look is where
/// its counting begins, and one that is no longer asked is forgotten after `InstanceTrack.longestGap`.
struct MetricsFeed: Sendable {
  /// Looks in a row that may fail before the source is broken: a second of a busy machine is none, three are.
  static let toleratedMisses = 2

  private struct Follow {
    var track = InstanceTrack()
    var resources = ResourceTrack()
    var misses = 0
    var lastFault: String?
    var lastAskedAt: Instant
    /// Whether any look was ever good.
    var hasBegun = false
    mutating func good() {
      misses = 0
      hasBegun = true
    }
  }

  private(set) var mapping: MetricsMapping?
  private let excluded: [String]
  private var follows: [MetricsTarget: Follow] = [:]
  private var survey = MetricsSurvey()
  private var detection: String?
  private var hasShownRequests = false
  private var hasShownDurations = false
  private var to: Instant
  /// The bounds and the mixture of the latest look that had any, for `caveats`.
  private var latest = ServedCounts.zero

  /// - Parameters:
  ///   - mapping: nil to find the conventions by which the service names its metrics.
  ///   - excluded: paths of probes and of the metrics page, left out where the metrics have a route.
  init(mapping: MetricsMapping?, excluded: [String], from: Instant) {
    self.mapping = mapping
    self.excluded = excluded
    to = from
  }

  /// Closes the bin since the last call with what the looks say; one for each target, in any order.
  mutating func looked(_ looks: [InstanceLook], at: Instant) -> ServedBin {
    var arms: [DeploymentID: ServedCounts] = [:]
    var since: [DeploymentID: Instant] = [:]
    for look in looks.sorted(by: { $0.target < $1.target }) {
      guard let (served, from) = apply(look) else { continue }
      let deployment = look.target.deployment
      arms[deployment] = (arms[deployment] ?? .zero) + served
      since[deployment] = min(since[deployment] ?? from, from)
    }
    detect()
    let asked = Set(looks.map(\.target))
    follows = follows.filter { asked.contains($0.key) || at - $0.value.lastAskedAt <= InstanceTrack.longestGap }
    if let any = arms.values.first(where: { $0.timed > 0 }) { latest = any }
    let bin = ServedBin(from: to, to: max(to, at), arms: arms, since: since, source: health(of: asked))
    to = bin.to
    return bin
  }

  /// Nil when the look says nothing of what was served.
  private mutating func apply(_ look: InstanceLook) -> (ServedCounts, since: Instant)? {
    var follow = follows[look.target] ?? Follow(lastAskedAt: look.at)
    follow.lastAskedAt = max(follow.lastAskedAt, look.at)
    defer { follows[look.target] = follow }
    switch look.result {
    case .failure(let outage):
      follow.misses += 1
      follow.lastFault = outage.sentence
      return nil
    case .success(.survey(let found)):
      survey = survey + found
      follow.misses = 0
      return nil
    case .success(.reading(let reading)):
      hasShownRequests = hasShownRequests || reading.showsRequests
      hasShownDurations = hasShownDurations || reading.showsDurations
      switch follow.track.look(reading, at: look.at) {
      case .begun:
        follow.good()
        follow.resources.look(reading, served: nil, at: look.at)
        return nil
      case .repeated: return nil
      case .served(let served, let from):
        follow.good()
        follow.resources.look(reading, served: served.requests, at: look.at)
        return (served, from)
      case .unbelievable(let sentence):
        // At once: a number that cannot be is no hiccup.
        follow.misses = Self.toleratedMisses + 1
        follow.lastFault = sentence
        return nil
      }
    }
  }

  private mutating func detect() {
    guard mapping == nil else { return }
    do throws(Refusal) {
      mapping = try MetricsConventions.mapping(of: survey, excluded: excluded)
      detection = mapping == nil ? "no metric of requests is recognised yet; name one in a mapping if none comes" : nil
    } catch {
      detection = error.sentence
    }
    if mapping != nil { survey = MetricsSurvey() }
  }

  /// Silence is sound: without an instance nothing can be served.
  private func health(of asked: Set<MetricsTarget>) -> SourceHealth {
    for target in asked.sorted() {
      guard let follow = follows[target] else { continue }
      if follow.misses > Self.toleratedMisses || (follow.misses > 0 && !follow.hasBegun && mapping != nil) {
        return .broken(
          reason: "the metrics of \(target.deployment), instance \(target.instance): "
            + (follow.lastFault ?? "no answer"))
      }
    }
    if let silent = asked.sorted().first(where: { follows[$0]?.misses ?? 0 > 0 }),
      asked.contains(where: { $0.deployment != silent.deployment && follows[$0]?.misses == 0 })
    {
      return .broken(
        reason: "the metrics of \(silent.deployment), instance \(silent.instance): "
          + "\(follows[silent]?.lastFault ?? "no answer"); the other version's alone are no comparison")
    }
    guard !asked.isEmpty, let missing else { return .sound }
    return .broken(reason: "the metrics of the service: \(missing)")
  }

  /// A metric that the mapping names and no page ever had. Counting nothing of it would look like perfect health.
  private var missing: String? {
    guard let mapping else { return detection }
    guard hasShownRequests else {
      return "no page has shown '\(mapping.requests)' yet; correct the mapping if requests were served"
    }
    guard let durations = mapping.durations, !hasShownDurations else { return nil }
    return "no page has shown '\(durations.histogram)_bucket' yet; correct the mapping, or leave durations out of it"
  }

  /// Memory and processor time of each instance that is asked, sorted by instance.
  func resources(of deployment: DeploymentID) -> [InstanceResources] {
    follows.sorted { $0.key < $1.key }.filter { $0.key.deployment == deployment }
      .compactMap { $0.value.resources.resources(of: $0.key) }
  }

  /// What these metrics cannot tell, in sentences for a person.
  func caveats(slowerThan threshold: Span) -> [String] {
    guard let mapping else { return [] }
    var caveats: [String] = []
    if mapping.routes == nil {
      caveats.append("\(mapping.requests) has no label for the route, so probes count as requests and dilute errors.")
    }
    guard let durations = mapping.durations else {
      return caveats + ["No histogram says how long requests took, so latency is not judged by metrics."]
    }
    guard latest.timed > 0 else { return caveats }
    if let bound = latest.bound(for: threshold) {
      if bound < Double(threshold.milliseconds) * (1 - 1e-9) {
        caveats.append(
          "\(durations.histogram) has no bound at \(threshold.milliseconds) ms; a request counts as slow above the next "
            + "lower one, \(Self.words(bound)) ms, so more look slow than are.")
      }
    } else {
      caveats.append(
        "All bounds of \(durations.histogram) are above \(threshold.milliseconds) ms, so latency is not judged by "
          + "metrics.")
    }
    if latest.mixesErrors {
      caveats.append(
        "\(durations.histogram) does not tell errors apart; as many slow requests as errors are left out of the "
          + "slow ones.")
    }
    return caveats
  }

  private static func words(_ number: Double) -> String {
    number == number.rounded() && abs(number) < 1e15 ? "\(Int(number))" : "\(number)"
  }
}
