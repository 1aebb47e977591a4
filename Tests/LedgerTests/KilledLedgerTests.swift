import Foundation
import Kernel
import Testing

@testable import Ledger

@Suite struct KilledLedgerTests {
  /// `kill -9` reaches a real process between any two instructions; only what was acknowledged is owed.
  @Test(arguments: [1, 200, 900])
  func everyAcknowledgedAppendOutlivesAKill(_ acknowledgements: Int) async throws {
    let folder = try TemporaryFolder()
    let path = folder.path
    startKiller(path, after: acknowledgements)
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
      try await appendForEver(in: path)
    }
    let owed = acknowledged(path)
    #expect(owed.count >= acknowledgements)
    let report = try LedgerVerifier(files: folder.ledger).verify()
    #expect(report.findings == [])
    let ledger = try folder.open()
    let found = try ledger.events(after: 0, limit: .max)
    let notes = Set(found.map { note($0.stream, $0.version, $0.position) })
    #expect(owed.filter { !notes.contains($0) } == [], "nothing that was acknowledged is lost")
    #expect(found.map(\.position) == Array(1...Position(found.count)))
    // It goes on where it was cut.
    let head = try #require(try ledger.streams().first)
    let next = NewEvent<ToyEvent>(
      stream: head.stream, version: head.version + 1, at: Instant(milliseconds: 1), cause: .pulse, actor: "ada",
      event: .added(1, note: "after"))
    #expect(try ledger.append([next], routedThrough: nil) == [Position(found.count) + 1])
    try ledger.close()
    #expect(try LedgerVerifier(files: folder.ledger).verify().findings == [])
  }
}

private func acknowledgementFile(_ folder: String) -> String { "\(folder)/acknowledged" }
private func pidFile(_ folder: String) -> String { "\(folder)/pid" }

private func note(_ stream: StreamID, _ version: Version, _ position: Position) -> String {
  "\(stream) \(version) \(position)"
}

/// Whole lines only: the last may have been cut by the kill.
private func acknowledged(_ folder: String) -> [String] {
  let bytes = (try? Data(contentsOf: URL(fileURLWithPath: acknowledgementFile(folder)))) ?? Data()
  let end = bytes.lastIndex(of: UInt8(ascii: "\n")) ?? 0
  return bytes[..<end].split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
}

/// The life of the child: eight tasks append, and each acknowledged position is noted in a file.
private func appendForEver(in path: String) async throws {
  let ledger = try ToyLedger(at: DataFolder(at: path).ledger, snapshotFormat: toyFormat)
  let file = open(acknowledgementFile(path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
  try "\(getpid())".write(toFile: pidFile(path), atomically: true, encoding: .utf8)
  try await withThrowingTaskGroup(of: Void.self) { group in
    for index in 0..<8 {
      group.addTask {
        for version in 1...100_000 as ClosedRange<Version> {
          let event = toy("s\(index)", version)
          for position in try ledger.append([event], routedThrough: nil) {
            let line = Array((note(event.stream, version, position) + "\n").utf8)
            guard write(file, line, line.count) == line.count else { return }
          }
        }
      }
    }
    try await group.waitForAll()
  }
}

/// Kills the child once it has acknowledged so many appends, from a thread of its own: each `processExitsWith` blocks a
/// thread of the cooperative pool until its child ends, so on two cores a task that kills would never run.
private func startKiller(_ path: String, after count: Int) {
  Thread.detachNewThread {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
      if acknowledged(path).count >= count, let text = try? String(contentsOfFile: pidFile(path), encoding: .utf8),
        let pid = Int32(text)
      {
        kill(pid, SIGKILL)
        return
      }
      usleep(1_000)
    }
  }
}
