import Kernel

/// One router per delivery stream. A call with a lower fence than one already applied is stale, as in the real writer
/// before HAProxy's socket.
final class SimulatedRouter {
  unowned let world: World
  private var tables: [StreamID: [TrafficShare]] = [:]
  private var previews: [StreamID: PreviewRoute] = [:]
  private var fences: [StreamID: Fence] = [:]
  private(set) var losses = 0

  init(_ world: World) { self.world = world }

  enum Answer {
    case applied(isComplete: Bool)
    case stale
  }

  /// The shares that are sent now; a receiver without an instance gets nothing.
  func shares(of stream: StreamID) -> [TrafficShare] { tables[stream] ?? [] }
  func preview(of stream: StreamID) -> DeploymentID? { previews[stream]?.deployment }
  func percent(_ deployment: DeploymentID, in stream: StreamID) -> Int {
    tables[stream]?.first { $0.deployment == deployment }?.percent ?? 0
  }

  func apply(_ wanted: [TrafficShare], _ preview: PreviewRoute?, to stream: StreamID, fence: Fence) -> Answer {
    if let highest = fences[stream], fence < highest, world.plant != .routerIgnoresFences { return .stale }
    world.checkers.carriedOut("router \(stream)", fence)
    fences[stream] = fence
    let possible = wanted.filter { $0.percent == 0 || world.platform.readyInstances(of: $0.deployment) > 0 }
    let old = shares(of: stream)
    let takesAway = old.contains { share in
      share.percent > 0 && (wanted.first { $0.deployment == share.deployment }?.percent ?? 0) == 0
    }
    if world.plant == .routerConfirmsTooEarly, takesAway { return .applied(isComplete: true) }
    let isWayBack =
      takesAway && wanted.contains { $0.percent == 0 && (1..<100).contains(percent($0.deployment, in: stream)) }
    if world.plant == .drillStaysThere, isWayBack { return .applied(isComplete: true) }
    tables[stream] = possible
    previews[stream] = preview
    world.checkers.routed(possible, preview, in: stream, fence)
    return .applied(isComplete: possible.count == wanted.count)
  }

  /// False when the fence is stale.
  func close(_ stream: StreamID, fence: Fence) -> Bool {
    if let highest = fences[stream], fence < highest, world.plant != .routerIgnoresFences { return false }
    world.checkers.carriedOut("router \(stream)", fence)
    fences[stream] = fence
    tables[stream] = nil
    previews[stream] = nil
    world.checkers.routed([], nil, in: stream, fence)
    return true
  }

  /// It was restarted and knows nothing.
  func lose() {
    losses += 1
    tables = [:]
    previews = [:]
  }
}
