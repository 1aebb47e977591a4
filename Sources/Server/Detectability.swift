import Kernel
import Rollouts

/// What a running watch could see at the traffic that it has: the minimum detectable effect, in words.
enum Detectability {
  /// Long enough to smooth a second without a request at 1 request/s, short enough to follow a step.
  static let window = Span.seconds(30)

  /// Nil when nothing is judged, or while no request has reached the new version.
  static func sentence(of course: Course, _ series: EvidenceSeries?) -> String? {
    guard course.isJudged, let baseline = course.baseline ?? firstBaseline(course), let points = series?.points,
      let last = points.last
    else { return nil }
    let latest = points.suffix(while: { last.at - $0.at < window })
    // A point counts what came since the one before it.
    let begin = latest.startIndex > points.startIndex ? points[latest.startIndex - 1].at : latest[latest.startIndex].at
    let span = last.at - begin
    guard span > .zero else { return nil }
    let requests = latest.dropFirst(latest.startIndex > points.startIndex ? 0 : 1).reduce(0) { $0 + $1.canary.requests }
    let rate = Double(requests) / span.seconds
    return DetectableEffect(requestsPerSecond: rate, baseline: baseline, policy: course.policy.judge).sentence
  }

  /// A first deployment has nothing to compare with; the ceiling judges it.
  private static func firstBaseline(_ course: Course) -> Baseline? {
    course.start.knownGood == nil ? Baseline.none : nil
  }
}

extension [EvidencePoint] {
  /// The longest run at the end all of which satisfies `isWithin`.
  fileprivate func suffix(while isWithin: (EvidencePoint) -> Bool) -> ArraySlice<EvidencePoint> {
    let start = lastIndex { !isWithin($0) }.map { $0 + 1 } ?? startIndex
    return self[start...]
  }
}
