import Foundation
import Testing

/// What a server cannot do without: HAProxy, and the ports that it is told to use. Each lack is named with the next
/// step, and made good without loss.
@Suite("Lacking HAProxy and ports", .timeLimit(.minutes(5))) struct MissingRouterTests {
  /// Starts what follows in a mount namespace where this file replaces HAProxy.
  private static func masking(_ file: String) -> [String] {
    let mask =
      "for program in /usr/sbin/haproxy /usr/local/sbin/haproxy /usr/bin/haproxy; do "
      + "test ! -e $program || mount --bind \(file) $program || exit 1; done; exec \"$0\" \"$@\""
    return ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", mask]
  }

  static let canMask = Result {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/unshare")
    process.arguments = Array(masking("/dev/null").dropFirst()) + ["/bin/true"]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  @Test(
    "a HAProxy that is not installed, one that does not start, and a taken port are named, and nothing is lost",
    .enabled(if: (try? MissingRouterTests.canMask.get()) == true, "needs the right to mount"))
  func lacking() async throws {
    try await withSmallHarbor { harbor in
      try await harbor.start(before: Self.masking("/dev/null"))
      try await trouble("haproxy: is not installed", next: "run scripts/setup", in: harbor)
      let waiting = try #require(try harbor.production())
      #expect(waiting.phase == "stepping" && waiting.serving == nil, "\(waiting.sentence)")
      let before = harbor.living().pids
      #expect(before.count == 2)
      harbor.stopServer()

      let refusing = harbor.folder.appending(path: "refusing")
      try "#!/bin/sh\necho '[ALERT] cannot bind to the moon' >&2\nexit 1\n"
        .write(to: refusing, atomically: true, encoding: .utf8)
      chmod(refusing.path, 0o755)
      try await harbor.start(before: Self.masking(refusing.path))
      try await trouble("cannot bind to the moon", next: "haproxy.out", in: harbor)
      harbor.stopServer()

      var taker = PortTaker(harbor.port)
      #expect(taker != nil)
      try await harbor.start()
      try await trouble("port \(harbor.port) for harbor in production is taken", next: "set another port", in: harbor)
      #expect(harbor.living().router.isEmpty)
      taker = nil
      try await harbor.firstVersionServes()
      #expect(ask(harbor.port, "/")?.body == "first")
      #expect(harbor.living().pids == before, "adopted through every restart, not started again")
      #expect(try harbor.rollouts()?.map(\.outcome) == ["completed"])
      _ = try await wait("the troubles to be over") { try harbor.troubles().isEmpty ? true : nil }
    }
  }

  private func trouble(_ words: String, next: String, in harbor: SmallHarbor) async throws {
    let said = try await wait("the trouble '\(words)'") { try harbor.troubles().first { $0.contains(words) } }
    #expect(said.contains(next), "\(said)")
    let shown = try harbor.run("rollout")
    #expect(shown.code == 0 && shown.output.contains(words), "\(shown.output)")
  }
}
