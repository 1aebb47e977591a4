import Flags
import Testing

/// One rule, one context, what it comes to. The flag's variants are every name that a table uses.
@Suite("Rules")
struct RulesTests {
  /// Evaluates a rule as the condition of `if`, or as it is.
  private func check(
    _ rule: String, _ context: String = "{}", expecting expected: String, _ location: SourceLocation = #_sourceLocation
  ) throws {
    let names = ["yes", "no", "true", "false", "1", "3", "1.5", "a", "b", "ab", "user-1", "0"]
    let variants = names.map { "\"\($0)\":\"\($0)\"" }.joined(separator: ",")
    let definitions = """
      {"flags":{"f":{"state":"ENABLED","variants":{\(variants)},"targeting":\(rule)}}}
      """
    let set = try FlagSet(json: definitions)
    let evaluation = set.evaluate("f", for: try EvaluationContext(json: context), at: 1_764_000_000)
    let answer = evaluation.error.map(\.text) ?? set.variant(of: evaluation) ?? evaluation.reason.text
    #expect(answer == expected, "\(rule) of \(context)", sourceLocation: location)
  }

  private func holds(_ rule: String, _ context: String = "{}", _ location: SourceLocation = #_sourceLocation) throws {
    try check("{\"if\":[\(rule),\"yes\",\"no\"]}", context, expecting: "yes", location)
  }

  private func fails(_ rule: String, _ context: String = "{}", _ location: SourceLocation = #_sourceLocation) throws {
    try check("{\"if\":[\(rule),\"yes\",\"no\"]}", context, expecting: "no", location)
  }

