import API
import Foundation
import Testing

/// Changes that must not come far, one after the other through one real server, while someone uses the service: each is
/// stopped with its reason, and nobody who uses the service notices.
@Suite("Bad changes", .timeLimit(.minutes(5))) struct BadChangeTests {
  @Test("each is stopped where it shows, with its reason, and the service goes on") func badChanges() async throws {
    // The start limit must be more than a Python needs on a loaded machine.
    try await withSmallHarbor(startLimit: "8s") { harbor in
      try harbor.push("main", ["name": "second\n"])
      try harbor.push("conflicting", ["name": "other\n"], from: "beginning")
      try await harbor.start()
      try await harbor.firstVersionServes()
      let visitor = Visitor(port: harbor.port)

      try await ejected(in: harbor)
      try await writesNothing(in: harbor)
      try await neverReady(in: harbor, watching: visitor)

      let good = try harbor.land("third", ["ready": "yes\n", "name": "third\n"])
      #expect(try await harbor.ended(good).phase == "completed")
      let answers = visitor.count
      _ = try await wait("the visitor to meet the new version") { visitor.count > answers + 5 ? true : nil }
      try await visitor.leave()
      #expect(visitor.failures().isEmpty, "\(visitor.failures())")
      #expect(visitor.names() == ["second", "third"])
      #expect(visitor.names(after: answers) == ["third"])

      try unknownNames(in: harbor)
      #expect(try harbor.run("ledger", "verify").code == 0)
    }
  }

  /// All three at once, so that each must also leave the others alone.
  private func ejected(in harbor: SmallHarbor) async throws {
    let hanging = """
      #!/bin/sh
      echo it begins
      setsid sleep 4711 &
      (trap '' TERM; sleep 4712) &
      while :; do sleep 1; done

      """
    try harbor.push("hanging", ["ci": hanging])
    try harbor.push("flooding", ["ci": "#!/bin/sh\nyes 'a line of the flood' | head -c 50000000\nexit 9\n"])
    for branch in ["hanging", "flooding", "conflicting"] {
      let ended = try harbor.run("submit", branch)
      #expect(ended.code == 0, "\(ended.errors)")
    }
    let finished = try await wait("all three to leave the queue") { () -> [String: FinishedView]? in
      let all = try harbor.get("/v1/queues/harbor", as: QueueView.self)?.finished ?? []
      return all.count == 3 ? Dictionary(all.map { ($0.branch, $0) }) { first, _ in first } : nil
    }
    func check(_ branch: String, says words: [String], log lines: [String]) throws {
      let view = try #require(finished[branch])
      #expect(view.outcome == "ejected")
      for word in words { #expect(view.sentence.contains(word), "\(view.sentence)") }
      guard !lines.isEmpty else { return }
      let log = try harbor.run("queue", "--log", try #require(view.log)).output
      for line in lines { #expect(log.contains(line), "\(branch): \(log.prefix(2000))") }
      #expect(log.utf8.count < 3 << 20, "a log is kept at both ends and cut between")
    }
    try check("hanging", says: ["ran out of time"], log: ["it begins", "time limit of 5.0 s"])
    try check("flooding", says: ["exited with 9"], log: ["a line of the flood", "bytes are cut here"])
    try check("conflicting", says: ["does not merge", "name"], log: [])
    #expect(harbor.living().commands.isEmpty, "whatever a command started is gone, also in a session of its own")
  }

  private func writesNothing(in harbor: SmallHarbor) async throws {
    let commit = try harbor.land("empty-handed", ["build": "#!/bin/sh\nexit 0\n"])
    let promotion = try await harbor.ended(commit)
    #expect(promotion.phase == "unbuilt")
    #expect(promotion.sentence.contains("wrote nothing into 'dist'"), "\(promotion.sentence)")
    #expect(promotion.digest == nil)
    let shown = try harbor.run("promote", "harbor", commit, "--reason", "please")
    #expect(shown.code == 1 && shown.errors.contains("land a fix"), "\(shown.errors)")
  }

  private func neverReady(in harbor: SmallHarbor, watching visitor: Visitor) async throws {
    let known = try #require(try harbor.production()?.serving)
    let commit = try harbor.land(
      "never-ready", ["build": try #require(SmallHarbor.service["build"]), "ready": "no\n", "name": "unready\n"])
    let promotion = try await harbor.ended(commit)
    #expect(promotion.phase == "halted")
    #expect(promotion.sentence.contains("was not ready within 8"), "\(promotion.sentence)")
    let rollouts = try #require(try harbor.rollouts()).filter { $0.deployment.commit == commit }
    #expect(rollouts.map(\.outcome) == ["rolledBack"])
    #expect(rollouts.first?.report?.cause == "infrastructure")
    #expect(rollouts.first?.report?.to == known.digest)
    #expect(try harbor.production()?.serving == known)
    #expect(visitor.names() == ["second"] && visitor.failures().isEmpty, "nobody noticed")
    let digest = try #require(promotion.digest)
    _ = try await wait("the version that never was ready to be stopped") {
      harbor.living().pids.keys.contains { $0.digest == digest } ? nil : true
    }
  }

  /// Every verb that takes a name, with a slip of the hand in it: exit 2, and what was probably meant.
  private func unknownNames(in harbor: SmallHarbor) throws {
    let digest = try #require(try harbor.production()?.serving?.digest)
    let commit = try #require(try harbor.production()?.serving?.commit)
    func slip(_ hexadecimal: some StringProtocol) -> String {
      (hexadecimal.hasPrefix("0") ? "1" : "0") + hexadecimal.dropFirst().prefix(11)
    }
    func check(_ words: String..., says expected: String) throws {
      let ended = try Binary.run(words + ["--data", harbor.data], in: harbor.folder)
      #expect(ended.code == 2, "\(words): \(ended.output)\(ended.errors)")
      #expect(ended.errors.contains(expected), "\(words): \(ended.errors)")
    }
    try check("submit", "floodign", says: "did you mean 'flooding'?")
    try check("submit", "third", "--repository", "harbr", says: "did you mean harbor?")
    try check("queue", "harbr", says: "did you mean harbor?")
    try check("queue", "--log", "sha256:" + String(repeating: "0", count: 64), says: "There is no log 000000000000")
    try check("queue", "--withdraw", "99", says: "No queue has an entry #99")
    try check("promote", "harbr", says: "harbr")
    try check("promote", "harbr", commit, says: "did you mean harbor?")
    try check("promote", "harbor", slip(commit), says: "the newest are \(commit.prefix(10))")
    try check(
      "promote", "harbor", commit, "--environment", "prodution", "--reason", "x", says: "did you mean production?")
    try check("rollout", "harbr", says: "did you mean 'harbor'?")
    try check("rollout", "harbor", "prodution", says: "did you mean production?")
    try check("rollout", "harbor", "production", "--id", "99", says: "the newest is")
    try check("rollback", "harbr", "production", "--reason", "x", says: "did you mean harbor?")
    try check("rollback", "harbor", "prodution", "--reason", "x", says: "did you mean production?")
    let hex = digest.dropFirst("sha256:".count)
    try check(
      "rollback", "harbor", "production", "--to", slip(hex), "--reason", "x", says: "did you mean \(hex.prefix(12))?")
    try check("lift", "harbr", "production", "abcd", "--reason", "x", says: "did you mean harbor?")
    try check("lift", "harbor", "production", slip(hex), "--reason", "x", says: "No condemned version of harbor")
    try check("rollback", "harbr", "production", "--drill", says: "did you mean harbor?")
    try check("rollout", "approve", "harbor", "prodution", "--reason", "x", says: "did you mean production?")
    try check("rollout", "floor", "harbr", "production", "abcd", "--reason", "x", says: "did you mean harbor?")
    try check("rollout", "floor", "harbor", "production", slip(hex), "--reason", "x", says: "No known-good version")
    try check("freeze", "prodution", "--reason", "x", says: "did you mean 'production'?")
    try check("freeze", "production", "--service", "harbr", "--reason", "x", says: "did you mean harbor?")
    try check("thaw", "prodution", "--reason", "x", says: "did you mean 'production'?")
    try check("measure", "--service", "harbr", says: "did you mean harbor?")
    try check("measure", "--service", "harbor", "--environment", "prodution", says: "did you mean production?")
    try check("ledger", "show", "--stream", "delivery:harbor/prodution", says: "delivery:harbor/production")
    try check("ledger", "show", "--stream", "deliveries", says: "KIND:NAME")
  }
}
