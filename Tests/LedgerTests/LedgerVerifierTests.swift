import Foundation
import GRDB
import Kernel
import Testing

@testable import Ledger

@Suite struct LedgerVerifierTests {
  @Test func aSoundLedgerHasNoFindings() throws {
    let folder = try written()
    let report = try LedgerVerifier(files: folder.ledger).verify(folding: toyFold)
    #expect(report.findings == [])
    #expect(report.events == 600 && report.streams == 2 && report.lastPosition == 600)
    #expect(report.checkpoints > 1 && report.signedThrough == 600 && report.snapshotsFolded == 1)
  }

  @Test func aLedgerInUseCanBeVerified() throws {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    _ = try ledger.append(toys("a", 1...9), routedThrough: nil)
    #expect(try LedgerVerifier(files: folder.ledger).verify().events == 9)
    #expect(try ledger.append([toy("a", 10)], routedThrough: nil) == [10])
  }

  @Test func aFlippedByteIsFound() throws {
    let folder = try written()
    try damage(
      folder, "UPDATE events SET payload = CAST(replace(payload, 'note', 'nota') AS BLOB) WHERE position = 300")
    try check(folder, finds: "was changed after it was written", at: 300)
  }

  @Test(arguments: ["at = at + 1", "actor = 'eve'", "cause = '{\"pulse\":{}}'", "type = 'toy.taken'"])
  func everyColumnIsCovered(_ change: String) throws {
    let folder = try written()
    try damage(folder, "UPDATE events SET \(change) WHERE position = 300")
    try check(folder, finds: "was changed after it was written", at: 300)
  }

  @Test func aCutTailIsFound() throws {
    let folder = try written()
    try damage(
      folder, "DELETE FROM events WHERE position > 590", "DELETE FROM heads",
      "INSERT INTO heads SELECT stream, max(version), chain FROM events GROUP BY stream")
    let findings = try LedgerVerifier(files: folder.ledger).verify().findings
    #expect(findings.count == 2, "one for each stream that lost events: \(findings)")
    let first = try #require(findings.first)
    #expect(first.stream == "queue:a" && first.sentence.contains("versions 296 to 300 are gone"))
  }

  @Test func theCutLastEventOfAShortLedgerIsFoundOnceItIsSigned() throws {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    _ = try ledger.append(toys("a", 1...10), routedThrough: nil)
    #expect(try ledger.checkpoint()?.position == 10)
    // Not closed: closing signs by itself, and a killed server does not come to it.
    try ledger.pool.close()
    try damage(
      folder, "DELETE FROM events WHERE position = 10", "DELETE FROM heads",
      "INSERT INTO heads SELECT stream, max(version), chain FROM events GROUP BY stream")
    let findings = try LedgerVerifier(files: folder.ledger).verify().findings
    #expect(findings.count == 1 && findings[0].stream == "queue:a", "\(findings)")
    #expect(findings.first?.sentence.contains("version 10 is gone") == true, "\(findings)")
    #expect(throws: Outage.self) { try folder.open() }
  }

  @Test func aDeletedMiddleEventIsFound() throws {
    let folder = try written()
    try damage(folder, "DELETE FROM events WHERE position = 301")
    try check(folder, finds: "the event at position 301 is gone", at: 302)
    try check(folder, finds: "the stream goes from version 150 to 152", at: 303)
  }

  @Test func aHistoryRewrittenWithAllItsHashesIsFound() throws {
    let folder = try written()
    try rewrite(folder)
    try check(folder, finds: "the history was rewritten", at: nil)
  }

  @Test func aForgedCheckpointIsFound() throws {
    let folder = try written()
    let text = try String(contentsOfFile: folder.ledger.checkpoints, encoding: .utf8)
    let forged = text.replacingOccurrences(of: "\"position\":600", with: "\"position\":601")
    #expect(forged != text)
    try forged.write(toFile: folder.ledger.checkpoints, atomically: true, encoding: .utf8)
    try check(folder, finds: "it is forged", at: 601)
  }

  @Test func aCheckpointSignedWithAnotherKeyIsFound() throws {
    let folder = try written()
    let other = try TemporaryFolder()
    try other.open().close()
    try FileManager.default.removeItem(atPath: folder.ledger.publicKey)
    try FileManager.default.copyItem(atPath: other.ledger.publicKey, toPath: folder.ledger.publicKey)
    try check(folder, finds: "not signed by this ledger's key", at: 600)
  }

  @Test func aRemovedCheckpointIsFound() throws {
    let folder = try written()
    let lines = try String(contentsOfFile: folder.ledger.checkpoints, encoding: .utf8).split(separator: "\n")
    try (lines.dropFirst().joined(separator: "\n") + "\n")
      .write(toFile: folder.ledger.checkpoints, atomically: true, encoding: .utf8)
    try check(folder, finds: "was removed, moved or replaced", at: nil)
  }

