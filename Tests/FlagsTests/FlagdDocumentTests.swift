import Flags
import Testing

/// Definitions written out as plain flagd JSON. That they answer the same is judged against flagd's own client in
/// FlagdServingTests; here, what they are, what is left out, and that our own evaluation agrees.
@Suite("Plain flagd documents")
struct FlagdDocumentTests {
  private func document(_ definitions: String) throws -> FlagdDocument {
    try FlagdDocument(definitions, compiledTo: FlagSet(json: definitions))
  }

  private func native(_ flags: String, _ others: String = "") -> String {
    "{\"plimsoll\": 1, \(others)\"flags\": {\(flags)}}"
  }

  private func flag(_ fields: String, state: String = "ENABLED") -> String {
    """
    {"state": "\(state)", "variants": {"on": true, "off": false}, "defaultVariant": "off", "expiry": "2099-01-01"
     \(fields.isEmpty ? "" : ",") \(fields)}
    """
  }

  @Test("has nothing but what flagd's schema names")
  func plain() throws {
    let text = try document(
      native("\"a\": \(flag(#""owner": "me", "metadata": {"x": 1}"#))", #""metadata": {"set": "s"},"#)
    ).text
    #expect(
      text == #"{"flags":{"a":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","#
        + #""metadata":{"x":1}}},"metadata":{"set":"s"}}"#)
  }

  @Test("lists of flags become an object by key, and references what they stand for")
  func forms() throws {
    let text = try document(
      """
      {"$evaluators": {"yes": {"==": [1, 1]}},
       "flags": [{"key": "a", "state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on",
                  "targeting": {"if": [{"$ref": "yes"}, "on"]}, "comment": "gone"}]}
      """
    ).text
    #expect(
      text == #"{"flags":{"a":{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","#
        + #""targeting":{"if":[{"==":[1,1]},"on"]}}}}"#)
  }

  @Test(
    "what cannot be written out is left out, with its reason",
    arguments: [
      (#""targeting": {"some": [[1], {"segment": "s"}]}"#, "asks for segment `s` within a loop"),
      (
        #""ramp": {"salt": "s", "attribute": "a.b", "allocation": [{"variant": "on", "from": 0, "to": 1}]}"#,
        "has a ramp by `a.b`, which clients would look for as a path"
      ),
      (
        #""prerequisites": [{"flag": "computed", "variants": ["on"]}], "targeting": {"if": [true, "on"]}"#,
        "needs `computed`, whose targeting computes the variant's name"
      ),
      (
        #""prerequisites": [{"flag": "shorthand", "variants": ["on"]}], "targeting": {"if": [true, "on"]}"#,
        "needs `shorthand`, whose `fractional` has no bucketing value"
      ),
      (
        #""prerequisites": [{"flag": "divides", "variants": ["on"]}], "targeting": {"if": [true, "on"]}"#,
        "needs `divides`, whose targeting uses `/`"
      ),
    ])
  func omissions(_ fields: String, _ cause: String) throws {
    let definitions = native(
      """
      "a": \(flag(fields)), "b": \(flag("")),
      "computed": \(flag(#""targeting": {"var": "x"}"#)),
      "shorthand": \(flag(#""targeting": {"fractional": [["on", 1], ["off", 1]]}"#)),
      "divides": \(flag(#""targeting": {"if": [{"/": [1, 2]}, "on"]}"#))
      """, #""segments": {"s": {"items": ["x"]}}, "#)
    let document = try document(definitions)
    #expect(document.omitted.map(\.flag) == ["a"] && document.omitted.map(\.cause) == [cause])
    #expect(try FlagSet(json: document.text).flagKeys == ["b", "computed", "shorthand", "divides"])
  }

  @Test("rules that grow without end are left out")
  func growth() throws {
    var rules = #""r0": {"==": [{"var": "x"}, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]}"#
    for step in 1...20 {
      let half = "{\"$ref\": \"r\(step - 1)\"}"
      rules += ", \"r\(step)\": {\"and\": [\(half), \(half)]}"
    }
    let document = try document(
      native("\"a\": \(flag(#""targeting": {"if": [{"$ref": "r20"}, "on"]}"#))", "\"$evaluators\": {\(rules)}, "))
    #expect(document.omitted.map(\.cause) == ["has rules of more than 1 MiB when written out"])
  }
}
