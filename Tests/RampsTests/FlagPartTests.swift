import Foundation
import Kernel
import Statistics
import Testing

@testable import Ramps

@Suite("Parts of a flag") struct FlagPartTests {
  @Test("growing a variant moves subjects only into it, withdrawing one only out of it", arguments: 0..<200)
  func allocations(seed: UInt64) {
    var chance = Chance(seed: seed)
    let names = ["a", "b", "c"]
    var allocation = FlagAllocation.none
    for _ in 0..<12 {
      let name = names[Int(chance.next() % 3)]
      let isGrowing = chance.next() % 4 != 0
      let percent = Double(chance.next() % 100_001) / 1000
      let after = isGrowing ? allocation.growing(name, toPercent: percent) : allocation.without(name)
      #expect(after.faults == [])
      for bucket in 0..<1000 {
        let place = bucket * 100 + Int(chance.next() % 100)
        let (old, new) = (allocation.variant(of: place), after.variant(of: place))
        if isGrowing { #expect(new == old || new == name) } else { #expect(new == old || (old == name && new == nil)) }
      }
      let wanted = Int((percent * 1000).rounded())
      #expect(after.size(of: name) == (isGrowing ? max(wanted, allocation.size(of: name)) : 0))
      #expect(names.reduce(0) { $0 + after.size(of: $1) } <= FlagAllocation.buckets)
      allocation = after
    }
  }

  @Test("what is served is the definition with its switch, its shares and its end")
  func served() throws {
    var flag = try FlagBench()
    try flag.ramp()
    let rest = #""owner":"payments","type":"release","expiry":"2025-07-15T15:06:40Z"}"#
    let own = #""variants":{"on":true,"off":false},"defaultVariant":"off","#
    #expect(
      flag.state.served(in: production) == #"{"state":"ENABLED",\#(own)"# + #""ramp":{"salt":"0000000000c0ffee","#
        + #""attribute":"targetingKey","allocation":[{"variant":"on","from":0,"to":1000}]},"# + rest)
    #expect(flag.state.served(in: staging) == #"{"state":"DISABLED",\#(own)"# + rest)
    let elsewhere = try #require(EnvironmentName(rawValue: "elsewhere"))
    #expect(flag.state.served(in: elsewhere)?.hasPrefix(#"{"state":"DISABLED""#) == true)
    try flag.take(
      .place(
        .init(
          environment: staging, isOn: true,
          override: [
            .init(name: "targeting", json: #"{"if":[true,"on"]}"#), .init(name: "defaultVariant", json: "null"),
          ],
          by: ada)))
    #expect(
      flag.state.served(in: staging)
        == #"{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":null,"#
        + #""targeting":{"if":[true,"on"]},"# + rest)
    for place in [production, staging, elsewhere] {
      let text = try #require(flag.state.served(in: place))
      #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(text.utf8)) }
    }
  }

  @Test("texts are written as JSON has them", arguments: ["plain", "a \"b\" \\ c", "line\nbreak\ttab\u{1}", "Ärger 🚢"])
  func texts(text: String) throws {
    let read = try JSONSerialization.jsonObject(with: Data(jsonText(text).utf8), options: .fragmentsAllowed)
    #expect(read as? String == text)
  }

  @Test(
    "instants are written as the calendar has them",
    arguments: [
      (0.0, "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"), (951_868_800, "2000-03-01T00:00:00Z"),
      (1_709_251_199, "2024-02-29T23:59:59Z"), (-1, "1969-12-31T23:59:59Z"), (4_102_444_800, "2100-01-01T00:00:00Z"),
    ])
  func instants(seconds: Double, text: String) {
    #expect(Instant(milliseconds: Int64(seconds * 1000)).iso8601 == text)
  }

  @Test("a standing is said in one sentence")
  func standings() {
    let two = FlagStanding(
      delivered: 990, evaluated: 8,
      lacking: [.init(client: "10.0.0.7", seenAt: at(0)), .init(client: "10.0.0.9", seenAt: at(0))])
    #expect(two.sentence == "998 of 1000 clients have it; not 10.0.0.7 and 10.0.0.9")
    #expect(
      FlagStanding(lackingCount: 4, lacking: two.lacking).sentence
        == "0 of 4 clients have it; not 10.0.0.7 and 10.0.0.9 and 2 more")
    #expect(FlagStanding().sentence == "no client holds flags here")
    #expect(everybody.sentence == "3 of 3 clients have it")
  }
}
