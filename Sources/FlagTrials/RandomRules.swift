import Flags

/// Random JSONLogic, as text: mostly what people write, with everything else that may be written.
///
/// Left out, since there the peer's answer depends on how its language keeps objects and not on the rule: a `reduce`
/// that looks at its whole frame, and whole numbers beyond 64 bits.
struct RandomRules {
  var dice: Dice
  /// Whether rules may name shared rules `shared0`, `shared1`.
  var sharesRules = false

  static let words = [
    "", "a", "b", "on", "off", "SE", "DE", "1", "1.0", " 12 ", "1_000", "-5", "3.14", "inf", "-Inf", "Infinity", "nan",
    "true", "True", "null", "v1.2.3", "1.2.3-alpha.1", "1.2.3-alpha.10", "2.0", "1.10.0", "1.2.3+build", "01.2.3",
    "é", "日本語", "a.b", "length", "0", "0x10", "1e3", ".5", "5.", "٣", "ab", "abc", "abab", "user-1", "e", "1__0",
    "😀x", "1,2", "[object Object]", "None", "+7", "- 7", "1e400",
  ]
  static let names = [
    "a", "b", "n", "s", "f", "list", "words", "obj", "targetingKey", "$flagd.timestamp", "$flagd.flagKey", "$flagd",
    "obj.x", "obj.list.1", "list.0", "list.5", "s.0", "list.length", "s.length", "absent", "obj.absent", "a..b", ".",
    "version", "email", "objs.0.x", "$flagd.other", "list.00", "flag",
  ]
  private static let inner = ["", "x", "current", "accumulator", "current.x", "length", "0", "targetingKey"]

  mutating func text(_ word: String) -> String {
    var bytes: [UInt8] = []
    var word = word
    word.withUTF8 { JSONWriter.write(UnsafeRawBufferPointer($0), to: &bytes) }
    return String(decoding: bytes, as: UTF8.self)
  }

  mutating func number() -> String {
    switch dice.below(12) {
    case 0...5: String(dice.below(12) - 3)
    case 6: String(dice.below(200) - 100)
    case 7: "\(dice.below(100) - 50).\(dice.one(of: ["0", "5", "25", "1"]))"
    case 8: dice.one(of: ["0.1", "-0.0", "1e16", "1e-7", "123456789.125", "1e22", "0.30000000000000004", "2.5e-5"])
    case 9: String(dice.below(1_000_000))
    default: dice.one(of: ["0", "1", "0.0", "1.0", "100000", "-1"])
    }
  }

  /// A whole number that doubles do not keep; only where nothing is computed with it.
  mutating func hugeNumber() -> String {
    dice.one(of: [
      "9007199254740993", "9007199254740992", "9007199254740992.0", "9223372036854775807", "-9223372036854775808",
      "9223372036854775807.0", "18446744073709551615.0", "-9007199254740993",
    ])
  }

  mutating func scalar() -> String {
    switch dice.below(8) {
    case 0: "null"
    case 1: dice.isOne(in: 2) ? "true" : "false"
    case 2...4: number()
    default: text(dice.one(of: Self.words))
    }
  }

  /// Data, not logic: objects have no or several members.
  mutating func data(_ depth: Int) -> String {
    switch dice.below(depth > 0 ? 8 : 5) {
    case 5, 6: "[" + list(dice.below(4)) { $0.data(depth - 1) } + "]"
    case 7: dice.isOne(in: 3) ? "{}" : "{\"x\":\(data(depth - 1)),\"y\":\(data(depth - 1))}"
    default: scalar()
    }
  }

  mutating func list(_ count: Int, _ element: (inout RandomRules) -> String) -> String {
    var elements: [String] = []
    for _ in 0..<count { elements.append(element(&self)) }
    return elements.joined(separator: ",")
  }

  private mutating func name(_ place: Place) -> String {
    switch place {
    case .context: text(dice.one(of: Self.names))
    case .item: text(dice.one(of: dice.isOne(in: 3) ? Self.names : Self.inner))
    case .frame: text(dice.one(of: Array(Self.inner.dropFirst())))
    }
  }

  /// What a rule looks at: the context, an item of a list, the frame of a `reduce`.
  enum Place { case context, item, frame }

