import FlagTrials
import Foundation
import Testing

@testable import Flags

/// Random cases against yggdrasil-engine. A million of them:
/// `PLIMSOLL_UNLEASH_DOCUMENTS=20000 swift test -c release --filter UnleashDifferentialTests`.
@Suite("Unleash against its reference engine")
struct UnleashDifferentialTests {
  /// Documents with 5 names, each asked for 10 contexts.
  private static let documents =
    ProcessInfo.processInfo.environment["PLIMSOLL_UNLEASH_DOCUMENTS"].flatMap(Int.init) ?? 100
  /// Documents that the peer is given at once.
  private static let batch = 500

  @Test("random cases agree", .enabled(if: PeerPython.found != nil, Comment(rawValue: PeerPython.absence)))
  func random() throws {
    let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Peers/unleash_peer.py")
    var comparison = UnleashComparison()
    for start in stride(from: 0, to: Self.documents, by: Self.batch) {
      let seeds = start..<min(start + Self.batch, Self.documents)
      let cases = seeds.map { seed in
        var generator = UnleashCaseGenerator(seed: UInt64(seed))
        return generator.next(contexts: 10)
      }
      let answers = try ask(script, cases.map(\.line).joined(separator: "\n") + "\n")
      try #require(answers.count == cases.count)
      for (test, (seed, answer)) in zip(cases, zip(seeds, answers)) {
        comparison.add(test, answer: answer, label: "seed \(seed)")
      }
    }
    let counts =
      "\(Self.documents) documents: \(comparison.agreed) agree, \(comparison.byChance) by chance, "
      + "\(comparison.refused) messages refused by both, \(comparison.differenceCount) differ"
    print(counts)
    #expect(comparison.differenceCount == 0, "\(counts)\n\(comparison.differences.joined(separator: "\n"))")
    #expect(comparison.agreed > 30 * Self.documents)
  }

  private func ask(_ script: URL, _ input: String) throws -> [String] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "unleash-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "cases")
    try Data(input.utf8).write(to: file)
    let process = Process()
    process.executableURL = URL(filePath: try #require(PeerPython.found).path)
    process.arguments = [script.path]
    process.standardInput = try FileHandle(forReadingFrom: file)
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
