import Foundation
import Testing

/// Flags of a running `plimsoll serve`, from a folder in git to a client's question.
@Suite("Flags of a server") struct FlagServerTests {
  private static let definitions = """
    {
      "plimsoll": 1,
      "segments": {"crew": {"attribute": "email", "items": ["ada@harbor.example"]}},
      "flags": {
        "crane": {
          "variants": {"on": true, "off": false}, "defaultVariant": "off", "owner": "quay", "expiry": "2099-01-31",
          "targeting": {"if": [{"segment": "crew"}, "on"]}
        }
      }
    }
    """

  private struct World {
    let harbor: SmallHarbor
    let flags: Int

    /// The answer to who asks for the crane: its reason and variant, in OFREP.
    func asked(as email: String, at prefix: String = "") throws -> String? {
      let body = #"{"context":{"targetingKey":"a","email":"EMAIL"}}"#.replacing("EMAIL", with: email)
      guard let said = ask(flags, "\(prefix)/ofrep/v1/evaluate/flags/crane", sending: body)?.body,
        let answer = try JSONSerialization.jsonObject(with: Data(said.utf8)) as? [String: Any]
      else { return nil }
      return (answer["reason"] ?? answer["errorCode"]).map { "\($0) \(answer["variant"] ?? "")" }
    }

    func until(_ expected: String, as email: String = "ada@harbor.example", _ what: String) async throws {
      do {
        _ = try await wait(what) { try asked(as: email) == expected ? true : nil }
      } catch {
        Issue.record("\(what): \(try asked(as: email) ?? "no answer") instead of \(expected)")
        throw error
      }
    }

    func command(_ words: String...) throws {
      let ended = try Binary.run(["flag"] + words + ["--data", harbor.data], in: harbor.folder)
      #expect(ended.code == 0, "\(words): \(ended.output)\(ended.errors)")
    }
  }

  @Test("a definition that lands is served, switched, killed, and still off after a kill -9") func story() async throws
  {
    try await withFolder { folder in
      let port = try #require(freePort())
      let harbor = try SmallHarbor(
        in: folder,
        more: "flags: { listen: '127.0.0.1:\(port)', folders: [{ repository: harbor, path: flags }] }\n")
      defer { harbor.end() }
      try await harbor.start()
      let world = World(harbor: harbor, flags: port)
      #expect(try world.asked(as: "ada@harbor.example") == "FLAG_NOT_FOUND ")
      _ = try harbor.land("flags", ["flags/crane.json": Self.definitions])
      try await world.until("DISABLED ", "the definition to be served, off")

      try world.command("on", "crane", "production", "--reason", "it is time")
      try await world.until("TARGETING_MATCH on", "the switch to reach who asks")
      #expect(try world.asked(as: "eve@elsewhere.example") == "DEFAULT off")
      #expect(try world.asked(as: "ada@harbor.example", at: "/flags/production") == "TARGETING_MATCH on")

      // What cannot be used changes nothing.
      _ = try harbor.land("broken", ["flags/crane.json": "{ \"plimsoll\": 1, \"flags\": { \"crane\": "])
      _ = try await wait("the fault to be told") {
        try harbor.run("ledger", "show", "--json").output.contains("flagFolder.faulted") ? true : nil
      }
      #expect(try world.asked(as: "ada@harbor.example") == "TARGETING_MATCH on")

      try world.command("kill", "crane", "--reason", "the crane is stuck")
      try await world.until("DISABLED ", "the kill to reach who asks")
      harbor.killServer()
      try await harbor.start()
      try await world.until("DISABLED ", "the kill to outlive the process")
    }
  }
}
