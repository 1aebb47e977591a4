import Foundation
import Kernel

/// The last 15 minutes of one environment, in memory and in two files that take turns, so that a restart keeps the
/// baseline. Seconds are written when they end, client minutes likewise. Not fsynced: a power cut costs seconds of a
/// baseline, never a decision.
struct LatencyHistory {
  static let keptSeconds: Int64 = 15 * 60

  private let folder: String
  private var seconds: [SecondOfHistory] = []
  private var current: [DeploymentID: SecondOfHistory] = [:]
  private var clients = ClientMinutes()
  private var minute: Int64?
  private var fileStarted: Int64?

  init(folder: String) {
    self.folder = folder
    for path in [previousPath, currentPath] {
      let lines = String(decoding: ProcessTable.contents(path) ?? [], as: UTF8.self).split(separator: "\n")
      let read = lines.compactMap { SecondOfHistory(line: $0) }
      if path == currentPath { fileStarted = read.first?.second }
      seconds += read
      for line in lines { clients.add(line: line) }
    }
  }

  private var currentPath: String { "\(folder)/history.current" }
  private var previousPath: String { "\(folder)/history.previous" }

  mutating func add(_ line: RequestLine, _ deployment: DeploymentID, nowMs: Int64) {
    turn(nowMs: nowMs)
    current[deployment, default: SecondOfHistory(second: nowMs / 1000, deployment: deployment)]
      .add(durationMs: line.durationMs, isError: line.isError, endedMs: line.endedMs)
    clients.add(line, deployment)
  }

  /// Moves whole seconds and minutes to memory and file. Call at least once a second.
  mutating func turn(nowMs: Int64) {
    let second = nowMs / 1000
    guard let open = current.values.first?.second, open < second else { return }
    let done = current.values.sorted { $0.deployment < $1.deployment }
    current = [:]
    seconds += done
    let oldest = second - Self.keptSeconds
    // A minute at a time, because removing from the front is O(n).
    if let first = seconds.first?.second, first < oldest - 60 { seconds.removeAll { $0.second < oldest } }
    var text = done.map(\.line).joined()
    if let minute, minute < second / 60 {
      text += clients.lines(of: minute)
      clients.forget(before: oldest / 60)
    }
    minute = second / 60
    append(text, second: second)
  }

  func totals(of deployment: DeploymentID, thresholdMs: Int64, fromMs: Int64) -> RequestCounts {
    of(deployment, fromMs).reduce(.zero) { $0 + $1.counts(thresholdMs: thresholdMs) }
  }

  /// The same in windows of `widthMs`, oldest first; one without requests is among them. One client's retries count
  /// each: a baseline that looks worse for it can delay a verdict but never condemn a healthy release.
  func windows(of deployment: DeploymentID, thresholdMs: Int64, fromMs: Int64, widthMs: Int64) -> [RequestCounts] {
    var windows: [RequestCounts] = []
    for second in of(deployment, fromMs) {
      let index = Int(max(second.second * 1000 - fromMs, 0) / max(widthMs, 1))
      while windows.count <= index { windows.append(.zero) }
      windows[index] = windows[index] + second.counts(thresholdMs: thresholdMs)
    }
    return windows
  }

  /// Whole seconds: the one that holds `fromMs` counts whole.
  func harm(by deployment: DeploymentID, thresholdMs: Int64, fromMs: Int64) -> Harm {
    let bad = of(deployment, fromMs).compactMap { $0.bad(thresholdMs: thresholdMs) }
    return Harm(
      counts: totals(of: deployment, thresholdMs: thresholdMs, fromMs: fromMs), firstBadAt: bad.map(\.first).min(),
      lastBadAt: bad.map(\.last).max(),
      clientMinutes: clients.hurt(by: deployment, thresholdMs: thresholdMs, fromMs: fromMs))
  }

  private func of(_ deployment: DeploymentID, _ fromMs: Int64) -> [SecondOfHistory] {
    (seconds + current.values).filter { $0.deployment == deployment && $0.second >= fromMs / 1000 }
  }

  private mutating func append(_ text: String, second: Int64) {
    let started = fileStarted ?? second
    fileStarted = started
    if second - started > Self.keptSeconds {
      rename(currentPath, previousPath)
      fileStarted = second
    }
    let file = open(currentPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { return }
    defer { close(file) }
    let bytes = Array(text.utf8)
    // A line that a full disk cuts short is passed over when it is read back.
    _ = write(file, bytes, bytes.count)
  }
}
