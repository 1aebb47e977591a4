import ControlPlane
import Kernel
import Ramps
import Testing

@testable import PlimsollFile

/// Two environments, one service, and what `flags` says.
private func berth(_ flags: String) -> String {
  file(then: "environments: [staging, production]\nflags: \(flags)")
}

@Suite("Flags") struct FlagsTests {
  @Test("flags are served where clients look first, as the last environment has them") func usual() throws {
    let read = try parse(berth("{}"))
    let place = try #require(read.flags)
    #expect(place.listen == PlimsollFile.ListenAddress(host: "127.0.0.1", port: 8016))
    #expect(place.environments.map(\.rawValue) == ["staging", "production"])
    #expect(place.usual.rawValue == "production" && place.token == nil)
    #expect(place.evaluation == nil && place.sync == nil && place.evidence == nil)
    #expect(read.topology.flagFolders.isEmpty)
    #expect(try parse(file()).flags == nil)
  }

  @Test("addresses, the environment and the token are the file's") func named() throws {
    let place = try #require(
      try parse(
        berth(
          "{ listen: '0.0.0.0:80', evaluation: '[::1]:8013', sync: '127.0.0.1:0', evidence: '127.0.0.1:4318', "
            + "environment: staging, token: env:FLAG_TOKEN }")
      ).flags)
    #expect(place.listen.port == 80 && place.evaluation?.host == "[::1]" && place.sync?.port == 0)
    #expect(place.evidence?.port == 4318 && place.usual.rawValue == "staging")
    #expect(place.token == .environment("FLAG_TOKEN"))
  }

  @Test("a folder follows the trunk of its repository's queue") func folders() throws {
    let read = try parse(berth("{ folders: [{ repository: harbor, path: config/flags }] }"))
    let policy = try #require(read.topology.flagFolders.first)
    #expect(policy.repository.rawValue == "harbor" && policy.trunk.rawValue == "main")
    #expect(policy.path == "config/flags" && policy.environments.count == 2)
    #expect(read.topology.streams.contains(.flagFolder(policy.repository, policy.trunk)))
  }

  @Test("what cannot be meant is said with its place")
  func faults() {
    check(berth("{ listn: '127.0.0.1:1' }"), "plimsoll.yaml:10:10: flags: unknown key 'listn'; did you mean 'listen'?")
    check(berth("{ listen: everywhere }"), "plimsoll.yaml:10:18: flags.listen: expected HOST:PORT")
    check(
      berth("{ environment: prodution }"),
      "plimsoll.yaml:10:23: flags.environment: no environment is named 'prodution'; did you mean 'production'?")
    check(
      berth("{ listen: '127.0.0.1:8016', sync: '127.0.0.1:8016' }"), "plimsoll.yaml:10:42: flags.sync: port 8016 is")
    check(
      berth("{ folders: [{ repository: harbour, path: flags }] }"),
      "plimsoll.yaml:10:20: flags.folders.repository: no service lives in 'harbour'; did you mean 'harbor'?")
    check(berth("{ folders: [{ repository: harbor }] }"), "plimsoll.yaml:10:20: flags.folders: expected 'path'")
    check(berth("{ folders: [{ path: flags }] }"), "plimsoll.yaml:10:20: flags.folders: expected 'repository'")
    for path in ["/flags", "../flags", "flags/", "a//b"] {
      check(
        berth("{ folders: [{ repository: harbor, path: '\(path)' }] }"),
        "plimsoll.yaml:10:48: flags.folders.path: expected a folder inside the repository")
    }
    check(
      berth("{ folders: [{ repository: harbor, path: a }, { repository: harbor, path: b }] }"),
      "plimsoll.yaml:10:53: flags.folders: 'harbor' stands here twice")
  }
}
