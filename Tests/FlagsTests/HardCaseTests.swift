import Flags
import Testing

@Suite("Hard cases of evaluation")
struct HardCaseTests {
  private func set(_ targeting: String) throws -> FlagSet {
    try FlagSet(
      json: "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1,\"off\":2},\"targeting\":\(targeting)}}}")
  }

  private func nested(_ depth: Int) -> String {
    String(repeating: "{\"!\":", count: depth) + "true" + String(repeating: "}", count: depth)
  }

  @Test("deep rules are evaluated up to the reader's limit and refused beyond")
  func depth() throws {
    // Root, flags, flag, if and its list stand around the rule.
    let set = try set("{\"if\":[\(nested(94)),\"on\",\"off\"]}")
    #expect(set.evaluate("f", for: EvaluationContext(), at: 0).reason == .targetingMatch)
    #expect(throws: FlagRefusal.self) { try self.set("{\"if\":[\(nested(97)),\"on\",\"off\"]}") }
  }

  @Test("a rule that doubles its text or its work in each round ends in an error")
  func explosions() throws {
    let forty = (0..<40).map(String.init).joined(separator: ",")
    let text = #"{"cat":[{"var":"accumulator"},{"var":"accumulator"}]}"#
    let doubling = try set("{\"if\":[{\"reduce\":[[\(forty)],\(text),\"ab\"]},\"on\"]}")
    #expect(doubling.evaluate("f", for: EvaluationContext(), at: 0).cause == .tooMuch)
    let loops = try set(
      "{\"if\":[{\"all\":[[\(forty)],{\"all\":[[\(forty)],{\"all\":[[\(forty)],{\"all\":[[\(forty)],{\"!\":false}]}]}]}]},\"on\"]}"
    )
    #expect(loops.evaluate("f", for: EvaluationContext(), at: 0).cause == .tooMuch)
  }

  @Test("a context of 10,000 attributes and one of too many bytes")
  func hugeContexts() throws {
    let many = (0..<10_000).map { "\"attribute-\($0)\":\"\($0)\"" }.joined(separator: ",")
    let context = try EvaluationContext(json: "{\(many)}")
    let set = try set(#"{"if":[{"==":[{"var":"attribute-9999"},"9999"]},"on","off"]}"#)
    #expect(set.variant(of: set.evaluate("f", for: context, at: 0)) == "on")
    #expect(throws: FlagRefusal.self) {
      try EvaluationContext(json: "{\"a\":\"\(String(repeating: "x", count: EvaluationContext.sizeLimit))\"}")
    }
    #expect(throws: FlagRefusal.self) { try EvaluationContext(json: "[1]") }
  }

  @Test("bytes that are not UTF-8 are refused with their place, in definitions and contexts")
  func encoding() throws {
    func place(_ text: String, _ read: (UnsafeBufferPointer<UInt8>) throws(FlagRefusal) -> Void) -> String {
      // One character of Latin-1 in the place of the marker.
      let bytes = Array(text.utf8).map { $0 == UInt8(ascii: "~") ? 0xe9 : $0 }
      return bytes.withUnsafeBufferPointer { buffer in
        do throws(FlagRefusal) {
          try read(buffer)
          return "accepted"
        } catch {
          return "\(error.line ?? 0):\(error.column ?? 0) \(error.cause)"
        }
      }
    }
    let cause = "has bytes that are not UTF-8"
    func set(_ bytes: UnsafeBufferPointer<UInt8>) throws(FlagRefusal) { _ = try FlagSet(json: bytes) }
    func context(_ bytes: UnsafeBufferPointer<UInt8>) throws(FlagRefusal) { _ = try EvaluationContext(json: bytes) }
    let flag = #"{"state":"ENABLED","variants":{"on":"caf~"}}"#
    #expect(place("{\"flags\":\n{\"f\":\(flag)}}", set) == "2:46 \(cause)")
    #expect(place("{\"flags\":{\"~\":\(flag)}}", set) == "1:12 \(cause)")
    #expect(place(#"{"targetingKey":"~"}"#, context) == "1:18 \(cause)")
    #expect(place(#"{"~":1}"#, context) == "1:3 \(cause)")
  }

