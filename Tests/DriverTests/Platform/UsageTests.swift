import Foundation
import Kernel
import Testing

@testable import Drivers

/// Real instances, as `/proc` shows them.
@Suite("What instances use") struct UsageTests {
  private let folder = ServiceFolder()
  private let good = ServiceFixture.deployment("a")

  private func started(_ command: String) async throws -> (LocalPlatform, Task<Void, any Error>) {
    let platform = LocalPlatform(
      releases: "\(folder.path)/releases", instances: "\(folder.path)/instances", logs: "\(folder.path)/logs",
      artifacts: ServiceArtifacts())
    let specification = RunSpecification(
      command: command, readinessPath: "/ready", readinessLimit: .seconds(60), instances: 1, stopLimit: .zero)
    let task = Task { [good] in
      try await platform.keepRunning(
        good, specification, limit: nil, configuration: [], fence: Fence(1), report: { _ in })
    }
    await eventually("it runs") {
      await platform.usage(of: [good.id]).first.map { $0.residentBytes > 1 << 20 } ?? false
    }
    return (platform, task)
  }

  /// A child of the instance counts as the instance.
  @Test("memory of a leaking child is seen to grow, and a restart is another run")
  func leak() async throws {
    let program = "import time; kept = []\nwhile True: kept.append(b'x' * (1 << 20)); time.sleep(0.02)"
    let (platform, task) = try await started("python3 -c \"\(program)\" & wait")
    let first = try #require(await platform.usage(of: [good.id]).first)
    #expect(first.deployment == good.id && first.instance == 0)
    await eventually("20 MB more") {
      let now = await platform.usage(of: [good.id]).first
      return now.map { $0.run == first.run && $0.residentBytes > first.residentBytes + 20 << 20 } ?? false
    }
    let files = InstanceFiles(folder: "\(folder.path)/instances/\(good.id)")
    InstanceProcesses(mark: files.mark(0)).killAll(leader: files.leader(0))
    await eventually("the next run is another") {
      await platform.usage(of: [good.id]).first.map { $0.run != first.run } ?? false
    }
    task.cancel()
    try await platform.retire(good, fence: Fence(9))
    #expect(await platform.usage(of: [good.id]) == [])
  }

  @Test("processor time of a busy child is seen, that of ended children too")
  func busy() async throws {
    let program = "sum(range(3_000_000))"
    let (platform, task) = try await started("while :; do python3 -c '\(program)'; done")
    let first = try #require(await platform.usage(of: [good.id]).first)
    let began = ContinuousClock.now
    await eventually("half a second of processor time") {
      let now = await platform.usage(of: [good.id]).first
      return now.map { $0.processorSeconds > first.processorSeconds + 0.5 } ?? false
    }
    // One busy loop cannot use more than one processor, with room for ticks.
    let last = try #require(await platform.usage(of: [good.id]).first)
    let passed = began.duration(to: .now) / .seconds(1)
    #expect(last.processorSeconds - first.processorSeconds < passed + 0.2)
    task.cancel()
    try await platform.retire(good, fence: Fence(9))
  }
}
