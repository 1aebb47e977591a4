import Flags
import Testing

@Suite("Flag sets")
struct FlagSetTests {
  private func check(
    _ flag: String, _ context: String = "{}", as type: FlagType? = nil, expecting expected: String,
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let set = try FlagSet(json: "{\"flags\":{\"f\":\(flag)}}")
    let evaluation = set.evaluate("f", for: try EvaluationContext(json: context), at: 0, expecting: type)
    let words = [evaluation.reason.text, set.variant(of: evaluation) ?? "-", evaluation.error?.text ?? "-"]
    #expect(words.joined(separator: " ") == expected, sourceLocation: location)
  }

  private static let variants = #""variants":{"on":true,"off":false}"#

  @Test("state and default variant")
  func defaults() throws {
    let v = Self.variants
    try check("{\"state\":\"ENABLED\",\(v),\"defaultVariant\":\"on\"}", expecting: "STATIC on -")
    try check("{\"state\":\"DISABLED\",\(v),\"defaultVariant\":\"on\"}", expecting: "DISABLED - -")
    for none in ["", ",\"defaultVariant\":null", ",\"defaultVariant\":\"\""] {
      try check("{\"state\":\"ENABLED\",\(v)\(none)}", expecting: "DEFAULT - -")
    }
    try check("{\"state\":\"ENABLED\",\(v),\"defaultVariant\":\"gone\"}", expecting: "ERROR - GENERAL")
    try check("{\"state\":\"ENABLED\",\(v),\"defaultVariant\":\"on\",\"targeting\":{}}", expecting: "STATIC on -")
    try check(
      "{\"state\":\"ENABLED\",\(v),\"defaultVariant\":\"on\",\"targeting\":{\"var\":\"x\"}}", expecting: "DEFAULT on -")
    try check("{\"state\":\"ENABLED\",\(v),\"targeting\":5}", expecting: "ERROR - PARSE_ERROR")
    try check(
      "{\"state\":\"ENABLED\",\(v),\"targeting\":{\"var\":\"x\"}}", "{\"x\":\"gone\"}", expecting: "ERROR - GENERAL")
  }

  @Test("a value of another type than the caller's is an error")
  func types() throws {
    let flag = "{\"state\":\"ENABLED\",\"variants\":{\"on\":1},\"defaultVariant\":\"on\"}"
    try check(flag, as: .integer, expecting: "STATIC on -")
    try check(flag, as: .number, expecting: "STATIC on -")
    try check(flag, as: .boolean, expecting: "ERROR - TYPE_MISMATCH")
    try check(flag, as: .object, expecting: "ERROR - TYPE_MISMATCH")
    try check("{\"state\":\"DISABLED\",\"variants\":{\"on\":1}}", as: .text, expecting: "DISABLED - -")
  }

