import Flags
import Testing

@Suite("JSON")
struct JSONTests {
  private func check(_ text: String, expecting written: String, _ location: SourceLocation = #_sourceLocation) throws {
    let tape = try JSONReader.tape(of: text, subject: "the text", limit: 1 << 20)
    #expect(JSONWriter.text(of: tape.root) == written, sourceLocation: location)
  }

  private func refuses(_ text: String, at place: String, _ location: SourceLocation = #_sourceLocation) {
    do throws(FlagRefusal) {
      _ = try JSONReader.tape(of: text, subject: "the text", limit: 1 << 20)
      Issue.record("\(text) was accepted", sourceLocation: location)
    } catch {
      #expect("\(error.line ?? 0):\(error.column ?? 0)" == place, "\(error)", sourceLocation: location)
    }
  }

  @Test("numbers keep whether they were whole")
  func numbers() throws {
    try check("[1, 1.0, -0, 1e2, 1E-7, 0.1]", expecting: "[1,1.0,0,100.0,1e-07,0.1]")
    try check("[9223372036854775807, -9223372036854775808]", expecting: "[9223372036854775807,-9223372036854775808]")
    try check("9223372036854775808", expecting: "9.223372036854776e+18")
    try check("[1e400, -1e400]", expecting: "[1e999,-1e999]")
    try check("[123456789012345678901234567890e-10, 5e-324]", expecting: "[1.2345678901234567e+19,5e-324]")
  }

  @Test("texts with escapes, surrogates and control characters")
  func texts() throws {
    try check(#""a\u00e9\n\ud83d\ude00\/\"""#, expecting: #""aé\n😀/\"""#)
    try check(#""\u0001""#, expecting: #""\u0001""#)
  }

  @Test("of a repeated name the last value counts, in short objects and long ones")
  func repeats() throws {
    try check(#"{"a":1,"b":2,"a":3}"#, expecting: #"{"a":3,"b":2}"#)
    let many = (0..<30).map { "\"n\($0)\":\($0)" }.joined(separator: ",")
    try check("{\(many),\"n3\":\"last\"}", expecting: "{\(many)}".replacing("\"n3\":3,", with: "\"n3\":\"last\","))
  }

  @Test("members of long objects are found by hash")
  func longObjects() throws {
    let many = (0..<1000).map { "\"name-\($0)\":\($0)" }.joined(separator: ",")
    let tape = try JSONReader.tape(of: "{\(many)}", subject: "the text", limit: 1 << 20)
    for number in [0, 500, 999] {
      var name = "name-\(number)"
      let found = name.withUTF8 { tape.root.member(UnsafeRawBufferPointer($0)) }
      #expect(found?.integer == Int64(number))
    }
    #expect(tape.root.member("name-1000") == nil)
  }

  @Test("what is no JSON is refused at its place")
  func refusals() {
    refuses("", at: "1:1")
    refuses("{\n  \"a\": tru }", at: "2:8")
    refuses("[1,]", at: "1:4")
    refuses("[1 2]", at: "1:4")
    refuses("{\"a\" 1}", at: "1:6")
    refuses("01", at: "1:1")
    refuses("1.", at: "1:1")
    refuses("[NaN]", at: "1:2")
    refuses("\"é\u{1}\"", at: "1:3")
    refuses(#""\ud800""#, at: "1:8")
    refuses("1 2", at: "1:3")
    refuses("\"abc", at: "1:5")
    refuses(String(repeating: "[", count: 101), at: "1:101")
  }

  @Test("depth of 100 is read")
  func depth() throws {
    let nested = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
    try check(nested, expecting: nested)
  }

  @Test(
    "bytes that are not UTF-8 are refused",
    arguments: [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]] as [[UInt8]])
  func encoding(_ bytes: [UInt8]) {
    let text = [UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")]
    text.withUnsafeBufferPointer { buffer in
      #expect(throws: FlagRefusal.self) {
        _ = try JSONReader.tape(of: buffer, subject: "the text", limit: 100)
      }
    }
  }

  @Test("MurmurHash3 has the published values, in pieces too")
  func murmur() {
    let known: [(String, UInt32, UInt32)] = [
      ("", 0, 0), ("", 1, 0x514e_28b7), ("test", 0, 0xba6b_d213), ("Hello, world!", 0, 0xc036_3e43),
      ("The quick brown fox jumps over the lazy dog", 0x9747_b28c, 0x2fa8_26cd),
    ]
    for (text, seed, hash) in known {
      let bytes = Array(text.utf8)
      #expect(bytes.withUnsafeBytes { Murmur3.hash($0, seed: seed) } == hash)
      for cut in 0...bytes.count {
        var pieces = Murmur3(seed: seed)
        bytes[..<cut].withUnsafeBytes { pieces.add($0) }
        for byte in bytes[cut...] { pieces.add(byte) }
        #expect(pieces.value == hash)
      }
    }
  }
}
