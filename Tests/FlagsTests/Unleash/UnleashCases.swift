import Flags

/// JSON that a case is written in.
indirect enum CaseJSON {
  case null
  case boolean(Bool)
  case number(String)
  case text(String)
  case list([CaseJSON])
  case object([(String, CaseJSON)])

  var text: String {
    switch self {
    case .null: "null"
    case .boolean(let value): value ? "true" : "false"
    case .number(let value): value
    case .text(let value): Self.quoted(value)
    case .list(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { Self.quoted($0) + ":" + $1.text }.joined(separator: ",") + "}"
    }
  }

  static func quoted(_ value: String) -> String {
    var result = "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

/// One random case: messages that an engine is given, and questions.
struct UnleashCase {
  var messages: [CaseJSON]
  var features: [String]
  var contexts: [CaseJSON]

  var line: String {
    CaseJSON.object([
      ("messages", .list(messages)), ("features", .list(features.map { .text($0) })), ("contexts", .list(contexts)),
    ]).text
  }
}

/// Random definitions and contexts from a seed: every strategy and operator, odd values, missing parts, Unicode.
///
/// Left out, each for a reason: integers beyond 63 bits and -0 (a context keeps no trace of how they were written),
/// texts that end in a backslash, and quotes in names and groups (the reference pastes them into its rule language and
/// loses the feature), expressions with scripts, weights that sum to zero (its engine ends in a panic), segments of the
/// same number before events (it replaces the first and heeds the last), and times that depend on its clock.
struct UnleashCaseGenerator {
  private var state: UInt64
  private var usesTime = false

  // Not the step of `bits`: with that, each seed would repeat its neighbour one draw later.
  init(seed: UInt64) { state = (seed &+ 1) &* 0xD1B5_4A32_D192_ED03 }

  // MARK: Chance

  mutating func bits() -> UInt64 {
    state = state &+ 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }

  private mutating func below(_ limit: Int) -> Int { Int(bits() >> 33) % limit }
  private mutating func oneIn(_ count: Int) -> Bool { below(count) == 0 }
  private mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }
  private mutating func some<Element>(_ most: Int, _ make: (inout Self) -> Element) -> [Element] {
    var result: [Element] = []
    for _ in 0..<below(most + 1) { result.append(make(&self)) }
    return result
  }

  // MARK: Cases

  static let names = ["f0", "f1", "ünï-🎉", "a b/c"]

  mutating func next(contexts count: Int) -> UnleashCase {
    usesTime = false
    var messages: [CaseJSON] = []
    var segments = some(3) { $0.segment() }
    let features = Self.names.map { feature($0) }
    if oneIn(4) {
      segments = Array(segments.prefix(1))
      messages.append(
        .object([
          (
            "events",
            .list([
              .object([
                ("eventId", .number("1")), ("type", .text("hydration")), ("features", .list(features)),
                ("segments", .list(segments)),
              ])
            ])
          )
        ]))
      let events = (0..<1 + below(4)).map { event(Int64($0) + 2) }
      messages.append(.object([("events", .list(events))]))
    } else {
      var members: [(String, CaseJSON)] = [("version", .number("2")), ("features", .list(features))]
      if !segments.isEmpty || oneIn(2) { members.append(("segments", .list(segments))) }
      messages.append(.object(members))
    }
    var contexts: [CaseJSON] = []
    for _ in 0..<count { contexts.append(context()) }
    return UnleashCase(messages: messages, features: Self.names + ["unknown"], contexts: contexts)
  }

  private mutating func event(_ number: Int64) -> CaseJSON {
    let id: (String, CaseJSON) = ("eventId", .number(String(number)))
    switch below(5) {
    case 0:
      return .object([
        id, ("type", .text("feature-removed")), ("featureName", .text(pick(Self.names))),
        ("project", .text("default")),
      ])
    case 1: return .object([id, ("type", .text("segment-updated")), ("segment", segment())])
    case 2: return .object([id, ("type", .text("segment-removed")), ("segmentId", .number(String(1 + below(4))))])
    default: return .object([id, ("type", .text("feature-updated")), ("feature", feature(pick(Self.names)))])
    }
  }

  private mutating func feature(_ name: String) -> CaseJSON {
    var members: [(String, CaseJSON)] = [
      ("name", .text(name)), ("type", .text("release")), ("enabled", .boolean(!oneIn(12))),
    ]
    if oneIn(300) { members[2].1 = pick([.text("true"), .null, .number("1")]) }
    if !oneIn(15) { members.append(("strategies", .list(some(3) { $0.strategy() }))) }
    if oneIn(2) { members.append(("variants", .list(variants(ofStrategy: false)))) }
    if oneIn(4) {
      members.append(("dependencies", .list(some(2) { $0.dependency() })))
    }
    if oneIn(20) { members.append(("impressionData", .boolean(true))) }
    return .object(members)
  }

  private mutating func dependency() -> CaseJSON {
    var members: [(String, CaseJSON)] = [("feature", .text(pick(Self.names + ["unknown"])))]
    if oneIn(2) { members.append(("enabled", pick([.boolean(true), .boolean(false), .null]))) }
    if oneIn(2) {
      members.append(("variants", .list(some(2) { .text($0.pick(["v0", "v1", "v2", "disabled"])) })))
    }
    return .object(members)
  }

  private mutating func segment() -> CaseJSON {
    .object([
      ("id", .number(String(1 + below(4)))), ("name", .text("s")),
      ("constraints", .list(some(2) { $0.constraint() })),
    ])
  }

  // MARK: Strategies

  private mutating func strategy() -> CaseJSON {
    let name = pick([
      "default", "default", "userWithId", "gradualRolloutUserId", "gradualRolloutSessionId", "gradualRolloutRandom",
      "remoteAddress", "applicationHostname", "flexibleRollout", "flexibleRollout", "flexibleRollout",
      "flexibleRollout", "ownStrategy",
    ])
    var members: [(String, CaseJSON)] = [("name", .text(name))]
    if !oneIn(12) { members.append(("parameters", parameters(name))) }
    if !oneIn(3) { members.append(("constraints", .list(some(3) { $0.constraint() }))) }
    if oneIn(3) { members.append(("segments", .list(some(2) { .number(String(1 + $0.below(3))) }))) }
    if oneIn(3) { members.append(("variants", .list(variants(ofStrategy: true)))) }
    if oneIn(30) { members.append(("constraints2", .null)) }
    return .object(members)
  }

  private mutating func parameters(_ name: String) -> CaseJSON {
    var members: [(String, CaseJSON)] = []
    let percent = percentage(isDraw: name == "gradualRolloutRandom")
    switch name {
    case "userWithId": members.append(("userIds", .text(listed())))
    case "remoteAddress": members.append(("IPs", .text(some(4) { $0.range() }.joined(separator: ", "))))
    case "applicationHostname":
      members.append(("hostNames", .text(pick(["a,b", "HÖLLE-7.EXAMPLE, x", "", "hölle-7.example", "y,Hölle-7"]))))
    case "flexibleRollout":
      let stickiness = pick([
        "default", "default", "userId", "sessionId", "random", "p", "région", "environment", "appName",
        "remoteAddress", "", "currentTime",
      ])
      if stickiness == "currentTime" { usesTime = true }
      let isRandom = stickiness == "random"
      members.append(("rollout", .text(isRandom ? pick(["0", "100"]) : percent)))
      if !oneIn(4) { members.append(("stickiness", .text(stickiness))) }
    default: members.append(("percentage", .text(percent)))
    }
    if !oneIn(3) { members.append(("groupId", .text(pick(["g", "group-2", "", "grüppe", "f0", "a:b"])))) }
    if oneIn(8) { members.append(("stickiness2", .text("x"))) }
    if oneIn(400) { members.append(("odd", pick([.number("1"), .null]))) }
    return .object(members)
  }

  private mutating func percentage(isDraw: Bool) -> String {
    if isDraw { return pick(["0", "100", "101", "x"]) }
    if oneIn(12) {
      return pick(["101", "+50", "007", " 50", "", "50.5", "-1", "99999999999999999999", "0100", "1000"])
    }
    return String(below(101))
  }

  private mutating func listed() -> String {
    some(12) { $0.text() }.filter { !$0.hasSuffix("\\") }.joined(separator: pick([",", ", ", " ,\t"]))
  }

  private mutating func variants(ofStrategy: Bool) -> [CaseJSON] {
    let count = below(4)
    var total = 0
    var result: [CaseJSON] = []
    let stickiness = pick(["default", "userId", "sessionId", "p", "random", "environment", "currentTime", "région"])
    for index in 0..<count {
      var weight = pick([0, 1, 10, 100, 333, 500, 1000])
      if index == count - 1, total + weight == 0 { weight = 7 }
      total += weight
      var members: [(String, CaseJSON)] = [
        ("name", .text("v\(index)")), ("weight", .number(String(weight))),
      ]
      if oneIn(3) {
        members.append(
          ("payload", .object([("type", .text(pick(["string", "json", "number"]))), ("value", .text(text()))])))
      }
      if !oneIn(4) { members.append(("stickiness", .text(stickiness))) }
      if !ofStrategy, oneIn(3) {
        members.append(
          (
            "overrides",
            .list(
              some(2) { generator in
                let name = generator.contextName()
                if name == "currentTime" { generator.usesTime = true }
                return .object([
                  ("contextName", .text(name)), ("values", .list(generator.some(3) { .text($0.text()) })),
                ])
              })
          ))
      }
      result.append(.object(members))
    }
    if oneIn(60), count > 0, total != 1 {
      return [.object([("name", .text("n")), ("weight", .number("-1"))])] + result
    }
    return result
  }

  // MARK: Constraints

  private mutating func contextName() -> String {
    pick([
      "userId", "userId", "sessionId", "environment", "appName", "remoteAddress", "currentTime", "p", "p", "q",
      "région", "properties",
    ])
  }

  private mutating func constraint() -> CaseJSON {
    let kind = pick([
      "IN", "IN", "NOT_IN", "STR_CONTAINS", "STR_STARTS_WITH", "STR_ENDS_WITH", "NUM_EQ", "NUM_GT", "NUM_GTE", "NUM_LT",
      "NUM_LTE", "DATE_AFTER", "DATE_BEFORE", "SEMVER_EQ", "SEMVER_GT", "SEMVER_LT", "SEMVER_GTE", "SEMVER_LTE",
      "REGEX", "REGEX", "IN_CIDR",
    ])
    var name = contextName()
    if kind == "IN_CIDR", !oneIn(3) { name = "remoteAddress" }
    if kind.hasPrefix("DATE"), oneIn(2) { name = "currentTime" }
    if name == "currentTime", !kind.hasPrefix("DATE") { usesTime = true }
    var members: [(String, CaseJSON)] = [
      ("contextName", .text(name)), ("operator", .text(oneIn(250) ? "UNKNOWN" : kind)),
    ]
    if oneIn(4) { members.append(("inverted", .boolean(true))) }
    if oneIn(3) { members.append(("caseInsensitive", .boolean(oneIn(2)))) }
    if oneIn(600) { members.append(("inverted", .null)) }
    switch kind {
    case "IN", "NOT_IN":
      if !oneIn(12) { members.append(("values", .list(some(oneIn(4) ? 14 : 3) { .text($0.text()) }))) }
    case "STR_CONTAINS", "STR_STARTS_WITH", "STR_ENDS_WITH":
      var values = some(2) { CaseJSON.text($0.part()) }
      if values.isEmpty, !oneIn(20) { values = [.text(part())] }
      members.append(("values", .list(values)))
    case "IN_CIDR":
      var values = some(3) { CaseJSON.text($0.range()) }
      if values.isEmpty, !oneIn(20) { values = [.text(range())] }
      members.append(("values", .list(values)))
    case "REGEX":
      if !oneIn(40) { members.append(("value", .text(expression()))) }
    default:
      if !oneIn(60) { members.append(("value", .text(compared(kind)))) }
    }
    return .object(members)
  }

  private mutating func compared(_ kind: String) -> String {
    if oneIn(25) {
      return pick([
        "abc", "", "0x10", ".5", "1_000", "01.2.3", "1.2.3-01", "2022-13-29T13:00:00Z", "2022-01-29",
        "2022-01-29T13:00:00.12Z", "1.2.3-", "1.2.3-a..b", "v1.2.3", "1.2.3.4", "1e", "--1", "5 5", "inf", "NaN",
      ])
    }
    if kind.hasPrefix("DATE") || oneIn(30) {
      return pick([
        "2022-01-29T13:00:00Z", "2022-01-29T13:00:00.123Z", "2022-01-29T13:00:00+02:00",
        "2035-06-01T00:00:00.000-11:30",
        "2022-01-29T11:00:00.000Z", "1969-12-31T23:59:59Z", "2024-02-29T00:00:00Z", " 2022-01-29T13:00:00Z\t",
      ])
    }
    if kind.hasPrefix("SEMVER") || oneIn(30) {
      return pick([
        "1.2.3", "1.2.3-beta.1", "1.2.3-beta.11", "2.0.0+build", "0.0.0", "1.10.0", "1.2.3-alpha", "1.2.3-1",
        "10.0.0-rc.1+b.2", "1.2", "1.2.3-x-y.z",
      ])
    }
    return pick(["5", "4.5", " 5 ", "1e3", "+7", "-3", "5.", "1000", "0", "3.50", "1E-2", "7", "42", "1e400", "0.1"])
  }

  private mutating func range() -> String {
    pick([
      "10.0.0.0/8", "192.168.1.7", "192.168.1.7/24", "1.2.3.4/0", "1.2.3.4/32", "1.2.3.4/33", "10.0.0.1/255.0.0.0",
      "10.0.0.1/255.0.255.0", "bad", "", "::1", "::1/128", "2001:db8::/32", "2001:db8::1/0", "::ffff:10.0.0.1/104",
      "2001:db8::/129", "10.0.0.0/8/8", "10.0.0/8", "010.0.0.1", "2001:db8:0:0:0:0:0:1/64", "2001:db8::/ffff::",
      "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/08", "::10.0.0.1/120", "1::2::3", ":1", "1:", "2001:DB8::A/120",
      "10.0.0.0/-1", "10.0.0.0/ 8", "0.0.0.0/0.0.0.0", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4",
      "1.2.3.4::", "::1.2.3.4:5", "12345::",
    ])
  }

  private static let expressions = [
    "^cat$", "^[^@]+@[^@]+$", "^user\\d{1,3}$", "^[[:alpha:]]+$", "\\bcat\\b", "^(foo|fo)$", "^(ab)?c$", "^a{2,4}$",
    "^a.*?b$", "^(?i)abc$", "(?m)^foo$", "^(?s)a.b$", "^(?=a)b$", "^(a)\\1$", "(x", "", "a|", "[a-z&&[^aeiou]]+",
    "^\\p{Lu}", "\\p{L}{3}", "[^\\x00-\\x7F]", "(?i)straße", "(?i)ΟΔΟΣ", "(?i)k", "(?i)[a-k]", "^\\s*$", "\\w+\\.\\w+",
    "(a*)*b", "(a|a)*c", "^[\\w.+-]+$", "^\\W", "\\B", "\\Bat", "[^\\d\\s]", "(?x) a b # c", "^1\\.2", "\\d+(\\.\\d+)*",
    "^(?:10|192)\\.", "::", "[]x]", "[^]x]", "[a-]", "x{2}", "(?P<n>a)b", "(?-u)\\w", "\\x41", "\\u0041", "^.$", "^..$",
    "(?R)^a$", "(?mR)^a$", "e\\b{end}", "\\<a", "7\\>", "[a-c--b]", "[a-d~~c-f]", "^$", "\\z", "\\Aa", "a{,2}",
    "a{2,1}",
    "[z-a]", "\\q", "^[İi]", "(?i)ı", "(?i)ſ", "[[:^alpha:]]", "\\D\\d", "(?i:A)b", "^\\S+$", "é|ß", "[é-ö]",
    "^2022-\\d\\d-", "T13", "(?i)[^a]", "(?i)ǆ", "(?i)[α-ω]", "\\pN", "\\PL", "[\\p{Ll}7]", "^\\p{Alphabetic}+$",
    "(?i)\\p{Lu}", "((a{0,5}){0,5}){0,5}z", "(?U)a+", "^(|a)$", "a{3}", "(?i-s:A.)", "^[ -~]*$", "\\t|\\n",
  ]

  private mutating func expression() -> String {
    if oneIn(3) { return grown(3) }
    return pick(Self.expressions)
  }

  /// A random expression over a small alphabet.
  private mutating func grown(_ depth: Int) -> String {
    let atom: String
    if depth == 0 || oneIn(3) {
      atom = pick([
        "a", "b", "1", "2", ".", "\\.", "\\d", "\\w", "\\s", "[ab]", "[^a]", "[0-9]", "x", "A", "é", "\\W", "\\b",
        "^", "$",
        "[a-z]", "\\S", "-", "@", ":", "(?i)a",
      ])
    } else {
      switch below(4) {
      case 0: atom = "(" + grown(depth - 1) + "|" + grown(depth - 1) + ")"
      case 1: atom = "(?:" + grown(depth - 1) + ")"
      default: atom = grown(depth - 1) + grown(depth - 1)
      }
    }
    guard oneIn(4) else { return atom }
    return "(?:" + atom + ")" + pick(["*", "+", "?", "{2}", "{1,3}", "*?", "{0,2}", "{2,}"])
  }

  // MARK: Values

  private mutating func part() -> String {
    let text = text()
    if oneIn(2) { return text }
    let scalars = Array(text.unicodeScalars)
    guard !scalars.isEmpty else { return text }
    let start = below(scalars.count)
    let piece = scalars[start..<min(scalars.count, start + 1 + below(4))]
    var result = String(String.UnicodeScalarView(piece))
    while result.hasSuffix("\\") { result.unicodeScalars.removeLast() }
    return result
  }

  private mutating func text() -> String {
    pick([
      "a", "b", "A", "1", "7", "42", "3.5", "1e3", "1000", "5", "5.0", "", " x", "ß", "SS", "ΟΔΟΣ", "οδος", "ΟΔΟΣ.Α",
      "İstanbul", "i̇stanbul", "K", "k", "user1", "user22", "USER22", "cat", "a cat b", "foo", "x\nfoo", "a\nb", "aab",
      "aaaa", "abc", "AbC", "test@example.com", "1.2.3", "1.2.3-beta.1", "1.2.3-beta.2", "2.0.0", "2.0.0+b", "0.9.12",
      "10.0.0.1", "192.168.1.7", "::1", "2001:db8::1", "::ffff:10.0.0.1", "10.0.0.1 ", "2022-01-29T13:00:00Z",
      "2022-01-29T13:00:00.123Z", "2022-01-29T12:00:00+01:00", "2022-01-29 13:00:00Z", "2021-12-31T23:59:60Z", "x\"y",
      "a\\b", "\"", "true", "false", "null", "-0", "inf", "-Infinity", "NaN", "+5", " 5", "1_000", "0x5", ".5", "5.",
      "naïve", "🎉", "é", "e\u{301}", "\u{85}x\u{3000}", "straße", "STRASSE", "ǅ", "ﬁ", "ſ", "Σ", "ΑΣ", "αΣ", "Σα",
      "9007199254740993",
      "123456789012345678901234567890", "4.9999999999999999", "5.0000000000000001", "1e-7", "production", "web,app",
    ])
  }

  private mutating func value() -> CaseJSON {
    switch below(16) {
    case 0: .number(pick(["5", "7", "42", "-3", "1000", "0", "9007199254740993", "-1"]))
    case 1:
      .number(
        pick([
          "5.0", "3.5", "1e3", "1e16", "1.5e300", "0.1", "1e-5", "1e-6", "1e-7", "123456.7e3", "1e15",
          "-0.5",
        ]))
    case 2: pick([.null, .boolean(true), .boolean(false), .list([.text("a")]), .object([("a", .text("a"))])])
    default: .text(text())
    }
  }

  private mutating func address() -> CaseJSON {
    oneIn(6)
      ? value()
      : .text(
        pick([
          "10.0.0.1", "10.9.9.9", "192.168.1.7", "192.168.1.200", "1.2.3.4", "::1", "0:0::1", "2001:db8::1",
          "2001:db8:ffff::", "2001:DB8:0:0::A", "::ffff:10.0.0.1", "::10.0.0.9", "fe80::1%eth0", "01.2.3.4", "1.2.3",
          "[::1]", "10.0.0.1:80", "1:2:3:4:5:6:1.2.3.4", "::", "0.0.0.0", "255.255.255.255",
        ]))
  }

  private mutating func context() -> CaseJSON {
    var members: [(String, CaseJSON)] = []
    if !oneIn(4) { members.append(("userId", oneIn(3) ? .text("user\(below(100_000))") : value())) }
    if oneIn(2) { members.append(("sessionId", oneIn(2) ? .text("s\(below(100_000))") : value())) }
    if oneIn(2) { members.append(("environment", value())) }
    if oneIn(2) { members.append(("appName", value())) }
    if oneIn(2) { members.append(("remoteAddress", address())) }
    if usesTime {
      members.append(("currentTime", .text(time())))
    } else if oneIn(2) {
      members.append(("currentTime", oneIn(8) ? .null : .text(time())))
    }
    if oneIn(6) { members.append((pick(["p", "q", "région", "other"]), value())) }
    if !oneIn(4) {
      var properties: [(String, CaseJSON)] = []
      for name in ["p", "q", "région", "other", "properties"] where oneIn(2) { properties.append((name, value())) }
      if oneIn(10) { properties.append((pick(["userId", "sessionId", "environment", "appName"]), value())) }
      members.append(("properties", oneIn(30) ? value() : .object(properties)))
    }
    return .object(members)
  }

  private mutating func time() -> String {
    pick([
      "2022-01-29T13:00:00Z", "2022-01-29T13:00:00.123Z", "2022-01-29T12:59:59.999999999Z", "2022-01-29 13:00:00 +0000",
      "2036-01-01T00:00:00Z", "2021-12-31T23:59:60Z", "2022-1-2T3:4:5Z", "1960-01-01T00:00:00Z", "tomorrow", "",
      "2022-01-29T13:00:00", "2022-01-29T15:00:00+02:00", "2024-02-29T00:00:00UTC", "2023-02-29T00:00:00Z",
      "+2022-01-29t13:00:00z", "2022-01-29T13:00Z", "2035-05-31T12:00:00.5-23:30",
    ])
  }
}