  @Test("flags as a list, shared rules, metadata of set and flag")
  func forms() throws {
    let set = try FlagSet(
      json: """
        {"flags":[{"key":"f","state":"ENABLED","variants":{"on":1.0,"off":2},"defaultVariant":"off",
         "targeting":{"if":[{"$ref":"eu"},"on"]},"metadata":{"team":"a","n":1}}],
         "metadata":{"team":"set","version":"7"},
         "$evaluators":{"eu":{"and":[{"$ref":"named"},{"in":[{"var":"c"},["SE","DE"]]}]},"named":{"!!":{"var":"c"}}}}
        """)
    let sweden = set.evaluate("f", for: try EvaluationContext(json: #"{"c":"SE"}"#), at: 0)
    #expect(set.flagValue(of: sweden)?.json == "1.0")
    let other = set.evaluate("f", for: EvaluationContext(targetingKey: nil, attributes: ["c": "NO"]), at: 0)
    #expect(set.flagValue(of: other)?.json == "2")
    #expect(
      set.metadata(of: sweden).map { "\($0.name)=\(JSONWriter.text(of: $0.value))" } == [
        "team=\"a\"", "version=\"7\"", "n=1",
      ])
    #expect(set.evaluate("g", for: EvaluationContext(), at: 0).error == .flagNotFound)
  }

  @Test("one flag is replaced, added, removed; the old set stays as it was")
  func changes() throws {
    let old = try FlagSet(
      json: "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\(Self.variants),\"defaultVariant\":\"on\"}}}")
    let new = try old.replacing("f", with: "{\"state\":\"ENABLED\",\(Self.variants),\"defaultVariant\":\"off\"}")
      .replacing("g", with: "{\"state\":\"DISABLED\",\(Self.variants)}")
    #expect(old.boolean(of: old.evaluate("f", for: EvaluationContext(), at: 0)) == true)
    #expect(new.boolean(of: new.evaluate("f", for: EvaluationContext(), at: 0)) == false)
    #expect(new.flagKeys == ["f", "g"])
    #expect(try new.removing("f").evaluate("f", for: EvaluationContext(), at: 0).error == .flagNotFound)
  }

  private func refuses(
    _ definitions: String, _ words: String, _ location: SourceLocation = #_sourceLocation
  ) {
    do throws(FlagRefusal) {
      _ = try FlagSet(json: definitions)
      Issue.record("accepted", sourceLocation: location)
    } catch {
      #expect(error.description.contains(words), "\(error)", sourceLocation: location)
    }
  }

  @Test("what flagd does not load is refused with line and column")
  func refusals() {
    refuses("{\"flags\":{\"f\":\n  5}}", "2:3: flag `f` is no object")
    refuses("{\"flags\":{\"f\":{\"state\":\"ON\",\(Self.variants)}}}", "neither ENABLED nor DISABLED")
    refuses("{\"flags\":{\"f\":{\"state\":\"ENABLED\"}}}", "has no `variants`")
    refuses("{\"flags\":{\"f\":{\"state\":\"ENABLED\",\(Self.variants),\"defaultVariant\":5}}}", "is no name")
    refuses("{\"flags\":{\"f\":{\"state\":\"ENABLED\",\(Self.variants),\"metadata\":{\"a\":[]}}}}", "metadata `a`")
    refuses("{\"flags\":[{\"state\":\"ENABLED\",\(Self.variants)}]}", "a flag without `key`")
    refuses("{\"flags\":{\"f\":{]}}", "no name in quotes")
    refuses("{\"flags\":{}, x}", "no name in quotes")
  }
}

@Suite("Native flag sets")
struct NativeFlagTests {
  private func set(_ flags: String, segments: String = "{}") throws -> FlagSet {
    try FlagSet(json: "{\"plimsoll\":1,\"segments\":\(segments),\"flags\":{\(flags)}}")
  }

  private func flag(_ key: String, _ fields: String) -> String {
    "\"\(key)\":{\"state\":\"ENABLED\",\"variants\":{\"on\":true,\"off\":false},\"defaultVariant\":\"off\","
      + "\"expiry\":\"2027-01-31\"\(fields.isEmpty ? "" : ",")\(fields)}"
  }

  private func answer(_ set: FlagSet, _ key: String, _ context: String = "{}", at seconds: Int64 = 0) throws -> String {
    let evaluation = set.evaluate(key, for: try EvaluationContext(json: context), at: seconds)
    return "\(evaluation.reason.text) \(set.variant(of: evaluation) ?? "-")"
  }

  private func refuses(
    _ flags: String, segments: String = "{}", _ words: String, _ location: SourceLocation = #_sourceLocation
  ) {
    do {
      _ = try set(flags, segments: segments)
      Issue.record("accepted", sourceLocation: location)
    } catch {
      #expect("\(error)".contains(words), "\(error)", sourceLocation: location)
    }
  }

  @Test("an expiry is required, in a form that is one")
  func expiry() throws {
    refuses("\"f\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1}}", "has no `expiry`")
    refuses("\"f\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1},\"expiry\":\"2027-02-29\"}", "no moment")
    refuses(flag("f", "\"type\":\"relase\""), "which is none of experiment, kill-switch, operational")
    let native = try set(flag("f", "\"owner\":\"payments\",\"type\":\"kill-switch\"")).flag(at: 0).native
    #expect(native?.expiry.seconds == 1_801_353_600)
    #expect(native?.owner == "payments")
    #expect(native?.kind == .killSwitch)
  }

