import Foundation
import Kernel
import Rollouts
import Testing

@testable import Server

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// Evidence of a script: counts a second, from `at` in seconds on.
private func series(
  _ points: [(at: Double, new: RequestCounts, old: RequestCounts)], hasControl: Bool = true
) -> EvidenceSeries {
  EvidenceSeries(
    stream: Harbor.inProduction, rollout: 3, canary: deployment("new"),
    control: hasControl ? deployment("old") : nil, slowerThan: .seconds(0.6),
    points: points.map { point in
      EvidencePoint(
        at: Instant(milliseconds: Int64(point.at * 1000)), canary: point.new, control: point.old,
        evidence: Rule.ofRequests.map { RuleEvidence(rule: $0, logEvidence: point.at, threshold: 5.3) })
    })
}

private func deployment(_ name: String) -> DeploymentID {
  DeploymentID(
    Harbor.service, Harbor.production, Harbor.digest(name), configuration: Harbor.digest("configuration"))
}

private func bad(_ errors: Int, slow: Int = 0) -> RequestCounts {
  RequestCounts(requests: 100, errors: errors, slow: slow)
}

@Suite struct SparklineTests {
  private func check(
    _ what: String, _ points: [(Double, RequestCounts, RequestCounts)], hasControl: Bool = true, rows: [String],
    scale: String, _ location: SourceLocation = #_sourceLocation
  ) {
    let drawn = Sparkline(series(points.map { (at: $0.0, new: $0.1, old: $0.2) }, hasControl: hasControl))
    #expect(drawn?.rows == rows, "\(what)", sourceLocation: location)
    #expect(drawn?.scale == scale, "\(what)", sourceLocation: location)
  }

  private func seconds(_ errors: [Int]) -> [(Double, RequestCounts, RequestCounts)] {
    errors.enumerated().map { (Double($0 + 1), bad($1), bad(0)) }
  }

  @Test func barsAreSecondsOnOneScale() {
    check(
      "a bad release", seconds([0, 0, 1, 2, 8, 1]), rows: ["new ▁▁▂▃█▂", "old ▁▁▁▁▁▁"],
      scale: "Bad responses (failed or slow) a second over 6.0 s, a bar for each; █ is 8 a second.")
    check(
      "both bad, and the old one worse", [(1, bad(1), bad(3)), (2, bad(0, slow: 2), bad(4, slow: 2))],
      rows: ["new ▃▄", "old ▅█"],
      scale: "Bad responses (failed or slow) a second over 2.0 s, a bar for each; █ is 6 a second.")
    check(
      "a first release has nobody to compare with", seconds([0, 7]), hasControl: false, rows: ["new ▁█"],
      scale: "Bad responses (failed or slow) a second over 2.0 s, a bar for each; █ is 7 a second.")
    check(
      "one in a hundred of the most can be seen", seconds([1, 100]), rows: ["new ▂█", "old ▁▁"],
      scale: "Bad responses (failed or slow) a second over 2.0 s, a bar for each; █ is 100 a second.")
  }

  @Test func nothingBadIsSaidInWords() {
    check(
      "health", seconds([0, 0, 0]), rows: ["new ▁▁▁", "old ▁▁▁"],
      scale: "No bad response (failed or slow) in 3.0 s.")
    #expect(Sparkline(series([])) == nil)
  }

  @Test func aLongWatchShowsItsWorstSeconds() {
    var errors = Array(repeating: 0, count: 120)
    errors[1] = 1
    errors[119] = 30
    check(
      "two minutes", seconds(errors),
      rows: ["new ▂\(String(repeating: "▁", count: 58))█", "old \(String(repeating: "▁", count: 60))"],
      scale: "Bad responses (failed or slow) a second over 2 min, each bar the worst of 2.0 s; █ is 30 a second.")
    for count in [59, 60, 61, 119, 600, 7200] {
      let rows = Sparkline(series((1...count).map { (at: Double($0), new: bad($0 % 3), old: bad(0)) }))?.rows
      #expect(rows?.map(\.count) == [4, 4].map { $0 + min(count, Sparkline.longest) }, "\(count) s")
    }
  }

