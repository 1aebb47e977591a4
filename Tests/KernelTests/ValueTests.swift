import Foundation
import Kernel
import Testing

@Suite("Time") struct TimeTests {
  @Test("instants and spans add up") func arithmetic() {
    let noon = Instant(milliseconds: 1_000)
    #expect(noon + .seconds(1.5) == Instant(milliseconds: 2_500))
    #expect(noon - .seconds(0.25) == Instant(milliseconds: 750))
    #expect(noon - Instant(milliseconds: 1_200) == Span(milliseconds: -200))
    #expect(Span.minutes(2) == Span.seconds(120))
    #expect(Span.seconds(2) + .seconds(3) == .seconds(5))
    #expect(Span.seconds(2) * 3 == .seconds(6))
    #expect(Span(milliseconds: 1_500).seconds == 1.5)
    #expect(Span.seconds(0.0004) == .zero)
    #expect(noon < noon + Span(milliseconds: 1))
  }

  @Test("both are coded as whole milliseconds") func coding() throws {
    #expect(String(decoding: try JSONEncoder().encode([Instant(milliseconds: 7)]), as: UTF8.self) == "[7]")
    #expect(String(decoding: try JSONEncoder().encode([Span.seconds(1)]), as: UTF8.self) == "[1000]")
    #expect(try JSONDecoder().decode([Instant].self, from: Data("[7]".utf8)) == [Instant(milliseconds: 7)])
    #expect(throws: DecodingError.self) { try JSONDecoder().decode([Span].self, from: Data("[1.5]".utf8)) }
  }
}

@Suite("Deployments") struct DeploymentTests {
  @Test("what identifies one follows from its parts and is not coded") func coding() throws {
    let hex = String(repeating: "a", count: 64)
    let digest = try #require(Digest(rawValue: "sha256:" + hex))
    let deployment = Deployment(
      service: try #require(ServiceName(rawValue: "harbor")),
      environment: try #require(EnvironmentName(rawValue: "production")), digest: digest,
      commit: try #require(CommitID(rawValue: String(repeating: "c", count: 40))), configuration: digest,
      sealedConfiguration: digest)
    #expect(deployment.id.rawValue == "harbor.production.\(hex.prefix(12)).\(hex.prefix(8))")
    let coded = try JSONEncoder().encode(deployment)
    let fields = try #require(try JSONSerialization.jsonObject(with: coded) as? [String: String])
    #expect(
      fields.keys.sorted() == ["commit", "configuration", "digest", "environment", "sealedConfiguration", "service"])
    #expect(try JSONDecoder().decode(Deployment.self, from: coded) == deployment)
  }
}

@Suite("Retry budgets") struct RetryBudgetTests {
  private func check(_ budget: RetryBudget, pausesMs: [Int64], _ location: SourceLocation = #_sourceLocation) {
    let pauses = pausesMs.indices.map { budget.pause(afterFailures: $0 + 1).milliseconds }
    #expect(pauses == pausesMs, sourceLocation: location)
  }

  @Test("pauses double up to the ceiling") func pauses() {
    check(.persistent, pausesMs: [200, 400, 800, 1_600, 3_200, 5_000, 5_000])
    check(.bounded, pausesMs: [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000])
    check(RetryBudget(attempts: nil, first: .zero, ceiling: .seconds(1)), pausesMs: [0, 0, 0])
  }

  @Test("no count of failures overflows") func extremes() {
    for failures in [-1, 0, 1] {
      #expect(RetryBudget.persistent.pause(afterFailures: failures) == RetryBudget.persistent.first)
    }
    #expect(RetryBudget.patient.pause(afterFailures: .max) == RetryBudget.patient.ceiling)
  }
}

@Suite("Nearest match") struct NearestMatchTests {
  private let words = ["production", "staging", "integration", "slo"]

  @Test(
    "finds the slip of a hand",
    arguments: [
      ("prodution", "production"), ("stagign", "staging"), ("Staging", "staging"), ("sol", "slo"), ("slos", "slo"),
    ]) func finds(word: String, expected: String)
  {
    #expect(nearestMatch(to: word, among: words) == expected)
  }

  @Test("stays silent when nothing is near", arguments: ["", "qa", "development", "prod"])
  func silent(word: String) { #expect(nearestMatch(to: word, among: words) == nil) }

  @Test("equally near candidates are told apart by name") func ties() {
    #expect(nearestMatch(to: "cat", among: ["rat", "bat", "hat"]) == "bat")
    #expect(nearestMatch(to: "cat", among: [String]()) == nil)
  }

  @Test(
    "a swap of neighbours is one edit",
    arguments: [
      ("", "", 0), ("abc", "", 3), ("", "ab", 2), ("ab", "ba", 1), ("kitten", "sitting", 3), ("abc", "abc", 0),
    ]) func distance(left: String, right: String, expected: Int)
  {
    #expect(editDistance(Array(left), Array(right)) == expected)
    #expect(editDistance(Array(right), Array(left)) == expected)
  }
}

@Suite("Errors for people") struct ErrorTests {
  @Test("an outage prints its chain on one line") func outage() {
    #expect(Outage("git", "it is gone").description == "git: it is gone")
    #expect(
      Outage("git", "it is gone", sources: ["no route", "cable cut"]).description
        == "git: it is gone; because no route; because cable cut")
  }
  @Test("a refusal prints its sentence") func refusal() {
    #expect("\(Refusal(.notNow, "It is full; wait."))" == "It is full; wait.")
  }
}
