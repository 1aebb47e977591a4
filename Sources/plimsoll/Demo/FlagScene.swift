import API
import FlagTrials
import Foundation
import Kernel

/// A flag that hurts who has it, on a harbor of its own that asks for it with OpenFeature's stock client: a ramp gives it to
/// a few customers, and it is switched off by itself. Nothing is deployed.
final class FlagScene {
  private let example: String
  private let folder: String
  private let began: Instant
  private let terminal = Terminal.standard
  private var claims: [DemoReport.Claim] = []
  private var ramp: DemoReport.Ramp?

  static let convicted = "a flag that hurts those who have it is convicted and switched off by itself"
  static let proved = "every client is known to have the withdrawal"
  static let undeployed = "the flag went without a deploy: the same digest serves and no rollout began"

  private static let flag = "quick-quote"
  private static let environment = "production"
  private static let rate = 120.0
  /// The usual is known after ten seconds of requests, in cells of ten seconds.
  private static let usual = Duration.seconds(12)
  private static let patience = Span.seconds(60)
  private static let look = Duration.milliseconds(100)
  /// Of the demo's traffic; 1 % of it would be a handful of customers.
  private static let stages = [5.0, 25, 100]
  private static let least = Span.seconds(20)
  /// `HARBOR_ERRORS_PER_MILLION`: what fails without the flag too, so that the judge has something to tell it from.
  private static let errorsPerMillion = 5_000

  /// - Parameter folder: made here, and gone in the end.
  init(example: String, folder: String, began: Instant) {
    self.example = example
    self.folder = folder
    self.began = began
  }

  /// What held, and the times. Leaves nothing running.
  func play() async throws -> (claims: [DemoReport.Claim], ramp: DemoReport.Ramp?) {
    guard let python = PeerPython.found else {
      throw Outage(
        "demo",
        "OpenFeature's client for Python is not installed: run scripts/setup where a package index can be reached, or let "
          + "PLIMSOLL_PEERS name a Python that has scripts/peers.txt")
    }
    var options = HarborWorld.Options()
    options.environments = [Self.environment]
    (options.errorsPerMillion, options.flagPython) = (Self.errorsPerMillion, python)
    let world = try await HarborWorld(example: example, folder: folder, options: options)
    let traffic = TrafficDriver(base: world.productionURL, shapes: Self.shapes)
    do {
      try await tell(world, traffic)
    } catch {
      await end(world, traffic)
      throw error
    }
    await end(world, traffic)
    return (claims, ramp)
  }

  private func end(_ world: HarborWorld, _ traffic: TrafficDriver) async {
    await traffic.stop()
    await world.stopEverything()
    world.remove()
  }

  // MARK: The story

  private func tell(_ world: HarborWorld, _ traffic: TrafficDriver) async throws {
    say("a harbor that asks for flags with OpenFeature's stock client; its pages are at \(world.client.base)")
    traffic.start(perSecond: 0, seed: 3)
    let digest = try await until("its version serves production") { () async throws -> String? in
      let view: EnvironmentView = try await world.client.get("/v1/services/harbor/production")
      // The first version's watch wants requests, which have somewhere to go as soon as it has a share.
      if !view.shares.isEmpty { traffic.change(perSecond: Self.rate) }
      return view.rollout == nil ? view.serving?.digest : nil
    }
    let rollouts = try await self.rollouts(world)
    let created: FlagReceipt = try await world.client.post(
      "/v1/flags",
      Creation(
        key: Self.flag, reason: "quotes from a table", environments: [Self.environment: true], owner: "quay",
        expiry: FlagTelling.expiry("1d"), service: "harbor"))
    say("the flag \(created.key) is on for nobody yet and expires in a day; \(Int(Self.rate)) requests/s")
    try await Task.sleep(for: Self.usual)

    let asked = FlagRampRequest(
      environment: Self.environment, variant: "on", stages: Self.stages, leastMs: Self.least.milliseconds,
      guardrails: [FlagGuardrailRequest(measure: "errors")], service: "harbor", reason: "faster quotes")
    let receipt: FlagReceipt = try await world.client.post("/v1/flags/\(Self.flag)/ramp", asked)
    let startedAt = Instant.now
    let stated = try await until("each stage says what it will see") { () async throws -> [String]? in
      let fresh = try await self.place(world)?.ramp?.stages ?? receipt.stages
      let sees = fresh.flatMap(\.sees)
      return sees.isEmpty ? nil : sees
    }
    for sentence in stated { say(sentence) }

    let place = try await until("the flag is switched off and that is proved") { () async throws -> FlagPlaceView? in
      guard let place = try await self.place(world), let ramp = place.ramp else { return nil }
      self.terminal.progress("\(self.clock)  \(place.proof?.sentence ?? place.sentence)  \(traffic.failed) failed")
      return ramp.ending?.provedAtMs != nil || ramp.outcome == "rolledOut" ? place : nil
    }
    try await judge(world, traffic, place, stated: stated, startedAt: startedAt)
    let view: EnvironmentView = try await world.client.get("/v1/services/harbor/production")
    let after = try await self.rollouts(world)
    claim(
      Self.undeployed, view.serving?.digest == digest && view.rollout == nil && after == rollouts,
      """
      \(digest.prefix(19)) before, \(view.serving?.digest.prefix(19) ?? "nothing") after; \(after - rollouts) rollouts \
      began
      """)
  }

