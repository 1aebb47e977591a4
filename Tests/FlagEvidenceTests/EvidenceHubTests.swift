import FlagEvidence
import Foundation
import Kernel
import Ramps
import Testing

struct EvidenceHubTests {
  private func line(_ text: String) -> [UInt8] { Array(text.utf8) }

  private func show(_ scene: EvidenceScene, _ variant: String, _ unit: String, byTargeting: Bool = false) {
    scene.hub.exposed(
      environment: "prod", flag: "checkout", variant: variant, reason: byTargeting ? .targetingMatch : .split,
      version: 1, unit: unit, at: Double(scene.now.milliseconds) / 1000)
  }

  @Test func evaluationsAndOutcomesMeetInTheBook() async throws {
    let scene = try EvidenceScene()
    await scene.begin()
    let stream = try await scene.hub.tellings(of: scene.ramp)
    show(scene, "on", "a")
    show(scene, "off", "b")
    show(scene, "on", "staff", byTargeting: true)
    let outcomes = ["a", "b", "staff"].map { "{\"type\":\"outcome\",\"unit\":\"\($0)\",\"failed\":true}" }
    #expect(scene.post("/v1/flags/events", line(outcomes.joined(separator: "\n"))).status == 200)
    let told = await scene.tellings(after: 4, stream)
    #expect(told.counts().events == Cohorts(treatment: 1, control: 1))
    #expect(told.units == Cohorts(treatment: 1, control: 1), "whom targeting decided is in no cohort")
    #expect(scene.hub.tally(of: scene.ramp.flag, in: scene.ramp.environment)?.unknownUnits == 1)
  }

