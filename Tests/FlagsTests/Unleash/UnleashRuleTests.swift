import Testing

@testable import Flags

@Suite("Unleash features")
struct UnleashRuleTests {
  private func set(_ features: String, segments: String = "[]") throws -> UnleashFeatureSet {
    try UnleashFeatureSet(json: "{\"version\":2,\"features\":[\(features)],\"segments\":\(segments)}")
  }

  private func feature(_ strategies: String = "", name: String = "f", more: String = "") -> String {
    "{\"name\":\"\(name)\",\"enabled\":true,\"strategies\":[\(strategies)]\(more)}"
  }

  private func isOn(
    _ set: UnleashFeatureSet, _ context: String = "{}", name: String = "f", chance: UInt64 = 0, hostname: String? = nil
  ) throws -> Bool? {
    set.isEnabled(name, for: try UnleashContext(json: context, hostname: hostname), at: 0, chance: chance)
  }

  private func rule(_ constraint: String) throws -> UnleashFeatureSet {
    try set(feature("{\"name\":\"default\",\"constraints\":[\(constraint)]}"))
  }

  @Test("an unknown feature is nil, one without strategies is on, one switched off is off")
  func basics() throws {
    let features = try set(feature() + ",{\"name\":\"off\",\"enabled\":false,\"strategies\":[]}")
    #expect(try isOn(features, name: "nothing") == nil)
    #expect(try isOn(features) == true)
    #expect(try isOn(features, name: "off") == false)
    #expect(features.names == ["f", "off"])
  }

  @Test("rules without a meaning switch their feature off and say why")
  func faults() throws {
    let faulty = [
      ("{\"contextName\":\"p\",\"operator\":\"LIKE\"}", "has the unknown operator `LIKE`"),
      (
        "{\"contextName\":\"p\",\"operator\":\"NUM_GT\",\"value\":\"abc\"}",
        "compares with abc, which is neither a number, a version nor a date"
      ),
      ("{\"contextName\":\"p\",\"operator\":\"NUM_GT\"}", "has a constraint without `value`"),
      (
        "{\"contextName\":\"p\",\"operator\":\"STR_CONTAINS\",\"values\":[]}",
        "has the text constraint `STR_CONTAINS` without values"
      ),
    ]
    for (constraint, cause) in faulty {
      let features = try set(feature("{\"name\":\"default\",\"constraints\":[\(constraint)]},{\"name\":\"default\"}"))
      #expect(try isOn(features, "{\"p\":\"1\"}") == false)
      #expect(features.faults.map(\.cause) == [cause])
    }
  }

  @Test("a segment that does not exist switches its features off, until it comes")
  func segments() throws {
    var features = try set(feature("{\"name\":\"default\",\"segments\":[7]}"))
    #expect(try isOn(features, "{\"userId\":\"a\"}") == false)
    #expect(features.faults.map(\.cause) == ["uses segment 7, which does not exist"])
    let constraint = "{\"contextName\":\"userId\",\"operator\":\"IN\",\"values\":[\"a\"]}"
    try features.apply(
      json: "{\"events\":[{\"type\":\"segment-updated\",\"segment\":{\"id\":7,\"constraints\":[\(constraint)]}}]}")
    #expect(try isOn(features, "{\"userId\":\"a\"}") == true)
    #expect(try isOn(features, "{\"userId\":\"b\"}") == false)
    try features.apply(json: "{\"events\":[{\"type\":\"segment-removed\",\"segmentId\":7}]}")
    #expect(try isOn(features, "{\"userId\":\"a\"}") == false)
  }

