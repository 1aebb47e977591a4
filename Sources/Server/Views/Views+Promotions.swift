import API
import ControlPlane
import Kernel
import Promotions
import Rollouts

extension Views {
  /// Nil before the promotion began.
  static func promotion(_ state: Promotion.State) -> PromotionView? {
    guard let order = state.order else { return nil }
    let phase: String
    var log: Digest? = state.course?.build.log
    switch state.phase {
    case .idle: return nil
    case .building: phase = "building"
    case .unbuilt(_, let failure):
      phase = "unbuilt"
      log = failure.log
    case .promoting: phase = "promoting"
    case .buildHalted, .halted: phase = "halted"
    case .completed: phase = "completed"
    }
    let artifact = state.course?.build.artifact
    let stages =
      state.course?.stages.map(stage)
      ?? order.stages.map { stage(Promotion.StageProgress(environment: $0.environment)) }
    return PromotionView(
      service: order.service.rawValue, commit: order.commit.rawValue, title: order.title, author: order.author,
      landedAtMs: order.landedAt.milliseconds, phase: phase, sentence: Words.ended(Promotion.waitReason(state)),
      digest: artifact?.digest.rawValue, provenance: artifact?.provenance.rawValue, buildLog: log?.rawValue,
      bytes: artifact?.bytes, stages: stages)
  }

  private static func stage(_ progress: Promotion.StageProgress) -> StageView {
    StageView(
      environment: progress.environment.rawValue, requestedAtMs: progress.requestedAt?.milliseconds,
      takenAtMs: progress.takenAt?.milliseconds, servedAtMs: progress.servedAt?.milliseconds,
      passedAtMs: progress.passedAt?.milliseconds,
      checks: progress.checks.map {
        CheckView(
          name: $0.name.rawValue, passed: $0.report.passed, reason: $0.report.reason, log: $0.report.log.rawValue)
      })
  }

  /// Where a digest is, in the order of the topology.
  static func places(of digest: Digest, in deliveries: [(ServiceName, EnvironmentName, Rollout.State)]) -> [PlaceView] {
    deliveries.flatMap { service, environment, state -> [PlaceView] in
      var roles: [String] = []
      if state.knownGood.first?.deployment.digest == digest { roles.append("serving") }
      if state.live?.canary.digest == digest { roles.append("canary") }
      if state.knownGood.dropFirst().contains(where: { $0.deployment.digest == digest }) { roles.append("kept") }
      if state.condemned.contains(where: { $0.digest == digest }) { roles.append("condemned") }
      return roles.map { PlaceView(service: service.rawValue, environment: environment.rawValue, role: $0) }
    }
  }
}
