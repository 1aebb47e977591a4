import Foundation
import Kernel
import Rollouts

/// Series of running and past rollouts, one file each, so that a restart keeps the picture. The ledger never waits for
/// it: it is volume, not fact (design §2).
///
/// A file is lines of JSON: the series without points, then a point each. Points are added at its end, because a
/// thousand rollouts whose files are written anew each two seconds take more than all else together. A line that was
/// broken off is left out when it is read; a process writes a file anew before it first adds to it.
package actor EvidenceBook {
  /// Two hours of seconds; after that the oldest point goes.
  package static let pointLimit = 7200
  /// A running rollout's file is at most this much behind.
  package static let flushInterval = Span.seconds(2)

  private let folder: URL
  private let encoder = JSONEncoder()
  private var series: [String: EvidenceSeries] = [:]
  private var flushed: [String: Instant] = [:]
  /// Lines in the file; nil until this process wrote it, and after a failure.
  private var written: [String: Int] = [:]
  /// Points since then.
  private var unwritten: [String: Int] = [:]

  /// - Parameter folder: made when absent.
  package init(folder: String) throws(Outage) {
    self.folder = URL(filePath: folder, directoryHint: .isDirectory)
    do {
      try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
    } catch {
      throw Outage("evidence", "cannot make the folder \(folder)", sources: ["\(error)"])
    }
  }

  package func read(_ stream: StreamID, rollout: Int) -> EvidenceSeries? {
    let name = Self.name(stream, rollout)
    if let known = series[name] { return known }
    guard let data = try? Data(contentsOf: file(name)) else { return nil }
    let lines = data.split(separator: UInt8(ascii: "\n"))
    guard let first = lines.first, var known = try? JSONDecoder().decode(EvidenceSeries.self, from: first) else {
      return nil
    }
    let points = Self.points(lines.dropFirst()) ?? Self.points(lines.dropFirst().dropLast()) ?? []
    known.points = Array((known.points + points).suffix(Self.pointLimit))
    return known
  }

  private static func points(_ lines: ArraySlice<Data>) -> [EvidencePoint]? {
    let array = Data("[".utf8) + lines.joined(separator: Data(",".utf8)) + Data("]".utf8)
    return try? JSONDecoder().decode([EvidencePoint].self, from: array)
  }

  package func begin(_ new: EvidenceSeries) {
    let name = Self.name(new.stream, new.rollout)
    if series[name] == nil { series[name] = read(new.stream, rollout: new.rollout) ?? new }
  }

  /// - Parameter points: sorted by time; those that are known are left out.
  package func append(_ points: [EvidencePoint], to stream: StreamID, rollout: Int, now: Instant) {
    let name = Self.name(stream, rollout)
    guard let last = series[name].map({ $0.points.last?.at ?? Instant(milliseconds: 0) }) else { return }
    let fresh = points.suffix(points.reversed().prefix { $0.at > last }.count)
    // In place: a copy of two hours of points each second is dear.
    series[name]?.points.append(contentsOf: fresh)
    if let count = series[name]?.points.count, count > Self.pointLimit {
      series[name]?.points.removeFirst(count - Self.pointLimit)
    }
    unwritten[name, default: 0] += fresh.count
    if now - (flushed[name] ?? Instant(milliseconds: 0)) >= Self.flushInterval { flush(name, now: now) }
  }

  /// The whole series, written and forgotten.
  func end(_ stream: StreamID, rollout: Int, now: Instant) -> EvidenceSeries? {
    let whole = read(stream, rollout: rollout)
    close(stream, rollout: rollout, now: now)
    return whole
  }

  /// Writes the file and forgets the series, which is read from there from now on. What cannot be written stays in
  /// memory.
  func close(_ stream: StreamID, rollout: Int, now: Instant) {
    let name = Self.name(stream, rollout)
    guard flush(name, now: now) else { return }
    series[name] = nil
    flushed[name] = nil
    written[name] = nil
    unwritten[name] = nil
  }

  /// A picture that could not be written is drawn from memory; nothing else depends on it.
  @discardableResult private func flush(_ name: String, now: Instant) -> Bool {
    guard let known = series[name] else { return false }
    flushed[name] = now
    let fresh = unwritten[name] ?? 0
    do {
      if let lines = written[name], lines + fresh <= 2 * Self.pointLimit {
        if fresh > 0 { try add(coded(known.points.suffix(fresh)), to: file(name)) }
        written[name] = lines + fresh
      } else {
        var head = known
        head.points = []
        let data = try encoder.encode(head) + Data("\n".utf8) + coded(known.points[...])
        try data.write(to: file(name), options: .atomic)
        written[name] = known.points.count
      }
    } catch {
      // What is in the file now is not known.
      written[name] = nil
      return false
    }
    unwritten[name] = 0
    return true
  }

  private func coded(_ points: ArraySlice<EvidencePoint>) throws -> Data {
    var data = Data()
    for point in points { data += try encoder.encode(point) + Data("\n".utf8) }
    return data
  }

  private func add(_ data: Data, to file: URL) throws {
    let handle = try FileHandle(forWritingTo: file)
    defer { try? handle.close() }
    try handle.seekToEnd()
    try handle.write(contentsOf: data)
  }

  private func file(_ name: String) -> URL { folder.appending(path: "\(name).json") }
  private static func name(_ stream: StreamID, _ rollout: Int) -> String {
    // A delivery's name stands alone, as it always did; a service name holds no dot.
    let kind = stream.kind == .delivery ? "" : "\(stream.kind.rawValue)."
    return "\(kind)\(stream.name.split(separator: "/").joined(separator: "."))-\(rollout)"
  }
}
