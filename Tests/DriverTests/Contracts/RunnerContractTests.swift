import Foundation
import Kernel
import Testing

@testable import Drivers

/// The runners under contract.
enum RunnerUnderContract: String, CaseIterable, CustomTestStringConvertible {
  case local = "commands of this machine"
  case model = "a model of machines elsewhere"
  var testDescription: String { rawValue }

  func keeps(_ promise: (RunnerContract) async throws -> Void) async throws {
    switch self {
    case .local:
      let site = try await LocalRunnerSite()
      defer { site.remove() }
      try await promise(RunnerContract(site: site))
    case .model: try await promise(RunnerContract(site: ModelRunnerSite()))
    }
  }
}

@Suite("Runner contract")
struct RunnerContractTests {
  @Test("a report is how the command ended", arguments: RunnerUnderContract.allCases)
  func verdicts(runner: RunnerUnderContract) async throws { try await runner.keeps { try await $0.verdicts() } }

  @Test("one key is one run", arguments: RunnerUnderContract.allCases)
  func joining(runner: RunnerUnderContract) async throws { try await runner.keeps { try await $0.joining() } }

  @Test("a call whose reply was lost may be made again", arguments: RunnerUnderContract.allCases)
  func lostReplies(runner: RunnerUnderContract) async throws { try await runner.keeps { try await $0.lostReplies() } }

  @Test(
    "a run that its last caller left is killed", arguments: RunnerUnderContract.allCases)
  func cancelling(runner: RunnerUnderContract) async throws { try await runner.keeps { try await $0.cancelling() } }

  @Test("releasing ends what runs, and may be repeated", arguments: RunnerUnderContract.allCases)
  func releasing(runner: RunnerUnderContract) async throws { try await runner.keeps { try await $0.releasing() } }

  @Test("no runner, or one that is lost in the middle, is an outage", arguments: RunnerUnderContract.allCases)
  func outages(runner: RunnerUnderContract) async throws { try await runner.keeps { try await $0.outages() } }

  @Test("its health tells a busy runner from one that is gone", arguments: RunnerUnderContract.allCases)
  func health(runner: RunnerUnderContract) async throws { try await runner.keeps { try await $0.health() } }
}

private struct ModelRunnerSite: RunnerSite {
  private let farm = ModelFarm()
  private let blobs = RunnerBlobs()
  let repository = GitSandbox.harbor
  let commit = CommitID(rawValue: String(repeating: "a", count: 40))!
  var runner: any Runner { ModelRunner(farm: farm, blobs: blobs) }
  func command(_ behaviour: RunnerContract.Behaviour, key: String) -> String {
    switch behaviour {
    case .ends(let code): "exit \(code)"
    case .dies(let signal): "kill \(signal)"
    case .waits: "wait"
    }
  }
  func starts(of key: String) -> Int { farm.starts(of: key) }
  func isRunning(_ key: String) -> Bool { farm.isRunning(key) }
  func finish(_ key: String) { farm.finish(key) }
  func lose(_ key: String) async throws { farm.lose(key) }
  func takeAway() throws { farm.set(away: true) }
  func giveBack() throws { farm.set(away: false) }
  func log(_ report: RunReport) throws -> String { String(decoding: try blobs.get(report.log), as: UTF8.self) }
}

private struct LocalRunnerSite: RunnerSite {
  /// Where the commands leave word; the runs' own folder is `runs`.
  private let folder = shortFolder()
  private let blobs = RunnerBlobs()
  let runner: any Runner
  let repository = GitSandbox.harbor
  let commit = CommitID(rawValue: String(repeating: "a", count: 40))!
  private var runs: String { folder + "/runs" }

  init() async throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    runner = try await CommandRunner(folder: folder + "/runs", forge: OneFileForge(), blobs: blobs, now: wallClock)
  }
  func remove() { try? FileManager.default.removeItem(atPath: folder) }

  func command(_ behaviour: RunnerContract.Behaviour, key: String) -> String {
    // The place is told before the start is counted, so that whoever sees it run knows its folder.
    let begin = "echo begun; echo $PLIMSOLL_RUN > \(folder)/\(key).place; echo x >> \(folder)/\(key).starts; "
    return switch behaviour {
    case .ends(let code): begin + "exit \(code)"
    case .dies(let signal): begin + "kill -\(signal) $$"
    case .waits: begin + "until test -e \(folder)/\(key).go; do test -d $PLIMSOLL_RUN || exit 1; sleep 0.01; done"
    }
  }
  func starts(of key: String) -> Int {
    let text = try? String(contentsOfFile: "\(folder)/\(key).starts", encoding: .utf8)
    return text?.split(separator: "\n").count ?? 0
  }
  private func place(of key: String) -> String? {
    let text = try? String(contentsOfFile: "\(folder)/\(key).place", encoding: .utf8)
    return text?.trimmingCharacters(in: .whitespacesAndNewlines)
  }
  func isRunning(_ key: String) -> Bool {
    guard starts(of: key) > 0, let place = place(of: key) else { return false }
    return !marked(by: String(place.dropLast())).isEmpty
  }
  func finish(_ key: String) { FileManager.default.createFile(atPath: "\(folder)/\(key).go", contents: nil) }
  func lose(_ key: String) async throws {
    try FileManager.default.removeItem(atPath: try #require(place(of: key)))
  }
  func takeAway() throws {
    try FileManager.default.removeItem(atPath: runs)
    try "in the way".write(toFile: runs, atomically: true, encoding: .utf8)
  }
  func giveBack() throws {
    try FileManager.default.removeItem(atPath: runs)
    try FileManager.default.createDirectory(atPath: runs, withIntermediateDirectories: true)
  }
  func log(_ report: RunReport) throws -> String { String(decoding: try blobs.get(report.log), as: UTF8.self) }
}