  @Test func whatTheRouterSawIsAnExposureAndAnOutcome() async throws {
    let scene = try EvidenceScene(service: "shop")
    await scene.begin()
    let stream = try await scene.hub.tellings(of: scene.ramp)
    scene.pass(1)
    func request(
      _ variants: [FlaggedRequest.Variant], _ unit: String?, failed: Bool = false, service: String = "shop"
    ) throws -> FlaggedRequest {
      FlaggedRequest(
        service: try #require(ServiceName(rawValue: service)), variants: variants, unit: unit, isError: failed,
        duration: Span(milliseconds: 20), endedAt: scene.now)
    }
    let on = FlaggedRequest.Variant(flag: "checkout", name: "on")
    let off = FlaggedRequest.Variant(flag: "checkout", name: "off")
    let staff = FlaggedRequest.Variant(flag: "checkout", name: "on", isByTargeting: true)
    let requests = [
      try request([on], "a", failed: true), try request([off, .init(flag: "banner", name: "x")], "b"),
      try request([staff], "staff", failed: true), try request([on], "c", failed: true, service: "mail"),
    ]
    scene.hub.took(requests, in: scene.ramp.environment)
    scene.hub.took(requests, in: try #require(EnvironmentName(rawValue: "nowhere")))
    let told = await scene.tellings(after: 4, stream)
    #expect(told.counts().trials == Cohorts(treatment: 1, control: 1))
    #expect(told.counts().events == Cohorts(treatment: 1, control: 0))
    #expect(told.units == Cohorts(treatment: 2, control: 1), "whoever was shown it counts in the sample, wherever")
    let shown = try await scene.hub.shown(
      scene.ramp.flag, in: scene.ramp.environment, variant: "on", since: EvidenceScene.began - .seconds(1))
    #expect(shown != nil)
  }

  @Test func environmentsAndServicesAreKeptApart() async throws {
    let scene = try EvidenceScene(service: "shop")
    await scene.begin()
    let stream = try await scene.hub.tellings(of: scene.ramp)
    let text = #"{"type":"outcome","flag":"checkout","variant":"on","unit":"a","failed":true,"service":"shop"}"#
    let other = text.replacingOccurrences(of: "shop\"", with: "mail\"")
    #expect(scene.post("/v1/flags/events", line(text)).status == 200)
    #expect(scene.post("/v1/flags/events", line(other)).status == 200)
    #expect(scene.post("/v1/flags/events", line(text), environment: "staging").status == 200)
    let unknown = scene.post("/v1/flags/events", line(text), environment: "prd")
    #expect(unknown.status == 404 && String(decoding: unknown.body, as: UTF8.self).contains("did you mean prod?"))
    #expect(await scene.tellings(after: 4, stream).counts().trials == Cohorts(treatment: 1, control: 0))
  }

  @Test func aFloodIsToldToComeAgainAndIsBounded() async throws {
    let scene = try EvidenceScene(waiting: 100)
    await scene.begin()
    let stream = try await scene.hub.tellings(of: scene.ramp)
    let rest = #""failed":false,"flag":"checkout","variant":"on"}"#
    let batch = line(
      (0..<60).map { "{\"type\":\"outcome\",\"unit\":\"u\($0)\",\(rest)" }.joined(separator: "\n"))
    #expect(scene.post("/v1/flags/events", batch).status == 200)
    let refused = scene.post("/v1/flags/events", batch)
    #expect(refused.status == 429 && refused.retryAfterSeconds == 1 && scene.hub.refused == 60)
    for unit in 0..<150 { show(scene, "on", "unit-\(unit)") }
    #expect(scene.hub.dropped == 50)
    scene.hub.turn(now: scene.now)
    #expect(scene.post("/v1/flags/events", batch).status == 200, "a turn makes room")
    #expect(await scene.tellings(after: 4, stream).counts().trials.treatment == 120)
  }

  @Test func bodiesAreBounded() throws {
    let scene = try EvidenceScene()
    #expect(scene.post("/v1/flags/events", Array(repeating: 10, count: (4 << 20) + 1)).status == 413)
    #expect(scene.post("/v1/flags/events", [1, 2, 3], encoding: "gzip").status == 400)
    #expect(scene.post("/v1/flags/events", [1, 2, 3], encoding: "br").status == 415)
    #expect(scene.post("/v1/nothing", []).status == 404)
    #expect(scene.post("/v1/flags/events", line("x\ny")).status == 400)
    #expect(scene.post("/v1/flags/events", []).status == 200)
  }

  @Test func itIsKnownWhenAVariantWasShownLast() async throws {
    let scene = try EvidenceScene()
    let (flag, environment) = (scene.ramp.flag, scene.ramp.environment)
    let start = scene.now - .seconds(1)
    #expect(try await scene.hub.shown(flag, in: environment, variant: "on", since: start) == nil)
    show(scene, "on", "a")
    let first = scene.now
    scene.pass(5)
    show(scene, "on", "staff", byTargeting: true)
    #expect(try await scene.hub.shown(flag, in: environment, variant: "on", since: start) == first)
    #expect(try await scene.hub.shown(flag, in: environment, variant: "on", since: first) == nil)
    #expect(try await scene.hub.shown(flag, in: environment, variant: nil, since: start) == scene.now)
  }

  private func told(_ flag: String, _ variant: String, at: Instant) -> EvidenceItem {
    .exposure(
      NamedVariant(flag: flag, variant: variant), reason: nil, key: EvidenceKey(unit: "a"), version: nil, at: at)
  }

  private func lastShown(
    _ scene: EvidenceScene, _ variant: String? = "on", since: Instant = EvidenceScene.began
  ) async throws -> Instant? {
    try await scene.hub.shown(scene.ramp.flag, in: scene.ramp.environment, variant: variant, since: since)
  }

  @Test("what comes late moves no time back")
  func late() async throws {
    let scene = try EvidenceScene()
    scene.pass(60)
    let newest = scene.now
    #expect(scene.hub.take([told("checkout", "on", at: newest)], from: "s", in: "prod"))
    #expect(scene.hub.take([told("checkout", "on", at: newest - .seconds(50))], from: "t", in: "prod"))
    #expect(try await lastShown(scene) == newest)
    show(scene, "off", "a")
    scene.pass(5)
    #expect(scene.hub.take([told("checkout", "off", at: newest - .seconds(50))], from: "t", in: "prod"))
    #expect(try await lastShown(scene, "off") == newest)
  }

  @Test("what a clock ahead stamps was shown by now")
  func ahead() async throws {
    let scene = try EvidenceScene()
    scene.pass(60)
    #expect(scene.hub.take([told("checkout", "on", at: scene.now + .seconds(300))], from: "s", in: "prod"))
    #expect(try await lastShown(scene) == scene.now, "shifted")
    scene.pass(5)
    #expect(scene.hub.take([told("checkout", "on", at: scene.now + .seconds(0.5))], from: "t", in: "prod"))
    #expect(try await lastShown(scene) == scene.now, "clamped, since half a second is no wrong clock")
  }

  @Test("names that are not known are noted nowhere")
  func foreign() async throws {
    let scene = try EvidenceScene(waiting: 20_000) { _, flag, _ in flag == "checkout" }
    scene.pass(60)
    let bogus = (0..<15_000).map { told("bogus-\($0)", "on", at: scene.now) }
    #expect(scene.hub.take(bogus, from: "s", in: "prod"))
    scene.hub.reported(
      environment: "prod", flag: "bogus", variant: "on", count: 3, version: 1,
      at: Double(scene.now.milliseconds) / 1000)
    #expect(scene.hub.foreign == 15_001 && scene.hub.crowded == 0)
    #expect(try await lastShown(scene) == nil, "quiet")
    #expect(scene.hub.take([told("checkout", "on", at: scene.now)], from: "s", in: "prod"))
    #expect(try await lastShown(scene) == scene.now)
  }

  @Test("of a flag that there was no room for nobody says that it is quiet")
  func crowded() async throws {
    let scene = try EvidenceScene(waiting: 20_000)
    scene.pass(60)
    let bogus = (0..<10_000).map { told("bogus-\($0)", "on", at: scene.now) }
    #expect(scene.hub.take(bogus, from: "s", in: "prod"))
    #expect(try await lastShown(scene) == nil, "full, but all had room")
    #expect(scene.hub.take([told("checkout", "on", at: scene.now)], from: "s", in: "prod"))
    #expect(scene.hub.crowded == 1)
    await #expect(throws: Outage.self) { _ = try await lastShown(scene) }
    #expect(try await lastShown(scene, since: scene.now) == nil, "since then all had room")
    scene.pass(1)
    show(scene, "on", "a")
    #expect(try await lastShown(scene) == scene.now, "what this server evaluates has room of its own")
    await #expect(throws: Outage.self) { _ = try await lastShown(scene, "off") }
  }

  @Test("of a variant that there was no room for nobody says that it is quiet")
  func crowdedVariants() async throws {
    let scene = try EvidenceScene()
    scene.pass(60)
    let bogus = (0..<100).map { told("checkout", "bogus-\($0)", at: scene.now) }
    #expect(scene.hub.take(bogus, from: "s", in: "prod"))
    await #expect(throws: Outage.self) { _ = try await lastShown(scene) }
    #expect(try await lastShown(scene, "bogus-0") == scene.now)
    let watched = try EvidenceScene()
    await watched.begin()
    watched.pass(60)
    #expect(watched.hub.take(bogus, from: "s", in: "prod"))
    #expect(try await lastShown(watched) == nil, "a ramp's variant has its place")
  }

  @Test("names are bounded")
  func names() async throws {
    let scene = try EvidenceScene()
    scene.pass(60)
    let long = String(repeating: "n", count: 257)
    #expect(scene.hub.take([told(long, "on", at: scene.now)], from: long, in: "prod"))
    #expect(scene.hub.foreign == 1)
    #expect(scene.hub.take([told("checkout", long, at: scene.now)], from: "s", in: "prod"))
    await #expect(throws: Outage.self) { _ = try await lastShown(scene, long) }
  }

  @Test func whatIsUsualIsKnownAfterTenSeconds() async throws {
    let scene = try EvidenceScene([
      Guardrail("errors", .errors), Guardrail("slow", .latency(slowerThan: .seconds(1))),
      Guardrail("purchase", .conversion(within: .minutes(1))),
    ])
    #expect(try await scene.hub.usual(of: scene.ramp) == [nil, nil, nil])
    for second in 0..<20 {
      let lines = (0..<10).map {
        "{\"type\":\"outcome\",\"unit\":\"u\",\"failed\":\($0 == 0),\"durationMs\":\(second % 4 == 0 ? 5000 : 3)}"
      }
      #expect(scene.post("/v1/flags/events", line(lines.joined(separator: "\n"))).status == 200)
      scene.hub.turn(now: scene.now)
      scene.pass(1)
    }
    let usual = try await scene.hub.usual(of: scene.ramp)
    #expect(usual[0] == UsualTraffic(trialsPerSecond: 10, rate: 0.1))
    #expect(usual[1] == UsualTraffic(trialsPerSecond: 10, rate: 0.25))
    #expect(usual[2] == nil)
  }

  @Test func thereAreOnlySoManyRampsAndTheNewestOfAFlagCounts() async throws {
    let scene = try EvidenceScene()
    func ramp(_ key: String, _ number: Int) throws -> RampSource {
      RampSource(
        flag: try #require(FlagKey(rawValue: key)), environment: scene.ramp.environment, variant: "on", ramp: number,
        service: nil, policy: scene.ramp.policy)
    }
    let first = try await scene.hub.tellings(of: try ramp("a", 1))
    _ = try await scene.hub.tellings(of: try ramp("b", 1))
    await #expect(throws: Outage.self) { _ = try await scene.hub.tellings(of: try ramp("c", 1)) }
    _ = try await scene.hub.tellings(of: try ramp("a", 2))
    for await _ in first { Issue.record("the older ramp is told of nothing any more") }
  }

  @Test func aReaderThatComesBackFindsTheBook() async throws {
    let scene = try EvidenceScene()
    await scene.begin()
    do {
      let stream = try await scene.hub.tellings(of: scene.ramp)
      show(scene, "on", "a")
      #expect(await scene.tellings(after: 4, stream).units == Cohorts(treatment: 1, control: 0))
    }
    await scene.begin()
    let stream = try await scene.hub.tellings(of: scene.ramp)
    show(scene, "on", "a")
    #expect(await scene.tellings(after: 4, stream).units == .zero)
  }

  @Test func aClockAheadIsSetRight() async throws {
    let scene = try EvidenceScene()
    await scene.begin()
    let stream = try await scene.hub.tellings(of: scene.ramp)
    let ahead = Double(scene.now.milliseconds) / 1000 + 300
    let rest = #""flag":"checkout","variant":"on","unit":"a","failed":true"#
    let text = "{\"type\":\"outcome\",\(rest),\"at\":\(ahead)}"
    #expect(scene.post("/v1/flags/events", line(text)).status == 200)
    #expect(await scene.tellings(after: 4, stream).counts().events == Cohorts(treatment: 1, control: 0))
    #expect(scene.hub.shifted == 1)
  }
}
