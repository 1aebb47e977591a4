import API
import Foundation
import Kernel
import Testing

@testable import plimsoll

@Suite("What a rollback took") struct RollbackBenchTests {
  private static let bad = "bad000000000"
  private static let good = "900d00000000"
  private static let load = RollbackBenchReport.Load(
    requestsPerSecond: 100, canaryPercent: 10, baselineErrorPercent: 1)

  private func fault(_ name: String) throws -> RollbackFault {
    try #require(RollbackFault.all(baseline: 0.01).first { $0.name == name })
  }

  private func answer(
    _ sent: Int64, _ ended: Int64, status: Int? = 200, by digest: String? = Self.good
  ) -> TrafficDriver.Answer {
    TrafficDriver.Answer(
      sentAt: Instant(milliseconds: sent), endedAt: Instant(milliseconds: ended), status: status, digest: digest)
  }

  private func exposure(_ fault: RollbackFault, firstBad: Int64? = nil) -> RollbackExposure {
    RollbackExposure(
      fault: fault, rollout: 7,
      report: RollbackReportView(
        cause: "logic", sentence: "it failed", remedy: nil, firstBadAtMs: firstBad, detectedAtMs: 5000,
        decidedAtMs: 5010, lastBadAtMs: nil, restoredAtMs: 5050, requestsHurt: 0, clientMinutesHurt: 0, to: nil),
      digest: Self.bad, beganAtMs: 0)
  }

  @Test("the parts add up, from the first bad response to the router's word") func parts() throws {
    let answers = [
      answer(900, 1000, by: Self.bad), answer(1990, 2000, status: 500, by: Self.bad),
      answer(2100, 2110, status: 500), answer(5020, 5030, by: Self.bad), answer(6000, 6010),
    ]
    let round = exposure(try fault("failing 10x")).round(answers)
    #expect(round.detectionMs == 3000)
    #expect(round.decisionMs == 10)
    #expect(round.actuationMs == 40)
    #expect(round.restoredMs == 3050)
    #expect(round.detectionMs + round.decisionMs + round.actuationMs == round.restoredMs)
    #expect(round.verdictToLastRequestMs == 10, "a good answer of the bad version counts as well")
    #expect(round.requestsHurt == 1, "the usual version's errors are not its doing")
    #expect(round.requestsTaken == 3)
    #expect(
      exposure(try fault("failing 10x"), firstBad: 1500).round(answers).restoredMs == 3550, "whoever saw it first")
  }

  @Test("what is open for too long is bad from then on, and who is silent shows by its fault") func open() throws {
    let answers = [
      answer(1000, 3000, by: Self.bad), answer(2000, 12_000, status: nil, by: nil), answer(2500, 2600),
    ]
    let hanging = exposure(try fault("hanging 10x"))
    let round = hanging.round(answers)
    #expect(round.restoredMs == 5050 - 1750, "three times 250 ms after it was sent")
    #expect(round.requestsHurt == 2)
    #expect(hanging.lostInSwitch(answers) == 0)
    let failing = exposure(try fault("failing 10x"))
    #expect(failing.round(answers).requestsHurt == 1)
    #expect(failing.lostInSwitch(answers) == 1, "nothing of that version's own explains a lost request")
  }

  private func report(_ load: RollbackBenchReport.Load = Self.load, restored: [Int64], lastRequest: Int64 = 0)
    throws -> RollbackBenchReport
  {
    var report = RollbackBenchReport(load: load)
    report.requests = 1
    report.rounds = restored.map { ms in
      RollbackBenchReport.Round(
        fault: "failing 10x", rollout: 1, cause: "logic", sentence: "", detectionMs: ms - 50, decisionMs: 10,
        actuationMs: 40, restoredMs: ms, verdictToLastRequestMs: lastRequest, requestsHurt: 3, requestsTaken: 9)
    }
    report.conclude([try fault("failing 10x"), try fault("slow 10x")])
    return report
  }

  @Test("a bar holds at its limit, and not beyond it") func bars() throws {
    let within = try report(restored: [1000, 10_000, 30_000])
    #expect(within.rows.map(\.fault) == ["failing 10x"], "what was not measured has no row")
    #expect(within.bars.count == 3)
    #expect(within.bars.allSatisfy { $0.held }, "\(within.bars)")
    for (what, broken) in [
      ("median", try report(restored: [1000, 10_001, 30_000])), ("P99", try report(restored: [1, 2, 30_001])),
      ("last request", try report(restored: [1000], lastRequest: 1001)), ("nothing measured", try report(restored: [])),
    ] { #expect(broken.bars.contains { !$0.held }, "\(what)") }
  }

  @Test("what was not found breaks a bar of its own, and several faults are held to the bars together")
  func missed() throws {
    var report = try report(restored: [1000])
    report.missed = [RollbackBenchReport.Missed(fault: "slow 10x", sentence: "it holds", loadAverage: 9)]
    var slow = report.rounds[0]
    slow.fault = "slow 10x"
    slow.restoredMs = 31_000
    report.rounds.append(slow)
    report.conclude([try fault("failing 10x"), try fault("slow 10x")])
    let broken = report.bars.filter { !$0.held }.map { String($0.bar.prefix(12)) }
    #expect(broken == ["slow 10x: fi", "all 2 at 10x", "each is foun"])
  }

  @Test("too little traffic for the bars is measured and not held to them") func tooLittle() throws {
    var load = Self.load
    load.requestsPerSecond = 90
    let slow = try report(load, restored: [60_000])
    #expect(slow.rows.first?.isHeldToBar == false)
    #expect(slow.bars.allSatisfy { $0.held }, "\(slow.bars)")
  }

  @Test("a mix has the share of long stays that was asked for, and each fault its worsening") func mix() throws {
    let file = DemoTests.root.appending(path: "Examples/harbor/traffic.json")
    let shapes = try JSONDecoder().decode([RequestShape].self, from: try Data(contentsOf: file))
    #expect(shapes.count { $0.isLongStay } * 20 == shapes.count)
    for share in [0.0, 0.091, 0.5, 1] {
      let mixed = shapes.mixed(longStays: share)
      #expect(mixed.count == 1000)
      #expect(mixed.count { $0.isLongStay } == Int(share * 1000))
    }
    for fault in RollbackFault.all(baseline: 0.01) where fault.variant == "failing" {
      let worsening = try #require(fault.worsening)
      // A long stay fails always, another request by chance as ever.
      let rate = fault.longStays + (1 - fault.longStays) * worsening.usual
      #expect(abs(rate - worsening.factor * worsening.usual) < 1e-12, "\(fault.name)")
    }
  }

  @Test("the picture has a lane a fault and a bar a round and part") func picture() throws {
    let svg = RollbackPicture.svg(try report(restored: [1000, 9000]))
    #expect(svg.hasPrefix("<svg") && svg.hasSuffix("</svg>\n"))
    #expect(svg.contains("failing 10x, median 1.0 s"))
    // The ground, three for the legend, and three parts of each round.
    #expect(svg.components(separatedBy: "<rect").count - 1 == 1 + 3 + 3 * 2)
  }
}
