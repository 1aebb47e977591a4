import Kernel

/// Whether an environment's evidence can be believed: the log compared with HAProxy's own counters.
struct SourceWatch {
  /// A line on its way arrives within milliseconds; what is missing for this long is lost.
  static let windowMs: Int64 = 2_000
  /// Lines that may be missing in a window: three, for requests that HAProxy counts for a server but ends without a
  /// line of it (aborted while connecting), and one in a hundred, a tenth of the smallest share of errors that a judge
  /// could see in so short a time.
  static let toleratedLines = 3
  static let toleratedPercent = 1

  private(set) var health = SourceHealth.broken(reason: "HAProxy has not been asked yet")
  private var lastDropped: Int64?
  private var droppedAtMs: Int64?
  private var linesWhenBroken: Int?
  private var lines = 0

  mutating func linesRead(_ count: Int) { lines += count }

  mutating func unreachable(_ reason: String) { health = .broken(reason: reason) }

  mutating func restarted() {
    lastDropped = nil
    droppedAtMs = nil
    linesWhenBroken = nil
  }

  mutating func looked(tracks: [ServerTrack], dropped: Int64, socketsIntact: Bool, nowMs: Int64) {
    if let lastDropped, dropped > lastDropped { droppedAtMs = nowMs }
    lastDropped = dropped
    guard socketsIntact else {
      health = .broken(reason: "the log sockets were removed; they are being made again")
      return
    }
    if let droppedAtMs, nowMs - droppedAtMs < Self.windowMs {
      health = .broken(reason: "HAProxy drops log lines because they are not read fast enough")
      return
    }
    let lost = tracks.reduce(0) { $0 + $1.lost(nowMs: nowMs, window: Self.windowMs) }
    let recent = tracks.reduce(0) { sum, track in
      guard let last = track.looks.last, let first = track.looks.first(where: { $0.atMs > nowMs - Self.windowMs })
      else { return sum }
      return sum + last.started - first.started
    }
    if lost > Self.toleratedLines + recent * Self.toleratedPercent / 100 {
      linesWhenBroken = lines
      health = .broken(reason: "HAProxy counted \(lost) requests that its log does not show")
      return
    }
    // Silence after a loss proves nothing: only a line that came, with the counters in step, does.
    if let linesWhenBroken, lines == linesWhenBroken { return }
    linesWhenBroken = nil
    health = .sound
  }
}
