import FlagEvidence
import Foundation
import Kernel
import Ramps
import Testing

struct EvidenceLinesTests {
  private let now = Instant(milliseconds: 1_763_935_200_000)
  private func read(_ text: String) -> EvidenceLines { EvidenceLines(Array(text.utf8), now: now) }

  @Test func linesOfEachTypeAreRead() {
    let lines = read(
      """
      {"type":"exposure","flag":"checkout","variant":"on","unit":"u1","version":7,"at":1763935199.5}

      {"type":"outcome","unit":"u1","failed":true,"durationMs":12.6,"service":"shop","at":"2025-11-23T22:00:00Z"}
      {"type":"conversion","unit":"u1","event":"purchase"}
      """)
    let shown = NamedVariant(flag: "checkout", variant: "on")
    let key = EvidenceKey(unit: "u1")
    #expect(lines.malformedCount == 0)
    #expect(
      lines.items == [
        .exposure(shown, reason: nil, key: key, version: 7, at: now - Span(milliseconds: 500)),
        .outcome(
          variants: [], key: key,
          result: RequestResult(service: "shop", isFailure: true, duration: Span(milliseconds: 13)), at: now),
        .conversion(event: "purchase", key: key, at: now),
      ])
  }

  @Test(arguments: [
    ("{", "no JSON"), ("[1]", "another type"), ("{\"type\":\"exposure\",\"flag\":\"f\"}", "flag and variant"),
    ("{\"type\":\"outcome\",\"failed\":true}", "unit, trace"), ("{\"type\":\"outcome\",\"unit\":\"u\"}", "failed"),
    ("{\"type\":\"expsure\",\"unit\":\"u\"}", "did you mean exposure?"), ("{\"unit\":\"u\"}", "type is missing"),
    ("{\"type\":\"conversion\",\"event\":\"e\"}", "unit or trace"), ("{\"type\":7}", "type has another type"),
    ("{\"type\":\"conversion\",\"unit\":\"u\",\"at\":\"noon\"}", "at is neither"),
    ("{\"type\":\"conversion\",\"unit\":\"u\",\"at\":1e300}", "beyond any time"),
    ("{\"type\":\"outcome\",\"unit\":\"u\",\"durationMs\":-1}", "durationMs must be"),
  ])
  func aBadLineIsNamedAndTheGoodOnesAreKept(line: String, why: String) throws {
    let lines = read("{\"type\":\"conversion\",\"unit\":\"a\"}\n\(line)\n{\"type\":\"conversion\",\"unit\":\"b\"}")
    #expect(lines.items.count == 2 && lines.malformedCount == 1)
    let named = try #require(lines.malformed.first)
    #expect(named.line == 2 && named.why.contains(why), "\(named.why)")
  }

  @Test func whatIsNoTextOrTooLongIsNamed() {
    let lines = EvidenceLines([0xff, 0xfe, 0x0a] + Array(repeating: UInt8(ascii: "x"), count: 20_000), now: now)
    #expect(lines.malformed.map(\.line) == [1, 2])
  }

  @Test func onlySoManyBadLinesAreNamed() {
    let lines = read(String(repeating: "x\n", count: 1000))
    #expect(lines.malformedCount == 1000 && lines.malformed.count == 20)
  }

  @Test func keysAreToldApart() {
    #expect(EvidenceKey(unit: "").unit == nil)
    #expect(EvidenceKey(unit: "a") == EvidenceKey(unit: "a"))
    #expect(Set((0..<10_000).map { EvidenceKey(unit: "user-\($0)").unit }).count == 10_000)
  }
}
