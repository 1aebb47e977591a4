import Foundation
import Kernel
import Testing

@testable import Ledger

@Suite struct LedgerExportTests {
  @Test func aLineIsOneJSONObject() throws {
    let folder = try written()
    let line = try #require(try lines(folder, LedgerFilter(from: 4)).first)
    #expect(
      line == """
        {"position":4,"stream":"queue:b","version":1,"type":"toy.added","at":1001,\
        "cause":{"request":{"id":"r1"}},"actor":"ada","payload":{"added":{"_0":1,"note":"say \\"hi\\"\\n"}}}
        """)
    let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    #expect(object?["position"] as? Int == 4)
  }

  @Test func filtersNarrow() throws {
    let folder = try written()
    try check("everything", folder, LedgerFilter(), expecting: [1, 2, 3, 4, 5])
    try check("one stream", folder, LedgerFilter(stream: StreamID(.queue, "a")), expecting: [1, 2, 3])
    try check("one kind", folder, LedgerFilter(kind: .build), expecting: [5])
    try check("from a position", folder, LedgerFilter(from: 3), expecting: [3, 4, 5])
    try check("so many", folder, LedgerFilter(from: 2, limit: 2), expecting: [2, 3])
    try check("none", folder, LedgerFilter(limit: 0), expecting: [])
    try check("all at once", folder, LedgerFilter(kind: .queue, from: 2, limit: 9), expecting: [2, 3, 4])
  }

  @Test func aDamagedPayloadIsShownAsNull() throws {
    let folder = try written()
    try damage(folder, "UPDATE events SET payload = CAST('{broken' AS BLOB) WHERE position = 1")
    #expect(try lines(folder, LedgerFilter(limit: 1)).first?.hasSuffix("\"payload\":null}") == true)
  }

  @Test func anAbsentLedgerIsAnOutage() throws {
    let folder = try TemporaryFolder()
    #expect(throws: Outage.self) { try LedgerExport(files: folder.ledger) }
  }

  @Test func aStreamThatIsNotThereIsRefusedWithTheNearest() throws {
    let folder = try written()
    let export = try LedgerExport(files: folder.ledger)
    for (name, words) in [("aa", "did you mean queue:a?"), ("harbor/main", "see all 3 streams")] {
      let refusal = #expect(throws: Refusal.self) {
        try export.forEach(LedgerFilter(stream: StreamID(.queue, name))) { _ in }
      }
      #expect(refusal?.kind == .unknown)
      #expect(refusal?.sentence.contains(words) == true, "\(refusal?.sentence ?? "")")
    }
  }

  private func check(
    _ what: String, _ folder: TemporaryFolder, _ filter: LedgerFilter, expecting positions: [Position],
    _ place: SourceLocation = #_sourceLocation
  ) throws {
    var found: [Position] = []
    try LedgerExport(files: folder.ledger).forEach(filter) { found.append($0.position) }
    #expect(found == positions, "\(what)", sourceLocation: place)
  }

  private func lines(_ folder: TemporaryFolder, _ filter: LedgerFilter) throws -> [String] {
    var lines: [String] = []
    try LedgerExport(files: folder.ledger).forEach(filter) { lines.append($0.json) }
    return lines
  }

  private func written() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    let build = NewEvent<ToyEvent>(
      stream: StreamID(.build, "c"), version: 1, at: Instant(milliseconds: 9), cause: .pulse, actor: "plimsoll",
      event: .added(1, note: ""))
    _ = try ledger.append(
      toys("a", 1...3) + [toy("b", 1, note: "say \"hi\"\n"), build], routedThrough: nil)
    try ledger.close()
    return folder
  }
}
