import FlagEvidence
import Foundation
import Kernel
import Ramps
import Synchronization

/// A hub with a clock that is set by hand, and one running ramp.
final class EvidenceScene: Sendable {
  static let began = Instant(milliseconds: 1_763_935_200_000)
  private let manual: ManualClock
  let hub: EvidenceHub
  let intake: EvidenceIntake
  let ramp: RampSource

  init(
    _ guardrails: [Guardrail] = [Guardrail("errors", .errors)], waiting: Int = 1000, service: String? = nil,
    isKnown: @escaping @Sendable (String, String, String) -> Bool = { _, _, _ in true }
  ) throws {
    let clock = ManualClock()
    hub = EvidenceHub(
      environments: ["prod", "staging"], limits: EvidenceHub.Limits(waiting: waiting, ramps: 2),
      clock: { clock.now }, isKnown: isKnown)
    intake = EvidenceIntake(hub: hub, usual: "prod")
    manual = clock
    guard let flag = FlagKey(rawValue: "checkout"), let environment = EnvironmentName(rawValue: "prod") else {
      throw CocoaError(.coderInvalidValue)
    }
    ramp = RampSource(
      flag: flag, environment: environment, variant: "on", ramp: 1,
      service: service.flatMap { ServiceName(rawValue: $0) }, policy: RampPolicy(guardrails: guardrails))
  }

  var now: Instant { manual.now }
  func pass(_ seconds: Double) { manual.pass(.seconds(seconds)) }

  /// Clients have it at once.
  func begin(_ epoch: Int = 1, version: Int? = nil) async {
    await hub.allocated(RampAllocation(epoch: epoch, version: version, began: now, settled: now), of: ramp)
  }

  /// Lets seconds pass, and gives what was told meanwhile.
  func tellings(after seconds: Int, _ stream: AsyncStream<[RampTelling]>) async -> [RampTelling] {
    var iterator = stream.makeAsyncIterator()
    var all: [RampTelling] = []
    for _ in 0..<seconds {
      pass(1)
      hub.turn(now: now)
      all += await iterator.next() ?? []
    }
    return all
  }

  func post(
    _ path: String, _ body: [UInt8], type: String = "application/x-ndjson", encoding: String = "",
    environment: String? = nil
  ) -> EvidenceAnswer {
    intake.receive(
      EvidenceRequest(
        path: path, environment: environment, contentType: type, contentEncoding: encoding, body: body))
  }
}

private final class ManualClock: Sendable {
  private let instant = Mutex(EvidenceScene.began)
  var now: Instant { instant.withLock { $0 } }
  func pass(_ span: Span) { instant.withLock { $0 = $0 + span } }
}

extension [RampTelling] {
  func counts(_ guardrail: Int = 0) -> (trials: Cohorts, events: Cohorts) {
    reduce((.zero, .zero)) { sum, telling in
      guard case .second(let second, guardrail) = telling else { return sum }
      return (sum.0 + second.trials, sum.1 + second.events)
    }
  }
  var units: Cohorts {
    reduce(.zero) { sum, telling in
      guard case .units(let units, epoch: _, second: _) = telling else { return sum }
      return sum + units
    }
  }
}
