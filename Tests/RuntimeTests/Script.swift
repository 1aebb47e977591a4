import Kernel
import Synchronization

/// What a port was asked, in order, and what it answers: one reply per question, the last one again and again.
final class Script<Asked: Sendable, Answer: Sendable>: Sendable {
  enum Reply: Sendable {
    case gives(Answer)
    case fails(any Error)
    /// Waits for the gate, or until it is cancelled.
    case after(Gate, Answer)
    /// As a process that runs until it is killed.
    case untilCancelled(then: Answer)
  }

  private struct Lines {
    var asked: [(question: Asked, at: ContinuousClock.Instant)] = []
    var replies: [Reply]
    var answered = 0
  }
  private let lines: Mutex<Lines>

  init(_ replies: Reply...) { lines = Mutex(Lines(replies: replies)) }

  /// What is answered from now on.
  func now(_ replies: Reply...) { lines.withLock { $0.replies = replies } }

  var asked: [Asked] { lines.withLock { $0.asked.map(\.question) } }
  var askedAt: [ContinuousClock.Instant] { lines.withLock { $0.asked.map(\.at) } }
  /// Questions whose answer was given.
  var answered: Int { lines.withLock { $0.answered } }

  func ask(_ question: Asked) async throws -> Answer {
    let reply = lines.withLock { lines in
      lines.asked.append((question, .now))
      return lines.replies.count > 1 ? lines.replies.removeFirst() : lines.replies.first
    }
    defer { lines.withLock { $0.answered += 1 } }
    switch reply {
    case .gives(let answer)?: return answer
    case .fails(let error)?: throw error
    case .after(let gate, let answer)?:
      await gate.wait()
      return answer
    case .untilCancelled(let answer)?:
      await Gate().wait()
      return answer
    case nil: throw Outage("script", "it holds no answer to \(question)")
    }
  }

  /// For ports that promise nothing but outages.
  func answer(_ question: Asked) async throws(Outage) -> Answer {
    do {
      return try await ask(question)
    } catch let outage as Outage {
      throw outage
    } catch {
      throw Outage("script", "it fails with \(error)")
    }
  }
}

/// Opens once; one task waits at it, or leaves when it is cancelled.
final class Gate: Sendable {
  private let stream: AsyncStream<Never>
  private let continuation: AsyncStream<Never>.Continuation
  init() { (stream, continuation) = AsyncStream.makeStream() }
  func open() { continuation.finish() }
  func wait() async { for await _ in stream {} }
}
