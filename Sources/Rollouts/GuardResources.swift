import Kernel

/// One instance over the window under way and the ones before it.
struct UsageTrack: Codable, Equatable, Sendable {
  let isCanary: Bool
  let instance: Int
  private let run: UInt64
  /// When it was first looked at; nil in tracks of before that was kept, which are old enough.
  private let began: Instant?
  private var looks = 0
  private var bytes = 0.0
  private var firstAt: Instant
  private var lastAt: Instant
  private var firstProcessor: Double
  private var lastProcessor: Double
  /// Mean bytes of the last windows, oldest first: one, and two spans of half a minute at most.
  private(set) var means: [Double] = []

  /// A window with fewer looks says nothing.
  private static let fewestLooks = 5
  private static let mostMeans = 7
  /// By so much two halves of an even growth differ where looks are uneven by 2 %; a warm-up that slows by less than that
  /// in half a minute takes two minutes and more.
  private static let straight = 0.75
  /// Growth can be told from a step.
  static let fewestMeans = 3

  init(_ usage: InstanceUsage, isCanary: Bool, at: Instant) {
    self.isCanary = isCanary
    instance = usage.instance
    run = usage.run
    began = at
    (firstAt, lastAt) = (at, at)
    (firstProcessor, lastProcessor) = (usage.processorSeconds, usage.processorSeconds)
    look(usage, at: at)
  }

  /// - Returns: false when it is another process, which has a track of its own. Processor time that falls is that of a
  /// child nobody has waited for yet; it comes back.
  @discardableResult mutating func look(_ usage: InstanceUsage, at: Instant) -> Bool {
    guard usage.run == run else { return false }
    looks += 1
    bytes += Double(max(usage.residentBytes, 0))
    lastAt = at
    lastProcessor = max(lastProcessor, usage.processorSeconds)
    return true
  }

  /// Whether it has taken requests for `span`: from its beginning, or from its version's first share.
  func isWarm(after span: Span, since exposedAt: Instant, at now: Instant) -> Bool {
    now - max(began ?? exposedAt, exposedAt) >= span
  }

  /// Ends the window; the next begins with the last look.
  ///
  /// - Returns: processors used on average, 1 for one; nil when there were too few looks.
  mutating func close() -> Double? {
    defer {
      (looks, bytes) = (0, 0)
      (firstAt, firstProcessor) = (lastAt, lastProcessor)
    }
    guard looks >= UsageTrack.fewestLooks, lastAt > firstAt else {
      means = []
      return nil
    }
    means = Array((means + [bytes / Double(looks)]).suffix(UsageTrack.mostMeans))
    return (lastProcessor - firstProcessor) / (lastAt - firstAt).seconds
  }

  /// Where this memory will be after `windows` more, if what slows goes on slowing and what does not goes straight on:
  /// the growth of the later half of the windows over that of the earlier half is what each next such span keeps of the
  /// one before; from `straight` on it is read as 1. A warming-up that levels off so meets its own level and not the end
  /// of a line. Nil without growth in both halves.
  func projected(windows: Int) -> Double? {
    let half = (means.count - 1) / 2
    guard half > 0, let now = means.last else { return nil }
    var step = now - means[means.count - 1 - half]
    let before = means[means.count - 1 - half] - means[means.count - 1 - 2 * half]
    guard before > 0, step > 0 else { return nil }
    let ratio = step / before >= UsageTrack.straight ? 1 : step / before
    var level = now
    for _ in 0..<(windows / half) {
      step *= ratio
      level += step
    }
    return level
  }
  var growthPerSecond: Double {
    means.count < 2 ? 0 : (means[means.count - 1] - means[means.count - 2]) / GuardWindows.length.seconds
  }
}

/// What one closed window says about memory.
struct MemoryFinding: Codable, Equatable, Sendable {
  let instance: Int
  let bytes: Double
  let growthPerSecond: Double
  let oldBytes: Double
  let limit: Int64
}

