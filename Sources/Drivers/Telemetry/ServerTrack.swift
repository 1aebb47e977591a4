import Kernel

/// What one HAProxy process says of one server in a `show stat`.
struct ServerSample: Equatable {
  /// Requests that went to the server and stayed there: `stot` less `wredis`, since a request that a dead server
  /// refused and another answered is counted by both but logged by the other.
  let started: Int
  /// Requests open now (`scur`).
  let open: Int
}

/// One server's counters beside its log lines.
///
/// With S(t) requests started, E(t) lines read and O(t) requests open, the drift S - E - O is constant while no line is
/// lost: it counts requests that ended unseen, before we listened or because lines were lost.
struct ServerTrack {
  /// Samples kept: 60 s at four a second bound the longest slowness threshold that hanging requests are found for.
  static let samplesKept = 256
  struct Look {
    let atMs: Int64
    let started: Int
    let drift: Int
  }
  private(set) var ended = 0
  private(set) var open = 0
  private(set) var looks: [Look] = []

  mutating func lineRead() { ended += 1 }

  /// Forgets earlier looks: after a known gap they would tell of the gap a second time.
  mutating func compareAfresh() { looks = [] }

  /// - Parameters:
  ///   - endedBefore: lines read *before* HAProxy was asked. A request that ended in between makes the drift too great
  ///     for one look, which only hides a hanging request for that long; the other order would invent one.
  ///   - atMs: when its answer had come.
  mutating func look(_ sample: ServerSample, endedBefore: Int, atMs: Int64) {
    if let last = looks.last, sample.started < last.started { self = ServerTrack() }
    open = sample.open
    looks.append(
      Look(atMs: atMs, started: sample.started, drift: sample.started - endedBefore - sample.open))
    if looks.count > Self.samplesKept { looks.removeFirst(looks.count - Self.samplesKept) }
  }

  /// Lines lost of late: the least drift of the last `window` over the least of the window before. The least, because a
  /// line on its way makes one look's drift too great, and only what lasts a whole window was lost.
  func lost(nowMs: Int64, window: Int64) -> Int {
    let recent = looks.filter { $0.atMs > nowMs - window }.map(\.drift).min()
    let earlier = looks.filter { $0.atMs <= nowMs - window && $0.atMs > nowMs - 2 * window }.map(\.drift).min()
    guard let recent, let earlier else { return 0 }
    return max(0, recent - earlier)
  }
}

/// Finds requests of one server that hang longer than a threshold T while they are still open, for one reader.
///
/// Of the S(t-T) requests started by t-T, those that ended have a line that says when they started. So the requests
/// open longer than T number S(t-T) - drift - |{lines with start <= t-T}|, never more than are open. Every inexactness
/// is turned to the low side: a hanging request may be found one look late, never one too many.
struct HangingRequests {
  /// Lines name whole milliseconds and HAProxy's clock is read once a loop: starts this much later count as before.
  /// At r requests a second it hides r * 0.003 hanging requests in one look, and the next look has its own luck.
  static let slackMs: Int64 = 3
  private let thresholdMs: Int64
  private var settled: Int
  private var recentStarts: [Int64] = []
  /// Counted as hanging, their lines still to come.
  private(set) var pending = 0

  init(thresholdMs: Int64, track: ServerTrack) {
    self.thresholdMs = thresholdMs
    settled = track.ended
  }

  /// Takes a request's line. True when this request was already counted while it hung.
  mutating func lineRead(startedMs: Int64, durationMs: Int64) -> Bool {
    recentStarts.append(startedMs)
    guard durationMs > thresholdMs, pending > 0 else { return false }
    pending -= 1
    return true
  }

  /// The requests that crossed the threshold since the last call.
  mutating func crossed(_ track: ServerTrack, nowMs: Int64) -> Int {
    pending = min(pending, track.open)
    guard let look = track.looks.last(where: { $0.atMs <= nowMs - thresholdMs }), let last = track.looks.last else {
      return 0
    }
    let boundary = look.atMs + Self.slackMs
    let before = recentStarts.count
    recentStarts.removeAll { $0 <= boundary }
    settled += before - recentStarts.count
    let hanging = min(track.open, look.started - last.drift - settled)
    let new = max(0, hanging - pending)
    pending += new
    return new
  }
}
