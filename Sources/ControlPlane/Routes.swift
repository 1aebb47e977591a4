import Kernel

/// How far the log has been turned into letters for other streams, and which of those letters are not yet decided.
struct Routes {
  /// An event leads to at most one input per stream, so this names a routed input even when the topology, and with it
  /// the indices, changed between a crash and the restart.
  private struct Routing: Hashable {
    let position: Position
    let stream: StreamID
  }

  /// The last position that has been turned into letters.
  private(set) var through: Position
  private var pending: [Position: Int] = [:]
  private var decided: Set<Routing> = []

  /// - Parameter cursor: the durable one: every input routed from up to there is decided.
  init(cursor: Position = 0) { through = cursor }

  mutating func passed(_ position: Position) { through = max(through, position) }
  mutating func posted(from position: Position) { pending[position, default: 0] += 1 }

  /// Notes that an event found in the log answers a routed input.
  mutating func answered(_ cause: Cause, by stream: StreamID) {
    if case .routed(let position, _) = cause { decided.insert(Routing(position: position, stream: stream)) }
  }

  /// Whether an event in the log says that this letter was decided before a crash, or before a write whose outcome
  /// was reported wrong.
  func isDecided(_ letter: Letter) -> Bool {
    guard case .routed(let position, _) = letter.cause else { return false }
    return decided.contains(Routing(position: position, stream: letter.stream))
  }

  /// The position up to which every routed input is decided once `routed` is durable.
  func cursor(afterDeciding routed: [Position]) -> Position {
    guard !pending.isEmpty else { return through }
    var decided: [Position: Int] = [:]
    for position in routed { decided[position, default: 0] += 1 }
    var first: Position?
    for (position, count) in pending where count > decided[position] ?? 0 { first = min(first ?? position, position) }
    return first.map { $0 - 1 } ?? through
  }

  mutating func settle(_ routed: [Position]) {
    for position in routed {
      guard let count = pending[position] else { continue }
      pending[position] = count > 1 ? count - 1 : nil
    }
  }
}