  @Test func aRemovedCheckpointFileIsFound() throws {
    let folder = try written()
    try FileManager.default.removeItem(atPath: folder.ledger.checkpoints)
    try check(folder, finds: "does not hold it: it was cut or replaced", at: nil)
  }

  @Test func aTornLastCheckpointIsToleratedAndWrittenAgain() throws {
    let folder = try written()
    let file = folder.ledger.checkpoints
    let whole = try Data(contentsOf: URL(fileURLWithPath: file))
    let lines = whole.split(separator: UInt8(ascii: "\n"))
    try (whole + lines[0].prefix(40)).write(to: URL(fileURLWithPath: file))
    #expect(try LedgerVerifier(files: folder.ledger).verify().findings == [])
    let ledger = try folder.open()
    _ = try ledger.append([toy("a", 301)], routedThrough: nil)
    try ledger.close()
    let report = try LedgerVerifier(files: folder.ledger).verify()
    #expect(report.findings == [] && report.signedThrough == 601)
  }

  @Test func aSnapshotThatIsNotTheFoldIsFound() throws {
    let folder = try written()
    try damage(folder, "UPDATE snapshots SET state = CAST('{\"sum\":1}' AS BLOB)")
    let findings = try LedgerVerifier(files: folder.ledger).verify(folding: toyFold).findings
    #expect(findings.map(\.sentence) == ["the snapshot differs from the fold of the stream's events"])
    #expect(findings.first?.stream == "queue:a")
  }

  @Test(arguments: [0.0, 0.3, 0.6, 0.95])
  func aTruncatedFileIsAFinding(_ share: Double) throws {
    let folder = try written()
    let file = folder.ledger.database
    let whole = try Data(contentsOf: URL(fileURLWithPath: file))
    try whole.prefix(Int(Double(whole.count) * share)).write(to: URL(fileURLWithPath: file))
    let report = try LedgerVerifier(files: folder.ledger).verify(folding: toyFold)
    #expect(!report.isSound)
    #expect(report.findings.contains { $0.sentence.contains("damaged") || $0.sentence.contains("no ledger tables") })
  }

  @Test func garbageIsAFinding() throws {
    let folder = try written()
    try Data(repeating: 0x5A, count: 8_192).write(to: URL(fileURLWithPath: folder.ledger.database))
    try check(folder, finds: "is damaged", at: nil)
  }

  @Test func anAbsentLedgerCannotBeJudged() throws {
    let folder = try TemporaryFolder()
    let failure = #expect(throws: Outage.self) { try LedgerVerifier(files: folder.ledger).verify() }
    #expect(failure?.sentence.contains("there is no ledger") == true)
  }

  private func check(
    _ folder: TemporaryFolder, finds sentence: String, at position: Int64?, _ place: SourceLocation = #_sourceLocation
  ) throws {
    let findings = try LedgerVerifier(files: folder.ledger).verify(folding: toyFold).findings
    #expect(
      findings.contains { $0.sentence.contains(sentence) && (position == nil || $0.position == position) },
      "found only \(findings)", sourceLocation: place)
  }

  /// Two streams in turns, 600 events, several checkpoints, a right snapshot; closed.
  private func written() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    for first in [1, 101, 201] as [Version] {
      let turns = (first..<first + 100).flatMap { [toy("a", $0), toy("b", $0)] }
      _ = try ledger.append(turns, routedThrough: nil)
      try ledger.checkpoint()
    }
    try ledger.save(
      Snapshot(
        stream: StreamID(.queue, "a"), version: 200, position: 399, at: Instant(milliseconds: 1_200),
        state: ToyState(sum: 200)))
    try ledger.close()
    return folder
  }

  /// What an intruder with the database, but without the key, would do: change an event and repair every hash.
  private func rewrite(_ folder: TemporaryFolder) throws {
    try DatabaseQueue(path: folder.ledger.database).write { db in
      try db.execute(
        sql: "UPDATE events SET payload = CAST(replace(payload, 'note', 'nota') AS BLOB) WHERE position = 300")
      var chains: [String: Data] = [:]
      for event in try Row.fetchAll(db, sql: "SELECT \(StoredEvent.columns) FROM events ORDER BY position")
        .compactMap({ StoredEvent($0) })
      {
        let chain = event.link(after: chains[event.stream] ?? HashChain.origin)
        chains[event.stream] = chain
        try db.execute(sql: "UPDATE events SET chain = ? WHERE position = ?", arguments: [chain, event.position])
        try db.execute(sql: "UPDATE heads SET chain = ? WHERE stream = ?", arguments: [chain, event.stream])
      }
    }
  }
}
