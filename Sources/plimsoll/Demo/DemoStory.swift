import API
import Foundation
import Kernel
import Runtime

/// The article's first page, played on real components and checked claim by claim.
final class DemoStory {
  private let world: HarborWorld
  private let traffic: TrafficDriver
  private let receiver: WebhookReceiver
  private let rate: Double
  private let terminal = Terminal.standard
  private let began = Instant.now
  private var report = DemoReport()
  /// The first 12 hex digits, as the versions name themselves.
  private var badDigests: Set<String> = []

  /// Longer than any part of the story takes on two cores; a part that takes longer is a failed claim.
  static let patience = Span.seconds(100)
  /// "Ends within 4 minutes after the build".
  static let durationLimitMs: Int64 = 240_000
  /// What served before gets time to answer what it has under way, and is then stopped.
  static let stopPatience = Span.seconds(30)

  init(world: HarborWorld, traffic: TrafficDriver, receiver: WebhookReceiver, rate: Double) {
    self.world = world
    self.traffic = traffic
    self.receiver = receiver
    self.rate = rate
  }

  func tell() async throws {
    say("a bare git repository, three environments, one HAProxy each; the pages are at \(world.client.base)")
    traffic.start(perSecond: 0, seed: 1)
    let first = try await followToProduction("the trunk as found") { $0.title == "trunk as found" }
    say("\(first.commit.prefix(10)) serves production; \(Int(rate)) requests/s of real traffic run", .good)

    let good = try await land("good", author: "Ada")
    let shipped = try await followToProduction("Ada's change") { $0.commit == good.commit }
    let same = try await digests()
    report.claim(
      "a good change lands and the same digest reaches every environment",
      shipped.phase == "completed" && Set(same.values).count == 1 && same.count == 3,
      same.map { "\($0.key) \($0.value.prefix(19))" }.sorted().joined(separator: ", "))
    let running = try await runs(same)
    report.claim(
      "the digests that serve are the only ones that run",
      same.count == 3 && running.count == 3 && running == same.mapValues { [$0] }, words(running))
    say("Ada's change serves production, the same bytes everywhere: \(shipped.digest?.prefix(19) ?? "?")", .good)

    try await drill()
    try await pairThatBreaksTogether()
    try await badChange(knownGood: try await digests()["production"])
    try await measures()
    try await migrations()
    try await ramp()
  }

  // MARK: Acts

  private func pairThatBreaksTogether() async throws {
    try await world.pushBranch("interface", variants: ["interface"], author: "Ben")
    try await world.pushBranch("consumer", variants: ["consumer"], author: "Cleo")
    let one: Receipt = try await world.client.post("/v1/changes", SubmitRequest(branch: "interface"))
    let two: Receipt = try await world.client.post("/v1/changes", SubmitRequest(branch: "consumer"))
    say("Ben and Cleo submit at once; each passes alone, together they break")
    let following = Following(client: world.client, quiet: false)
    let first = try await following.entry(one.entry ?? 0, branch: "interface")
    let second = try await following.entry(two.entry ?? 0, branch: "consumer")
    var log = ""
    if let digest = second.log { log = try await world.client.text("/v1/logs/\(component(digest))") }
    report.ejected = "\(second.branch): \(second.sentence)"
    report.claim(
      "of two changes that break together one lands and the other is ejected with its log",
      first.outcome == "landed" && second.outcome == "ejected" && !log.isEmpty, second.sentence)
    say(first.sentence, .good)
    say(second.sentence, .warning)
    for line in log.split(separator: "\n").suffix(3) { terminal.line("        | \(line)") }
    if let commit = first.commit {
      _ = try await followToProduction("Ben's change") { $0.commit == commit }
      say("Ben's change serves production", .good)
    }
  }

  private func drill() async throws {
    let receipt: Receipt = try await world.client.post(
      "/v1/rollouts/harbor/production/drill", DrillRequest(reason: "to see that a rollback works"))
    say("a rollback drill: real requests go to the version before Ada's and back")
    let view = try await Following(client: world.client, quiet: true).drill(
      receipt.rollout ?? 0, at: "harbor/production")
    let moved = view.drill?.counts?.requests ?? 0
    let sentence = view.drill?.sentence ?? view.sentence ?? "it ended as \(view.outcome)"
    report.claim("a rollback drill moves real requests there and back", moved > 0, sentence)
    say(sentence, moved > 0 ? .good : .bad)
  }

