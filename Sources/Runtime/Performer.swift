import ControlPlane
import Kernel
import MergeQueues
import Migrations
import Promotions
import Ramps
import Rollouts
import Synchronization

/// Carries out effects: one task each, through the ports; posts what it sees back as letters, and one `ended` when the
/// task is over.
package final class Performer: EffectDispatcher, Sendable {
  package typealias Post = @Sendable (Parcel) async -> Void
  package typealias Tell = @Sendable (HostNotice) async -> Void

  private struct Running: Hashable {
    let stream: StreamID
    let key: EffectKey
    let fence: Fence
  }

  let ports: Ports
  let board = EndpointBoard()
  let guardBoard = GuardBoard()
  package let evidence: EvidenceBook
  private let tasks = Mutex<[Running: Task<Void, Never>]>([:])
  private let post = Mutex<Post?>(nil)
  private let tell = Mutex<Tell?>(nil)

  package init(ports: Ports, evidence: EvidenceBook) {
    self.ports = ports
    self.evidence = evidence
  }

  /// Where parcels go, and what people should hear of that is in no state; set once, before the engine starts effects.
  package func attach(_ post: @escaping Post, tell: @escaping Tell) {
    self.post.withLock { $0 = post }
    self.tell.withLock { $0 = tell }
  }

  package func start(_ effect: StreamEffect, of stream: StreamID, fence: Fence) {
    let running = Running(stream: stream, key: effect.key, fence: fence)
    tasks.withLock { tasks in
      tasks[running] = Task { [self] in
        let errand = Errand(stream: stream, key: effect.key, lane: effect.lane, fence: fence, performer: self)
        var failure: Outage?
        do throws(Outage) { try await perform(effect, errand) } catch { failure = error }
        // Before the end is told: the same effect may start again at once, under the same fence.
        self.tasks.withLock { $0[running] = nil }
        // A cancelled effect is no longer wanted, so its end means nothing to the engine.
        if !Task.isCancelled {
          await deliver(
            .ended(stream: stream, key: effect.key, fence: fence, lane: effect.lane, failure: failure))
        }
      }
    }
  }

  package func cancel(_ key: EffectKey, of stream: StreamID, fence: Fence) {
    tasks.withLock { $0[Running(stream: stream, key: key, fence: fence)] }?.cancel()
  }

  /// Cancels everything and waits for it.
  func stopAll() async {
    let all = tasks.withLock { Array($0.values) }
    for task in all { task.cancel() }
    for task in all { await task.value }
  }

  func deliver(_ parcel: Parcel) async {
    if let post = post.withLock({ $0 }) { await post(parcel) }
  }

  func notice(_ notice: HostNotice) async {
    if let tell = tell.withLock({ $0 }) { await tell(notice) }
  }

  private func perform(_ effect: StreamEffect, _ errand: Errand) async throws(Outage) {
    switch effect {
    case .queue(let effect): try await perform(effect, errand)
    case .build(let effect): try await perform(effect, errand)
    case .delivery(let effect): try await perform(effect, errand)
    case .observation(let effect): try await perform(effect, errand)
    case .schema(let effect): try await perform(effect, errand)
    case .flag(let effect): try await perform(effect, errand)
    case .flagFolder(let effect): try await perform(effect, errand)
    }
  }
}

/// One running effect's way back to its stream.
struct Errand: Sendable {
  let stream: StreamID
  let key: EffectKey
  let lane: Lane
  let fence: Fence
  let performer: Performer

  func observe(_ input: StreamInput) async {
    await performer.deliver(
      .letter(Letter(to: stream, input, cause: .observed(effect: key), lane: lane)))
  }

  /// Names a run: unique per wanting, so that a run that a crash left behind is never joined by mistake.
  var runKey: String { "\(stream)/\(key)/\(fence.position)" }
}

/// Sleeps until an instant of the wall clock; returns early when cancelled.
func sleep(until instant: Instant) async {
  while !Task.isCancelled {
    let left = instant - .now
    if left <= .zero { return }
    // In pieces, because the wall clock may be set while we sleep.
    try? await Task.sleep(for: .milliseconds(min(left.milliseconds, 10_000)))
  }
}
