import Foundation
import Testing

@Suite("Commands about flags") struct FlagCommandTests {
  private static let definitions = """
    {
      "plimsoll": 1,
      "flags": {
        "checkout": {
          "state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off", "expiry": "2027-01-31",
          "targeting": {"if": [
            {"in": [{"var": "country"}, ["SE", "NO"]]}, "on",
            {"==": [{"var": "plan"}, "gold"]}, "on"]},
          "ramp": {"salt": "s", "allocation": [{"variant": "on", "from": 0, "to": 100000}]}
        },
        "banner": {"state": "DISABLED", "variants": {"on": 1.5}, "expiry": "2027-01-31"}
      }
    }
    """

  private func withDefinitions(_ text: String = definitions, _ body: (URL) throws -> Void) async throws {
    try await withFolder { folder in
      try text.write(to: folder.appending(path: "flags.json"), atomically: true, encoding: .utf8)
      try body(folder)
    }
  }

  private func check(
    _ words: [String], in folder: URL, code: Int32, says expected: [String],
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let ended = try Binary.run(["flag"] + words, in: folder)
    #expect(ended.code == code, "\(ended.output)\(ended.errors)", sourceLocation: location)
    for sentence in expected {
      #expect((ended.output + ended.errors).contains(sentence), "\(ended)", sourceLocation: location)
    }
  }

  @Test("a flag is evaluated, and the answer says why") func evaluate() async throws {
    let words = ["evaluate", "--definitions", "flags.json"]
    try await withDefinitions { folder in
      try check(
        words + ["checkout", "--attribute", "plan=gold"], in: folder, code: 0,
        says: ["checkout = true  TARGETING_MATCH, variant on", "branch 2 of 2 (line 8)"])
      try check(
        words + ["checkout", "--targeting-key", "ann", "--context", #"{"country":"DE"}"#], in: folder, code: 0,
        says: ["SPLIT, variant on", "its ramp puts targetingKey `ann` into bucket", "`on` has 0 to 99999 (100 %)"])
      try check(
        words + ["checkout"], in: folder, code: 0,
        says: ["checkout = false  DEFAULT, variant off", "lacks the attribute", "so the default variant counts"])
      try check(words, in: folder, code: 0, says: ["banner = the caller's default  DISABLED", "its state is DISABLED"])
      let json = try Binary.run(["flag"] + words + ["checkout", "--attribute", "country=SE", "--json"], in: folder)
      let answers = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]]
      #expect(answers?.first?["value"] as? Bool == true && answers?.first?["reason"] as? String == "TARGETING_MATCH")
    }
  }

  @Test("misuse is 2 with what was meant, a flag that cannot be evaluated is 3") func faults() async throws {
    let words = ["evaluate", "--definitions", "flags.json"]
    try await withDefinitions { folder in
      try check(
        words + ["chekout"], in: folder, code: 2, says: ["There is no flag 'chekout'", "Did you mean 'checkout'?"])
      try check(words + ["--context", "{\"a\":}"], in: folder, code: 2, says: ["1:6: the context has no JSON value"])
      try check(words + ["--attribute", "plan"], in: folder, code: 2, says: ["--attribute wants NAME=VALUE"])
      try check(words + ["--at", "noon"], in: folder, code: 2, says: ["is no moment"])
      try check(
        ["evaluate", "--definitions", "gone.json"], in: folder, code: 2, says: ["There is no file 'gone.json'"])
    }
    let failing = Self.definitions.replacing(#""==": ["#, with: #""equals": ["#)
    try await withDefinitions(failing) { folder in
      try check(words + ["checkout"], in: folder, code: 3, says: ["checkout: PARSE_ERROR", "does not exist"])
    }
  }

  @Test("lint names every fault with its place") func lint() async throws {
    try await withDefinitions { folder in
      try check(["lint", "flags.json"], in: folder, code: 0, says: ["flags.json is right: 2 flags"])
    }
    let faulty = Self.definitions.replacing(#""==": ["#, with: #""starts_wth": ["#).replacing("DISABLED", with: "OFF")
    try await withDefinitions(faulty) { folder in
      try check(
        ["lint", "flags.json"], in: folder, code: 1,
        says: [
          "flags.json:8:10: flag `checkout` uses the operation `starts_wth`", "Did you mean `starts_with`?",
          "flags.json:11:25: flag `banner` has a `state`",
        ])
      let json = try Binary.run(["flag", "lint", "--json", "flags.json"], in: folder)
      let answer = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
      #expect(json.code == 1 && (answer?["findings"] as? [[String: Any]])?.count == 2)
      try Data([0x7b, 0xff]).write(to: folder.appending(path: "latin.json"))
      try check(["lint", "latin.json"], in: folder, code: 1, says: ["latin.json:1:2:"])
    }
  }
}