  @Test("NaN and infinity are no JSON; numbers too large are infinite, and computing with them ends in words")
  func notNumbers() throws {
    for text in ["NaN", "Infinity", "-Infinity", "nan"] {
      #expect(throws: FlagRefusal.self) { try EvaluationContext(json: "{\"n\":\(text)}") }
      #expect(throws: FlagRefusal.self) { try set("{\"==\":[{\"var\":\"n\"},\(text)]}") }
    }
    let infinite = try EvaluationContext(json: #"{"n":1e999}"#)
    let larger = try set(#"{"if":[{">":[{"var":"n"},1e308]},"on","off"]}"#)
    #expect(larger.variant(of: larger.evaluate("f", for: infinite, at: 0)) == "on")
    let share = try set(#"{"if":[{"substr":["abc",{"var":"n"}]},"on","off"]}"#)
    #expect(share.evaluate("f", for: infinite, at: 0).cause == .infiniteNumber)
  }

  @Test("without a targeting key: shares and ramps give the default variant, rules go on")
  func missingKeys() throws {
    let shared = try set(#"{"fractional":[["on",50],["off",50]]}"#)
    #expect(shared.evaluate("f", for: EvaluationContext(), at: 0).reason == .default)
    for key in ["\"\"", "5", "null"] {
      let context = try EvaluationContext(json: "{\"targetingKey\":\(key)}")
      #expect(shared.evaluate("f", for: context, at: 0).error == nil)
    }
    let ruled = try set(#"{"if":[{"!":{"var":"targetingKey"}},"on","off"]}"#)
    #expect(ruled.variant(of: ruled.evaluate("f", for: EvaluationContext(), at: 0)) == "on")
  }

  @Test("a clock that jumps, back as well as on, moves nothing but schedules and what rules ask of it")
  func jumpingClocks() throws {
    let set = try FlagSet(
      json: """
        {"plimsoll":1,"flags":{"f":{"state":"ENABLED","variants":{"on":1,"off":2},"defaultVariant":"off",
        "expiry":"2027-01-31","schedule":{"from":"2026-12-01","until":"2026-12-02"},
        "targeting":{"fractional":[["on",50],["off",50]]}}}}
        """)
    let subjects = (0..<200).map { EvaluationContext(targetingKey: "user-\($0)") }
    func served(_ now: Int64) -> [Int32] { subjects.map { set.evaluate("f", for: $0, at: now).variant } }
    let within = served(1_796_100_000)
    #expect(Set(within).count == 2)
    for now in [Int64.min, -1, 0, 1_796_200_000, Int64.max] {
      #expect(Set(served(now)) == [1])
      #expect(served(1_796_100_000) == within)
    }
  }

  @Test("whole contexts, lists and texts beyond the stack's scratch are computed all the same")
  func beyondTheStack() throws {
    let many = (0..<500).map { "\"a\($0)\":\($0)" }.joined(separator: ",")
    let context = try EvaluationContext(json: "{\(many),\"l\":[\((0..<500).map(String.init).joined(separator: ","))]}")
    let set = try set(
      #"{"if":[{"and":[{"==":[{"var":""},{"var":""}]},{"===":[{"map":[{"var":"l"},{"var":""}]},{"var":"l"}]}]},"on","off"]}"#
    )
    #expect(set.variant(of: set.evaluate("f", for: context, at: 0)) == "on")
  }

  @Test("evaluations in many threads at once agree")
  func threads() async throws {
    let set = try set(#"{"fractional":[["on",50],["off",50]]}"#)
    let answers = await withTaskGroup(of: [Int32].self) { group in
      for _ in 0..<4 {
        group.addTask {
          (0..<2000).map { subject in
            set.evaluate("f", for: EvaluationContext(targetingKey: "user-\(subject)"), at: 0).variant
          }
        }
      }
      return await group.reduce(into: [[Int32]]()) { $0.append($1) }
    }
    #expect(Set(answers).count == 1)
    #expect(Set(answers[0]) == [0, 1])
  }
}
