import Foundation
import Testing

@Suite("The judge without a server") struct JudgeCommandTests {
  private static var recording: String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Examples/recordings/one-in-twenty.csv").path
  }

  private func object(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test("a recorded incident is found, exit 0, with its picture and the same in JSON") func replay() async throws {
    try await withFolder { folder in
      let words = try Binary.run(
        ["judge", "replay", Self.recording, "--slow-ms", "750", "--picture", "evidence.svg"], in: folder)
      #expect(words.code == 0, "\(words.output) \(words.errors)")
      #expect(words.output.contains("Yes: rolled back"))
      #expect(words.output.contains("What could be seen now: At "))
      let picture = try String(contentsOf: folder.appending(path: "evidence.svg"), encoding: .utf8)
      #expect(picture.hasPrefix("<svg") && picture.contains("decided"))
      let json = try Binary.run(["judge", "replay", Self.recording, "--slow-ms", "750", "--json"], in: folder)
      let outcome = try #require(try object(json.output)["outcome"] as? [String: Any])
      #expect(outcome["verdict"] as? String == "bad")
      #expect((outcome["sinceFirstBadSeconds"] as? Int ?? .max) < 20)
    }
  }

  @Test("kept is exit 1, undecided exit 3, a file that cannot be read exit 2") func codes() async throws {
    try await withFolder { folder in
      let lines = try String(contentsOfFile: Self.recording, encoding: .utf8).split(separator: "\n")
      /// Without what came later than the given second, and without errors of the new version.
      func cut(_ last: Int) -> String {
        lines.filter { line in
          guard let second = line.split(separator: ",").first.flatMap({ Int($0) }) else { return true }
          return second < last && !(second > 600 && line.contains("v42") && !line.contains(",0,0,,"))
        }.joined(separator: "\n")
      }
      for (name, last, code) in [("healthy.csv", 840, Int32(1)), ("short.csv", 605, 3)] {
        try cut(last).write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
        let ended = try Binary.run(["judge", "replay", name, "--slow-ms", "750"], in: folder)
        #expect(ended.code == code, "\(name): \(ended.output) \(ended.errors)")
      }
      let unsaid = try Binary.run(["judge", "replay", Self.recording], in: folder)
      #expect(unsaid.code == 2)
      #expect(unsaid.errors.contains("--slow-ms"), "\(unsaid.errors)")
      let absent = try Binary.run(["judge", "replay", "nothing.csv"], in: folder)
      #expect(absent.code == 2)
      #expect(absent.errors.contains("nothing.csv cannot be read"), "\(absent.errors)")
    }
  }

  @Test("simulated deploys in JSON") func bench() async throws {
    try await withFolder { folder in
      let ended = try Binary.run(
        ["bench", "judge", "--deploys", "1", "--cell", "steady/1/5", "--worsening", "100", "--alone", "--json"],
        in: folder)
      let rows = try #require(try JSONSerialization.jsonObject(with: Data(ended.output.utf8)) as? [[String: Any]])
      #expect(rows.count == 1)
      #expect(rows.first?["contender"] as? String == "plimsoll")
    }
  }

  @Test("steps are planned for a worsening, with the lines for plimsoll.yaml") func plan() async throws {
    try await withFolder { folder in
      let arguments = ["rollout", "plan", "--traffic", "100", "--baseline", "0.1%", "--detect", "5"]
      let words = try Binary.run(arguments, in: folder)
      #expect(words.code == 0, "\(words.output) \(words.errors)")
      #expect(words.output.contains("steps: ["))
      #expect(words.output.contains("must-detect: 5"))
      let json = try Binary.run(arguments + ["--json"], in: folder)
      let steps = try #require(try object(json.output)["steps"] as? [[String: Any]])
      #expect(steps.last?["percent"] as? Int == 100)
    }
  }

  @Test("with a service, the file says the traffic, and its own steps are told") func planOfFile() async throws {
    try await withFolder { folder in
      let place = "{ name: production, traffic: 40, baseline: 0.1%, steps: [{ share: 1%, detect: 5 }, 100] }"
      let text = CommandTests.tenLines.replacingOccurrences(of: "integration, staging, production", with: place)
      try text.write(to: folder.appending(path: "plimsoll.yaml"), atomically: true, encoding: .utf8)
      let arguments = ["rollout", "plan", "--service", "harbor", "--detect", "5"]
      let words = try Binary.run(arguments, in: folder)
      #expect(words.code == 0, "\(words.output) \(words.errors)")
      #expect(words.output.contains("plimsoll.yaml has for harbor in production\n  canary: 1 %"), "\(words.output)")
      #expect(words.output.contains("1 %: blind: at 0.40 requests/s a 5x worsening"), "\(words.output)")
      let json = try object(try Binary.run(arguments + ["--json"], in: folder).output)
      #expect((json["configured"] as? [[String: Any]])?.map { $0["percent"] as? Int } == [1, 95])
      #expect((json["steps"] as? [[String: Any]])?.isEmpty == false)
    }
  }

  @Test("what cannot be seen is exit 1 with what can; misuse is exit 2") func blind() async throws {
    try await withFolder { folder in
      let blind = try Binary.run(
        ["rollout", "plan", "--traffic", "2", "--baseline", "0.1%", "--detect", "2"], in: folder)
      #expect(blind.code == 1)
      #expect(blind.output.contains("cannot be seen within 10 min"), "\(blind.output)")
      for (wrong, words) in [
        (["--traffic", "0", "--baseline", "0.1%", "--detect", "2"], "--traffic"),
        (["--baseline", "1%", "--detect", "2"], "--traffic"), (["--traffic", "9", "--detect", "2"], "--baseline"),
        (["--traffic", "9", "--baseline", "often", "--detect", "2"], "--baseline"),
        (["--traffic", "9", "--baseline", "1%", "--detect", "1"], "--detect"),
        (["--traffic", "9", "--baseline", "1%", "--detect", "2", "--environment", "x"], "--service"),
      ] {
        let ended = try Binary.run(["rollout", "plan"] + wrong, in: folder)
        #expect(ended.code == 2)
        #expect(ended.errors.contains(words), "\(ended.errors)")
      }
    }
  }
}
