import Foundation
import Testing

/// The demo is the end-to-end test: real git, builds, processes, HAProxy and traffic. Times are asserted by
/// `make accept`, not here.
@Suite("The whole way", .serialized) struct DemoTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static let claims = [
    "a good change lands and the same digest reaches every environment",
    "the digests that serve are the only ones that run",
    "a rollback drill moves real requests there and back",
    "of two changes that break together one lands and the other is ejected with its log",
    "a change that fails about 5 % of real requests is rolled back to the known-good digest by itself",
    "after the rollback only the known-good digest runs in production",
    "the rollback was announced",
    "the measures count what happened",
    "a safe migration is applied and its version serves production",
    "a migration that breaks what serves is refused with statement, version, SQLSTATE, line and the safe way",
    "nothing of a refused migration reaches the database",
    "the same change in steps is applied and serves production",
    "no request failed while the schema changed",
    "a flag that hurts those who have it is convicted and switched off by itself",
    "every client is known to have the withdrawal",
    "the flag went without a deploy: the same digest serves and no rollout began",
    "no request failed through a switch of versions",
    "the demo ends within 4 minutes",
  ]

  @Test("every claim of the demo holds") func demo() async throws {
    try await withFolder { folder in
      let report = folder.appending(path: "report.json")
      let ended = try Binary.run(
        ["demo", "--example", Self.root.appending(path: "Examples/harbor").path, "--report", report.path], in: folder)
      #expect(ended.code == 0, "\(ended.output)\n\(ended.errors)")
      let facts = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: report)) as? [String: Any])
      let claims = try #require(facts["claims"] as? [[String: Any]])
      for text in Self.claims {
        let claim = claims.first { $0["claim"] as? String == text }
        #expect(claim?["held"] as? Bool == true, "\(text): \(claim ?? [:])")
      }
      #expect(claims.count == Self.claims.count, "\(claims)")
      let requests = try #require(facts["requests"] as? [String: Any])
      #expect(requests["failedBySwitches"] as? Int == 0)
      let digests = try #require(facts["digests"] as? [String: String])
      #expect(digests.count == 3)
      #expect((facts["ejected"] as? String)?.contains("consumer") == true)
    }
  }
}
