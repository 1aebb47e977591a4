import API
import Foundation
import Kernel
import Runtime

/// Every other way in which a harbor goes wrong, and what must come of it. A change that landed stays on the trunk, so
/// each is taken back before the next.
extension AcceptTrial {
  /// A variant that production must condemn.
  private struct Condemnable {
    var name: String
    /// Of the report: `infrastructure`, `logic`, `performance`.
    var causes: Set<String>
    /// One of these stands in the report's sentence.
    var words: [String]
    /// It loses requests by its own fault.
    var isLossy: Bool
  }

  private static let condemnable = [
    Condemnable(name: "slow", causes: ["performance"], words: ["P99"], isLossy: false),
    Condemnable(name: "hanging", causes: ["performance"], words: ["P99"], isLossy: true),
    // Whichever is seen first: the process that ends again and again, or the requests that it takes along.
    Condemnable(
      name: "crashing", causes: ["infrastructure", "logic"], words: ["ended", "failed"], isLossy: true),
    Condemnable(
      name: "leaking", causes: ["infrastructure", "logic"], words: ["memory", "failed"], isLossy: true),
  ]

  /// A lost request may have been sent this long before it is known to be lost: the driver's own limit and one second.
  private static let lossTailMs: Int64 = 11_000

  func variants() async throws {
    if let failing = failingCommit {
      releases.say("the failing variant is taken back")
      try await takeBack(failing)
      failingCommit = nil
    }
    for variant in Self.condemnable { try await condemned(variant) }
    try await halted("never-ready", word: "ready")
    try await halted("build-writes-nothing", word: "wrote nothing")
    try await ejected("red-test", word: nil)
    try await conflict()
  }

  // MARK: Outcomes

  private func condemned(_ variant: Condemnable) async throws {
    releases.say("the variant '\(variant.name)'")
    let known = try await releases.production().serving?.digest
    let began = Instant.now.milliseconds
    let commit = try await releases.submit(variant: variant.name)
    let outcome = try await releases.rolledOut(commit)
    var detail = "it ended as \(outcome)"
    var held = false
    if outcome == "rolledBack" {
      let (digest, rollback) = try await releases.rollback(of: commit)
      exposures.append(Exposure(digest: digest, decidedAtMs: rollback.decidedAtMs))
      let now = try await releases.production().serving?.digest
      held =
        variant.causes.contains(rollback.cause) && variant.words.contains { rollback.sentence.contains($0) }
        && known != nil && rollback.to == known && now == known
      detail = "\(rollback.cause): \(rollback.sentence)"
    }
    if variant.isLossy { lossyTimes.append(began...(Instant.now.milliseconds + Self.lossTailMs)) }
    promise("'\(variant.name)' is condemned for its own fault and known-good returns", held, detail)
    try await takeBack(commit)
  }

  private func halted(_ name: String, word: String) async throws {
    releases.say("the variant '\(name)'")
    let known = try await releases.production().serving?.digest
    let commit = try await releases.submit(variant: name)
    let promotion = try await releases.wait("'\(name)' to be halted") { () async throws -> PromotionView? in
      let promotions = try await self.world.client.get("/v1/promotions", as: PromotionsView.self).promotions
      return promotions.first { $0.commit == commit && ["halted", "unbuilt", "completed"].contains($0.phase) }
    }
    let now = try await releases.production().serving?.digest
    promise(
      "'\(name)' goes no further than it may, with the reason, and known-good still serves",
      promotion.phase != "completed" && promotion.sentence.contains(word) && known != nil && now == known,
      "\(promotion.phase): \(promotion.sentence)")
    try await takeBack(commit)
  }

  private func ejected(_ name: String, word: String?) async throws {
    releases.say("the variant '\(name)'")
    let branch = releases.nextBranch()
    try await world.pushBranch(branch, variants: [name], author: "Dan")
    let finished = try await releases.finished(branch)
    promise(
      "'\(name)' is ejected with the reason",
      finished.outcome == "ejected" && !finished.sentence.isEmpty
        && word.map { finished.sentence.contains($0) } ?? (finished.log != nil), finished.sentence)
  }

  private func conflict() async throws {
    let commit = try await releases.submit(variant: "good")
    try await ejected("conflict", word: "does not merge")
    let outcome = try await releases.rolledOut(commit)
    promise("'good', which 'conflict' does not merge with, completes", outcome == "completed", outcome)
  }

  // MARK: Steps

  /// Lands the revert of a commit and waits until it serves production. The trunk is healthy again even when the
  /// revert is rolled back wrongly: that breaks its promise, and the next variant can still be tried.
  private func takeBack(_ commit: String) async throws {
    let branch = releases.nextBranch()
    try await world.pushRevert(branch, of: commit, marker: branch, author: "Ada")
    let landed = try await releases.landed(branch)
    let outcome = try await releases.rolledOut(landed)
    let said = outcome == "rolledBack" ? try await releases.rollback(of: landed).report.sentence : outcome
    promise("the revert of \(commit.prefix(10)), a healthy release, completes", outcome == "completed", said)
  }
}
