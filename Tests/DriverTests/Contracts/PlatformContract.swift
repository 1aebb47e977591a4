import Kernel
import Testing

/// A platform under contract, and what may befall its instances.
protocol PlatformSite: Sendable {
  var platform: any Platform { get }
  /// As a Plimsoll that was killed and started again would have it.
  func restarted() -> any Platform
  var deployment: Deployment { get }
  func specification(_ instances: Int) -> RunSpecification
  /// The instances that answer requests now, sorted.
  func serving() async -> [Int]
  /// How often an instance was started.
  func starts(of instance: Int) async -> Int
  /// Ends one instance, as a fault of its own would.
  func fail(_ instance: Int) async throws
}

/// What every `Platform` promises, in terms of the port alone: the machine leans on nothing more.
struct PlatformContract {
  let site: any PlatformSite

  private final class Keeping: Sendable {
    let reports = Reports<PlatformReport>()
    let task: Task<Void, any Error>
    init(
      _ site: any PlatformSite, _ platform: any Platform, instances: Int, limit: Int?, fence: Int64
    ) {
      task = Task { [reports] in
        try await platform.keepRunning(
          site.deployment, site.specification(instances), limit: limit, configuration: [], fence: Fence(fence),
          report: { await reports.add($0) })
      }
    }
    func stop() async {
      task.cancel()
      _ = await task.result
    }
    /// What it reported when all were ready.
    func ready() async -> [Endpoint] {
      var found: [Endpoint] = []
      await eventually("all ready") {
        for case .ready(let endpoints, digest: _) in await reports.all { found = endpoints }
        return !found.isEmpty
      }
      return found
    }
    var ends: Int {
      get async { await reports.all.count { if case .ended = $0 { true } else { false } } }
    }
  }

  private func keep(_ instances: Int, limit: Int? = nil, fence: Int64 = 1, through platform: (any Platform)? = nil)
    -> Keeping
  {
    Keeping(site, platform ?? site.platform, instances: instances, limit: limit, fence: fence)
  }

  private func serving(_ what: String, _ expected: [Int]) async {
    await eventually(what) { await site.serving() == expected }
  }

  private func retire(fence: Int64 = 1_000) async throws {
    try await site.platform.retire(site.deployment, fence: Fence(fence))
  }

  func running() async throws {
    let keeping = keep(2)
    let endpoints = await keeping.ready()
    #expect(endpoints.map(\.instance) == [0, 1])
    #expect(Set(endpoints.map(\.port)).count == 2)
    #expect(await keeping.reports.all.contains(.ready(endpoints: endpoints, digest: site.deployment.digest)))
    #expect(await site.serving() == [0, 1])
    await keeping.stop()
    #expect(await site.serving() == [0, 1], "they outlive their supervision")
    try await retire()
    try await retire()
    #expect(await site.serving().isEmpty)
  }

  /// The reply is killed, the call is made again: the same as one call.
  func lostReplies() async throws {
    for _ in 0..<4 {
      let cut = keep(2)
      await Task.yield()
      await cut.stop()
    }
    let keeping = keep(2)
    _ = await keeping.ready()
    let again = keep(2)
    #expect(await again.ready() == keeping.ready())
    #expect(await site.starts(of: 0) == 1)
    #expect(await site.starts(of: 1) == 1)
    await keeping.stop()
    await again.stop()
    let cut = Task { try await retire() }
    await Task.yield()
    cut.cancel()
    _ = await cut.result
    try await retire()
    #expect(await site.serving().isEmpty)
  }

  func fences() async throws {
    let keeping = keep(1, fence: 7)
    _ = await keeping.ready()
    try await retire(fence: 6)
    #expect(await site.serving() == [0], "a late call retires nothing")
    try await retire(fence: 8)
    #expect(await site.serving().isEmpty)
    let late = keep(1, fence: 7)
    try await late.task.value
    #expect(await late.reports.all.isEmpty)
    #expect(await site.serving().isEmpty, "a late call starts nothing")
    await keeping.stop()
  }

  func adoption() async throws {
    let first = keep(2)
    let before = await first.ready()
    await first.stop()
    let restarted = site.restarted()
    let second = keep(2, fence: 2, through: restarted)
    #expect(await second.ready() == before)
    #expect(await site.starts(of: 0) == 1)
    #expect(await second.ends == 0)
    await second.stop()
    try await restarted.retire(site.deployment, fence: Fence(3))
    #expect(await site.serving().isEmpty)
  }

  /// Only the lowest numbers run within a limit; raising it keeps those that run, lowering it is nobody's fault.
  func limits() async throws {
    let one = keep(3, limit: 1)
    #expect(await one.ready().map(\.instance) == [0])
    #expect(await site.serving() == [0])
    let two = keep(3, limit: 2, fence: 2)
    #expect(await two.ready().map(\.instance) == [0, 1])
    let all = keep(3, limit: nil, fence: 3)
    #expect(await all.ready().map(\.instance) == [0, 1, 2])
    #expect(await all.reports.all.allSatisfy(Self.neverLess(than: 2)), "raising tells of no lost endpoint")
    #expect(await site.starts(of: 0) == 1)
    #expect(await site.starts(of: 1) == 1)
    let fewer = keep(3, limit: 1, fence: 4)
    #expect(await fewer.ready().map(\.instance) == [0])
    await serving("the highest numbers end", [0])
    let more = keep(3, limit: 9, fence: 5)
    #expect(await more.ready().map(\.instance) == [0, 1, 2], "a limit above all is none")
    for keeping in [one, two, all, fewer, more] {
      #expect(await keeping.ends == 0, "an instance that was asked to end did not fail")
      await keeping.stop()
    }
    #expect(await site.starts(of: 0) == 1)
    try await retire()
  }

  private static func neverLess(than count: Int) -> (PlatformReport) -> Bool {
    { report in
      switch report {
      case .ready(let endpoints, digest: _), .endpoints(let endpoints): endpoints.count >= count
      case .ended, .altered: true
      }
    }
  }

  func loss() async throws {
    let keeping = keep(2)
    _ = await keeping.ready()
    try await site.fail(1)
    await eventually("told and started again") {
      var told = false
      for report in await keeping.reports.all {
        switch report {
        case .ended(let instance, _, let inRow, _, _):
          #expect(instance == 1 && inRow >= 1)
          told = true
        case .endpoints(let endpoints):
          if told, endpoints.map(\.instance) == [0, 1] { return true }
        case .ready, .altered: break
        }
      }
      return false
    }
    #expect(await site.starts(of: 0) == 1)
    #expect(await site.starts(of: 1) == 2)
    await keeping.stop()
    try await retire()
  }
}
