import Kernel
import MergeQueues
import QueueTrials
import Testing

@Suite("Recorded traces") struct RecordedTraceTests {
  static let rules = LaneRules(division: .directories(depth: 2))

  @Test("columns in any order, quotes, comments and empty lines are read")
  func reads() throws {
    let text = """
      # from our CI
      outcome,arrival,paths,duration,flake

      pass, 10 ,a/x.c;b/y.c,1200,
      fail,10.5,"odd, ""name"".c",90.5,2\r
      """
    let trace = try RecordedTrace(reading: text, file: "t.csv")
    #expect(
      trace.rows == [
        .init(arrivalSeconds: 10, durationSeconds: 1200, isBad: false, paths: ["a/x.c", "b/y.c"]),
        .init(
          arrivalSeconds: 10.5, durationSeconds: 90.5, isBad: true, flakes: 2, paths: [#"odd, "name".c"#]),
      ])
  }

  @Test("the first fault is told with its line and column")
  func faults() {
    func check(_ text: String, _ sentence: String, _ location: SourceLocation = #_sourceLocation) {
      #expect(sourceLocation: location) {
        try RecordedTrace(reading: text, file: "t.csv")
      } throws: { error in
        guard let refusal = error as? Refusal, refusal.sentence.hasPrefix(sentence) else {
          Issue.record("\(error)", sourceLocation: location)
          return false
        }
        return true
      }
    }
    let heading = "arrival,duration,outcome,flake,paths\n"
    check("", "t.csv is empty")
    check(heading, "t.csv has a heading and no changes")
    check("arival,duration,outcome\n", "t.csv:1:1: no column is named 'arival'; did you mean 'arrival'?")
    check("arrival,outcome,arrival\n", "t.csv:1:17: the column 'arrival' is there twice")
    check("arrival,outcome\n", "t.csv:1:1: the heading lacks the column 'duration'")
    check(heading + "0,60,pass,0\n", "t.csv:2:11: there are 4 cells, and the heading names 5 columns")
    check(heading + "\n0,sixty,pass,0,\n", "t.csv:3:3: the duration is 'sixty'; write seconds")
    check(heading + "0,0,pass,0,\n", "t.csv:2:3: the duration is 0")
    check(heading + "0,inf,pass,0,\n", "t.csv:2:3: the duration is 'inf'")
    check(heading + "-1,60,pass,0,\n", "t.csv:2:1: the arrival is '-1'")
    check(heading + "0,60,green,0,\n", "t.csv:2:6: the outcome is 'green'; write pass or fail")
    check(heading + "0,60,pass,-1,\n", "t.csv:2:11: the flake is '-1'")
    check(heading + "0,60,pass,0,\"a\n", "t.csv:2:13: the quote that begins here does not end")
    check(heading + "0,60,\"pass\"x,0,a\n", "t.csv:2:12: a comma must follow the quote")
    check(heading + "9,60,pass,0,\n1,60,pass,0,\n", "t.csv:3:1: the change arrives before the one above it")
  }

  @Test("two changes may conflict exactly when their lanes overlap")
  func lanes() throws {
    let paths = [["a/b/c"], ["a/b/d"], ["a/c/d"], ["a/x"], ["README"], [], ["e/f/g", "a/b/z"], ["e/f/h"]]
    let rows = paths.enumerated().map {
      RecordedTrace.Row(arrivalSeconds: Double($0), durationSeconds: 60, isBad: false, paths: $1)
    }
    let trace = RecordedTrace(rows: rows, hasPaths: true).trace(lanes: Self.rules)
    let lanes = paths.map { Self.rules.lanes(of: ChangedPaths(bounding: $0)) }
    for one in paths.indices {
      for other in paths.indices where other != one {
        #expect(trace.mayConflict(one, other) == lanes[one].overlaps(lanes[other]), "\(paths[one]) and \(paths[other])")
      }
    }
    #expect(RecordedTrace(rows: rows, hasPaths: true).trace(lanes: .oneLane).overlap == .everything)
    #expect(RecordedTrace(rows: rows, hasPaths: false).trace(lanes: Self.rules).overlap == .everything)
  }
}

@Suite("Merge histories") struct MergeHistoryTests {
  private static let history = MergeHistory(
    (0..<20_000).reversed().map { .init(secondsSince1970: Double($0) * 100, paths: ["lane\($0 % 7)/f"]) })

  @Test("failures are as many as asked, and come in clusters", arguments: [(0.05, 0.4), (0.08, 0.4), (0.2, 0.2)])
  func failures(share: Double, clustering: Double) {
    let rows = Self.history.trace(.init(failures: share, clustering: clustering)).rows
    #expect(rows.map(\.arrivalSeconds) == rows.map(\.arrivalSeconds).sorted() && rows[0].arrivalSeconds == 0)
    let bad = rows.count { $0.isBad }
    #expect(abs(Double(bad) / Double(rows.count) - share) < 0.012)
    let after = zip(rows, rows.dropFirst()).count { $0.isBad && $1.isBad }
    #expect(abs(Double(after) / Double(bad) - clustering) < 0.05)
  }

