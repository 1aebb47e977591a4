import Foundation
import Testing

@Suite("Commands about simulated queues") struct QueueTrialCommandTests {
  private static let trace = """
    arrival,duration,outcome,flake,paths
    0,600,pass,0,api/a.go
    60,600,fail,0,web/b.ts
    120,600,pass,0,web/c.ts
    """

  private func object(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test("a recorded queue under two rules, as JSON, a table and a picture") func trace() async throws {
    try await withFolder { folder in
      try Self.trace.write(to: folder.appending(path: "t.csv"), atomically: true, encoding: .utf8)
      let words = ["simulate", "queue", "--trace", "t.csv", "--slots", "3", "--policy", "oracle", "--policy", "serial"]
      let json = try Binary.run(words + ["--json", "--plot", "t.svg"], in: folder)
      #expect(json.code == 0, "\(json.errors)")
      let answer = try object(json.output)
      #expect(answer["changes"] as? Int == 3 && answer["bad"] as? Int == 1)
      let policies = try #require(answer["policies"] as? [[String: Any]])
      #expect(policies.map { $0["policy"] as? String } == ["oracle", "serial"])
      #expect(policies.map { $0["builds"] as? Int } == [3, 3])
      let waits = policies.map { ($0["waitSeconds"] as? [String: Any])?["p95"] as? Double }
      #expect(waits == [600, 1_680], "the last change waits for two runs and its own")
      #expect(try String(contentsOf: folder.appending(path: "t.svg"), encoding: .utf8).hasPrefix("<svg"))
      let table = try Binary.run(words, in: folder)
      #expect(table.output.contains("3 changes") && table.output.contains("serial"))
    }
  }

  @Test("a fault is told with line and column, a misspelt rule with its nearest") func faults() async throws {
    try await withFolder { folder in
      try Self.trace.replacing("fail", with: "red")
        .write(to: folder.appending(path: "t.csv"), atomically: true, encoding: .utf8)
      let fault = try Binary.run(["simulate", "queue", "--trace", "t.csv"], in: folder)
      #expect(fault.code == 2 && fault.errors.contains("t.csv:3:8: the outcome is 'red'"), "\(fault.errors)")
      let name = try Binary.run(["simulate", "queue", "--trace", "t.csv", "--policy", "mergfy"], in: folder)
      #expect(name.code == 2 && name.errors.contains("did you mean 'mergify'?"), "\(name.errors)")
      let both = try Binary.run(["simulate", "queue", "--trace", "t.csv", "--git", "."], in: folder)
      #expect(both.code == 2 && both.errors.contains("--trace FILE and --git PATH"), "\(both.errors)")
      let nowhere = try Binary.run(["simulate", "queue", "--git", "."], in: folder)
      #expect(nowhere.code == 2 && nowhere.errors.contains("is no git repository"), "\(nowhere.errors)")
    }
  }

  @Test("a repository's own history is replayed, and the same seed says the same") func history() async throws {
    try await withFolder { folder in
      let made = try Process.run(
        URL(filePath: "/bin/sh"),
        arguments: [
          "-c",
          """
          cd "$0" && git init -q . && for i in 1 2 3 4 5 6; do mkdir -p l$i && echo $i > l$i/f && git add . &&
          GIT_COMMITTER_DATE="@170000${i}000 +0000" git -c user.name=Ada -c user.email=ada@example.com commit -qm $i
          done
          """, folder.path,
        ])
      made.waitUntilExit()
      #expect(made.terminationStatus == 0)
      let words = ["simulate", "queue", "--git", ".", "--failures", "0.3", "--pace", "10", "--json"]
      let first = try Binary.run(words, in: folder)
      #expect(first.code == 0, "\(first.errors)")
      #expect(try object(first.output)["changes"] as? Int == 6)
      #expect(try Binary.run(words, in: folder).output == first.output)
      #expect(try Binary.run(words + ["--seed", "9"], in: folder).output != first.output)
    }
  }

  @Test("the bench says what was held, in JSON") func bench() async throws {
    try await withFolder { folder in
      let ended = try Binary.run(
        ["bench", "queue", "--part", "culprit", "--searches", "200", "--json"], in: folder)
      let answer = try object(ended.output)
      #expect((answer["culprit"] as? [Any])?.count == 4)
      let bars = try #require(answer["bars"] as? [[String: Any]])
      #expect(bars.count == 7)
      #expect((ended.code == 0) == bars.allSatisfy { $0["isHeld"] as? Bool == true })
    }
  }

  @Test("a bar is what the rows say, and the exit code whether all were held") func bars() async throws {
    try await withFolder { folder in
      let ended = try Binary.run(
        [
          "bench", "queue", "--part", "speculation", "--seeds", "1", "--changes", "60", "--policy", "oracle",
          "--policy", "optimistic", "--policy", "plimsoll", "--json", "--plots", "plots",
        ], in: folder)
      let answer = try object(ended.output)
      let rows = try #require(answer["speculation"] as? [[String: Any]])
      #expect(rows.count == 30, "ten cells under three rules")
      let wide = rows.filter {
        $0["policy"] as? String == "plimsoll" && $0["arrivals"] as? Int == $0["workers"] as? Int
      }
      let bars = try #require(answer["bars"] as? [[String: Any]])
      #expect(bars.count == 4)
      let worst = try #require(wide.compactMap { $0["p50OfOracle"] as? Double }.max())
      let builds = wide.compactMap { $0["buildsPerChange"] as? Double }.reduce(0, +) / 8
      let measured = bars.compactMap { $0["measured"] as? Double }
      #expect(measured.count == 4 && measured[0] == worst && abs(measured[1] - builds) < 1e-9)
      #expect(bars[0]["isHeld"] as? Bool == (worst <= 0.9))
      #expect((ended.code == 0) == bars.allSatisfy { $0["isHeld"] as? Bool == true })
      #expect((answer["frontier"] as? [Any])?.count == 56, "eight cells at seven prices")
      for name in ["speculation.svg", "frontier.svg"] {
        #expect(
          try String(contentsOf: folder.appending(path: "plots/\(name)"), encoding: .utf8).hasPrefix("<svg"))
      }
    }
  }
}
