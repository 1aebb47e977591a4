import Synchronization

/// What a listener counts since its start.
package final class ServingCounts: Sendable {
  package let requests = Atomic<Int>(0)
  /// Answers by the first digit of their status, 2 to 5.
  private let answers: [Counter] = (0..<4).map { _ in Counter() }
  package let connections = Atomic<Int>(0)
  package let streams = Atomic<Int>(0)
  /// Messages that streams were told, heartbeats not among them.
  package let messages = Atomic<Int>(0)
  /// Streams that were cut off because nobody read them.
  package let cutOff = Atomic<Int>(0)
  /// Streams and requests that were told to come again later.
  package let turnedAway = Atomic<Int>(0)

  private final class Counter: Sendable {
    let value = Atomic<Int>(0)
  }

  package init() {}

  func answered(_ status: Int) {
    let place = status / 100 - 2
    guard answers.indices.contains(place) else { return }
    answers[place].value.add(1, ordering: .relaxed)
  }

  package func answers(ofClass digit: Int) -> Int {
    answers.indices.contains(digit - 2) ? answers[digit - 2].value.load(ordering: .relaxed) : 0
  }
}
