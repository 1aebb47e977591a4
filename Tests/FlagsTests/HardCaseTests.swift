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
