import FlagTrials
import Flags
import Foundation
import Testing

/// Ours against openfeature-flagd-core, on random definitions and contexts. `PLIMSOLL_PEERS` names a Python that has
/// the peers installed; `PLIMSOLL_PAIRS` how many pairs are compared.
@Suite("Differential: flagd")
struct DifferentialTests {
  static let python = ProcessInfo.processInfo.environment["PLIMSOLL_PEERS"]

  @Test("no mismatch", .enabled(if: python != nil, "PLIMSOLL_PEERS names no Python"))
  func noMismatch() throws {
    let python = try #require(Self.python)
    let pairs = Int(ProcessInfo.processInfo.environment["PLIMSOLL_PAIRS"] ?? "") ?? 4000
    let cases = (0..<pairs / FlagCase.contexts).map { FlagCase(seed: UInt64($0)) }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    // Through files, so that neither side ever waits for the other's pipe.
    let questions = folder.appendingPathComponent("questions.ndjson")
    try cases.map { $0.line + "\n" }.joined().write(to: questions, atomically: true, encoding: .utf8)
    let answers = folder.appendingPathComponent("answers.ndjson")
    FileManager.default.createFile(atPath: answers.path, contents: nil)
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Peers/flagd_peer.py")
    let peer = Process()
    peer.executableURL = URL(fileURLWithPath: python)
    peer.arguments = [script.path]
    peer.standardInput = try FileHandle(forReadingFrom: questions)
    peer.standardOutput = try FileHandle(forWritingTo: answers)
    try peer.run()
    peer.waitUntilExit()
    #expect(peer.terminationStatus == 0)
    let lines = try String(contentsOf: answers, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == cases.count)
    for (asked, line) in zip(cases, lines) {
      let ours = try asked.answers()
      #expect(FlagCase.agree(ours, String(line)), "\(asked.line)\nours \(ours)\npeer \(line)")
    }
  }
}
