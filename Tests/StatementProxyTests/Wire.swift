/// Messages as bytes, for tests.
enum Wire {
  static func message(_ tag: Character, _ body: [UInt8] = []) -> [UInt8] {
    [tag.asciiValue ?? 0] + int32(body.count + 4) + body
  }

  static func int32(_ value: Int) -> [UInt8] { (0..<4).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
  static func int16(_ value: Int) -> [UInt8] {
    [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
  }
  static func string(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

  static func startup(_ parameters: [(String, String)] = [("user", "ann"), ("database", "shop")]) -> [UInt8] {
    let body = int32(196_608) + parameters.flatMap { string($0.0) + string($0.1) } + [0]
    return int32(body.count + 4) + body
  }

  static let encryptionRequest = int32(8) + int32(80_877_103)
  static func cancel(_ pid: Int, _ key: Int) -> [UInt8] { int32(16) + int32(80_877_102) + int32(pid) + int32(key) }

  // The client's.
  static func query(_ text: String) -> [UInt8] { message("Q", string(text)) }
  static func parse(_ name: String, _ text: String, types: [Int] = []) -> [UInt8] {
    message("P", string(name) + string(text) + int16(types.count) + types.flatMap(int32))
  }
  /// Values in text format, nil for NULL.
  static func bind(_ name: String, _ values: [String?] = [], portal: String = "") -> [UInt8] {
    bind(name, values.map { $0.map { Array($0.utf8) } }, format: 0, portal: portal)
  }
  static func bind(_ name: String, _ values: [[UInt8]?], format: Int, portal: String = "") -> [UInt8] {
    let body = values.flatMap { value in value.map { int32($0.count) + $0 } ?? int32(-1) }
    return message(
      "B", string(portal) + string(name) + int16(1) + int16(format) + int16(values.count) + body + int16(0))
  }
  static func execute(_ portal: String = "", rows: Int = 0) -> [UInt8] { message("E", string(portal) + int32(rows)) }
  static func describe(_ name: String) -> [UInt8] { message("D", [83] + string(name)) }
  static let sync = message("S")
  static let copyDone = message("c")

  // The server's.
  static func ready(_ status: Character = "I") -> [UInt8] { message("Z", [status.asciiValue ?? 0]) }
  static func complete(_ tag: String = "OK") -> [UInt8] { message("C", string(tag)) }
  static func error(_ code: String) -> [UInt8] { message("E", [83] + string("ERROR") + [67] + string(code) + [0]) }
  static let parsed = message("1")
  static let bound = message("2")
  static let noData = message("n")
  static let suspended = message("s")
  static let copyIn = message("G", [0, 0, 0])
}
