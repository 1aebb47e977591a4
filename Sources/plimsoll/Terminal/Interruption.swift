import Dispatch
import Foundation

/// Ctrl-C and SIGTERM, told to whoever has something to put away first. Until it is ended neither kills the process.
final class Interruption {
  private let sources: [any DispatchSourceSignal]

  init(_ numbers: [Int32] = [SIGINT, SIGTERM], then act: @escaping @Sendable (Int32) -> Void) {
    sources = numbers.map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { act(number) }
      source.resume()
      return source
    }
  }

  func end() { for source in sources { source.cancel() } }

  /// Returns when one of them has come.
  static func wait() async {
    let (signals, continuation) = AsyncStream.makeStream(of: Void.self)
    let interruption = Interruption { _ in continuation.finish() }
    for await _ in signals {}
    interruption.end()
  }
}
