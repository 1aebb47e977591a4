import FlagTrials
import Foundation

/// Flipt's engine, as `flipt-client` on PyPI has it. It takes flags only from a server, so there is one on the loopback
/// that has nothing else.
final class FliptEngine: RivalEngine {
  let name = "flipt-client's engine"

  private typealias Pointer = UnsafeMutableRawPointer
  private typealias Text = UnsafePointer<CChar>
  private typealias Answer = UnsafeMutablePointer<CChar>
  private let initialize: @convention(c) (Text) -> Pointer?
  private let evaluateBoolean: @convention(c) (Pointer?, Text) -> Answer?
  private let evaluateVariant: @convention(c) (Pointer?, Text) -> Answer?
  private let free: @convention(c) (Answer?) -> Void
  private var engine: UnsafeMutableRawPointer?
  private let server: SnapshotServer
  private let requests = CTexts(
    (0..<FlagBench.flags).map { flag in
      "{\"namespace_key\":\"default\",\"flag_key\":\"\(FlagBench.key(flag))\",\"entity_id\":\"user-4711\","
        + #""context":{"country":"SE","email":"a@b.se","plan":"gold","version":"1.2.3"}}"#
    })
  private var isProved = false

  #if arch(arm64)
    private static let library = "ext/linux_aarch64/libfliptengine.so"
  #else
    private static let library = "ext/linux_x86_64/libfliptengine.so"
  #endif

  init(_ python: PeerPython) throws {
    let library = try PeerLibrary(Self.library, of: python)
    initialize = try library.function("initialize_engine", as: type(of: initialize))
    evaluateBoolean = try library.function("evaluate_boolean", as: type(of: evaluateBoolean))
    evaluateVariant = try library.function("evaluate_variant", as: type(of: evaluateVariant))
    free = try library.function("destroy_string", as: type(of: free))
    server = try SnapshotServer(document: Self.snapshot)
  }

  /// By the clock, since it reads in threads of its own; that it asks a server is in it.
  func load() throws -> Double {
    // Longer than any bench: it must not read the flags again while it is measured.
    let options = CTexts([
      "{\"url\":\"http://127.0.0.1:\(server.port)\",\"namespace\":\"default\",\"update_interval\":86400}"
    ])
    let clock = ContinuousClock()
    let took = clock.measure { engine = initialize(options.pointers[0]) }
    return Double(took.components.seconds) * 1e3 + Double(took.components.attoseconds) / 1e15
  }

  func evaluate(_ flag: Int) throws {
    let request = requests.pointers[flag]
    let answer =
      FlagBench.Kind(of: flag) == .shared ? evaluateVariant(engine, request) : evaluateBoolean(engine, request)
    if !isProved {
      let text = answer.map { String(cString: $0) } ?? ""
      guard text.contains("\"success\"") else { throw FlagBenchFault(sentence: "\(name) answers \(text)") }
      isProved = true
    }
    free(answer)
  }

  private static var snapshot: String {
    let segments =
      #""segments":[{"key":"nordic","matchType":"ALL_SEGMENT_MATCH_TYPE","constraints":[{"type":"#
      + #""STRING_CONSTRAINT_COMPARISON_TYPE","property":"country","operator":"isoneof","#
      + #""value":"[\"SE\",\"DE\",\"NO\"]"}]}],"segmentOperator":"OR_SEGMENT_OPERATOR""#
    let halves = ["on", "off"].map { "{\"ruleId\":\"1\",\"rollout\":50.0,\"variantKey\":\"\($0)\"}" }
    let flags = (0..<FlagBench.flags).map { flag in
      let rule =
        switch FlagBench.Kind(of: flag) {
        case .fixed: #""type":"BOOLEAN_FLAG_TYPE","enabled":true,"rules":[],"rollouts":[]"#
        case .listed:
          #""type":"BOOLEAN_FLAG_TYPE","enabled":false,"rules":[],"rollouts":[{"type":"SEGMENT_ROLLOUT_TYPE","rank":1,"#
            + "\"segment\":{\"value\":true,\(segments)}}]"
        case .shared:
          "\"type\":\"VARIANT_FLAG_TYPE\",\"enabled\":true,\"rollouts\":[],\"rules\":[{\"rank\":1,\(segments),"
            + "\"distributions\":[\(halves.joined(separator: ","))]}]"
        }
      return "{\"key\":\"\(FlagBench.key(flag))\",\"name\":\"\(FlagBench.key(flag))\",\(rule)}"
    }
    return "{\"namespace\":{\"key\":\"default\"},\"flags\":[\(flags.joined(separator: ","))]}"
  }
}

/// Answers every request on a free port of 127.0.0.1 with the same document.
final class SnapshotServer: @unchecked Sendable {
  // Safe to share: written by `init` alone.
  let port: UInt16
  private let listener: Int32

  init(document: String) throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let socket = listener
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, length) == 0 && listen(socket, 16) == 0 && getsockname(socket, $0, &length) == 0
      }
    }
    guard isBound else { throw FlagBenchFault(sentence: "no port of 127.0.0.1 could be listened on") }
    port = UInt16(bigEndian: address.sin_port)
    let head =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
      + "Content-Length: \(document.utf8.count)\r\n\r\n"
    let answer = Array((head + document).utf8)
    Thread.detachNewThread { Self.serve(socket, answer) }
  }

  deinit { shutdown(listener, Int32(SHUT_RDWR)) }

  private static func serve(_ listener: Int32, _ answer: [UInt8]) {
    while true {
      let client = accept(listener, nil, nil)
      guard client >= 0 else { break }
      var request: [UInt8] = []
      var piece = [UInt8](repeating: 0, count: 4096)
      let blankLine = Array("\r\n\r\n".utf8)
      while request.suffix(4) != blankLine[...] {
        let count = read(client, &piece, piece.count)
        guard count > 0 else { break }
        request += piece[..<count]
      }
      var sent = 0
      while sent < answer.count {
        let count = answer.withUnsafeBytes { send(client, $0.baseAddress.map { $0 + sent }, answer.count - sent, 0) }
        guard count > 0 else { break }
        sent += count
      }
      close(client)
    }
    close(listener)
  }
}