/// Memory that grows towards its limit while the old version's does not.
///
/// A window is suspicious when half of the canary's instances or more take at least a quarter more than any instance of
/// the old version did since the watch began, grow without slowing towards the limit, and leave little time: they take
/// `nearness` of the limit and would meet it within ten minutes, or `leastNearness` and would within three. A cache that
/// fills looks like a leak until it stops, so it is left as much room as time allows: only where it is nearly at the
/// limit is it taken for one. Without a limit there is nothing to meet, and nothing is judged. Comparing with the old
/// version's highest keeps a saw-tooth of garbage collection that both have from being taken for a leak. A version that
/// leaks faster than about a minute is the crash loop's matter; one that would take hours is not seen by a watch of
/// minutes.
enum MemoryGuard {
  static let horizon = Span.minutes(10)
  static let clearlyMore = 1.25
  /// Of the limit. Who plans a cache for a limit leaves a quarter to a third for the rest (a JVM's usual
  /// `MaxRAMPercentage` is 70 to 75).
  static let nearness = 0.7
  /// Where the limit is met within `haste`, which is thrice what five windows and the rollback need: higher, and a leak
  /// of 2 MB/s meets a limit of 512 MB before it is seen.
  static let leastNearness = 0.55
  static let haste = Span.minutes(3)

  /// Nil when the window cannot be judged; `.some(nil)` is a calm one.
  static func judge(_ tracks: [UsageTrack], highestOld: Double, limit: Int64?) -> MemoryFinding?? {
    let canaries = tracks.filter { $0.isCanary && $0.means.count >= UsageTrack.fewestMeans }
    let old = tracks.filter { !$0.isCanary && $0.means.count >= UsageTrack.fewestMeans }
    guard let limit, !canaries.isEmpty, !old.isEmpty, highestOld > 0 else { return nil }
    let windows = Int(horizon.milliseconds / GuardWindows.length.milliseconds)
    if old.contains(where: { ($0.projected(windows: windows) ?? 0) >= Double(limit) }) { return .some(nil) }
    let growing = canaries.filter { track in
      guard let now = track.means.last, let then = track.projected(windows: windows) else { return false }
      let soon = track.projected(windows: Int(haste.milliseconds / GuardWindows.length.milliseconds)) ?? 0
      let near = soon >= Double(limit) ? leastNearness : nearness
      return now > max(clearlyMore * highestOld, near * Double(limit)) && then >= Double(limit)
    }
    guard growing.count * 2 >= canaries.count,
      let worst = growing.max(by: { ($0.means.last ?? 0) < ($1.means.last ?? 0) }), let bytes = worst.means.last
    else { return .some(nil) }
    return MemoryFinding(
      instance: worst.instance, bytes: bytes, growthPerSecond: worst.growthPerSecond, oldBytes: highestOld,
      limit: limit)
  }
}

/// What one closed window says about processor time.
struct ProcessorFinding: Codable, Equatable, Sendable {
  /// Seconds a request.
  let canary: Double
  let control: Double
}

/// Processor time per request of the new version against the old.
///
/// An instance uses some time without any request, which nobody can tell from the time for requests. So a canary is
/// held to what an old instance uses in all, or, where the canary's instances have more requests each, to as many times
/// that: the most that either split allows. Below an equal share of requests an instance it therefore takes a larger
/// worsening to be seen. The first minute of each of the canary's instances is not judged: caches and compilers warm up.
enum ProcessorGuard {
  /// The article's "2x the pre-deploy baseline", for processor time.
  static let factor = 2.0
  static let warmUp = Span.minutes(1)
  /// Less than a twentieth of a processor hurts nobody, and clock ticks are a hundredth of a second.
  static let leastProcessors = 0.05
  static let fewestRequests = 50

  struct Arm {
    /// Of each instance that is judged.
    let processors: [Double]
    /// Of all instances, which have as many each.
    let requests: Int
    let instances: Int
    var mean: Double { processors.reduce(0, +) / Double(processors.count) }
    var requestsEach: Double { Double(requests) / Double(max(instances, 1)) }
  }

  /// Nil when the window cannot be judged; `.some(nil)` is a calm one.
  static func judge(canary: Arm, control: Arm) -> ProcessorFinding?? {
    guard !canary.processors.isEmpty, !control.processors.isEmpty, canary.requests >= fewestRequests,
      control.requests >= fewestRequests
    else { return nil }
    let expected = control.mean * max(1, canary.requestsEach / control.requestsEach)
    guard canary.mean >= leastProcessors, canary.mean > factor * expected else { return .some(nil) }
    let seconds = GuardWindows.length.seconds
    return ProcessorFinding(
      canary: canary.mean * seconds / canary.requestsEach, control: control.mean * seconds / control.requestsEach)
  }
}