  @Test("prerequisites are evaluated first; circles and strangers are refused")
  func prerequisites() throws {
    let on = "\"targeting\":{\"if\":[true,\"on\"]}"
    func needs(_ other: String) -> String { "\"prerequisites\":[{\"flag\":\"\(other)\",\"variants\":[\"on\"]}]" }
    let set = try set(
      [flag("a", "\(on),\(needs("b"))"), flag("b", "\"targeting\":{\"var\":\"b\"}")].joined(separator: ","))
    #expect(try answer(set, "a", #"{"b":"on"}"#) == "TARGETING_MATCH on")
    #expect(try answer(set, "a", #"{"b":"off"}"#) == "DEFAULT off")
    refuses([flag("a", needs("b")), flag("b", needs("a"))].joined(separator: ","), "in a circle: a → b → a")
    refuses(flag("a", needs("a")), "in a circle: a → a")
    refuses(flag("a", needs("gone")), "`gone`, which does not exist")
    refuses(
      flag("a", "\"prerequisites\":[{\"flag\":\"b\",\"variants\":[\"x\"]}],\(on)") + "," + flag("b", ""),
      "waits for variant `x`")
    let chain = (0..<20).map { flag("f\($0)", $0 == 19 ? on : needs("f\($0 + 1)")) }.joined(separator: ",")
    refuses(chain, "more than 16 prerequisites behind each other")
    #expect(throws: FlagRefusal.self) { try set.removing("b") }
    #expect(throws: FlagRefusal.self) {
      try set.replacing(
        "b", with: "{\"state\":\"ENABLED\",\"variants\":{\"on\":1},\"expiry\":\"2027-01-01\",\(needs("a"))}")
    }
  }

  @Test("segments: 10,000 subjects, a rule, and one that is gone")
  func segments() throws {
    let subjects = (0..<10_000).map { "\"user-\($0)\"" }.joined(separator: ",")
    let segments = "{\"beta\":{\"items\":[\(subjects)]},\"eu\":{\"rule\":{\"in\":[{\"var\":\"c\"},[\"SE\",\"DE\"]]}}}"
    let set = try set(
      flag("f", "\"targeting\":{\"if\":[{\"and\":[{\"segment\":\"beta\"},{\"segment\":\"eu\"}]},\"on\"]}"),
      segments: segments)
    #expect(try answer(set, "f", #"{"targetingKey":"user-9999","c":"DE"}"#) == "TARGETING_MATCH on")
    #expect(try answer(set, "f", #"{"targetingKey":"user-10000","c":"DE"}"#) == "DEFAULT off")
    #expect(try answer(set, "f", #"{"targetingKey":"user-1","c":"NO"}"#) == "DEFAULT off")
    #expect(try answer(set, "f", #"{"c":"DE"}"#) == "DEFAULT off")
    refuses(flag("f", "\"targeting\":{\"segment\":\"gone\"}"), "asks for segment `gone`, which does not exist")
    refuses(flag("f", ""), segments: "{\"s\":{}}", "neither `items` nor `rule`")
    // In flagd's own files the operation does not exist.
    let plain = try FlagSet(
      json: "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1},\"targeting\":{\"segment\":\"beta\"}}}}")
    #expect(plain.evaluate("f", for: EvaluationContext(), at: 0).error == .parseError)
  }

