import Foundation
import GRDB
import Kernel

/// Compares each snapshot with the fold of its stream's events.
struct SnapshotCheck<Event: LedgerEvent, State: Codable & Equatable & Sendable> {
  let fold: LedgerFold<Event, State>

  func run(_ db: Database, _ report: inout LedgerReport) throws {
    let rows = try Row.fetchCursor(
      db, sql: "SELECT \(StoredSnapshot.columns) FROM snapshots WHERE format = ? ORDER BY stream",
      arguments: [fold.snapshotFormat])
    while let row = try rows.next() {
      guard let stored = StoredSnapshot(row) else {
        report.add(LedgerFinding("a snapshot's row is damaged"))
        continue
      }
      guard let snapshot = stored.decoded(as: State.self) else {
        report.add(
          LedgerFinding("the snapshot cannot be read", stream: stored.stream, version: stored.version))
        continue
      }
      report.snapshotsFolded += 1
      if let complaint = try complaint(about: snapshot, db) {
        report.add(
          LedgerFinding(complaint, stream: stored.stream, version: stored.version, position: stored.position))
      }
    }
  }

  private func complaint(about snapshot: Snapshot<State>, _ db: Database) throws -> String? {
    let rows = try Row.fetchCursor(
      db, sql: "SELECT \(StoredEvent.columns) FROM events WHERE stream = ? AND version <= ? ORDER BY version",
      arguments: [snapshot.stream.description, snapshot.version])
    let decoder = JSONDecoder()
    var state = fold.initial(snapshot.stream)
    var last: (version: Version, position: Position, at: Instant) = (0, 0, Instant(milliseconds: 0))
    while let row = try rows.next() {
      guard let stored = StoredEvent(row) else {
        return "the snapshot cannot be checked: an event before it is damaged"
      }
      let event: RecordedEvent<Event>
      do { event = try stored.recorded(as: Event.self, decoder) } catch let outage as Outage {
        return "the snapshot cannot be checked: \(outage.sentence)"
      }
      fold.evolve(&state, event)
      last = (event.version, event.position, event.at)
    }
    guard last.version == snapshot.version else { return "the snapshot is ahead of its stream, at \(last.version)" }
    guard last.position == snapshot.position, last.at == snapshot.at else {
      return "the snapshot names another position or instant than the event of its version"
    }
    return state == snapshot.state ? nil : "the snapshot differs from the fold of the stream's events"
  }
}
