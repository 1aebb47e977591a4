import Foundation
import Kernel
import Rollouts

/// Series of running and past rollouts, one file each, so that a restart keeps the picture. The ledger never waits for
/// it: it is volume, not fact (design §2).
package actor EvidenceBook {
  /// Two hours of seconds; after that the oldest point goes.
  package static let pointLimit = 7200
  /// A running rollout's file is at most this much behind.
  package static let flushInterval = Span.seconds(2)

  private let folder: URL
  private var series: [String: EvidenceSeries] = [:]
  private var flushed: [String: Instant] = [:]

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
    return try? JSONDecoder().decode(EvidenceSeries.self, from: data)
  }

  func begin(_ new: EvidenceSeries) {
    let name = Self.name(new.stream, new.rollout)
    if series[name] == nil { series[name] = read(new.stream, rollout: new.rollout) ?? new }
  }

  func append(_ points: some Sequence<EvidencePoint>, to stream: StreamID, rollout: Int, now: Instant) {
    let name = Self.name(stream, rollout)
    guard var known = series[name] else { return }
    let last = known.points.last?.at ?? Instant(milliseconds: 0)
    known.points.append(contentsOf: points.filter { $0.at > last })
    if known.points.count > Self.pointLimit { known.points.removeFirst(known.points.count - Self.pointLimit) }
    series[name] = known
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
  }

  @discardableResult private func flush(_ name: String, now: Instant) -> Bool {
    guard let known = series[name], let data = try? JSONEncoder().encode(known) else { return false }
    flushed[name] = now
    // A picture that could not be written is drawn from memory; nothing else depends on it.
    return (try? data.write(to: file(name), options: .atomic)) != nil
  }

  private func file(_ name: String) -> URL { folder.appending(path: "\(name).json") }
  private static func name(_ stream: StreamID, _ rollout: Int) -> String {
    "\(stream.name.split(separator: "/").joined(separator: "."))-\(rollout)"
  }
}
