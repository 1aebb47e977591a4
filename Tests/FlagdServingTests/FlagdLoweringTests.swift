import FlagServing
import FlagTrials
import Flags
import Foundation
import Testing

/// Fields of ours, written out as plain flagd JSON, against the provider that evaluates by itself: the same variant for
/// each of 10,000 subjects.
@Suite("Lowering", .enabled(if: PeerPython.found != nil, Comment(rawValue: PeerPython.absence)))
struct FlagdLoweringTests {
  static let definitions = """
    {"plimsoll": 1,
     "segments": {
       "nordic": {"rule": {"in": [{"var": "country"}, ["SE", "NO"]]}},
       "early": {"items": ["user-1", "user-2", "user-3"]}
     },
     "$evaluators": {"paying": {"==": [{"var": "plan"}, "paid"]}},
     "flags": {
       "ramp": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
         "expiry": "2099-01-01", "ramp": {"salt": "c0ffee", "allocation": [{"variant": "on", "from": 0, "to": 5000}]}},
       "ranges": {"state": "ENABLED", "variants": {"a": "A", "b": "B", "c": "C"}, "defaultVariant": "c",
         "expiry": "2099-01-01", "ramp": {"salt": "häfen", "allocation": [
           {"variant": "a", "from": 1000, "to": 20000}, {"variant": "b", "from": 50000, "to": 75001},
           {"variant": "a", "from": 80000, "to": 90000}]}},
       "code": {"state": "ENABLED", "variants": {"on": true}, "expiry": "2099-01-01",
         "ramp": {"salt": "s", "allocation": [{"variant": "on", "from": 99000, "to": 100000}]}},
       "targeted": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
         "expiry": "2099-01-01",
         "targeting": {"if": [{"segment": "early"}, "on", {"and": [{"segment": "nordic"}, {"$ref": "paying"}]}, "off"]},
         "ramp": {"salt": "t", "allocation": [{"variant": "on", "from": 0, "to": 50000}]}},
       "computed": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
         "expiry": "2099-01-01", "targeting": {"var": "wish"},
         "ramp": {"salt": "u", "allocation": [{"variant": "on", "from": 0, "to": 50000}]}},
       "waits": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
         "expiry": "2099-01-01", "prerequisites": [{"flag": "ramp-half", "variants": ["on"]},
           {"flag": "targeted", "variants": ["on"]}],
         "ramp": {"salt": "w", "allocation": [{"variant": "on", "from": 0, "to": 60000}]}},
       "ramp-half": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
         "expiry": "2099-01-01", "ramp": {"salt": "h", "allocation": [{"variant": "on", "from": 0, "to": 50000}]}},
       "over": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
         "expiry": "2099-01-01", "schedule": {"until": "2020-01-01"}, "targeting": {"if": [true, "on"]}},
       "current": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
         "expiry": "2099-01-01", "schedule": {"from": "2020-01-01", "until": "2098-01-01"},
         "ramp": {"salt": "d", "attribute": "device",
                  "allocation": [{"variant": "on", "from": 0, "to": 100000}]}},
       "fraction": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
         "expiry": "2099-01-01", "targeting": {"fractional": [["on", 30], ["off", 70]]}}
     }}
    """

  static let contexts = [
    "{}", #"{"country": "SE", "plan": "paid"}"#, #"{"wish": "on", "device": "d-1"}"#, #"{"device": 7}"#,
    #"{"device": ""}"#,
  ]

  @Test("10,000 subjects get the same variant")
  func subjects() async throws {
    let server = try await ServedFlagd(Self.definitions)
    let client = try ServedFlagd.client()
    try await client.ask(["do": "open", "resolver": "in-process", "port": server.port])
    let flags = server.store.current.flags
    let subjects = (0..<10_000).map { number in
      number % 7 == 0 ? "üser-\(number)-\(String(repeating: "x", count: number % 300))" : "user-\(number)"
    }
    for (place, context) in Self.contexts.enumerated() {
      // Every flag in every context, but all subjects only where the context is plain.
      let asked = Array(place == 0 ? subjects[...] : subjects.prefix(500))
      for key in flags.flagKeys {
        let isText = key == "ranges"
        let answer = try await client.ask([
          "do": "asks", "key": key, "type": isText ? "string" : "boolean", "default": isText ? "none" as Any : false,
          "subjects": asked, "context": try JSONSerialization.jsonObject(with: Data(context.utf8)),
        ])
        let theirs = (answer["variants"] as? [Any] ?? []).map { $0 as? String }
        var ours: [String?] = []
        for subject in asked {
          let comma = context == "{}" ? "" : ","
          let attributes = String(context.dropLast()) + "\(comma)\"targetingKey\":\"\(subject)\"}"
          let evaluation = flags.evaluate(
            key, for: try EvaluationContext(json: attributes), at: Int64(ServedFlagd.now()))
          ours.append(flags.variant(of: evaluation))
        }
        let differing = zip(ours, theirs).filter { $0 != $1 }.count
        #expect(theirs.count == asked.count && differing == 0, "\(key) \(context): \(differing) differ")
        if place == 0, key.hasPrefix("ra") { #expect(Set(ours).count > 1, "\(key) gives everybody the same") }
      }
    }
    try await server.stop()
  }
}
