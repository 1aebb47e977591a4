import API
import Foundation
import Kernel
import Runtime

/// `kill -9` of the server at random moments of rollouts, healthy ones first: what a bad one leaves on the trunk would
/// make every later release bad too.
extension AcceptTrial {
  /// A healthy rollout of the demo's steps takes about this long once the canary has a share.
  static let healthyKillSpanMs: UInt64 = 15_000
  /// Before, at and after the verdict on a bad one.
  static let badKillSpanMs: UInt64 = 8000

  func kills(_ count: Int, seed: UInt64) async throws {
    var random = SplitMix64(state: seed)
    var wrong: [String] = []
    let healthy = (count + 1) / 2
    for index in 0..<count {
      let isBad = index >= healthy
      let pause = Double(random.next() % (isBad ? Self.badKillSpanMs : Self.healthyKillSpanMs)) / 1000
      releases.say("kill \(index + 1) of \(count), \(pause) s into a \(isBad ? "bad" : "healthy") rollout")
      let faults = isBad ? try await killInBadRollout(after: pause) : try await killInHealthyRollout(after: pause)
      if !faults.isEmpty {
        wrong.append("\(isBad ? "bad" : "healthy"), at \(pause) s: \(faults.joined(separator: ", "))")
      }
    }
    promise(
      "kill -9 at \(count) random moments: each rollout ends right, nothing is deployed twice", wrong.isEmpty,
      wrong.isEmpty ? "\(healthy) healthy, \(count - healthy) bad" : wrong.joined(separator: "; "))
  }

  private func killInHealthyRollout(after pause: Double) async throws -> [String] {
    let commit = try await releases.submitMarker()
    var faults = try await killAndRestart(commit, after: pause)
    let outcome = try await releases.rolledOut(commit)
    if outcome != "completed" { faults.append("it ended as \(outcome)") }
    return faults + (try await doubles(of: commit))
  }

  private func killInBadRollout(after pause: Double) async throws -> [String] {
    let known = try await releases.production().serving?.digest
    let commit = try await submitFailing()
    var faults = try await killAndRestart(commit, after: pause)
    let restarted = Instant.now.milliseconds
    let outcome = try await releases.rolledOut(commit)
    if outcome != "rolledBack" {
      faults.append("it ended as \(outcome)")
      return faults + (try await doubles(of: commit))
    }
    let (digest, rollback) = try await releases.rollback(of: commit)
    exposures.append(Exposure(digest: digest, decidedAtMs: rollback.decidedAtMs, restartedAtMs: restarted))
    let now = try await releases.production().serving?.digest
    if known == nil || rollback.to != known || now != known { faults.append("known-good does not serve") }
    return faults + (try await doubles(of: commit))
  }

  /// What runs twice right after the restart.
  private func killAndRestart(_ commit: String, after pause: Double) async throws -> [String] {
    try await releases.untilCanary(commit)
    try await Task.sleep(for: .seconds(pause))
    world.killServer()
    try await world.startServer()
    return LiveInstances(data: world.data).doubles
  }

  private func doubles(of commit: String) async throws -> [String] {
    let count = try await releases.rollouts().count { $0.deployment.commit == commit }
    let live = LiveInstances(data: world.data)
    return (count == 1 ? [] : ["\(count) rollouts of one commit"])
      + (live.ports.isEmpty ? ["no instance runs"] : []) + live.doubles
  }
}
