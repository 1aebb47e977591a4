import FlagTrials
import Flags
import Foundation
import Testing

/// Ours against openfeature-flagd-core, on random definitions and contexts; `PLIMSOLL_PAIRS` says how many pairs.
@Suite("Differential: flagd")
struct DifferentialTests {
  /// Cases that the peer is given at once.
  private static let batch = 10_000

  @Test("no mismatch", .enabled(if: PeerPython.found != nil, Comment(rawValue: PeerPython.absence)))
  func noMismatch() throws {
    let python = try #require(PeerPython.found)
    let pairs = Int(ProcessInfo.processInfo.environment["PLIMSOLL_PAIRS"] ?? "") ?? 4000
    let seeds = pairs / FlagCase.contexts
    for start in stride(from: 0, to: seeds, by: Self.batch) {
      try compare((start..<min(start + Self.batch, seeds)).map { FlagCase(seed: UInt64($0)) }, with: python)
    }
  }

  private func compare(_ cases: [FlagCase], with python: PeerPython) throws {
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
    peer.executableURL = URL(filePath: python.path)
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
