import Flags

/// One flag set with some contexts, and what ours answers: one line to the peer, one line back.
package struct FlagCase {
  /// Contexts to a definition: reading definitions costs the peer more than evaluating.
  package static let contexts = 4
  /// What both sides take for now.
  package static let now: Int64 = 1_764_000_000

  package let definitions: String
  package let contexts: [String]
  package let type: FlagType?

  /// The case of a seed.
  package init(seed: UInt64) {
    var rules = RandomRules(dice: Dice(seed: seed))
    rules.sharesRules = rules.dice.isOne(in: 4)
    var members = ["\"flags\":{\"flag-a\":\(Self.flag(&rules))}"]
    if rules.sharesRules {
      rules.sharesRules = false
      members.append("\"$evaluators\":{\"shared0\":\(rules.rule(2, .context)),\"shared1\":\(rules.rule(2, .context))}")
    }
    definitions = "{\(members.joined(separator: ","))}"
    var contexts: [String] = []
    for _ in 0..<Self.contexts { contexts.append(Self.context(&rules)) }
    self.contexts = contexts
    type = rules.dice.isOne(in: 3) ? rules.dice.one(of: FlagType.allCases) : nil
  }

  private static func flag(_ rules: inout RandomRules) -> String {
    let variants = rules.dice.one(of: [
      #"{"on":true,"off":false}"#, #"{"on":"yes","off":"no","a":"A","b":"B"}"#, #"{"on":1,"off":2.0,"a":1.5,"b":0}"#,
      #"{"true":true,"false":false,"on":null}"#, #"{"1":"one","1.5":"more","on":"x","0":"none","True":"t"}"#,
      #"{"on":{"x":1},"off":{},"a":[1,2],"b":[]}"#, #"{"":"empty","on":1,"off":"mixed","null":5,"3":3}"#,
    ])
    var members = ["\"variants\":\(variants)"]
    members.append("\"state\":\"\(rules.dice.isOne(in: 30) ? "DISABLED" : "ENABLED")\"")
    switch rules.dice.below(10) {
    case 0: break
    case 1: members.append("\"defaultVariant\":\(rules.dice.one(of: ["null", "\"\"", "true", "false", "\"gone\""]))")
    default: members.append("\"defaultVariant\":\"\(rules.dice.isOne(in: 2) ? "on" : "off")\"")
    }
    let targeting =
      switch rules.dice.below(20) {
      case 0: rules.dice.one(of: ["{}", "null", "\"on\"", "[1]", "5", "false", "[]"])
      case 1...5: "{\"if\":[\(rules.rule(3, .context)),\"on\",\(rules.fractional(2, .context))]}"
      case 6...15: "{\"if\":[\(rules.rule(4, .context)),\"on\",\"off\"]}"
      case 16, 17: rules.fractional(3, .context)
      default: rules.rule(4, .context)
      }
    members.append("\"targeting\":\(targeting)")
    return "{\(members.joined(separator: ","))}"
  }

  private static func context(_ rules: inout RandomRules) -> String {
    var members: [String] = []
    func add(_ name: String, _ value: String) { members.append("\"\(name)\":\(value)") }
    switch rules.dice.below(12) {
    case 0: break
    case 1: add("targetingKey", rules.scalar())
    default: add("targetingKey", "\"user-\(rules.dice.below(1000))\"")
    }
    for name in ["a", "b"] where !rules.dice.isOne(in: 6) { add(name, rules.data(1)) }
    if !rules.dice.isOne(in: 6) { add("n", rules.number()) }
    if !rules.dice.isOne(in: 6) { add("f", rules.dice.one(of: ["0.5", "1e999", "-1e999", "1.25", "1e-10", "3.0"])) }
    if !rules.dice.isOne(in: 6) { add("s", rules.text(rules.dice.one(of: RandomRules.words))) }
    if !rules.dice.isOne(in: 6) { add("email", "\"user\(rules.dice.below(100))@b.se\"") }
    if !rules.dice.isOne(in: 6) { add("big", rules.hugeNumber()) }
    if !rules.dice.isOne(in: 4) {
      add("version", rules.dice.one(of: ["\"1.2.3\"", "\"v1.3.0\"", "\"1.2.3-alpha\"", "2", "1.5", "\"2.0.0-rc.1\""]))
    }
    if !rules.dice.isOne(in: 6) { add("list", "[" + rules.list(rules.dice.below(5)) { $0.number() } + "]") }
    if !rules.dice.isOne(in: 6) { add("words", "[" + rules.list(rules.dice.below(4)) { $0.scalar() } + "]") }
    if !rules.dice.isOne(in: 6) {
      add("obj", "{\"x\":\(rules.data(1)),\"list\":[\(rules.scalar()),\(rules.scalar())]}")
    }
    if !rules.dice.isOne(in: 6) {
      add("objs", "[" + rules.list(rules.dice.below(4)) { "{\"x\":\($0.scalar()),\"targetingKey\":\"u\"}" } + "]")
    }
    if rules.dice.isOne(in: 40) { add("$flagd", rules.data(1)) }
    if rules.dice.isOne(in: 12) { for extra in 0..<20 { add("extra\(extra)", String(extra)) } }
    return "{\(members.joined(separator: ","))}"
  }

  /// What the peer reads.
  package var line: String {
    let type = type.map { "\"\(Self.name(of: $0))\"" } ?? "null"
    return "{\"definitions\":\(definitions),\"key\":\"flag-a\",\"type\":\(type),\"now\":\(Self.now),"
      + "\"contexts\":[\(contexts.joined(separator: ","))]}"
  }

  private static func name(of type: FlagType) -> String {
    switch type {
    case .boolean: "boolean"
    case .text: "string"
    case .integer: "integer"
    case .number: "float"
    case .object: "object"
    }
  }

  /// Our answers: for each context `[reason, variant, error, value]`, as the peer writes them.
  package func answers() throws(FlagRefusal) -> String {
    let set = try FlagSet(json: definitions)
    var answers: [String] = []
    for text in contexts {
      let context = try EvaluationContext(json: text)
      let evaluation = set.evaluate("flag-a", for: context, at: Self.now, expecting: type)
      if let error = evaluation.error {
        answers.append("[\"ERROR\",null,\"\(error.text)\",null]")
        continue
      }
      var variant = "null"
      if let name = set.variant(of: evaluation) { variant = "\"\(name)\"" }
      let value = JSONWriter.text(of: set.value(of: evaluation))
      answers.append("[\"\(evaluation.reason.text)\",\(variant),null,\(value)]")
    }
    return "[\(answers.joined(separator: ","))]"
  }

  /// Whether the peer's line says the same as ours, however it spells its JSON.
  package static func agree(_ ours: String, _ theirs: String) -> Bool {
    if ours == theirs { return true }
    do throws(FlagRefusal) {
      let tape = try JSONReader.tape(of: theirs, subject: "the peer's answer", limit: 1 << 20)
      return JSONWriter.text(of: tape.root) == ours
    } catch {
      return false
    }
  }
}
