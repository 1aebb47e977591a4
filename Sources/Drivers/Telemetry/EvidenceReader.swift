import Kernel

/// One consumer of bins: a service, a threshold, and the bin under way.
struct EvidenceReader {
  private struct Arm {
    var counts = RequestCounts.zero
    var firstBadAt: Instant?
    var lastBadAt: Instant?
    var durations: [Int64] = []
    mutating func bad(_ at: Instant) {
      firstBadAt = min(firstBadAt ?? at, at)
      lastBadAt = max(lastBadAt ?? at, at)
    }
  }

  let service: ServiceName
  private let thresholdMs: Int64
  private var from: Instant
  private var arms: [DeploymentID: Arm] = [:]
  private var hanging: [String: HangingRequests] = [:]
  private var repeated: [DeploymentID: RepeatedFailures] = [:]

  init(service: ServiceName, slowerThan: Span, from: Instant) {
    self.service = service
    thresholdMs = slowerThan.milliseconds
    self.from = from
  }

  mutating func read(_ line: RequestLine, track: ServerTrack) {
    guard line.service == service, let deployment = line.deployment else { return }
    let counted =
      hanging[line.server, default: HangingRequests(thresholdMs: thresholdMs, track: track)]
      .lineRead(startedMs: line.startedMs, durationMs: line.durationMs)
    // Counted as request and slow when it crossed the threshold; counting its late error too would make a bin hold more
    // errors than requests.
    guard !counted else { return }
    let slow = line.durationMs > thresholdMs
    let isRepeat = repeated[deployment, default: RepeatedFailures()]
      .isRepeat(client: line.client, isError: line.isError, endedMs: line.endedMs)
    arms[deployment, default: Arm()].counts =
      (arms[deployment]?.counts ?? .zero)
      + RequestCounts(
        requests: 1, errors: line.isError ? 1 : 0, slow: slow ? 1 : 0, repeats: isRepeat ? 1 : 0)
    arms[deployment]?.durations.append(line.durationMs)
    if slow || line.isError { arms[deployment]?.bad(Instant(milliseconds: line.endedMs)) }
  }

  /// After HAProxy was asked: counts requests that crossed the threshold and are still open.
  mutating func looked(_ server: String, track: ServerTrack, nowMs: Int64) {
    guard let deployment = HAProxyFolder.deployment(ofServer: server[...]) else { return }
    let new = hanging[server, default: HangingRequests(thresholdMs: thresholdMs, track: track)]
      .crossed(track, nowMs: nowMs)
    guard new > 0 else { return }
    arms[deployment, default: Arm()].counts =
      (arms[deployment]?.counts ?? .zero) + RequestCounts(requests: new, slow: new, hanging: new)
    arms[deployment]?.bad(Instant(milliseconds: nowMs))
  }

  /// Requests of the deployment that were counted as hanging and are still open; 0 when the threshold is another.
  func hanging(of deployment: DeploymentID, slowerThan: Span) -> Int {
    guard slowerThan.milliseconds == thresholdMs else { return 0 }
    return hanging.reduce(0) {
      $0 + (HAProxyFolder.deployment(ofServer: $1.key[...]) == deployment ? $1.value.pending : 0)
    }
  }

  /// HAProxy counts from zero again, or the server is gone.
  mutating func forget(_ server: String) { hanging[server] = nil }

  /// Closes the bin under way at `to` and begins the next.
  mutating func bin(to: Instant, source: SourceHealth) -> EvidenceBin {
    defer {
      from = max(from, to)
      arms = [:]
    }
    let sorted = arms.sorted { $0.key < $1.key }.map { deployment, arm in
      ArmEvidence(
        deployment: deployment, counts: arm.counts, firstBadAt: arm.firstBadAt, lastBadAt: arm.lastBadAt,
        p99Ms: Self.percentile99(arm.durations))
    }
    return EvidenceBin(from: from, to: max(from, to), arms: sorted, source: source)
  }

  /// Nearest rank: the smallest time that at least 99 % of the requests did not exceed. O(n log n).
  static func percentile99(_ durations: [Int64]) -> Double? {
    guard !durations.isEmpty else { return nil }
    return Double(durations.sorted()[(durations.count * 99 + 99) / 100 - 1])
  }
}
