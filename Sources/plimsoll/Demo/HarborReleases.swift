import API
import Foundation
import Kernel
import Runtime

/// Releases of the harbor as people make them: a branch is pushed and submitted, then followed until it landed, serves
/// or was taken back. What acceptance runs and benchmarks do alike.
final class HarborReleases {
  let world: HarborWorld
  let traffic: TrafficDriver
  let terminal = Terminal.standard
  private var number = 0

  /// Longer than any single step takes on two cores.
  static let patience = Span.seconds(120)
  /// How often the server is asked; a person does not see less.
  static let look = Duration.milliseconds(200)

  init(world: HarborWorld, traffic: TrafficDriver) {
    self.world = world
    self.traffic = traffic
  }

  /// Traffic begins when production answers: the first deployment has nobody to serve before it.
  func untilFirstServes(perSecond: Double, seed: UInt64) async throws {
    traffic.start(perSecond: 0, seed: seed)
    say("the first version goes to production")
    _ = try await wait("the first version to serve") { () async throws -> Bool? in
      let view = try await self.production()
      if !view.shares.isEmpty { self.traffic.change(perSecond: perSecond) }
      return view.serving != nil ? true : nil
    }
  }

  // MARK: Branches

  func nextBranch() -> String {
    number += 1
    return "change-\(number)"
  }

  /// Submits a harmless change that makes another artifact, waits until it landed, and gives the commit.
  func submitMarker() async throws -> String {
    let branch = nextBranch()
    try await world.pushBranch(branch, variants: [], marker: branch, author: "Ada")
    return try await landed(branch)
  }

  func submit(variant: String) async throws -> String {
    let branch = nextBranch()
    try await world.pushBranch(branch, variants: [variant], author: "Dan")
    return try await landed(branch)
  }

  /// The same on the files of the beginning, whatever landed since: one bad version after the other, and no healthy
  /// one between them. A marker makes each artifact its own.
  func submitAnew(variant: String) async throws -> String {
    let branch = nextBranch()
    try await world.pushAnew(branch, variant: variant, marker: branch, author: "Dan")
    return try await landed(branch)
  }

  func finished(_ branch: String) async throws -> FinishedView {
    let receipt: Receipt = try await world.client.post("/v1/changes", SubmitRequest(branch: branch))
    return try await Following(client: world.client, quiet: true).entry(receipt.entry ?? 0, branch: branch)
  }

  func landed(_ branch: String) async throws -> String {
    let finished = try await finished(branch)
    guard finished.outcome == "landed", let commit = finished.commit else {
      throw Refusal(.notNow, "\(branch) did not land: \(finished.sentence)")
    }
    return commit
  }

  // MARK: Rollouts

  func untilCanary(_ commit: String) async throws {
    let exposed: Set<String> = ["watching", "gated", "finalWatch", "finishing", "restoring", "reporting"]
    _ = try await wait("the canary to have a share") { () async throws -> Bool? in
      let view = try await self.production()
      if view.rollout?.deployment.commit == commit, exposed.contains(view.phase) { return true }
      let ended = try await self.rollouts().contains { $0.deployment.commit == commit && $0.outcome != "running" }
      return ended ? true : nil
    }
  }

  func ended(_ commit: String) async throws -> RolloutView {
    try await wait("the rollout of \(commit.prefix(10)) to end") { () async throws -> RolloutView? in
      try await self.rollouts().first { $0.deployment.commit == commit && $0.outcome != "running" }
    }
  }

  func rolledOut(_ commit: String) async throws -> String { try await ended(commit).outcome }

  /// The short digest that was taken back, and the report.
  func rollback(of commit: String) async throws -> (digest: String, report: RollbackReportView) {
    try await wait("the rollback of \(commit.prefix(10))") { () async throws -> (String, RollbackReportView)? in
      guard let rollout = try await self.rollouts().first(where: { $0.deployment.commit == commit }),
        let report = rollout.report, let digest = Digest(rawValue: rollout.deployment.digest)
      else { return nil }
      return (digest.short, report)
    }
  }

  func rollouts() async throws -> [RolloutView] {
    try await world.client.get("/v1/rollouts/harbor/production", as: RolloutsView.self).rollouts
  }

  func production() async throws -> EnvironmentView {
    try await world.client.get("/v1/services/harbor/production")
  }

  // MARK: Waiting and telling

  func wait<Value>(_ what: String, _ look: () async throws -> Value?) async throws -> Value {
    let deadline = Instant.now + Self.patience
    while Instant.now < deadline {
      if let value = try await look() { return value }
      terminal.progress("waiting for \(what); \(traffic.count) requests, \(traffic.failed) failed")
      try await Task.sleep(for: Self.look)
    }
    throw Outage("harbor", "\(what) did not happen within \(Int(Self.patience.seconds)) s")
  }

  func say(_ text: String) {
    terminal.clearProgress()
    terminal.line(text)
  }
}

extension RollbackReportView {
  /// When it was over, one way or the other.
  var endedAtMs: Int64 { restoredAtMs ?? closedAtMs ?? decidedAtMs }
}