  @Test func aPointCutShortIsNoRushOfErrors() {
    check(
      "the moment of decision", [(1, bad(0), bad(0)), (2, bad(0), bad(0)), (2.1, bad(2), bad(0))],
      rows: ["new ▁▁█", "old ▁▁▁"],
      scale: "Bad responses (failed or slow) a second over 2.1 s, a bar for each; █ is 2 a second.")
    check(
      "and the second after it",
      [(1, bad(0), bad(0)), (2, bad(0), bad(0)), (2.1, bad(2), bad(0)), (3.1, bad(1), bad(0))],
      rows: ["new ▁▁█", "old ▁▁▁"],
      scale: "Bad responses (failed or slow) a second over 3.1 s, a bar for each; █ is 2.7 a second.")
  }
}

@Suite struct StillPictureTests {
  @Test func itNeedsNothingThatLibrsvgLacks() async throws {
    let backend = ScriptedBackend(try Harbor.rich())
    let drawn = try #require(try await RolloutPictures(records: backend).drawn(of: "/rollouts/harbor/production/3"))
    let svg = String(decoding: drawn.svg, as: UTF8.self)
    for absent in ["var(", "--ink", "@media", "<script", "href", "url("] { #expect(!svg.contains(absent), "\(absent)") }
    for present in ["<svg", "fill=\"#fffefb\"", ".new{stroke:#b3401f}", "text{fill:#1b2530", "detected, decided"] {
      #expect(svg.contains(present), "\(present)")
    }
    #expect(XMLParser(data: Data(drawn.svg)).parse())
    #expect(drawn.trend.map { $0.prefix(4) } == ["new ", "old "])
    #expect(drawn.trend.contains { $0.contains("█") })
    #expect(drawn.scale.contains("a second"))
  }

  @Test func otherPagesHaveNone() async throws {
    let pictures = RolloutPictures(records: ScriptedBackend(try Harbor.rich()))
    for page in [
      "/rollouts/harbor/production/99", "/rollouts/harbor/production/3.svg", "/rollouts/harbor/integration/1",
      "/rollouts/other/production/3", "/changes/harbor/1", "/rollouts/harbor/production", "/", "",
    ] {
      #expect(try await pictures.drawn(of: page) == nil, "\(page)")
    }
  }

  /// The announcement's limit of what it carries inline is 64 KiB.
  @Test func twoHoursOfNoiseStillFitIntoAMessage() async throws {
    let backend = ScriptedBackend(try Harbor.rich())
    let record = try #require(try await Chronicle(records: backend).rollouts(of: Harbor.inProduction).last)
    let noise = series(
      (1...7200).map { (at: Double($0), new: bad($0 * 7919 % 23, slow: $0 % 5), old: bad($0 * 31 % 17)) })
    let svg = Picture(noise, record).still
    #expect(svg.count > 10_000)
    #expect(svg.count <= 64 << 10, "\(svg.count) bytes")
  }

  @Test func thePNGIsDrawnFromIt() async throws {
    try await withServer { wire, backend in
      let answer = try await wire.send("GET", "/v1/rollouts/harbor/production/3/evidence.png")
      #expect(answer.status == 200)
      #expect(answer.headers["content-type"] == "image/png")
      #expect(answer.headers["content-length"] == "4")
      let drawn = try await RolloutPictures(records: backend).drawn(of: "/rollouts/harbor/production/3")
      #expect(await backend.drawnFrom == drawn?.svg, "the announcement's picture and the one served differ")
    }
  }

  @Test func withoutTheProgramItIsAnOutageThatSaysWhatToDo() async throws {
    try await withServer { wire, backend in
      await backend.setDrawing(Outage("picture", "rsvg-convert is not installed: run scripts/setup"))
      let answer = try await wire.send("GET", "/v1/rollouts/harbor/production/3/evidence.png")
      #expect(answer.status == 503)
      #expect(answer.headers["content-type"] == "application/json")
      #expect(answer.body.contains("run scripts/setup"))
      let unseen = try await wire.send("GET", "/v1/rollouts/harbor/integration/1/evidence.png")
      #expect(unseen.status == 404, "\(unseen.body)")
      #expect(unseen.body.contains("nothing to draw"))
      #expect(try await wire.send("GET", "/rollouts/harbor/production/3.svg").status == 200)
    }
  }
}
