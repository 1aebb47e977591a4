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
    #expect(policy.steps == [10, 50, 100])
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
    #expect(environments.map(\.rollout.steps) == [[100], [100], [10, 50, 100]])
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
