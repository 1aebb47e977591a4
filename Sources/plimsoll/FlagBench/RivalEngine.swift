import FlagTrials
import Foundation

/// Another evaluator in this process, with the bench's flags in its own dialect.
protocol RivalEngine: AnyObject {
  var name: String { get }
  /// Gives it all flags.
  ///
  /// - Returns: Milliseconds of CPU time, or of the clock where it loads in threads of its own.
  func load() throws -> Double
  /// Evaluates the flag at a position as its client does, the context as JSON; the answer's text is freed unread but for
  /// its first time.
  func evaluate(_ flag: Int) throws
}

/// A native library of an installed peer.
struct PeerLibrary {
  private let handle: UnsafeMutableRawPointer
  private let path: String

  /// - Throws: `FlagBenchFault` when the peer has no such file, or it is for another machine.
  init(_ name: String, of python: PeerPython) throws {
    guard let path = python.installed(name) else {
      throw FlagBenchFault(sentence: "\(name) is not among the packages of \(python.path)")
    }
    guard let handle = dlopen(path, RTLD_NOW) else {
      throw FlagBenchFault(sentence: "\(path) does not load: \(dlerror().map { String(cString: $0) } ?? "no reason")")
    }
    self.handle = handle
    self.path = path
  }

  /// The function of that name. The type is the caller's word, as with every foreign function.
  func function<Function>(_ name: String, as type: Function.Type) throws -> Function {
    guard let symbol = dlsym(handle, name) else { throw FlagBenchFault(sentence: "\(path) has no function \(name)") }
    return unsafeBitCast(symbol, to: type)
  }
}

/// Texts for a C interface, made once.
final class CTexts {
  let pointers: [UnsafeMutablePointer<CChar>]

  init(_ texts: [String]) {
    pointers = texts.map { text in
      let bytes = text.utf8CString
      let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
      for (place, byte) in bytes.enumerated() { (copy + place).initialize(to: byte) }
      return copy
    }
  }

  deinit { for pointer in pointers { pointer.deallocate() } }
}

/// Unleash's engine: yggdrasil, as `yggdrasil-engine` on PyPI has it.
final class YggdrasilEngine: RivalEngine {
  let name = "yggdrasil-engine"

  private typealias Pointer = UnsafeMutableRawPointer
  private typealias Text = UnsafePointer<CChar>
  private typealias Answer = UnsafeMutablePointer<CChar>
  private let take: @convention(c) (Pointer?, Text) -> Answer?
  private let check: @convention(c) (Pointer?, Text, Text, Text) -> Answer?
  private let free: @convention(c) (Answer?) -> Void
  private let engine: UnsafeMutableRawPointer?
  private let keys = CTexts((0..<FlagBench.flags).map(FlagBench.key))
  private let context = CTexts([
    #"{"userId":"user-4711","properties":{"country":"SE","email":"a@b.se","plan":"gold","version":"1.2.3"}}"#, "{}",
  ])
  private var isProved = false

  init(_ python: PeerPython) throws {
    let library = try PeerLibrary("yggdrasil_engine/lib/libyggdrasilffi.so", of: python)
    take = try library.function("take_state", as: type(of: take))
    check = try library.function("check_enabled", as: type(of: check))
    free = try library.function("free_response", as: type(of: free))
    engine = try library.function("new_engine", as: (@convention(c) () -> UnsafeMutableRawPointer?).self)()
  }

  func load() throws -> Double {
    let state = CTexts([Self.state])
    return FlagBench.milliseconds { free(take(engine, state.pointers[0])) }
  }

  func evaluate(_ flag: Int) throws {
    let answer = check(engine, keys.pointers[flag], context.pointers[0], context.pointers[1])
    if !isProved {
      let text = answer.map { String(cString: $0) } ?? ""
      guard text.contains("\"Ok\"") else { throw FlagBenchFault(sentence: "\(name) answers \(text)") }
      isProved = true
    }
    free(answer)
  }

  private static var state: String {
    let countries = #","constraints":[{"contextName":"country","operator":"IN","values":["SE","DE","NO"]}]"#
    let features = (0..<FlagBench.flags).map { flag in
      let strategy =
        switch FlagBench.Kind(of: flag) {
        case .fixed: #"{"name":"default"}"#
        case .listed: "{\"name\":\"default\"\(countries)}"
        case .shared:
          #"{"name":"flexibleRollout","parameters":{"rollout":"50","stickiness":"userId","groupId":"g\#(flag)"}"#
            + "\(countries)}"
        }
      return "{\"name\":\"\(FlagBench.key(flag))\",\"enabled\":true,\"strategies\":[\(strategy)]}"
    }
    return "{\"version\":1,\"features\":[\(features.joined(separator: ","))]}"
  }
}
