import Foundation
import Kernel
import Replay
import Rollouts
import Testing

@Suite("Replay")
struct ReplayRunTests {
  /// Ten minutes of `v1` at 100 requests/s with one error each 20 s (0.05 %), then both for `watch` seconds.
  private func recording(
    watch: Int, extra: [String] = [], new: (Int) -> (requests: Int, errors: Int, slow: Int)
  ) -> String {
    var lines = ["second,version,requests,errors,slow,event,detail"]
    for second in 0..<600 { lines.append("\(second),v1,100,\(second % 20 == 0 ? 1 : 0),0,,") }
    lines.append("600,v2,,,,deploy,")
    for second in 0..<watch {
      let counts = new(second)
      lines.append("\(600 + second),v1,90,\(second % 22 == 21 ? 1 : 0),0,,")
      if counts.requests > 0 { lines.append("\(600 + second),v2,\(counts.requests),\(counts.errors),\(counts.slow),,") }
    }
    return (lines + extra).joined(separator: "\n")
  }

  private func replay(_ text: String) throws -> ReplayReport {
    let evidence = try RecordedEvidence(reading: Data(text.utf8), file: "deploy.csv")
    return try ReplayRun(evidence, file: "deploy.csv", policy: JudgePolicy(sloP99: .seconds(0.25))).report
  }

  @Test("an incident of one error in twenty is caught within seconds of its first bad response")
  func caught() throws {
    let report = try replay(
      recording(watch: 300) { second in (10, second >= 30 && second % 2 == 0 ? 1 : 0, 0) })
    #expect(report.outcome.verdict == .bad)
    #expect(report.baseline.requests == 60_000)
    #expect(report.baseline.errors == 30)
    #expect(report.baseline.seconds == 600)
    #expect(report.outcome.firstBadSecond == 630)
    let since = try #require(report.outcome.sinceFirstBadSeconds)
    #expect((1...20).contains(since), "\(since) s")
    let bad = try #require(report.verdicts.last { $0.verdict == .bad })
    #expect(bad.rule == "errorRate")
    #expect(bad.cause == "logic")
    #expect(try #require(bad.logEvidence) >= #require(bad.threshold))
    #expect(report.outcome.badRequests == 135)
    #expect(report.outcome.badRequestsAfter > 100)
    #expect(report.answer.hasPrefix("Yes: rolled back"))
  }

  @Test("a healthy deploy is kept, and the answer says what would have been seen")
  func healthy() throws {
    let report = try replay(recording(watch: 300) { second in (10, second == 150 ? 1 : 0, 0) })
    #expect(report.outcome.verdict == .good)
    #expect(report.verdicts.first?.verdict == .notEnoughEvidence)
    #expect(report.outcome.second == nil)
    #expect(report.answer.contains("'v2' would have been kept"))
    #expect(report.verdicts.last?.detectableRatio != nil)
    #expect(report.verdicts.last?.detectable.contains("requests/s") == true)
  }

  @Test("a version that never was ready fell, without a count of its own")
  func neverReady() throws {
    let report = try replay(recording(watch: 200, extra: ["720,v2,,,,not-ready,"]) { _ in (0, 0, 0) })
    #expect(report.outcome.verdict == .bad)
    #expect(report.outcome.second == 720)
    #expect(report.verdicts.last?.rule == "failed readiness")
    #expect(report.verdicts.last?.cause == "infrastructure")
  }

  @Test(
    "an end's detail tells memory from other crashes",
    arguments: [("out of memory", "out of memory"), ("", "crash loop")])
  func ends(detail: String, rule: String) throws {
    let ends = (1...3).map { "\(600 + 20 * $0),v2,,,,restart,\(detail)" }
    let report = try replay(recording(watch: 100, extra: ends) { _ in (10, 0, 0) })
    #expect(report.outcome.second == 660)
    #expect(report.verdicts.last?.rule == rule)
    #expect(report.verdicts.last?.sentence.contains("ended 3 times") == true)
  }

  @Test("a lost source is never bad, whatever its counts")
  func lost() throws {
    let report = try replay(
      recording(watch: 120, extra: ["600,,,,,source-lost,the log was cut"]) { _ in (10, 10, 0) })
    #expect(report.outcome.verdict == .sourceBroken)
    #expect(report.verdicts.map(\.verdict) == [.sourceBroken])
    #expect(report.answer.contains("the log was cut"))
    let before = try replay(
      recording(watch: 120, extra: ["599,,,,,source-lost,cut", "660,,,,,source-back,"]) { _ in (10, 1, 0) })
    #expect(before.outcome.verdict == .bad)
    #expect(try #require(before.outcome.second) >= 660)
  }

  @Test("instances that end again and again are a crash loop")
  func restarts() throws {
    let ends = ["610,v2,,,,restart,", "620,v2,,,,restart,", "630,v2,,,,restart,"]
    let report = try replay(recording(watch: 60, extra: ends) { _ in (10, 0, 0) })
    #expect(report.outcome.second == 630)
    #expect(report.verdicts.last?.rule == "crash loop")
    #expect(report.verdicts.last?.cause == "infrastructure")
  }

  @Test("what ends both versions' instances is no crash loop of the new one")
  func sharedRestarts() throws {
    let both = (1...3).flatMap { ["\(600 + 10 * $0),v2,,,,restart,", "\(601 + 10 * $0),v1,,,,restart,"] }
    #expect(try replay(recording(watch: 60, extra: both) { _ in (10, 0, 0) }).outcome.verdict != .bad)
    let alone = try replay(
      recording(watch: 60, extra: both + ["640,v2,,,,restart,", "645,v2,,,,restart,", "650,v2,,,,restart,"]) { _ in
        (10, 0, 0)
      })
    #expect(alone.outcome.second == 650)
    #expect(alone.verdicts.last?.sentence.contains("ended 6 times, and the old version's 3 times") == true)
  }

  @Test("the order of rows and one more instance change nothing")
  func order() throws {
    let text = recording(watch: 200) { second in (10, second >= 30 && second % 4 == 0 ? 1 : 0, 0) }
    var lines = text.split(separator: "\n").map(String.init)
    let heading = lines.removeFirst()
    let shuffled = ([heading] + lines.reversed()).joined(separator: "\n")
    #expect(try replay(text) == replay(shuffled))
  }

  @Test("without a past only absolute rules judge, and the notes say so")
  func first() throws {
    let report = try replay(
      "second,version,requests,errors,event\n0,v2,,,deploy\n0,v2,50,50,\n1,v2,50,50,\n2,v2,50,50,")
    #expect(report.outcome.verdict == .bad)
    #expect(report.oldVersion == nil)
    #expect(report.verdicts.last?.rule == "ceiling")
    #expect(report.notes.contains { $0.contains("only absolute rules") })
  }

  static let faults: [(String, String)] = [
    ("second,version,requests\n1,a,2", "has no deploy"),
    ("second,version,requests,event\n1,a,2,\n2,b,,deploy\n5,c,,deploy", "has 2 deploys, in lines 3 and 4"),
    ("second,version,requests,event\n1,a,2,\n2,b,,deploy\n5,a,7,", "has no counts of 'b'"),
    ("second,version,requests,event\n2,b,,deploy\n3,b,1,\n1700000000,b,7,", "goes on for 1699999998 s"),
  ]
  @Test("what cannot be replayed is refused", arguments: faults)
  func refused(_ text: String, _ words: String) {
    let refusal = #expect(throws: Refusal.self) { try replay(text) }
    #expect(refusal?.sentence.contains(words) == true, "\(refusal?.sentence ?? "")")
  }
}