  @Test("a segment is replaced or added; the old set and its flags stay as they were")
  func changedSegments() throws {
    let old = try set(
      flag("f", "\"targeting\":{\"if\":[{\"segment\":\"beta\"},\"on\"]}"),
      segments: "{\"beta\":{\"items\":[\"ann\"]},\"eu\":{\"rule\":{\"var\":\"eu\"}}}")
    let subjects = (0..<10_000).map { "\"user-\($0)\"" }.joined(separator: ",")
    let new = try old.replacing(segment: "beta", with: "{\"items\":[\(subjects)]}")
    #expect(try answer(old, "f", #"{"targetingKey":"ann"}"#) == "TARGETING_MATCH on")
    #expect(try answer(new, "f", #"{"targetingKey":"ann"}"#) == "DEFAULT off")
    #expect(try answer(new, "f", #"{"targetingKey":"user-9999"}"#) == "TARGETING_MATCH on")
    let ruled = try new.replacing(segment: "beta", with: #"{"rule":{"==":[{"var":"plan"},"gold"]}}"#)
    #expect(try answer(ruled, "f", #"{"plan":"gold"}"#) == "TARGETING_MATCH on")
    let more = try old.replacing(segment: "new", with: #"{"items":["bob"]}"#)
      .replacing("f", with: Self.asking("new"))
    #expect(try answer(more, "f", #"{"targetingKey":"bob"}"#) == "TARGETING_MATCH on")
    #expect(throws: FlagRefusal.self) { try old.replacing("f", with: Self.asking("new")) }
    #expect(throws: FlagRefusal.self) { try old.replacing(segment: "beta", with: "{\"items\":5}") }
    #expect(throws: FlagRefusal.self) { try FlagSet(json: "{\"flags\":{}}").replacing(segment: "beta", with: "{}") }
  }

  private static func asking(_ segment: String) -> String {
    "{\"state\":\"ENABLED\",\"variants\":{\"on\":true},\"expiry\":\"2027-01-31\","
      + "\"targeting\":{\"if\":[{\"segment\":\"\(segment)\"},\"on\"]}}"
  }

  @Test("why: the ramp's bucket, the prerequisite that is not met, the branch that was written")
  func grounds() throws {
    let ramp = "\"ramp\":{\"salt\":\"s\",\"allocation\":[{\"variant\":\"on\",\"from\":0,\"to\":50000}]}"
    let waiting = "\"prerequisites\":[{\"flag\":\"r\",\"variants\":[\"on\"]}]"
    let flags = try set([flag("r", ramp), flag("w", waiting)].joined(separator: ","))
    for subject in 0..<50 {
      let context = EvaluationContext(targetingKey: "user-\(subject)")
      let served = flags.evaluate("r", for: context, at: 0)
      let place = try #require(flags.grounds(of: served, for: context, at: 0).place)
      #expect(place.attribute == "targetingKey" && place.subject == "user-\(subject)")
      #expect(flags.variant(of: served) == (place.bucket < 50_000 ? "on" : "off"))
      let waits = flags.evaluate("w", for: context, at: 0)
      let unmet = flags.grounds(of: waits, for: context, at: 0).unmet
      #expect((unmet == nil) == (place.bucket < 50_000))
      #expect(unmet.map { $0.served == "off" && $0.flag == "r" && $0.variants == ["on"] } != false)
    }
    let text = """
      {"flags":{"f":{
      "targeting":{"if":[
      {"var":"a"},"on",
      "off"]}},"g":{"targeting":{"var":"x"}}}}
      """
    let branches = try FlagSet.branches(ofTargetingOf: "f", in: text)
    #expect(branches.map(\.line) == [3, 4])
    #expect(branches.map(\.condition) == [#"{"var":"a"}"#, nil])
    #expect(branches.map(\.result) == [#""on""#, #""off""#])
    #expect(try FlagSet.branches(ofTargetingOf: "g", in: text).map(\.result) == [#"{"var":"x"}"#])
    #expect(try FlagSet.branches(ofTargetingOf: "h", in: text).isEmpty)
  }

  @Test("a schedule holds targeting back until it begins and after it ends")
  func schedules() throws {
    let fields =
      "\"targeting\":{\"if\":[true,\"on\"]},\"schedule\":{\"from\":\"1970-01-02\",\"until\":\"1970-01-03T00:00:00+01:00\"}"
    let set = try set(flag("f", fields))
    #expect(try answer(set, "f", at: 86_399) == "DEFAULT off")
    #expect(try answer(set, "f", at: 86_400) == "TARGETING_MATCH on")
    #expect(try answer(set, "f", at: 2 * 86_400 - 3601) == "TARGETING_MATCH on")
    #expect(try answer(set, "f", at: 2 * 86_400 - 3600) == "DEFAULT off")
    refuses(flag("f", "\"schedule\":{\"from\":\"1970-01-03\",\"until\":\"1970-01-02\"}"), "ends before it begins")
  }

  @Test("a ramp serves its share where targeting chooses nothing")
  func ramps() throws {
    func ramp(_ to: Int) -> String {
      "\"targeting\":{\"if\":[{\"var\":\"staff\"},\"on\"]},\"ramp\":{\"salt\":\"s\",\"stages\":[1,25,100],"
        + "\"allocation\":[{\"variant\":\"on\",\"from\":0,\"to\":\(to)}]}"
    }
    let set = try set(flag("f", ramp(25_000)))
    var served = 0
    for subject in 0..<2000 where try answer(set, "f", "{\"targetingKey\":\"u\(subject)\"}") == "SPLIT on" {
      served += 1
    }
    // Binomial with p = 1/4 over 2,000: five standard deviations are 97.
    #expect((403...597).contains(served))
    #expect(try answer(set, "f", #"{"targetingKey":"u1","staff":true}"#) == "TARGETING_MATCH on")
    #expect(try answer(set, "f") == "DEFAULT off")
    refuses(flag("f", ramp(100_001)), "a whole number from 0 to 100000 as `to`")
    refuses(flag("f", ramp(5).replacing("[1,25,100]", with: "[5,1]")), "no rising percentages")
  }
}