  private func badChange(knownGood: String?) async throws {
    let bad = try await land("failing", author: "Dan")
    say("Dan's change passed every test and check; about 5 % of real requests will fail", .warning)
    let view = try await wait(for: "the rollback") { () async throws -> EnvironmentView? in
      let view: EnvironmentView = try await self.world.client.get("/v1/services/harbor/production")
      self.show(view)
      guard let rollout = view.rollout ?? nil, rollout.deployment.commit == bad.commit else {
        return view.condemned.isEmpty ? nil : view
      }
      return rollout.report != nil ? view : nil
    }
    let rollouts = try await world.client.get("/v1/rollouts/harbor/production", as: RolloutsView.self).rollouts
    guard let rollout = rollouts.first(where: { $0.deployment.commit == bad.commit && $0.report != nil }),
      let rollback = rollout.report
    else { throw Outage("demo", "the rollback of \(bad.commit ?? "?") left no report") }
    if let digest = Digest(rawValue: rollout.deployment.digest) { badDigests.insert(digest.short) }
    report.firstBadResponseAtMs = rollback.firstBadAtMs
    report.detectedAtMs = rollback.detectedAtMs
    report.decidedAtMs = rollback.decidedAtMs
    report.lastBadResponseAtMs = rollback.lastBadAtMs
    report.restoredAtMs = rollback.restoredAtMs
    report.requestsHurt = rollback.requestsHurt
    if let first = rollback.firstBadAtMs { report.firstBadToRestoredMs = rollback.endedAtMs - first }
    let now = try await digests()["production"]
    report.claim(
      "a change that fails about 5 % of real requests is rolled back to the known-good digest by itself",
      knownGood != nil && rollback.to == knownGood && now == knownGood, rollback.sentence)
    let running = try await runs(["production": knownGood ?? ""])
    report.claim(
      "after the rollback only the known-good digest runs in production",
      knownGood.map { running["production"] == [$0] } ?? false, words(running))
    say("rolled back: \(rollback.sentence)", .good)
    timeline(rollback)
    _ = view
    let announced = try await wait(for: "the announcement") { () -> Bool? in
      self.receiver.received.contains { String(decoding: $0, as: UTF8.self).contains("rolled-back") } ? true : nil
    }
    report.announced = announced
    let isDrawn = receiver.received.contains(where: Self.carriesPicture)
    report.claim(
      "the rollback was announced", announced && isDrawn,
      "\(receiver.received.count) message(s) received, \(isDrawn ? "with" : "without") the evidence as a picture")
  }

  private static func carriesPicture(_ message: Data) -> Bool {
    let object = try? JSONSerialization.jsonObject(with: message) as? [String: Any]
    let inline = (object?["picture"] as? [String: Any])?["base64"] as? String
    return inline.flatMap { Data(base64Encoded: $0) }?.starts(with: Data("<svg".utf8)) ?? false
  }

  private func measures() async throws {
    // Let the last requests of the bad version's time be answered and counted.
    try await Task.sleep(for: .seconds(1))
    let view: MeasuresView = try await world.client.get("/v1/measures?service=harbor&days=1")
    let measured = view.measures.filter { $0.facts > 0 }
    report.claim(
      "the measures count what happened", measured.contains { $0.key == "deployments" && $0.value == 4 },
      measured.map { "\($0.label) \($0.text)" }.joined(separator: "; "))
    for line in MeasureCommand.lines(view) { terminal.line("    \(line)") }
  }

  private func migrations() async throws {
    traffic.change(perSecond: 0)
    let scene = MigrationScene(example: world.example, folder: "\(world.folder)-database", began: began)
    report.claims += try await scene.play()
  }

  private func ramp() async throws {
    let scene = FlagScene(example: world.example, folder: "\(world.folder)-flags", began: began)
    let told = try await scene.play()
    report.claims += told.claims
    report.ramp = told.ramp
  }

  // MARK: Parts

  private func land(_ variant: String, author: String) async throws -> FinishedView {
    try await world.pushBranch(variant, variants: [variant], author: author)
    let receipt: Receipt = try await world.client.post("/v1/changes", SubmitRequest(branch: variant))
    say("\(author) submits '\(variant)'")
    let finished = try await Following(client: world.client, quiet: false).entry(receipt.entry ?? 0, branch: variant)
    guard finished.outcome == "landed" else {
      report.claim("\(variant) lands", false, finished.sentence)
      throw Refusal(.notNow, finished.sentence)
    }
    say(finished.sentence, .good)
    return finished
  }

