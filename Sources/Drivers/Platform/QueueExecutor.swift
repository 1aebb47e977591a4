import Dispatch

/// Runs an actor on a thread of its own queue, so that short blocking calls (spawn, `/proc`, a unix socket with a time
/// limit) hold up neither the cooperative pool nor another actor. Such an actor is one serialised writer.
final class QueueExecutor: SerialExecutor {
  private let queue: DispatchQueue
  init(_ label: String) { queue = DispatchQueue(label: label, qos: .userInitiated) }
  func enqueue(_ job: consuming ExecutorJob) {
    let unowned = UnownedJob(job)
    queue.async { unowned.runSynchronously(on: self.asUnownedSerialExecutor()) }
  }
}