  @Test("the same seed gives the same trace, and another another")
  func seeds() {
    #expect(Self.history.trace(.init(failures: 0.1, seed: 4)) == Self.history.trace(.init(failures: 0.1, seed: 4)))
    #expect(Self.history.trace(.init(failures: 0.1, seed: 4)) != Self.history.trace(.init(failures: 0.1, seed: 5)))
    let slow = Self.history.trace(.init(failures: 0.1, pace: 1)).rows.map(\.arrivalSeconds)
    #expect(Self.history.trace(.init(failures: 0.1, pace: 4)).rows.map(\.arrivalSeconds) == slow.map { $0 / 4 })
  }

  @Test("what cannot be is refused")
  func refused() {
    for wrong in [
      MergeHistory.Assumptions(failures: 1), .init(failures: -0.1), .init(failures: 0.1, clustering: 1),
      .init(failures: 0.1, medianSeconds: 0), .init(failures: 0.1, pace: 0),
    ] {
      #expect(throws: Refusal.self) { try wrong.validate() }
    }
    #expect(throws: Never.self) { try MergeHistory.Assumptions(failures: 0).validate() }
  }
}

@Suite("Replays") struct ReplayTests {
  private static let recorded = MergeHistory(
    (0..<150).map { .init(secondsSince1970: Double($0 * 400), paths: ["lane\($0 % 5)/f"]) }
  ).trace(.init(failures: 0.1, seed: 3))

  @Test("every policy takes every change through, in one line and in lanes", arguments: ReplayPolicy.all.map(\.name))
  func all(name: String) throws {
    let policy = try ReplayPolicy.named(name)
    for rules in [LaneRules.oneLane, LaneRules(division: .directories(depth: 1))] {
      let trace = Self.recorded.trace(lanes: rules)
      let result = ReplayResult(policy, policy.run(trace, slots: 6))
      #expect(result.landed + result.ejected == 150 && result.stuck == 0)
      #expect(result.brokenLandings == 0 && result.falseEjections == 0, "without flakes nobody innocent leaves")
      #expect(result.landed == Self.recorded.rows.count { !$0.isBad })
      #expect(result.waitSeconds.p50 <= result.waitSeconds.p95 && result.waitSeconds.p50 > 0)
      #expect(result == ReplayResult(policy, policy.run(trace, slots: 6)), "the same trace gives the same answer")
    }
  }

  @Test("one at a time is as slow as it must be: each waits for those before it")
  func serial() throws {
    let rows = (0..<4).map { _ in RecordedTrace.Row(arrivalSeconds: 5, durationSeconds: 60, isBad: false) }
    let trace = RecordedTrace(rows: rows, hasPaths: false).trace(lanes: .oneLane)
    let result = ReplayResult(
      try ReplayPolicy.named("serial"), try ReplayPolicy.named("serial").run(trace, slots: 4))
    #expect(result.waitSeconds.p50 == 120 && result.waitSeconds.p95 == 240 && result.builds == 4)
  }

  @Test("the article's rule makes batches only of a busy team's changes", arguments: [(540.0, 5), (660, 2)])
  func article(ciSeconds: Double, builds: Int) throws {
    let rows = (0..<5).map { _ in
      RecordedTrace.Row(arrivalSeconds: 5, durationSeconds: ciSeconds, isBad: false)
    }
    let trace = RecordedTrace(rows: rows, hasPaths: false).trace(lanes: .oneLane)
    #expect(try ReplayPolicy.named("article").run(trace, slots: 4).builds == builds)
  }

  @Test("lanes let apart what does not meet")
  func lanes() throws {
    let policy = try ReplayPolicy.named("single-queue")
    let lanes = policy.run(Self.recorded.trace(lanes: LaneRules(division: .directories(depth: 1))), slots: 6)
    let line = policy.run(Self.recorded.trace(lanes: .oneLane), slots: 6)
    #expect(lanes.wait(0.5) < line.wait(0.5) / 2)
  }

  @Test("a name that is nearly one is answered with it")
  func names() {
    #expect {
      try ReplayPolicy.named("mergfy")
    } throws: {
      ($0 as? Refusal)?.sentence.hasPrefix("No policy is named 'mergfy'; did you mean 'mergify'?") ?? false
    }
    #expect(Set(ReplayPolicy.all.map(\.name)).count == ReplayPolicy.all.count)
  }
}

@Suite("Pictures of queue trials") struct QueuePictureTests {
  @Test("hold what they are given, escaped, within their frame")
  func pictures() {
    let bars = QueuePicture.bars(title: "a < b", [.init(label: "x & y", low: 1, high: 2.5)])
    #expect(bars.contains("a &lt; b") && bars.contains("x &amp; y") && bars.contains("1 / 2.5"))
    let dots = QueuePicture.dots(
      title: "t", x: "builds", y: "wait",
      [.init(label: "ours", points: [.init(x: 1.2, y: 0.8, title: "here")])], marks: (1.6, 0.9))
    #expect(dots.contains("<title>here</title>") && dots.contains("ours") && !dots.contains("nan"))
    let shades = QueuePicture.shades(title: "t", columns: ["c"], rows: [("r", [("5 %", 7)])])
    #expect(shades.contains("rgb(250,105,105)") && shades.hasSuffix("</svg>\n"))
    #expect(!QueuePicture.bars(title: "none", []).contains("nan"))
  }
}
