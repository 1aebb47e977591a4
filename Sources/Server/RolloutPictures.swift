import ControlPlane
import Kernel
import Rollouts

/// Draws a rollout's evidence for announcements, which leave the server's pages behind.
package struct RolloutPictures: Sendable {
  private let records: any Records
  private let chronicle: Chronicle

  package init(records: any Records) {
    self.records = records
    chronicle = Chronicle(records: records)
  }

  /// - Parameter page: a path of this server, as `Announcement.path` holds it.
  /// - Returns: nil when that is no rollout's page, or when there is nothing to draw.
  /// - Throws: `Outage` when the ledger cannot be read.
  package func drawn(of page: String) async throws(Outage) -> DrawnEvidence? {
    let parts = page.split(separator: "/").map(String.init)
    if parts.first == "observations" { return await observed(parts) }
    guard parts.count == 4, parts[0] == "rollouts", let service = ServiceName(rawValue: parts[1]),
      let environment = EnvironmentName(rawValue: parts[2]), let id = RolloutID(parts[3])
    else { return nil }
    let stream = StreamID.delivery(service, environment)
    guard let record = try await chronicle.rollouts(of: stream).last(where: { $0.start.id == id }),
      let series = await records.evidence(of: stream, rollout: id), let sparkline = Sparkline(series)
    else { return nil }
    let picture = Picture(series, record)
    return picture.hasPoints
      ? DrawnEvidence(svg: picture.still, trend: sparkline.rows, scale: sparkline.scale) : nil
  }

  /// The same for a deployment that something else made.
  private func observed(_ parts: [String]) async -> DrawnEvidence? {
    guard parts.count == 4, let service = ServiceName(rawValue: parts[1]),
      let environment = EnvironmentName(rawValue: parts[2]), let id = ObservedID(parts[3]),
      let series = await records.evidence(of: .observation(service, environment), rollout: id),
      let sparkline = Sparkline(series)
    else { return nil }
    let picture = Picture(series.points, hasControl: series.control != nil, marks: [], end: nil)
    return picture.hasPoints
      ? DrawnEvidence(svg: picture.still, trend: sparkline.rows, scale: sparkline.scale) : nil
  }
}
