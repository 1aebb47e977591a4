import Foundation
import Kernel
import Testing

@testable import Ledger

@Suite struct JSONTextTests {
  @Test func aCauseIsWrittenAsTheEncoderWouldWriteIt() throws {
    try check("a request", .request(id: "r1"))
    try check("a routed event", .routed(position: .max, index: -1))
    try check("an effect", .observed(effect: EffectKey("watch/a.b/7")))
    try check("the pulse", .pulse)
    try check("no text", .request(id: ""))
    try check("quotes and slashes", .request(id: #"say "hi" \ / \u0041"#))
    try check("other scripts", .request(id: "ü 漢 \u{1F600} e\u{301} \u{2028}\u{7F}\u{FEFF}"))
    for control in 0..<0x20 as Range<UInt8> {
      try check("control \(control)", .observed(effect: EffectKey("a\(Character(UnicodeScalar(control)))b")))
    }
  }

  private func check(_ what: String, _ cause: Cause, _ place: SourceLocation = #_sourceLocation) throws {
    let encoded = String(decoding: try ledgerEncoder().encode(cause), as: UTF8.self)
    #expect(cause.json == encoded, "\(what)", sourceLocation: place)
    #expect(
      try JSONDecoder().decode(Cause.self, from: Data(cause.json.utf8)) == cause, "\(what)", sourceLocation: place)
  }
}
