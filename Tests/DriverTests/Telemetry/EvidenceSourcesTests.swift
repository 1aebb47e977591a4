import Kernel
import Testing

@testable import Drivers

@Suite("Each place has its source of evidence") struct EvidenceSourcesTests {
  /// Answers with its own number everywhere.
  private struct Numbered: Telemetry {
    let number: Int
    func bins(service: ServiceName, environment: EnvironmentName, slowerThan: Span, width: Span)
      async throws(Outage) -> AsyncStream<EvidenceBin>
    {
      let at = Instant(milliseconds: Int64(number))
      return AsyncStream { continuation in
        continuation.yield(EvidenceBin(from: at, to: at, arms: [], source: .sound))
        continuation.finish()
      }
    }
    func history(of deployment: DeploymentID, slowerThan: Span, window: Span) async throws(Outage) -> RequestCounts {
      RequestCounts(requests: number)
    }
    func historyWindows(of deployment: DeploymentID, slowerThan: Span, window: Span, width: Span)
      async throws(Outage) -> [RequestCounts]
    { [RequestCounts(requests: number)] }
    func harm(by deployment: DeploymentID, slowerThan: Span, since: Instant) async throws(Outage) -> Harm {
      Harm(counts: RequestCounts(requests: number), firstBadAt: nil, lastBadAt: nil, clientMinutes: 0)
    }
  }

  @Test("its metrics pages where they were chosen, the log elsewhere", arguments: [("prod", 2), ("staging", 1)])
  func chosen(environment: String, expected: Int) async throws {
    let scraped = ServiceFixture.deployment("a")
    let sources = EvidenceSources(
      log: Numbered(number: 1), metrics: Numbered(number: 2), scraped: [(scraped.service, scraped.environment)])
    let asked = ServiceFixture.deployment("b", environment: environment)
    let id = asked.id
    let second = Span.seconds(1)
    #expect(try await sources.history(of: id, slowerThan: second, window: second).requests == expected)
    #expect(
      try await sources.historyWindows(of: id, slowerThan: second, window: second, width: second).map(\.requests)
        == [expected])
    let harm = try await sources.harm(by: id, slowerThan: second, since: Instant(milliseconds: 0))
    #expect(harm.counts.requests == expected)
    let bins = try await sources.bins(
      service: asked.service, environment: asked.environment, slowerThan: second, width: second)
    for await bin in bins { #expect(bin.from.milliseconds == Int64(expected)) }
  }
}
