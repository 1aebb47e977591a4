import NIOCore
import Testing

@testable import StatementProxy

@Suite("Wire")
struct WireTests {
  @Test("messages are found however the bytes are cut", arguments: [1, 2, 3, 4, 5, 6, 7, 11, 64, 1000])
  func cuts(_ size: Int) {
    let bytes =
      Wire.query("SELECT 1") + Wire.sync + Wire.message("d", Array(repeating: 7, count: 300)) + Wire.parse("a", "b")
    var scanner = MessageScanner { $0 == UInt8(ascii: "d") ? 10 : 1 << 20 }
    var found: [String] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      let piece = Array(bytes[start..<min(start + size, bytes.count)])
      let isProtocol = piece.withUnsafeBytes {
        scanner.scan($0) { found.append("\(UnicodeScalar($0)) \($1) \($2.count)") }
      }
      #expect(isProtocol)
    }
    #expect(found == ["Q 9 9", "S 0 0", "d 300 10", "P 6 6"])
    #expect(scanner.isBetweenMessages)
  }

  @Test("a length that cannot be ends the scan", arguments: [0, 3, -1, Int(Int32.min)])
  func malformed(_ length: Int) {
    var scanner = MessageScanner { _ in 0 }
    let bytes: [UInt8] = [81] + Wire.int32(length)
    let isProtocol = bytes.withUnsafeBytes { scanner.scan($0) { _, _, _ in } }
    #expect(!isProtocol)
  }

  private func check(_ bytes: [UInt8], _ expected: StartupPacket.Reading, _ at: SourceLocation = #_sourceLocation) {
    #expect(StartupPacket.read(ByteBuffer(bytes: bytes)) == expected, sourceLocation: at)
  }

  @Test("the first packet")
  func startup() {
    check(Wire.encryptionRequest, .complete(.encryption, length: 8))
    check(Wire.encryptionRequest + [9], .complete(.encryption, length: 8))
    check(Array(Wire.encryptionRequest.prefix(7)), .incomplete)
    check(Wire.int32(8) + Wire.int32(80_877_104), .complete(.kerberosEncryption, length: 8))
    check(Wire.cancel(1, 2), .complete(.cancel, length: 16))
    check(Wire.int32(8) + Wire.int32(131_072), .complete(.unknown, length: 8))
    check(Wire.int32(10_001) + Wire.int32(196_608), .malformed)
    check(Array("GET / HTTP/1.1\r\n".utf8), .malformed)
    check([], .incomplete)
  }

  private func start(_ parameters: [(String, String)]) -> SessionStart? {
    guard case .complete(.session(let start), _) = StartupPacket.read(ByteBuffer(bytes: Wire.startup(parameters)))
    else { return nil }
    return start
  }

  @Test("who connects, and with which path")
  func session() {
    let plain = start([("user", "ann")])
    #expect(
      plain?.user == "ann" && plain?.database == "ann" && plain?.searchPath == nil && plain?.isReplication == false)
    let path = start([
      ("user", "ann"), ("database", "shop"), ("options", "-c statement_timeout=1 -c search_path=a,\\ b"),
    ])
    #expect(path?.database == "shop" && path?.searchPath == "a, b")
    #expect(start([("user", "ann"), ("options", "--search-path=x")])?.searchPath == "x")
    #expect(start([("user", "ann"), ("replication", "database")])?.isReplication == true)
    #expect(start([("user", "ann"), ("replication", "off")])?.isReplication == false)
  }

  private func place(_ text: String, _ expected: String?, _ at: SourceLocation = #_sourceLocation) {
    #expect((try? ProxyPlace(text))?.description == expected, sourceLocation: at)
  }

  @Test("places")
  func places() {
    place("127.0.0.1:6432", "127.0.0.1:6432")
    place("db.example", "db.example:5432")
    place("[::1]:6432", "[::1]:6432")
    place("::1", "[::1]:5432")
    place("/var/run/postgresql", "/var/run/postgresql/.s.PGSQL.5432")
    place("/tmp:6000", "/tmp/.s.PGSQL.6000")
    place("", nil)
    place("db:", nil)
    place("db:70000", nil)
    place(":5432", nil)
  }
}
