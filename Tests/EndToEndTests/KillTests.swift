import API
import Foundation
import Testing

/// SIGKILL in the middle of rollouts, of HAProxy and of the server itself: each rollout still ends right.
@Suite("Kills in the middle of a rollout", .timeLimit(.minutes(5))) struct KillTests {
  @Test("a killed HAProxy comes back, a killed server goes on where it was; nothing is deployed twice")
  func kills() async throws {
    try await withSmallHarbor(step: "1500ms") { harbor in
      try await harbor.start()
      try await harbor.firstVersionServes()
      let visitor = Visitor(port: harbor.port)
      try await killedRouter(in: harbor, watching: visitor)
      try await killedServer(in: harbor, watching: visitor)
      try await visitor.leave()
      let verified = try harbor.run("ledger", "verify")
      #expect(verified.code == 0, "\(verified.output)\(verified.errors)")
    }
  }

  private func killedRouter(in harbor: SmallHarbor, watching visitor: Visitor) async throws {
    let commit = try harbor.land("second", ["name": "second\n"])
    try await shared(commit, in: harbor)
    #expect(["first", "second"].contains(try await killRouter(of: harbor)), "it came back with routes")
    let answers = visitor.count + 1
    #expect(try await harbor.ended(commit).phase == "completed")
    try await onlyOnce(commit, in: harbor, named: "second")
    #expect(visitor.failures(after: answers).isEmpty, "\(visitor.failures(after: answers))")
    // And when nothing moves, so that no step applies its shares.
    #expect(try await killRouter(of: harbor) == "second")
  }

  /// Kills production's HAProxy and waits until another one answers. - Returns: who answers through it.
  private func killRouter(of harbor: SmallHarbor) async throws -> String {
    let router = harbor.living().router
    #expect(router.count == 1)
    for pid in router { kill(pid, SIGKILL) }
    _ = try await wait("another HAProxy") { () -> Bool? in
      let now = harbor.living().router
      return now.isEmpty || !now.isDisjoint(with: router) ? nil : true
    }
    return try await wait("an answer through it") {
      ask(harbor.port, "/").flatMap { $0.status == 200 ? $0.body : nil }
    }
  }

  private func killedServer(in harbor: SmallHarbor, watching visitor: Visitor) async throws {
    let answers = visitor.count + 1
    let router = harbor.living().router
    let commit = try await killedInTest(of: "third", in: harbor)
    let digest = try await wait("the build") { try harbor.promotion(of: commit)?.digest }
    // Once more while its processes are only starting, and once while it has a share.
    _ = try await wait("a process of the new version") {
      harbor.living().pids.keys.contains { $0.digest == digest } ? true : nil
    }
    harbor.killServer()
    try await harbor.start()
    try await shared(commit, in: harbor)
    let before = harbor.living()
    harbor.killServer()
    #expect(harbor.living() == before, "what serves does not need the server")
    try await harbor.start()

    let second = try harbor.run("serve", "--listen", "127.0.0.1:0")
    #expect(second.code == 1, "\(second.errors)")
    let first = try #require(harbor.server?.process.processIdentifier)
    #expect(second.errors.contains("in use by another plimsoll, process \(first)"), "\(second.errors)")

    #expect(try await harbor.ended(commit).phase == "completed")
    try await onlyOnce(commit, in: harbor, named: "third")
    let now = harbor.living()
    let slots = before.pids.keys.filter { $0.digest == digest }
    #expect(slots.count == 2)
    for slot in slots { #expect(now.pids[slot] == before.pids[slot], "adopted, not started again") }
    #expect(now.router == router)
    #expect(visitor.failures(after: answers).isEmpty, "\(visitor.failures(after: answers))")
  }

  /// Kills the server in the middle of a branch's CI. - Returns: the commit that it lands as all the same.
  private func killedInTest(of branch: String, in harbor: SmallHarbor) async throws -> String {
    try harbor.push(branch, ["name": "\(branch)\n", "ci": "#!/bin/sh\nsleep 1\ntest -s name\n"])
    #expect(try harbor.run("submit", branch).code == 0)
    let running = try await wait("its CI to run") {
      let commands = harbor.living().commands
      return commands.isEmpty ? nil : commands
    }
    harbor.killServer()
    try await harbor.start()
    #expect(harbor.living().commands.isDisjoint(with: running), "what nobody waits for any more is ended")
    let finished = try await wait("it to land") {
      try harbor.get("/v1/queues/harbor", as: QueueView.self)?.finished.first { $0.branch == branch }
    }
    return try #require(finished.commit, "\(finished.sentence)")
  }

  /// Waits until the commit has a share beside what served before.
  private func shared(_ commit: String, in harbor: SmallHarbor) async throws {
    _ = try await wait("\(commit.prefix(10)) to have a share") { () -> Bool? in
      guard let view = try harbor.production(), view.rollout?.deployment.commit == commit else { return nil }
      return view.phase == "watching" && view.shares.count == 2 ? true : nil
    }
  }

  private func onlyOnce(_ commit: String, in harbor: SmallHarbor, named name: String) async throws {
    let rollouts = try #require(try harbor.rollouts()).filter { $0.deployment.commit == commit }
    #expect(rollouts.map(\.outcome) == ["completed"])
    #expect(try harbor.production()?.serving?.commit == commit)
    #expect(harbor.living().doubles.isEmpty)
    let digest = try #require(rollouts.first?.deployment.digest)
    _ = try await wait("only this version to run") {
      harbor.living().pids.keys.allSatisfy { $0.digest == digest } ? true : nil
    }
    #expect(ask(harbor.port, "/")?.body == name)
  }
}