  mutating func variable(_ place: Place) -> String {
    if place != .frame, dice.isOne(in: 20) {
      return dice.one(of: [
        #"{"var":null}"#, #"{"var":[]}"#, #"{"var":""}"#, #"{"var":0}"#, #"{"var":1.0}"#, #"{"var":true}"#,
        #"{"var":[["a"]]}"#, #"{"var":[["obj","x"],1]}"#, #"{"var":{"x":1,"y":2}}"#, #"{"var":-1}"#, #"{"var":0.5}"#,
      ])
    }
    if place != .frame, dice.isOne(in: 25) { return "{\"var\":\(rule(1, place))}" }
    if dice.isOne(in: 4) { return "{\"var\":[\(name(place)),\(rule(0, place))]}" }
    return dice.isOne(in: 3) ? "{\"var\":[\(name(place))]}" : "{\"var\":\(name(place))}"
  }

  mutating func rule(_ depth: Int, _ place: Place) -> String {
    if depth <= 0 {
      return dice.isOne(in: 2) ? variable(place) : dice.isOne(in: 8) ? data(1) : scalar()
    }
    if sharesRules, dice.isOne(in: 12) { return "{\"$ref\":\"shared\(dice.below(2))\"}" }
    switch dice.below(24) {
    case 0, 1: return variable(place)
    case 2, 3: return operation("if", 1 + dice.below(5), depth, place)
    case 4: return operation(dice.one(of: ["and", "or", "and", "or", "?:"]), dice.below(4), depth, place)
    case 5, 6, 7: return comparison(depth, place)
    case 8: return operation(dice.one(of: ["!", "!!"]), dice.isOne(in: 6) ? 2 : 1, depth, place)
    case 9, 10: return arithmetic(depth, place)
    case 11, 12: return contained(depth, place)
    case 13: return operation("cat", dice.below(4), depth, place)
    case 14: return operation("substr", 1 + dice.below(3), depth, place)
    case 15: return loop(depth, place)
    case 16: return reduce(depth, place)
    case 17: return missing(place)
    case 18: return operation("merge", dice.below(4), depth, place)
    case 19, 20: return fractional(depth, place)
    case 21: return ends(depth, place)
    case 22: return version(depth, place)
    default: return oddity(depth, place)
    }
  }

  private mutating func operation(_ name: String, _ count: Int, _ depth: Int, _ place: Place) -> String {
    if count == 1, dice.isOne(in: 3) {
      let argument = rule(depth - 1, place)
      if !argument.hasPrefix("[") { return "{\"\(name)\":\(argument)}" }
      return "{\"\(name)\":[\(argument)]}"
    }
    return "{\"\(name)\":[" + list(count) { $0.rule(depth - 1, place) } + "]}"
  }

  private mutating func comparison(_ depth: Int, _ place: Place) -> String {
    let name = dice.one(of: ["==", "!=", "===", "!==", "<", "<=", ">", ">=", "==", "==="])
    if dice.isOne(in: 12) { return "{\"\(name)\":[\(hugeNumber()),\(hugeNumber())]}" }
    if place == .context, dice.isOne(in: 12) { return "{\"\(name)\":[{\"var\":\"big\"},\(hugeNumber())]}" }
    if dice.isOne(in: 3) { return "{\"\(name)\":[\(variable(place)),\(scalar())]}" }
    let between = name.hasPrefix("<") || name.hasPrefix(">")
    return operation(name, dice.isOne(in: 15) ? 1 : between && dice.isOne(in: 3) ? 3 : 2, depth, place)
  }

  private mutating func arithmetic(_ depth: Int, _ place: Place) -> String {
    let name = dice.one(of: ["+", "*", "-", "/", "%", "min", "max"])
    let isFree = name == "+" || name == "*" || name == "min" || name == "max"
    return operation(name, isFree ? dice.below(4) : 1 + dice.below(2), depth, place)
  }

  private mutating func contained(_ depth: Int, _ place: Place) -> String {
    let needle = rule(depth - 1, place)
    switch dice.below(5) {
    case 0: return "{\"in\":[\(needle),\(rule(depth - 1, place))]}"
    case 1: return "{\"in\":[\(needle),\(text(dice.one(of: Self.words)))]}"
    // Long enough for an index.
    case 2: return "{\"in\":[\(needle),[" + list(9 + dice.below(20)) { $0.scalar() } + "]]}"
    default: return "{\"in\":[\(needle),[" + list(dice.below(5)) { $0.rule(0, place) } + "]]}"
    }
  }

  private mutating func loop(_ depth: Int, _ place: Place) -> String {
    let name = dice.one(of: ["map", "filter", "all", "some", "none"])
    let items = list(depth, place)
    if dice.isOne(in: 15) { return "{\"\(name)\":[\(items)]}" }
    return "{\"\(name)\":[\(items),\(rule(depth - 1, .item))]}"
  }

