import Kernel

/// What one instance uses, as the metrics of its process say; for memory growth and processor time per request before
/// either becomes an outage.
package struct InstanceResources: Equatable, Sendable {
  package let deployment: DeploymentID
  package let instance: Int
  /// The time that the figures span; zero after one look.
  package let over: Span
  /// Now, in bytes; nil when the service does not say.
  package let residentBytes: Double?
  /// Bytes a second, by least squares over the span; nil with fewer than `ResourceTrack.fewestLooks` looks.
  package let residentGrowth: Double?
  /// Seconds of processor time per request over the span; nil without requests or when the service does not say.
  package let processorSecondsPerRequest: Double?
  /// Requests over the span.
  package let requests: Double
}

/// One instance's memory and processor time of late.
struct ResourceTrack: Sendable {
  /// Long enough that a garbage collector's saw-tooth evens out, short enough to be about this step.
  static let window = Span.minutes(10)
  /// Through fewer points a line means little.
  static let fewestLooks = 10

  private struct Look {
    let at: Instant
    let residentBytes: Double?
    let processorSeconds: Double?
    /// Since the first look.
    let requests: Double
  }
  private var looks: [Look] = []

  /// - Parameter served: requests since the look before; nil when that is not known, which begins anew.
  mutating func look(_ reading: InstanceReading, served: Double?, at: Instant) {
    let processor = reading.processorSeconds
    let restarted = looks.last.flatMap { last in
      last.processorSeconds.flatMap { before in processor.map { $0 < before } }
    }
    if served == nil || restarted == true { looks = [] }
    looks.append(
      Look(
        at: at, residentBytes: reading.residentBytes, processorSeconds: processor,
        requests: (looks.last?.requests ?? 0) + (looks.isEmpty ? 0 : served ?? 0)))
    // Ten looks at a time, because removing from the front is O(n).
    if looks.count > 10, at - looks[10].at > Self.window { looks.removeFirst(10) }
  }

  /// Nil before the first look.
  func resources(of target: MetricsTarget) -> InstanceResources? {
    guard let first = looks.first, let last = looks.last else { return nil }
    let requests = last.requests - first.requests
    let processor = last.processorSeconds.flatMap { now in first.processorSeconds.map { now - $0 } }
    return InstanceResources(
      deployment: target.deployment, instance: target.instance, over: last.at - first.at,
      residentBytes: last.residentBytes, residentGrowth: growth,
      processorSecondsPerRequest: requests > 0 ? processor.map { $0 / requests } : nil, requests: requests)
  }

  private var growth: Double? {
    let points = looks.compactMap { look in
      look.residentBytes.map { (x: (look.at - looks[0].at).seconds, y: $0) }
    }
    guard points.count >= Self.fewestLooks else { return nil }
    let count = Double(points.count)
    let meanX = points.reduce(0) { $0 + $1.x } / count
    let meanY = points.reduce(0) { $0 + $1.y } / count
    let spread = points.reduce(0) { $0 + ($1.x - meanX) * ($1.x - meanX) }
    guard spread > 0 else { return nil }
    return points.reduce(0) { $0 + ($1.x - meanX) * ($1.y - meanY) } / spread
  }
}