  @Test("events change one feature, and a document that is refused changes nothing")
  func events() throws {
    var features = try set(feature() + "," + feature(name: "g"))
    let copy = features
    let off = "{\"name\":\"f\",\"enabled\":false,\"strategies\":[]}"
    let events = [
      "{\"type\":\"feature-updated\",\"feature\":\(off)}", #"{"type":"feature-removed","featureName":"g"}"#,
    ]
    try features.apply(json: "{\"events\":[\(events.joined(separator: ","))]}")
    #expect(try isOn(features) == false)
    #expect(try isOn(features, name: "g") == nil)
    #expect(try isOn(copy) == true)
    let refusal = #expect(throws: FlagRefusal.self) {
      try features.apply(json: "{\"features\":[\n  {\"name\": \"h\",\n   \"enabled\": \"yes\"}]}")
    }
    #expect(refusal?.description.hasPrefix("3:15: the document has `enabled` that is neither true nor false") == true)
    #expect(try isOn(features, name: "h") == nil)
  }

  @Test("10,000 values in a list and 10,000 features are found")
  func long() throws {
    let users = (0..<10_000).map { "user-\($0)" }.joined(separator: ", ")
    let many = (0..<10_000).map { feature(name: "f\($0)") }.joined(separator: ",")
    let features = try set(
      many + "," + feature("{\"name\":\"userWithId\",\"parameters\":{\"userIds\":\"\(users)\"}}", name: "list"))
    #expect(features.count == 10_001)
    #expect(try isOn(features, "{\"userId\":\"user-9999\"}", name: "list") == true)
    #expect(try isOn(features, "{\"userId\":\"user-10000\"}", name: "list") == false)
    #expect(try isOn(features, name: "f9999") == true)
  }

  @Test("strategies of the client's own making are off, the host's name counts without case")
  func otherStrategies() throws {
    #expect(try isOn(try set(feature("{\"name\":\"mine\"}"))) == false)
    let features = try set(feature("{\"name\":\"applicationHostname\",\"parameters\":{\"hostNames\":\"a, WEB-7\"}}"))
    #expect(try isOn(features, hostname: "web-7") == true)
    #expect(try isOn(features, hostname: "web-8") == false)
    #expect(try isOn(features) == false)
  }

  @Test("a draw follows its percentage and is the same for the same chance")
  func chance() throws {
    let features = try set(
      feature("{\"name\":\"gradualRolloutRandom\",\"parameters\":{\"percentage\":\"30\"}}")
        + ","
        + feature(
          "{\"name\":\"flexibleRollout\",\"parameters\":{\"rollout\":\"30\",\"stickiness\":\"random\"}}", name: "g"))
    for name in ["f", "g"] {
      let hits = try (0..<10_000).filter { try isOn(features, name: name, chance: UInt64($0)) == true }.count
      #expect((2_800...3_200).contains(hits))
      #expect(try isOn(features, name: name, chance: 42) == isOn(features, name: name, chance: 42))
    }
  }

  @Test("variants by chance keep their weights although the rollout was drawn too")
  func drawnVariants() throws {
    let variants = ",\"variants\":[{\"name\":\"a\",\"weight\":900},{\"name\":\"b\",\"weight\":100}]"
    let features = try set(
      feature("{\"name\":\"gradualRolloutRandom\",\"parameters\":{\"percentage\":\"10\"}}", more: variants))
    let context = try UnleashContext(json: "{}")
    let shown = (0..<20_000).compactMap { features.variant(of: "f", for: context, at: 0, chance: $0) }
      .filter(\.isEnabled).map(\.name)
    #expect((1_700...2_300).contains(shown.count))
    #expect((1_500...2_000).contains(shown.filter { $0 == "a" }.count))
  }

  @Test("weights that sum to zero show no variant; the first matching strategy's variants go before the feature's")
  func variants() throws {
    let own = ",\"variants\":[{\"name\":\"own\",\"weight\":1,\"payload\":{\"type\":\"string\",\"value\":\"x\"}}]"
    let features = try set(
      feature(more: ",\"variants\":[{\"name\":\"a\",\"weight\":0}]") + ","
        + feature("{\"name\":\"default\",\"variants\":[{\"name\":\"s\",\"weight\":1}]}", name: "g", more: own) + ","
        + feature("{\"name\":\"default\"}", name: "h", more: own))
    let context = try UnleashContext(json: "{\"userId\":\"1\"}")
    func shown(_ name: String) -> UnleashVariant? { features.variant(of: name, for: context, at: 0, chance: 0) }
    #expect(shown("f")?.name == "disabled" && shown("f")?.isEnabled == false && shown("f")?.isFeatureEnabled == true)
    #expect(shown("g")?.name == "s" && shown("g")?.payload == nil)
    #expect(shown("h")?.name == "own" && shown("h")?.payload?.value == "x")
  }

  @Test("parents: missing, off, wanted off, with parents of their own, in a circle")
  func dependencies() throws {
    func child(_ dependency: String, name: String) -> String {
      feature(name: name, more: ",\"dependencies\":[\(dependency)]")
    }
    let features = try set(
      [
        feature(name: "on"), "{\"name\":\"off\",\"enabled\":false}", child("{\"feature\":\"on\"}", name: "a"),
        child("{\"feature\":\"off\"}", name: "b"), child("{\"feature\":\"off\",\"enabled\":false}", name: "c"),
        child("{\"feature\":\"nothing\",\"enabled\":false}", name: "d"), child("{\"feature\":\"a\"}", name: "e"),
        child("{\"feature\":\"h\"}", name: "g"), child("{\"feature\":\"g\"}", name: "h"),
        child("{\"feature\":\"i\"}", name: "i"),
      ].joined(separator: ","))
    let expected = ["a": true, "b": false, "c": true, "d": false, "e": false, "g": false, "h": false, "i": false]
    for (name, answer) in expected.sorted(by: { $0.key < $1.key }) {
      #expect(try isOn(features, name: name) == answer, "\(name)")
    }
  }

  @Test("names, groups and values with quotes and backslashes are what they are")
  func quotes() throws {
    // The reference pastes these into its rule language and loses the feature.
    let features = try rule(#"{"contextName":"a\"b","operator":"IN","values":["x\\"]}"#)
    #expect(try isOn(features, #"{"properties":{"a\"b":"x\\"}}"#) == true)
    #expect(try isOn(features, #"{"properties":{"a\"b":"x"}}"#) == false)
  }

  @Test("a broken expression matches nothing, and one that explodes elsewhere is quick")
  func expressions() throws {
    #expect(try isOn(try rule(#"{"contextName":"p","operator":"REGEX","value":"(x"}"#), #"{"p":"(x"}"#) == false)
    #expect(
      try isOn(
        try rule(#"{"contextName":"p","operator":"REGEX","value":"(x","inverted":true}"#), #"{"p":"x"}"#) == true)
    let text = String(repeating: "a", count: 5_000)
    #expect(
      try isOn(try rule(#"{"contextName":"p","operator":"REGEX","value":"^(a*)*b$"}"#), "{\"p\":\"\(text)\"}") == false)
  }

  @Test("the current time is the caller's, where the context names none")
  func time() throws {
    let features = try rule(
      #"{"contextName":"currentTime","operator":"DATE_AFTER","value":"2026-11-23T00:00:00Z"}"#)
    let context = try UnleashContext(json: "{}")
    #expect(features.isEnabled("f", for: context, at: 1_795_392_001, chance: 0) == true)
    #expect(features.isEnabled("f", for: context, at: 1_795_391_999, chance: 0) == false)
  }

  @Test("the targeting key stands in for a missing user")
  func targetingKey() throws {
    let features = try rule(#"{"contextName":"userId","operator":"IN","values":["u"]}"#)
    #expect(try isOn(features, #"{"targetingKey":"u"}"#) == true)
    #expect(try isOn(features, #"{"targetingKey":"u","userId":"v"}"#) == false)
  }
}
