import Foundation
import GRDB
import Kernel

/// Walks all events once, by position, and compares chains, versions, checkpoints and heads.
///
/// After a finding it goes on with what the file says, so that one damage is one finding.
struct ChainCheck {
  private struct Head: Equatable {
    var version: Version
    var chain: Data
  }

  private var heads: [String: Head] = [:]
  private var checkpoints: ArraySlice<Checkpoint>
  /// The highest version of each stream that a checkpoint knows and the file lacks.
  private var missing: [String: (version: Version, checkpoint: Position)] = [:]
  private var last: Position = 0

  init(checkpoints: [Checkpoint]) { self.checkpoints = checkpoints[...] }

  mutating func run(_ db: Database, _ report: inout LedgerReport) throws {
    let rows = try Row.fetchCursor(db, sql: "SELECT \(StoredEvent.columns) FROM events ORDER BY position")
    while let row = try rows.next() {
      report.events += 1
      guard let event = StoredEvent(row) else {
        let position = Int64.fromDatabaseValue(row[0])
        report.add(
          LedgerFinding(
            "a column of this event holds another kind of value than was written",
            position: position))
        last = position ?? last
        continue
      }
      settleCheckpoints(before: event.position, &report)
      check(event, &report)
    }
    settleCheckpoints(before: .max, &report)
    for (stream, gap) in missing.sorted(by: { $0.key < $1.key }) {
      let have = heads[stream]?.version ?? 0
      let lost = have + 1 == gap.version ? "version \(gap.version) is" : "versions \(have + 1) to \(gap.version) are"
      report.add(
        LedgerFinding(
          "\(lost) gone: the signed checkpoint at position \(gap.checkpoint) knows them",
          stream: stream, version: gap.version, position: gap.checkpoint))
    }
    report.lastPosition = last
    report.streams = heads.count
    try compareHeads(db, &report)
  }

  private mutating func check(_ event: StoredEvent, _ report: inout LedgerReport) {
    func finding(_ sentence: String) -> LedgerFinding {
      LedgerFinding(sentence, stream: event.stream, version: event.version, position: event.position)
    }
    if event.position != last + 1 {
      let lost =
        event.position == last + 2
        ? "the event at position \(last + 1) is"
        : "the events at positions \(last + 1) to \(event.position - 1) are"
      report.add(finding("\(lost) gone"))
    }
    last = event.position
    let head = heads[event.stream] ?? Head(version: 0, chain: HashChain.origin)
    if event.version != head.version + 1 {
      report.add(finding("the stream goes from version \(head.version) to \(event.version)"))
    } else if event.link(after: head.chain) != event.chain {
      report.add(finding("the event (\(event.type)) was changed after it was written: its hash does not fit"))
    }
    heads[event.stream] = Head(version: event.version, chain: event.chain)
  }

  /// Compares each checkpoint with the heads as they are after the last event that it covers.
  private mutating func settleCheckpoints(before position: Position, _ report: inout LedgerReport) {
    while let checkpoint = checkpoints.first, checkpoint.position < position {
      checkpoints.removeFirst()
      for known in checkpoint.moved {
        let head = heads[known.stream] ?? Head(version: 0, chain: HashChain.origin)
        if head.version < known.version {
          missing[known.stream] = (known.version, checkpoint.position)
        } else if head.version > known.version || hexadecimal(head.chain) != known.chain {
          report.add(
            LedgerFinding(
              "the history was rewritten: it is not the one that the checkpoint at position \(checkpoint.position) signed",
              stream: known.stream, version: known.version, position: checkpoint.position))
        }
      }
    }
  }

  private func compareHeads(_ db: Database, _ report: inout LedgerReport) throws {
    var listed: [String: Head] = [:]
    for row in try Row.fetchAll(db, sql: "SELECT stream, version, chain FROM heads") {
      guard let stream = String.fromDatabaseValue(row[0]), let version = Int64.fromDatabaseValue(row[1]),
        let chain = Data.fromDatabaseValue(row[2])
      else {
        report.add(LedgerFinding("a row of the list of heads is damaged"))
        continue
      }
      listed[stream] = Head(version: version, chain: chain)
    }
    for stream in Set(listed.keys).union(heads.keys).sorted() where listed[stream] != heads[stream] {
      let said = listed[stream].map { "version \($0.version)" } ?? "nothing"
      let found = heads[stream].map { "version \($0.version)" } ?? "none"
      report.add(
        LedgerFinding(
          said == found
            ? "the list of heads holds another hash than the stream's last event"
            : "the list of heads says \(said), but the stream's last event is \(found)",
          stream: stream, version: heads[stream]?.version))
    }
  }
}
