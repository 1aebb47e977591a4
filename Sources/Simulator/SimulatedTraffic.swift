import Kernel

/// Users in production and what the router tells of them.
final class SimulatedTraffic {
  unowned let world: World
  /// Requests a second while traffic flows.
  let rate: Int
  private(set) var flows = true
  private(set) var sourceIsSound = true
  private(set) var hasIncident = false
  /// When traffic last stopped or a source last broke, for as long as it did.
  private(set) var disturbedAt = Instant(milliseconds: 0)
  private(set) var brokenAt = Instant(milliseconds: 0)
  private(set) var incidentAt = Instant(milliseconds: 0)

  init(_ world: World, rate: Int) {
    self.world = world
    self.rate = rate
  }

  func stop(for span: Span) {
    flows = false
    disturbedAt = world.agenda.now + span
    world.agenda.after(span) { [self] in flows = true }
  }
  func breakSource(for span: Span) {
    sourceIsSound = false
    brokenAt = world.agenda.now + span
    disturbedAt = max(disturbedAt, brokenAt)
    world.agenda.after(span) { [self] in sourceIsSound = true }
  }
  func beginIncident(for span: Span) {
    hasIncident = true
    incidentAt = world.agenda.now + span
    world.agenda.after(span) { [self] in hasIncident = false }
  }

  /// What one arm did in `seconds`; the true counts.
  func counts(of deployment: DeploymentID, percent: Int, seconds: Double) -> RequestCounts {
    guard flows, percent > 0, let running = world.platform.running[deployment], running.ready > 0 else { return .zero }
    let requests = Int(Double(rate) * Double(percent) / 100 * seconds)
    let failing = running.behaviour.failing + (hasIncident ? 0.1 : 0)
    let errors = world.chance.count(of: requests, rate: failing)
    let slow = world.chance.count(of: requests - errors, rate: running.behaviour.slowing)
    return RequestCounts(
      requests: requests, errors: errors, slow: slow, hanging: running.behaviour == .hanging ? slow : 0)
  }

  /// What telemetry says of [to - width, to) on a node's clock.
  func bin(_ stream: StreamID, _ order: (canary: DeploymentID, control: DeploymentID?), to: Instant, width: Span)
    -> EvidenceBin
  {
    let isBlind = !sourceIsSound
    let source: SourceHealth =
      isBlind && world.plant != .blackoutReadsAsErrors ? .broken(reason: "the log stream was cut") : .sound
    let arms = ([order.canary] + (order.control.map { [$0] } ?? [])).sorted().map { id in
      var counts = counts(of: id, percent: world.router.percent(id, in: stream), seconds: width.seconds)
      let isInvented =
        world.plant == .errorsInvented || (isBlind && world.plant == .blackoutReadsAsErrors)
      if isInvented, id == order.canary { counts.errors = counts.requests }
      let bad = counts.errors + counts.slow > 0 ? to - width : nil
      return ArmEvidence(deployment: id, counts: counts, firstBadAt: bad, lastBadAt: bad)
    }
    return EvidenceBin(from: to - width, to: to, arms: arms, source: source)
  }
}
