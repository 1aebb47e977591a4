import Foundation
import Kernel
import Migrations
import Testing

@testable import StatementProxy

@Suite("Recordings on disk")
struct RecordingFileTests {
  private let path = NSTemporaryDirectory() + "recording-\(UUID().uuidString).jsonl"

  private static let recording = Recording(
    heading: .init(version: "v41", policy: .keep, server: "15.18", databases: ["shop"], connections: 3),
    statements: [
      RecordedStatement(
        fingerprint: "b", text: "SELECT \"é\" FROM t WHERE id = $1\n", transport: .extended, parameterTypes: [23, 0],
        samples: [[.null, .text("x\"y"), .redacted(bytes: 4)]], count: 7, prepared: 2, role: "ann", searchPath: "a, b"),
      RecordedStatement(
        fingerprint: "a", text: "SELECT nosuch", transport: .simple, failures: 2, lastFailure: "42703"),
    ],
    transactions: [TransactionShape(statements: ["b", "a"], count: 4, failed: 1)])

  @Test("what was written is read")
  func roundTrip() throws {
    let file = RecordingFile(at: path)
    try file.write(Self.recording)
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(try file.read() == Self.recording)
    let first = try String(contentsOfFile: path, encoding: .utf8).prefix(14)
    #expect(first == #"{"recording":{"#)
  }

  @Test("a statement that only failed is no evidence")
  func evidence() {
    func captured(_ count: Int, _ prepared: Int, _ failures: Int, last: String? = nil) -> Int? {
      RecordedStatement(
        fingerprint: "a", text: "b", transport: .simple, count: count, prepared: prepared, failures: failures,
        lastFailure: last
      ).captured?.count
    }
    #expect(captured(0, 0, 2) == nil)
    #expect(captured(0, 1, 2) == nil)
    #expect(captured(0, 1, 0) == 1)
    #expect(captured(5, 1, 2) == 5)
    #expect(captured(0, 0, 1, last: "42703") == nil, "a column that is not there")
    #expect(captured(0, 0, 1, last: "23505") == 1, "a value that is there already")
    #expect(captured(0, 1, 3, last: "P0001") == 1, "a function says no")
    #expect(Self.recording.statementSet.statements.map(\.fingerprint) == ["b"])
    #expect(Self.recording.statementSet.version == "v41")
  }

  @Test("numbers that no recorder writes are refused, and nothing is added up")
  func oddNumbers() {
    for text in [
      #"{"oversizedTexts":9223372036854775807,"surplusStatements":1}"#, #"{"functionCalls":-1}"#,
    ] {
      #expect(throws: DecodingError.self) { try JSONDecoder().decode(Recording.LeftOut.self, from: Data(text.utf8)) }
    }
    let sample = #""count":1,"samples":[[{"bytes":"#
    for part in [#""count":-1"#, sample + "-1}]]", sample + "9000000000000000000}]]"] {
      let line = #"{"fingerprint":"a","text":"SELECT 1","transport":"simple","# + part + "}"
      #expect(throws: DecodingError.self) {
        try JSONDecoder().decode(RecordedStatement.self, from: Data(line.utf8))
      }
    }
  }

  @Test("a count of losses that an older recorder did not know is zero")
  func olderLosses() throws {
    let older = try JSONDecoder().decode(Recording.LeftOut.self, from: Data(#"{"functionCalls":2}"#.utf8))
    #expect(older.functionCalls == 2 && older.unreadableTexts == 0 && older.statements == 2)
  }

  private func refused(_ text: String, _ words: String, _ at: SourceLocation = #_sourceLocation) {
    let refusal = #expect(throws: Refusal.self, sourceLocation: at) {
      try Recording(reading: text, at: "r.jsonl") {
        try JSONDecoder().decode(RecordingLine.self, from: Data($0.utf8))
      }
    }
    #expect(refusal?.sentence.contains(words) == true, "\(refusal?.sentence ?? "")", sourceLocation: at)
  }

  @Test("files that are not whole, or something else")
  func malformed() throws {
    let file = RecordingFile(at: path)
    try file.write(Self.recording)
    let text = try String(contentsOfFile: path, encoding: .utf8)
    try FileManager.default.removeItem(atPath: path)
    let lines = text.split(separator: "\n").map(String.init)
    refused("", "empty")
    refused("SELECT 1;\n", "r.jsonl:1: this is no recording")
    refused(lines[1] + "\n", "the heading is missing")
    refused(lines.dropLast().joined(separator: "\n"), "has lost lines")
    refused((lines.prefix(2) + lines.suffix(1)).joined(separator: "\n"), "1 statements are left of 2")
    refused(String(text.prefix(text.count - 30)), "cut off")
    refused(text + lines[1], "ended before this line")
    refused(text + lines[0], "ended before this line")
    refused(lines[0] + "\n" + lines[0], "second heading")
    refused(lines[0].replacing("\"format\":1", with: "\"format\":9"), "format 9")
    #expect(throws: Refusal.self) { try RecordingFile(at: path).read() }
  }

  @Test("a place that cannot be written is said at once, and nothing is left there")
  func unwritable() {
    let recorder = StatementRecorder(version: "v1", policy: .types, reading: .words)
    let writer = RecordingWriter(recorder, to: RecordingFile(at: "/proc/none/file"), notice: { _ in })
    #expect(throws: Outage.self) { try writer.start() }
  }

  @Test("a killed recorder has lost no more than the last rounds")
  func rounds() async throws {
    let recorder = StatementRecorder(version: "v1", policy: .types, reading: .words)
    let file = RecordingFile(at: path)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let writer = RecordingWriter(recorder, to: file, notice: { _ in })
    try writer.start()
    #expect(try file.read().statements.isEmpty)
    let session = recorder.session(.init(role: "ann"))
    let found = Array("SELECT 1".utf8).withUnsafeBytes {
      recorder.statements($0, .simple, types: [], session: session)
    }
    recorder.executed(try #require(found.first?.slot), sample: nil)
    #expect(await eventually { (try? file.read().statements.count) == 1 })
    try await writer.stop()
  }
}
