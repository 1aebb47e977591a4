import Dispatch
import Kernel

/// How the product comes to its group commits: `EngineHost` (Runtime) and `Engine.run` (ControlPlane), which the ledger
/// may not import, without the deciding between them. Requests queue on an actor with a thread of its own; a turn takes
/// all that wait, at most `batchLimit`, appends their events with one call, and answers. While one append waits for the
/// disk, the next requests gather.
actor RequestGathering<Event: LedgerEvent> {
  /// `Engine.batchLimit`.
  static var batchLimit: Int { 256 }

  private struct Waiting {
    let event: NewEvent<Event>
    let continuation: CheckedContinuation<Result<Position, AppendFailure>, Never>
  }

  private let executor = OwnThread()
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
  private let append: @Sendable ([NewEvent<Event>]) throws(AppendFailure) -> [Position]
  /// Bounded by its callers: each waits for its answer before it asks again.
  private var waiting: [Waiting] = []
  private var isTurnScheduled = false

  /// - Parameter append: the side under measurement; all of the events durably, or none.
  init(append: @escaping @Sendable ([NewEvent<Event>]) throws(AppendFailure) -> [Position]) { self.append = append }

  /// Waits until the event is durable. A failure is that of the whole batch.
  func request(_ event: NewEvent<Event>) async throws(AppendFailure) -> Position {
    let result = await withCheckedContinuation { continuation in
      waiting.append(Waiting(event: event, continuation: continuation))
      schedule()
    }
    return try result.get()
  }

  private func schedule() {
    guard !isTurnScheduled else { return }
    isTurnScheduled = true
    Task { self.turn() }
  }

  private func turn() {
    isTurnScheduled = false
    let batch = waiting.prefix(Self.batchLimit)
    waiting.removeFirst(batch.count)
    do throws(AppendFailure) {
      let positions = try append(batch.map(\.event))
      for (one, position) in zip(batch, positions) { one.continuation.resume(returning: .success(position)) }
    } catch {
      for one in batch { one.continuation.resume(returning: .failure(error)) }
    }
    if !waiting.isEmpty { schedule() }
  }
}

/// A serial executor on a dispatch queue, as the engine has: blocking writes hold no thread of the cooperative pool.
private final class OwnThread: SerialExecutor {
  private let queue = DispatchQueue(label: "plimsoll.ledger.benchmark", qos: .userInitiated)
  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedSerialExecutor()
    queue.async { job.runSynchronously(on: executor) }
  }
}
