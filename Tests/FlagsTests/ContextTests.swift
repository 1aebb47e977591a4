import FlagTrials
import Testing

@testable import Flags

/// Contexts are read by a reader of their own, which must take and understand exactly what the careful one does.
@Suite("Contexts")
struct ContextTests {
  /// What the quick reader makes of a text; nil when it leaves it to the careful one.
  private func quick(_ bytes: [UInt8]) -> String? {
    let memory = ContextMemory(forBytes: bytes.count)
    return bytes.withUnsafeBufferPointer { text in
      ContextReader.object(text, in: memory).map { JSONWriter.text(of: $0) }
    }
  }

  private func careful(_ bytes: [UInt8]) -> String? {
    bytes.withUnsafeBufferPointer { text in
      guard let tape = try? JSONReader.tape(of: text, subject: "the context", limit: 1 << 20), tape.root.kind == .object
      else { return nil }
      return JSONWriter.text(of: tape.root)
    }
  }

  private func check(_ text: String, _ location: SourceLocation = #_sourceLocation) {
    let bytes = Array(text.utf8)
    #expect(quick(bytes) == careful(bytes), "\(text)", sourceLocation: location)
  }

  @Test("both readers agree on hand-made texts")
  func agreement() {
    let many = (0..<40).map { "\"n\($0)\":[\($0)]" }.joined(separator: ",")
    for text in [
      "{}", " {\t\n\r} ", "{\"a\":{}, \"b\":[], \"c\":[[],{}]}", #"{"a":1,"b":2,"a":{"x":[3,{"y":4}]}}"#,
      #"{"":"","é":"日本語","e":"a\u00e9\n\ud83d\ude00\/\"\\b\b\f\r\t"}"#, #"{"a\u0062":1,"ab":2}"#, "{\(many)}",
      "{\(many),\"n3\":\"last\",\"n39\":null}", "{\"o\":{\(many),\"n3\":0},\"p\":{\(many)}}",
      #"{"a":[0,-0,1.0,1e2,-1E-7,9223372036854775807,-9223372036854775808,9223372036854775808,1e999]}"#,
      #"{"a":123456789012345678,"b":1234567890123456789,"t":true,"f":false,"n":null}"#,
      "{\"a\":\(String(repeating: "[", count: 99))\(String(repeating: "]", count: 99))}",
      "{\"a\":\(String(repeating: "[", count: 100))\(String(repeating: "]", count: 100))}",
      "", "[1]", "1", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{\"a\":1}x", "{a:1}",
      "{\"a\":01}", "{\"a\":-}", "{\"a\":1.}", "{\"a\":NaN}", "{\"a\":tru}", "{\"a\":\"\u{1}\"}", "{\"a\":\"\u{0}\"}",
      #"{"a":"\ud800"}"#, #"{"a":"\ud800\u0041"}"#, #"{"a":"\udc00"}"#, #"{"a":"\u00g0"}"#, #"{"a":"\x"}"#,
      #"{"a":"\"#, #"{"a":"\u12"#, "{\"a\":[1 2]}", "{\"a\":[1}}", "{\"a\" 1}", "{\"a\":1\u{0}}", "{\"a\":1}\u{0}",
    ] { check(text) }
  }

  @Test("both readers agree on random contexts, whole and with bytes changed", arguments: 0..<20)
  func randomAgreement(_ part: Int) {
    var dice = Dice(seed: UInt64(part))
    var read = 0
    for seed in 0..<50 {
      for text in FlagCase(seed: UInt64(1000 * part + seed)).contexts {
        var bytes = Array(text.utf8)
        #expect(quick(bytes) == careful(bytes) && quick(bytes) != nil, "\(text)")
        for _ in 0..<1 + dice.below(3) {
          let place = dice.below(bytes.count)
          switch dice.below(4) {
          case 0: bytes.remove(at: place)
          case 1: bytes[place] = UInt8(dice.below(256))
          case 2: bytes.insert(dice.one(of: Array("{}[],:\"\\ 0e-.".utf8)), at: place)
          default: bytes.insert(contentsOf: bytes[place..<min(place + 12, bytes.count)], at: place)
          }
          if bytes.isEmpty { bytes = [0x7b] }
        }
        let found = quick(bytes)
        #expect(found == careful(bytes), "\(String(decoding: bytes, as: UTF8.self))")
        if found != nil { read += 1 }
      }
    }
    // Changes inside of texts and numbers leave most contexts whole, so both ways were taken.
    #expect((20..<190).contains(read))
  }

  @Test("memory is enough for the texts that need most of it")
  func tightTexts() {
    for count in [1, 15, 16, 17, 33, 1000, 20_000] {
      check("{\"\":[\(Array(repeating: "[]", count: count).joined(separator: ","))]}")
      check("{\(Array(repeating: "\"\":1", count: count).joined(separator: ","))}")
      check("{\"\":{\((0..<count).map { "\"\($0)\":1" }.joined(separator: ","))}}")
      check("{\"\":[\(Array(repeating: "1", count: count).joined(separator: ","))]}")
    }
  }

  @Test("a context read again has nothing of the one before; copies keep what they have")
  func reading() throws {
    func read(_ text: String, into context: inout EvaluationContext) throws {
      let bytes = Array(text.utf8)
      try bytes.withUnsafeBufferPointer { try context.read(json: $0) }
    }
    var context = EvaluationContext()
    try read(#"{"targetingKey":"one","a":{"b":[1,2]}}"#, into: &context)
    let copy = context
    try read(#"{"c":"d"}"#, into: &context)
    #expect(JSONWriter.text(of: copy.attributes) == #"{"targetingKey":"one","a":{"b":[1,2]}}"#)
    #expect(copy.targetingKey.string == "one")
    #expect(JSONWriter.text(of: context.attributes) == #"{"c":"d"}"#)
    #expect(context.targetingKey.isNull)
    #expect(throws: FlagRefusal.self) { try read(#"{"c":"#, into: &context) }
    #expect(JSONWriter.text(of: context.attributes) == "{}")
    let large = "{\"a\":\"\(String(repeating: "x", count: 200_000))\"}"
    try read(large, into: &context)
    #expect(JSONWriter.text(of: context.attributes) == large)
    try read(#"{"targetingKey":"two"}"#, into: &context)
    #expect(context.targetingKey.string == "two")
  }

  @Test("a context within a request")
  func members() throws {
    func read(_ text: String) throws -> String? {
      var context = EvaluationContext()
      let bytes = Array(text.utf8)
      let isThere = try bytes.withUnsafeBufferPointer { try context.read(member: "context", ofJSON: $0) }
      return isThere ? JSONWriter.text(of: context.attributes) : nil
    }
    #expect(try read(#"{"context":{"targetingKey":"u"},"more":1}"#) == #"{"targetingKey":"u"}"#)
    #expect(try read(#"{"other":{}}"#) == nil)
    #expect(throws: FlagRefusal.self) { try read(#"{"context":5}"#) }
    #expect(throws: FlagRefusal.self) { try read("5") }
  }

  @Test("a refusal says where, as the careful reader has it")
  func refusals() {
    do throws(FlagRefusal) {
      _ = try EvaluationContext(json: "{\n  \"a\": nul }")
      Issue.record("accepted")
    } catch {
      #expect(error.description.hasPrefix("2:8: the context has no JSON value here"), "\(error)")
    }
  }
}
