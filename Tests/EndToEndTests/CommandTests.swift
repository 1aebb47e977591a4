import Foundation
import Testing

@Suite("Commands and their exit codes") struct CommandTests {
  static let tenLines = """
    services:
      harbor:
        repository: ./harbor.git
        test: ./test
        build: ./build
        output: dist
        run: ./run
        ready: /healthz
        slo: { p99: 250ms }
    environments: [integration, staging, production]

    """

  @Test("ten lines suffice") func check() async throws {
    try await withFolder { folder in
      try Self.tenLines.write(to: folder.appending(path: "plimsoll.yaml"), atomically: true, encoding: .utf8)
      let ended = try Binary.run(["check"], in: folder)
      #expect(ended.code == 0, "\(ended.errors)")
      #expect(ended.output.contains("integration → staging → production"))
    }
  }

  @Test("check says what judging means, warns of blind steps, and both as JSON") func judged() async throws {
    try await withFolder { folder in
      let told = Self.tenLines.replacingOccurrences(of: "production]", with: "{ name: production, traffic: 2 }]")
      try told.write(to: folder.appending(path: "plimsoll.yaml"), atomically: true, encoding: .utf8)
      let words = try Binary.run(["check"], in: folder)
      #expect(words.code == 0, "\(words.errors)")
      for part in ["warning: services.harbor in production: step 1, 10 %: blind", "\n  canary: 10 % for", "in 200 "] {
        #expect(words.output.contains(part), "\(part): \(words.output)")
      }
      let json = try Binary.run(["check", "--json"], in: folder)
      let answer = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
      let place = try #require((answer?["judged"] as? [[String: Any]])?.first)
      #expect(place["strategy"] as? String == "canary" && place["traffic"] as? Double == 2)
      #expect((place["steps"] as? [[String: Any]])?.first?["blind"] as? Bool == true)
    }
  }

  @Test("a mistake is told with line, column and nearest match; exit 1") func mistake() async throws {
    try await withFolder { folder in
      let wrong = Self.tenLines.replacingOccurrences(of: "    build:", with: "    biuld:")
      try wrong.write(to: folder.appending(path: "plimsoll.yaml"), atomically: true, encoding: .utf8)
      let ended = try Binary.run(["check"], in: folder)
      #expect(ended.code == 1)
      #expect(ended.errors.contains("plimsoll.yaml:5:5:"), "\(ended.errors)")
      #expect(ended.errors.contains("did you mean 'build'?"), "\(ended.errors)")
      let json = try Binary.run(["check", "--json"], in: folder)
      #expect(json.code == 1)
      let answer = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
      #expect(answer?["valid"] as? Bool == false)
    }
  }

  @Test("init writes a file that check accepts, and never over one") func initialise() async throws {
    try await withFolder { folder in
      #expect(try Binary.run(["init", "--service", "harbor"], in: folder).code == 0)
      let checked = try Binary.run(["check"], in: folder)
      #expect(checked.code == 0, "\(checked.errors)")
      let again = try Binary.run(["init"], in: folder)
      #expect(again.code == 1)
      #expect(again.errors.contains("exists and was left as it is"))
    }
  }