  private func followToProduction(
    _ what: String, _ isIt: @escaping (PromotionView) -> Bool
  ) async throws -> PromotionView {
    try await wait(for: "\(what) to reach production") { () async throws -> PromotionView? in
      let promotions = try await self.world.client.get("/v1/promotions", as: PromotionsView.self).promotions
      guard let promotion = promotions.first(where: isIt) else { return nil }
      // The very first deployment has nobody to serve before it: traffic begins when production answers.
      let view: EnvironmentView = try await self.world.client.get("/v1/services/harbor/production")
      if !view.shares.isEmpty { self.traffic.change(perSecond: self.rate) }
      self.terminal.progress("\(self.clock)  \(promotion.sentence)  [\(view.sentence)]  \(self.requests)")
      if promotion.phase == "halted" || promotion.phase == "unbuilt" {
        throw Refusal(.notNow, "\(what): \(promotion.sentence)")
      }
      return promotion.phase == "completed" ? promotion : nil
    }
  }

  private func digests() async throws -> [String: String] {
    let overview: Overview = try await world.client.get("/v1/overview")
    let environments = overview.services.first { $0.name == "harbor" }?.environments ?? []
    return Dictionary(
      environments.compactMap { view in view.serving.map { (view.environment, $0.digest) } },
      uniquingKeysWith: { first, _ in first })
  }

  /// The digests whose processes live, by environment, once they are these; or what they still are after a while.
  private func runs(_ wanted: [String: String]) async throws -> [String: Set<String>] {
    let deadline = Instant.now + Self.stopPatience
    while true {
      let running = LiveInstances(data: world.data).digests
      if wanted.allSatisfy({ running[$0.key] == [$0.value] }) || Instant.now > deadline { return running }
      try await Task.sleep(for: .milliseconds(200))
    }
  }

  private func words(_ running: [String: Set<String>]) -> String {
    running.sorted { $0.key < $1.key }
      .map { "\($0.key) \($0.value.sorted().map { $0.prefix(19) }.joined(separator: " and "))" }
      .joined(separator: ", ")
  }

  private func wait<Value>(for what: String, _ look: () async throws -> Value?) async throws -> Value {
    let deadline = Instant.now + Self.patience
    while Instant.now < deadline {
      if let value = try await look() {
        terminal.clearProgress()
        return value
      }
      try await Task.sleep(for: .milliseconds(200))
    }
    terminal.clearProgress()
    report.claim(what, false, "not within \(Int(Self.patience.seconds)) s")
    throw Outage("demo", "\(what) did not happen within \(Int(Self.patience.seconds)) s; the pages say why")
  }

  // MARK: Words

  private var clock: String { String(format: "%6.1f s", (Instant.now - began).seconds) }
  private var requests: String { "\(traffic.count) requests, \(traffic.failed) failed" }

  private func say(_ text: String, _ tone: Terminal.Tone? = nil) {
    terminal.clearProgress()
    let line = tone.map { terminal.paint(text, $0) } ?? text
    terminal.line("\(terminal.paint(clock, .quiet))  \(line)")
  }

  private func show(_ view: EnvironmentView) {
    let shares = view.shares.map { "\($0.percent) %" }.joined(separator: "/")
    terminal.progress("\(clock)  \(shares)  \(view.sentence)  \(requests)")
  }

  private func timeline(_ report: RollbackReportView) {
    let origin = report.firstBadAtMs ?? report.detectedAtMs
    for (label, at) in [
      ("first bad response", report.firstBadAtMs), ("detected", report.detectedAtMs),
      ("decided", report.decidedAtMs), ("last bad response", report.lastBadAtMs), ("restored", report.restoredAtMs),
    ] {
      if let at { terminal.line(String(format: "        %8.2f s  %@", Double(at - origin) / 1000, label)) }
    }
    terminal.line("        \(report.requestsHurt) requests hurt")
  }

  // MARK: End

  func finish(failure: (any Error)?) async -> DemoReport {
    let answers = traffic.answers
    let failed = answers.filter(\.isFailed)
    let own = failed.count { $0.isOwnFailure(of: badDigests) }
    let lost = failed.count - own
    report.requests = DemoReport.Requests(
      served: answers.count, failed: failed.count, failedByTheBadVersion: own, failedBySwitches: lost)
    report.digests = (try? await digests()) ?? [:]
    report.claim(
      "no request failed through a switch of versions", lost == 0 && !answers.isEmpty,
      "\(answers.count) requests, \(own) answered 500 by the bad version itself, \(lost) failed otherwise")
    if let failure { report.claim("the story was told to its end", false, Ending(failure).message) }
    report.durationMs = (Instant.now - began).milliseconds
    report.claim(
      "the demo ends within 4 minutes", report.durationMs <= Self.durationLimitMs,
      "\(report.durationMs / 1000) s")
    say("\(answers.count) requests served, \(failed.count) failed")
    for claim in report.claims {
      say("\(claim.held ? "held  " : "BROKEN")  \(claim.claim): \(claim.detail)", claim.held ? .good : .bad)
    }
    return report
  }
}
