import ControlPlane
import Kernel
import MergeQueues
import Testing

@testable import Runtime

@Suite("What a queue hears of forge and runner", .timeLimit(.minutes(2)))
struct QueueLookupTests {
  private let note = MergeQueue.Note(
    number: 4, entry: 2, branch: Facts.trunk, head: Facts.commit("b"), standing: nil, text: "#2 landed.",
    at: Facts.start)

  @Test("a note goes to the forge under the fence of its effect, and is told to be there")
  func comment() async throws {
    let bench = try Bench()
    bench.forge.comment.now(.gives(()))
    try await bench.carryOut(.queue(.comment(note, repository: Facts.repository)), of: Facts.queue)
    #expect(
      bench.forge.comment.asked == [
        ChangeNote(
          branch: Facts.trunk, head: Facts.commit("b"), text: "#2 landed.", at: Facts.start, fence: Bench.fence)
      ])
    #expect(bench.posted.inputs == [.queue(.commented(note: 4))])
  }

  @Test("a forge that takes no notes is an outage, and nothing is told")
  func refused() async throws {
    let bench = try Bench()
    let refusal = Outage("git", "the note could not be pushed; allow that push")
    bench.forge.comment.now(.fails(refusal))
    try await bench.carryOut(.queue(.comment(note, repository: Facts.repository)), of: Facts.queue)
    #expect(bench.posted.inputs.isEmpty)
    #expect(bench.posted.ends.map(\.failure) == [refusal])
  }

  @Test("a push past the queue is told with its paths, and without where history is another")
  func trace() async throws {
    let bench = try Bench()
    let (old, new) = (Facts.commit("a"), Facts.commit("b"))
    let effect = StreamEffect.queue(.trace(from: old, to: new, repository: Facts.repository))
    bench.forge.move.now(.gives(.advanced), .gives(.rewritten))
    bench.forge.changedPaths.now(.gives(ChangedPaths(bounding: ["api/x"])))
    try await bench.carryOut(effect, of: Facts.queue)
    try await bench.carryOut(effect, of: Facts.queue)
    #expect(
      bench.posted.inputs == [
        .queue(.traced(from: old, to: new, how: .advanced, paths: ChangedPaths(bounding: ["api/x"]))),
        .queue(.traced(from: old, to: new, how: .rewritten, paths: ChangedPaths(paths: [], isComplete: false))),
      ])
    #expect(bench.forge.changedPaths.asked == [[old, new]])
  }

  @Test("the runner's state is told at once, and again and again until nobody asks")
  func health() async throws {
    let bench = try Bench()
    let away = RunnerHealth(running: 1, slots: 4, queued: 2, lastSeenAt: Facts.start, problem: "no answer")
    bench.runner.health.now(.gives(away))
    bench.start(.queue(.watchRunner), of: Facts.queue)
    try await eventually("it is told") { !bench.posted.inputs.isEmpty }
    #expect(bench.posted.inputs == [.queue(.runnerObserved(away))])
    bench.cancel(.queue(.watchRunner), of: Facts.queue)
    await bench.performer.stopAll()
    #expect(bench.posted.ends.isEmpty)
  }
}