  @Test("the schema is JSON and names every top-level key") func schema() async throws {
    try await withFolder { folder in
      let ended = try Binary.run(["schema"], in: folder)
      let schema = try JSONSerialization.jsonObject(with: Data(ended.output.utf8)) as? [String: Any]
      let keys = (schema?["properties"] as? [String: Any])?.keys.sorted()
      #expect(
        keys == [
          "announce", "databases", "environments", "flags", "observe", "prometheus", "queue", "repositories",
          "server", "services",
        ])
    }
  }

  @Test(
    "misuse is exit 2",
    arguments: [
      ["nonsense"], ["submit"], ["check", "--nope"], ["simulate", "--plant", "nothing-like-it", "--seed", "1"],
      ["simulate", "queue"], ["simulate", "queue", "--trace", "missing.csv"], ["bench", "queue", "--policy", "zul"],
      ["bench", "rollback", "--rounds", "0"], ["bench", "rollback", "--only", "sinking"],
      ["rollback", "harbor", "production"], ["rollback", "harbor", "production", "--drill", "--to", "abcd"],
      ["rollout", "approve", "harbor", "production", "--reason", "x", "--at", "4"], ["freeze", "production"],
      ["freeze", "production", "--reason", "x", "--until", "tomorrow"],
    ])
  func misuse(arguments: [String]) async throws {
    try await withFolder { folder in
      let ended = try Binary.run(arguments, in: folder)
      #expect(ended.code == 2, "\(arguments): \(ended.output) \(ended.errors)")
      #expect(!ended.errors.isEmpty)
    }
  }

  @Test(
    "without a server the answer is unknown: exit 3, and the next step",
    arguments: [["queue"], ["submit", "x"], ["measure"]])
  func noServer(arguments: [String]) async throws {
    try await withFolder { folder in
      let ended = try Binary.run(arguments, in: folder)
      #expect(ended.code == 3)
      #expect(ended.errors.contains("plimsoll serve"), "\(ended.errors)")
    }
  }

  @Test("where nobody listens nothing was decided, and that is said; exit 3") func refusedConnection() async throws {
    try await withFolder { folder in
      // Port 1 needs a privilege to listen on, and nobody has served tcpmux for decades.
      for words in [
        ["rollback", "harbor", "production", "--reason", "x", "--from", "harbor.production.0123456789ab.01234567"],
        ["rollout", "approve", "harbor", "production", "--reason", "x", "--at", "4/2"],
        ["lift", "harbor", "production", "abcd", "--reason", "x"],
      ] {
        let ended = try Binary.run(
          words + ["--server", "http://127.0.0.1:1"], in: folder, environment: ["PLIMSOLL_TOKEN": "x"])
        #expect(ended.code == 3, "\(words)")
        #expect(ended.errors.contains("nothing was decided"), "\(words): \(ended.errors)")
        #expect(!ended.errors.contains("may have been decided"), "\(words): \(ended.errors)")
      }
    }
  }

  @Test("one seed simulates and says so in JSON") func simulate() async throws {
    try await withFolder { folder in
      let ended = try Binary.run(["simulate", "--seed", "7", "--json"], in: folder)
      #expect(ended.code == 0, "\(ended.output)")
      let answers = try JSONSerialization.jsonObject(with: Data(ended.output.utf8)) as? [[String: Any]]
      #expect(answers?.first?["ok"] as? Bool == true)
    }
  }

  @Test("completions for the usual shells", arguments: ["bash", "zsh", "fish"]) func completions(shell: String)
    async throws
  {
    try await withFolder { folder in
      let ended = try Binary.run(["--generate-completion-script", shell], in: folder)
      #expect(ended.code == 0)
      #expect(ended.output.contains("rollback"))
    }
  }

  @Test("help texts are as they were read in review; PLIMSOLL_UPDATE=1 writes them") func help() async throws {
    let snapshots = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Snapshots")
    try await withFolder { folder in
      for verb in [
        "", "serve", "init", "check", "schema", "submit", "queue", "promote", "rollout", "rollback", "lift", "ledger",
        "measure", "simulate", "simulate machines", "simulate queue", "demo", "down", "bench", "bench engine",
        "bench judge", "bench deploys",
        "bench rollouts", "bench rollback", "bench queue", "bench ramps", "accept",
        "judge", "judge replay", "rollout show", "rollout plan", "rollout approve", "rollout floor", "freeze", "thaw",
        "queue show", "queue waits", "queue approve", "queue report", "queue targets", "queue pause", "queue drain",
        "queue resume", "db", "db record", "db upload", "migrate", "migrate check", "migrate replay", "migrate status",
        "migrate override", "migrate adopt",
        "observe", "observe show", "observe deployed", "observe kept", "observe rolled-back",
      ] {
        let ended = try Binary.run(
          verb.split(separator: " ").map(String.init) + ["--help"], in: folder, environment: ["COLUMNS": "80"])
        #expect(ended.code == 0)
        let file = snapshots.appending(path: "\(verb.isEmpty ? "plimsoll" : verb.replacing(" ", with: "-")).txt")
        if ProcessInfo.processInfo.environment["PLIMSOLL_UPDATE"] == "1" {
          try ended.output.write(to: file, atomically: true, encoding: .utf8)
        } else {
          #expect(ended.output == (try? String(contentsOf: file, encoding: .utf8)), "help of '\(verb)'")
        }
      }
    }
  }
}