  private func judge(
    _ world: HarborWorld, _ traffic: TrafficDriver, _ place: FlagPlaceView, stated: [String], startedAt: Instant
  ) async throws {
    let ending = place.ramp?.ending
    let conviction = ending?.conviction
    claim(
      Self.convicted, place.ramp?.outcome == "stopped" && ending?.cause == "bad" && conviction != nil,
      conviction?.sentence ?? place.sentence)
    let proof: FlagProofView = try await world.client.get(
      "/v1/flags/\(Self.flag)/clients?environment=\(Self.environment)")
    claim(
      Self.proved, ending?.provedAtMs != nil && proof.all > 0 && proof.have == proof.all && proof.lacking.isEmpty,
      proof.sentence)
    guard let ending else { return }
    let failed = traffic.answers.count {
      $0.isFailed && $0.sentAt >= startedAt && $0.endedAt.milliseconds <= ending.provedAtMs ?? .max
    }
    ramp = DemoReport.Ramp(
      stated: stated, sharedAtMs: place.ramp?.stageBeganAtMs, convictedAtMs: conviction?.decidedAtMs,
      switchedOffAtMs: ending.atMs, provedAtMs: ending.provedAtMs, failedRequests: failed, clients: proof.all)
    timeline(ending, from: place.ramp?.stageBeganAtMs ?? startedAt.milliseconds, failed: failed)
  }

  private func timeline(_ ending: FlagEndingView, from origin: Int64, failed: Int) {
    for (label, at) in [
      ("the evidence sufficed", ending.conviction?.decidedAtMs), ("switched off", ending.atMs),
      ("proved", ending.provedAtMs),
    ] {
      if let at { terminal.line(String(format: "        %8.2f s  %@", Double(at - origin) / 1000, label)) }
    }
    terminal.line("        \(failed) requests failed meanwhile, those by chance included")
  }

  // MARK: Parts

  /// The body of `POST /v1/flags`.
  private struct Creation: Encodable {
    var key: String
    var reason: String
    var environments: [String: Bool]
    var owner: String
    var expiry: String
    var service: String
  }

  private func place(_ world: HarborWorld) async throws -> FlagPlaceView? {
    let view: FlagView = try await world.client.get("/v1/flags/\(Self.flag)")
    return view.environments.first { $0.environment == Self.environment }
  }

  private func rollouts(_ world: HarborWorld) async throws -> Int {
    try await world.client.get("/v1/rollouts/harbor/production", as: RolloutsView.self).rollouts.count
  }

  private func until<Value>(_ what: String, _ look: () async throws -> Value?) async throws -> Value {
    let deadline = Instant.now + Self.patience
    while Instant.now < deadline {
      if let value = try await look() { return value }
      try await Task.sleep(for: Self.look)
    }
    throw Outage("demo", "after \(Int(Self.patience.seconds)) s it is still not so that \(what); the pages say why")
  }

  private func claim(_ claim: String, _ held: Bool, _ detail: String) {
    claims.append(DemoReport.Claim(claim: claim, held: held, detail: detail))
    say(detail, held ? .good : .bad)
  }

  private var clock: String { String(format: "%6.1f s", (Instant.now - began).seconds) }

  private func say(_ text: String, _ tone: Terminal.Tone? = nil) {
    terminal.clearProgress()
    terminal.line("\(terminal.paint(clock, .quiet))  \(tone.map { terminal.paint(text, $0) } ?? text)")
  }

  /// Quotes of many customers, for 1 to 28 nights; the flag's table ends at 21.
  private static var shapes: [RequestShape] {
    (0..<4000).map {
      RequestShape(method: "GET", path: "/quote?length=9&nights=\(1 + $0 % 28)&customer=c-\($0)", body: nil)
    }
  }
}