  private mutating func list(_ depth: Int, _ place: Place) -> String {
    switch dice.below(4) {
    case 0: rule(depth - 1, place)
    case 1: "[" + list(dice.below(4)) { $0.rule(depth - 2, place) } + "]"
    default: "{\"var\":\"\(dice.one(of: ["list", "words", "objs", "obj.list"]))\"}"
    }
  }

  private mutating func reduce(_ depth: Int, _ place: Place) -> String {
    let step =
      dice.isOne(in: 3)
      ? dice.one(of: [
        #"{"+":[{"var":"current"},{"var":"accumulator"}]}"#, #"{"cat":[{"var":"accumulator"},{"var":"current"}]}"#,
        #"{"max":[{"var":"current"},{"var":"accumulator"}]}"#,
      ]) : rule(depth - 1, .frame)
    return "{\"reduce\":[\(list(depth, place)),\(step)" + (dice.isOne(in: 8) ? "" : ",\(data(1))") + "]}"
  }

  private mutating func missing(_ place: Place) -> String {
    let names = list(dice.below(4)) { $0.dice.isOne(in: 5) ? $0.scalar() : $0.name(place) }
    switch dice.below(3) {
    case 0: return "{\"missing\":[\(names)]}"
    case 1: return "{\"missing\":[[\(names)]]}"
    default: return "{\"missing_some\":[\(number()),[\(names)]]}"
    }
  }

  mutating func fractional(_ depth: Int, _ place: Place) -> String {
    var shares: [String] = []
    for _ in 0..<(1 + dice.below(4)) {
      let variant = dice.isOne(in: 6) ? rule(depth - 1, place) : text(dice.one(of: ["on", "off", "a", "b"]))
      switch dice.below(12) {
      case 0: shares.append("[\(variant)]")
      case 1: shares.append("[\(variant),\(rule(0, place))]")
      case 2: shares.append("[\(variant),\(dice.one(of: ["-5", "2147483647", "1.5", "\"3\"", "true", "1,2", "0"]))]")
      case 3: shares.append("[\(variant),{\"-\":[{\"var\":\"$flagd.timestamp\"},1700000000]}]")
      default: shares.append("[\(variant),\(dice.below(101))]")
      }
    }
    switch dice.below(6) {
    case 0:
      let key = rule(depth - 1, place)
      shares.insert(key, at: 0)
    case 1: shares.insert("{\"cat\":[{\"var\":\"$flagd.flagKey\"},{\"var\":\"email\"}]}", at: 0)
    case 2: shares.insert("{\"var\":\"\(dice.one(of: ["email", "f", "n", "obj", "list", "big", "s"]))\"}", at: 0)
    default: break
    }
    return "{\"fractional\":[\(shares.joined(separator: ","))]}"
  }

  private mutating func ends(_ depth: Int, _ place: Place) -> String {
    let name = dice.one(of: ["starts_with", "ends_with"])
    if dice.isOne(in: 6) { return operation(name, dice.below(4), depth, place) }
    return "{\"\(name)\":[\(variable(place)),\(text(dice.one(of: ["a", "ab", "", "user", "@b.se", "語"])))]}"
  }

  private mutating func version(_ depth: Int, _ place: Place) -> String {
    let sign = text(dice.one(of: ["=", "!=", "<", "<=", ">", ">=", "^", "~", "*", ""]))
    let left = dice.isOne(in: 2) ? "{\"var\":\"version\"}" : rule(depth - 1, place)
    let right =
      dice.isOne(in: 4)
      ? scalar()
      : text(
        dice.one(of: [
          "1.2.3", "1.2.3-alpha.1", "2.0.0", "V1.2", "1", "1.2.3-1", "1.2.3-alpha.beta", "1.2", "1.2.3-",
          "1.2.3.4", "1.10.0", "1.2.3-rc.1+b", "999999999999999999999.0.0", "1.2.3-01", "1-rc", "1.2+b", "1.2.3\n",
        ]))
    return dice.isOne(in: 15) ? "{\"sem_ver\":[\(left),\(right)]}" : "{\"sem_ver\":[\(left),\(sign),\(right)]}"
  }

  private mutating func oddity(_ depth: Int, _ place: Place) -> String {
    switch dice.below(6) {
    case 0: return operation(dice.one(of: ["nope", "==.x", "a.b", "if.x", "fractional.y", "Var"]), 1, depth, place)
    case 1: return "[" + list(dice.below(3)) { $0.rule(depth - 1, place) } + "]"
    case 2: return operation("log", 1, depth, place)
    case 3: return data(2)
    default: return variable(place)
    }
  }
}
