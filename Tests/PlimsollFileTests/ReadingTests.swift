import ControlPlane
import Foundation
import Kernel
import Rollouts
import Testing

@testable import PlimsollFile

@Suite("plimsoll.yaml, as it should be") struct ReadingTests {
  @Test("ten lines work, with defaults") func tenLinesWork() throws {
    #expect(tenLines.split(separator: "\n").count == 10)
    let file = try parse(tenLines)
    let service = try #require(file.topology.services.first)
    #expect(service.trunk.rawValue == "main")
    #expect(file.repositories.map(\.location) == ["/srv/harbor.git"])
    let policy = try #require(service.environments.first?.rollout)
    #expect(policy.steps.map(\.percent) == [10, 50, 100])
    #expect(policy.judge.slowerThan == .seconds(0.3))
    #expect(policy.fault == nil)
    #expect(file.topology.queues.map(\.slots) == [2])
    #expect(file.listen == .standard)
    #expect(file.warnings.isEmpty)
  }

  @Test("without environments there are the article's three, judged in the last") func threeEnvironments() throws {
    let environments = try #require(parse(file()).topology.services.first).environments
    #expect(environments.map(\.name.rawValue) == ["integration", "staging", "production"])
    #expect(environments.map(\.rollout.judged) == [false, false, true])
    #expect(environments.map { $0.rollout.steps.map(\.percent) } == [[100], [100], [10, 50, 100]])
  }

  @Test("what is legal and probably not meant is a warning at the service's line") func warnings() throws {
    let found = try parse(file()).warnings.map(\.description)
    #expect(found.count == 2)
    #expect(
      found.first?.hasPrefix("plimsoll.yaml:2:3: warning: services.harbor: no environment before production has a")
        == true)
    #expect(
      found.last?.hasPrefix("plimsoll.yaml:2:3: warning: services.harbor: no slo is set, so a P99 of 500ms") == true)
    let checked = "slo: { p99: 1s }\nenvironments:\n  staging: { checks: { load: ./load } }"
    #expect(try parse(file(checked)).warnings.isEmpty)
  }

  @Test("services of one repository share its queue") func sharedQueue() throws {
    let second = """
      crane:
          repository: ./harbor.git
          test: ./test
          build: ./build-crane
          output: dist
          run: ./run
      """
    let parsed = try parse(file() + "  " + second)
    #expect(parsed.topology.queues.count == 1)
    #expect(parsed.topology.services.map(\.repository.rawValue) == ["harbor", "harbor"])
    check(
      file() + "  " + second.replacingOccurrences(of: "./test", with: "./other"),
      "plimsoll.yaml:9:3: services: two services of repository 'harbor' name different tests")
  }

  @Test(
    "the ceiling: an explicit one, else 14.4 times what the availability allows within limits, else 5 %",
    arguments: [
      ("", 0.05, "default; slo.availability or rollback.ceiling changes it"),
      ("availability: 99.9%", 0.0144, "slo.availability 99.9%: 14.4 times what it allows, within 1% to 5%"),
      ("availability: 99.7%", 0.0432, "slo.availability 99.7%: 14.4 times what it allows, within 1% to 5%"),
      ("availability: 99%", 0.05, "slo.availability 99%: 14.4 times what it allows, within 1% to 5%"),
      ("availability: 99.999%", 0.01, "slo.availability 99.999%: 14.4 times what it allows, within 1% to 5%"),
    ]) func ceilings(availability: String, share: Double, reason: String) throws
  {
    let level = availability.isEmpty ? "{ p99: 1s }" : "{ p99: 1s, \(availability) }"
    let file = try parse(file("slo: \(level)"))
    let ceiling = try #require(file.judged.first).ceiling
    #expect(file.judged.map(\.environment.rawValue) == ["production"], "only where traffic is judged")
    #expect(abs(ceiling.share - share) < 1e-9 && ceiling.reason == reason, "\(ceiling)")
    let policy = try #require(file.topology.services.first?.environments.last?.rollout)
    #expect(policy.judge.ceiling == ceiling.share)
    let explicit = "slo: \(level)\nenvironments:\n  production: { rollback: { ceiling: 20% } }"
    let wins = try parse(PlimsollFileTests.file(explicit))
    #expect(
      wins.judged.first?.ceiling.sentence == "Errors above 20% roll a version back, by rollback.ceiling.")
    #expect(wins.topology.services.first?.environments.last?.rollout.judge.ceiling == 0.2)
  }

  @Test("the example is legal") func example() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let file = try PlimsollFile.read(root.appending(path: "Examples/harbor/plimsoll.yaml").path)
    #expect(file.topology.services.map(\.name.rawValue) == ["harbor"])
    #expect(file.warnings.isEmpty)
  }

  @Test(
    "durations",
    arguments: [
      ("250ms", 250), ("30s", 30_000), ("15m", 900_000), ("2h", 7_200_000), ("1d", 86_400_000), ("0", 0),
      ("1.5s", 1500),
      ("", nil), ("5", nil), ("-1s", nil), ("s", nil), ("1.2.3s", nil), ("5 m", nil), ("99999999999999999999d", nil),
    ] as [(String, Int64?)]) func durations(text: String, milliseconds: Int64?)
  {
    #expect(parseSpan(text)?.milliseconds == milliseconds)
  }

  @Test(
    "shares",
    arguments: [
      ("5%", 0.05), ("99.5 %", 0.995), ("0.05", 0.05), ("0", 0), ("101%", nil), ("-1%", nil), ("nan", nil),
      ("five", nil),
    ] as [(String, Double?)]) func shares(text: String, share: Double?)
  {
    #expect(parseShare(text) == share)
  }

  @Test(
    "sizes",
    arguments: [
      ("256MB", 256_000_000), ("1.5 GB", 1_500_000_000), ("64MiB", 67_108_864), ("0MB", nil), ("MB", nil), ("12", nil),
      ("1e300GB", nil), ("infGB", nil), ("nanMB", nil),
    ] as [(String, Int64?)]) func sizes(text: String, bytes: Int64?)
  {
    #expect(parseBytes(text) == bytes)
  }
}