  @Test("a result names a variant")
  func results() throws {
    try check(#"{"var":"v"}"#, #"{"v":"a"}"#, expecting: "a")
    try check(#"{"var":"v"}"#, #"{"v":true}"#, expecting: "true")
    try check(#"{"var":"v"}"#, #"{"v":1}"#, expecting: "1")
    try check(#"{"var":"v"}"#, #"{"v":1.5}"#, expecting: "1.5")
    try check(#"{"var":"v"}"#, #"{"v":1.0}"#, expecting: "GENERAL")
    try check(#"{"var":"v"}"#, #"{"v":[]}"#, expecting: "GENERAL")
    try check(#"{"var":"v"}"#, "{}", expecting: "DEFAULT")
  }

  @Test("variables: paths, positions, defaults")
  func variables() throws {
    try check(#"{"var":"o.l.1"}"#, #"{"o":{"l":["b","a"]}}"#, expecting: "a")
    try check(#"{"var":["x","b"]}"#, "{}", expecting: "b")
    try check(#"{"var":["x","b"]}"#, #"{"x":null}"#, expecting: "b")
    try check(#"{"var":"l.length"}"#, #"{"l":[1,2,3]}"#, expecting: "3")
    try check(#"{"var":"s.1"}"#, #"{"s":"éab"}"#, expecting: "a")
    try check(#"{"var":["x","b","c"]}"#, expecting: "GENERAL")
    try check(#"{"var":"l.01"}"#, #"{"l":["a","b"]}"#, expecting: "DEFAULT")
    try check(#"{"var":"targetingKey"}"#, #"{"targetingKey":"user-1"}"#, expecting: "user-1")
    try holds(#"{"==":[{"var":"$flagd.timestamp"},1764000000]}"#)
    try holds(#"{"==":[{"var":"$flagd.flagKey"},"f"]}"#, #"{"$flagd":{"flagKey":"other"}}"#)
    try holds(#"{"in":[{"var":"x17"},["a"]]}"#, "{\(Self.many(40)),\"x17\":\"a\"}")
  }

  private static func many(_ count: Int) -> String {
    (0..<count).map { "\"x\($0)\":\($0)" }.joined(separator: ",")
  }

  @Test("equality is loose, strict, or of one thing with itself")
  func equality() throws {
    for rule in [
      #"{"==":[1,"1"]}"#, #"{"==":[1,1.0]}"#, #"{"==":[null,0]}"#, #"{"===":[true,1]}"#, #"{"==":[[1],"1"]}"#,
    ] {
      try holds(rule)
    }
    for rule in [
      #"{"==":[[1],[1]]}"#, #"{"===":["1",1]}"#, #"{"==":[null,"null"]}"#,
      #"{"===":[9007199254740993,9007199254740992.0]}"#,
    ] {
      try fails(rule)
    }
    try holds(#"{"===":[[1,{"a":1,"b":2}],[1.0,{"b":2,"a":1}]]}"#)
    try holds(#"{"==":[{"var":"l"},{"var":"l"}]}"#, #"{"l":[]}"#)
    try fails(#"{"==":[{"map":[[1,2],[9]]},0]}"#)
  }

  @Test("what is not a number is found only by identity")
  func notANumber() throws {
    try fails(#"{"==":[{"-":"x"},{"-":"x"}]}"#)
    try holds(#"{"in":[{"max":[]},[{"max":[]}]]}"#)
    try fails(#"{"in":[{"+":["x"]},[{"+":["x"]}]]}"#)
    try fails(#"{"<":["x",1]}"#)
    try fails(#"{">=":["x",1]}"#)
  }

  @Test("arithmetic keeps whole numbers whole and divides like Python")
  func arithmetic() throws {
    try check(#"{"+":[1,"2",null]}"#, expecting: "GENERAL")
    try check(#"{"+":[1,2]}"#, expecting: "3")
    try check(#"{"-":[4,{"%":[-5,2]}]}"#, expecting: "3")
    try check(#"{"/":[3,2]}"#, expecting: "1.5")
    try check(#"{"/":[1,0]}"#, expecting: "GENERAL")
    try check(#"{"%":[1,0.0]}"#, expecting: "GENERAL")
    try holds(#"{"==":[{"*":["1_000",".5"]},500]}"#)
    try holds(#"{"==":[{"+":" 12 "},12]}"#)
    try holds(#"{"==":[{"+":"٣"},3]}"#)
    try holds(#"{">":[{"+":"Infinity"},1e308]}"#)
    try check(#"{"max":[0,true,1]}"#, expecting: "true")
  }

  @Test("texts count characters, not bytes")
  func texts() throws {
    try check(#"{"substr":["日ab",1]}"#, expecting: "ab")
    try check(#"{"substr":["xab日",1,-1]}"#, expecting: "ab")
    try check(#"{"substr":["xxa",-1]}"#, expecting: "a")
    try holds(#"{"===":[{"cat":[1,true,null,[1,[2,"x"]],0.1,1e16]},"1Truenull1,2,x0.11e+16"]}"#)
    try holds(#"{"===":[{"cat":[0.30000000000000004]},"0.3"]}"#)
    try holds(#"{"===":[{"cat":[123456789.123456789]},"123456789.123457"]}"#)
    try holds(#"{"===":[{"cat":[2.5e-5]},"2.5e-05"]}"#)
    try holds(#"{"starts_with":[{"var":"s"},"ab"]}"#, #"{"s":"abc"}"#)
    try holds(#"{"ends_with":["abc","bc"]}"#)
    try fails(#"{"ends_with":["abc",1]}"#)
  }

  @Test("lists: long ones by hash, numbers among texts too")
  func lists() throws {
    let long = (0..<154).map { "\"item-\($0)\"" }.joined(separator: ",")
    for needle in [0, 77, 153] { try holds("{\"in\":[\"item-\(needle)\",[\(long),5,true]]}") }
    try holds("{\"in\":[5.0,[\(long),5]]}")
    try fails("{\"in\":[\"item-154\",[\(long)]]}")
    try fails("{\"in\":[null,[\(long)]]}")
    try holds(#"{"in":["pri","Spring"]}"#)
    try holds(#"{"===":[{"filter":[[1,2,3,4],{"%":[{"var":""},2]}]},[1,3]]}"#)
    try holds(#"{"===":[{"map":[[1,2],{"*":[{"var":""},2]}]},[2,4]]}"#)
    try check(#"{"reduce":[[1,2],{"+":[{"var":"current"},{"var":"accumulator"}]},0]}"#, expecting: "3")
    try fails(#"{"all":[[],true]}"#)
    try holds(#"{"none":[[],true]}"#)
    try holds(#"{"===":[{"merge":[1,[2,[3]]]},[1,2,[3]]]}"#)
    try holds(#"{"===":[{"missing":["a","b"]},["b"]]}"#, #"{"a":1,"b":""}"#)
    try fails(#"{"missing_some":[1,["a","b"]]}"#, #"{"a":1}"#)
  }

  @Test("versions forgive a v and missing parts, and order prereleases")
  func versions() throws {
    for rule in [
      #"["v1.2",">=","1.2.0"]"#, #"["1.2.3-alpha.2","<","1.2.3-alpha.10"]"#, #"["1.2.3-rc","<","1.2.3"]"#,
      #"["1.9.0","<","1.10.0"]"#, #"["1.2.3","~","1.2.9"]"#, #"["1.2.3","^","1.9.9"]"#, #"["1.2.3+a","=","1.2.3+b"]"#,
      #"[1.5,"=","1.5.0"]"#,
    ] { try holds("{\"sem_ver\":\(rule)}") }
    for rule in [#"["01.2.3","=","1.2.3"]"#, #"["1.2.3.4",">","1.0.0"]"#, #"["1.2.3","?","1.2.3"]"#, #"["1.2.3","="]"#]
    {
      try fails("{\"sem_ver\":\(rule)}")
    }
  }

  @Test("fractional: shares by canonical CBOR and MurmurHash3")
  func fractional() throws {
    let halves = #"["a",50],["b",50]"#
    try check("{\"fractional\":[\(halves)]}", "{}", expecting: "DEFAULT")
    try check("{\"fractional\":[\(halves)]}", #"{"targetingKey":5}"#, expecting: "DEFAULT")
    try check("{\"fractional\":[{\"var\":\"n\"},\(halves)]}", #"{"n":null}"#, expecting: "DEFAULT")
    try check(#"{"fractional":[["a",1.5]]}"#, #"{"targetingKey":"u"}"#, expecting: "DEFAULT")
    try check(#"{"fractional":[["a",-1],["b",1]]}"#, #"{"targetingKey":"u"}"#, expecting: "b")
    try check(#"{"fractional":[["a",2147483647],["b",1]]}"#, #"{"targetingKey":"u"}"#, expecting: "DEFAULT")
    // A whole double hashes as the integer that it is.
    for number in 0..<20 {
      let whole = try choice(of: "\(number)")
      #expect(try choice(of: "\(number).0") == whole)
    }
  }

  private func choice(of number: String) throws -> String? {
    let set = try FlagSet(
      json: """
        {"flags":{"f":{"state":"ENABLED","variants":{"a":1,"b":2},
        "targeting":{"fractional":[{"var":"n"},["a",50],["b",50]]}}}}
        """)
    return set.variant(of: set.evaluate("f", for: try EvaluationContext(json: "{\"n\":\(number)}"), at: 0))
  }

  @Test("a set may hash texts as flagd did before CBOR")
  func textHashing() throws {
    func variant(_ context: String, by value: String = "") throws -> String? {
      let set = try FlagSet(
        json: """
          {"fractional":"string","flags":{"f":{"state":"ENABLED","variants":{"a":1,"b":2},
          "targeting":{"fractional":[\(value)["a",50],["b",50]]}}}}
          """)
      return set.variant(of: set.evaluate("f", for: try EvaluationContext(json: context), at: 0))
    }
    for subject in 0..<20 {
      let text = Array("fuser-\(subject)".utf8)
      let expected = text.withUnsafeBytes { (UInt64(Murmur3.hash($0)) * 100) >> 32 } < 50 ? "a" : "b"
      #expect(try variant("{\"targetingKey\":\"user-\(subject)\"}") == expected)
      #expect(try variant("{\"k\":\"fuser-\(subject)\"}", by: #"{"var":"k"},"#) == expected)
    }
    #expect(try variant(#"{"k":1}"#, by: #"{"var":"k"},"#) == nil)
  }

  @Test("an unknown operation fails only when it is reached")
  func unknownOperations() throws {
    try check(#"{"if":[true,"a",{"nope":[1]}]}"#, expecting: "a")
    try check(#"{"if":[false,"a",{"nope":[1]}]}"#, expecting: "PARSE_ERROR")
    try check(#"{"==.x":[1]}"#, expecting: "GENERAL")
    try check(#"{"if.x":[1]}"#, expecting: "PARSE_ERROR")
    try check(#"{"==":[1,1,{"nope":[1]}]}"#, expecting: "PARSE_ERROR")
  }
}
