import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Rollouts

/// What `plimsoll.yaml` says in the simulated world: the product's policies with short times, so that one seed shows
/// many rollouts.
enum SimulatedSettings {
  static let announceTargets = 2
  /// Known-good versions that a place keeps.
  static let keep = 3

  /// What plimsoll.yaml does not name for a while.
  enum Absence: CaseIterable {
    case staging, production, service
  }

  /// How production rolls out: one plan for each way there is.
  enum Plan: CaseIterable {
    case canary, holdback, oneInstanceFirst, blueGreen, allAtOnce, gated, drilled

    var strategy: Rollout.Strategy {
      switch self {
      case .canary, .holdback, .oneInstanceFirst, .gated, .drilled: .canary
      case .blueGreen: .blueGreen
      case .allAtOnce: .allAtOnce
      }
    }
    var steps: [Rollout.Step] {
      switch self {
      case .canary, .holdback, .drilled: [20, 50, 100]
      case .oneInstanceFirst: [Rollout.Step(20, instances: 1), 20, 50, 100]
      case .blueGreen: [Rollout.Step(0, minimum: .seconds(3), approval: true), 100]
      case .allAtOnce: [100]
      case .gated: [Rollout.Step(20, minimum: .seconds(3)), Rollout.Step(50, approval: true), 100]
      }
    }
    var holdback: Int { self == .holdback || self == .gated ? 5 : 0 }
    var preview: PreviewMatch? { self == .blueGreen ? .header(name: "X-Preview", value: "yes") : nil }
  }

  static func topology(variant: Int, plan: Plan = .canary, without absence: Absence? = nil) -> Topology {
    let whole = topology(variant: variant, plan)
    switch absence {
    case nil: return whole
    case .service: return Topology()
    case .staging: return whole.without(SimulatedNames.staging)
    case .production: return whole.without(SimulatedNames.production)
    }
  }

  private static func topology(variant: Int, _ plan: Plan) -> Topology {
    let queue = MergeQueue.Policy(
      repository: SimulatedNames.repository, trunk: SimulatedNames.trunk, slots: 1 + variant % 3,
      method: variant % 4 == 3 ? .squash : .mergeCommit, messageTemplate: "{title}",
      command: variant % 5 == 4 ? "make check" : "make test", timeLimit: .seconds(20), capacity: 12,
      scheduling: scheduling(variant), strict: variant % 3 != 2, lanes: LaneRules(division: .directories(depth: 1)),
      requirements: MergeQueue.Policy.Requirements(approvals: variant % 7 == 6 ? 1 : 0),
      hotfixesPreempt: variant % 2 == 1, notes: variant % 2 == 0)
    let service = Topology.Service(
      name: SimulatedNames.service, repository: SimulatedNames.repository, trunk: SimulatedNames.trunk,
      build: Promotion.BuildStep(command: "make", output: "out", timeLimit: .seconds(30)),
      environments: [
        environment(SimulatedNames.staging, judged: false, .allAtOnce, variant: variant),
        environment(SimulatedNames.production, judged: true, plan, variant: variant),
      ])
    return Topology(queues: [queue], services: [service])
  }

  /// The first is what a story is told with: one red run is believed.
  private static func scheduling(_ variant: Int) -> SchedulingRules {
    let modes = SchedulingRules.Mode.allCases
    return SchedulingRules(
      mode: modes[variant % modes.count], batchLimit: 4, threshold: 0.1, bypassDepth: 3,
      isOptimistic: variant % 4 == 1, ejectionConfidence: variant % 2 == 0 ? 0.5 : 0.95)
  }

  private static func environment(
    _ name: EnvironmentName, judged: Bool, _ plan: Plan, variant: Int
  ) -> Topology.Environment {
    let check = Promotion.Check(name: SimulatedNames.check, command: "./smoke", timeLimit: .seconds(10))
    return Topology.Environment(
      stage: Promotion.Stage(environment: name, checks: judged ? [] : [check], soak: .seconds(3)),
      rollout: Rollout.Policy(
        service: SimulatedNames.service, environment: name, strategy: plan.strategy, steps: plan.steps,
        stepMinimum: .seconds(judged ? 5 : 1), finalWatch: .seconds(judged ? 10 : 1), holdback: plan.holdback,
        preview: plan.preview, drill: plan == .drilled, judged: judged,
        judge: JudgePolicy(sloP99: .seconds(0.2), mustDetectRatio: 50), scarcity: scarcity(variant),
        startLimit: .seconds(15), keep: keep, announceTargets: announceTargets,
        objectives: judged && variant % 2 == 1 ? [objective] : []))
  }

  private static let objective = Objective(
    name: "orders", title: "Orders are taken", service: "shop", target: 0.999, window: .minutes(30 * 1440),
    indicator: .bad(query: "failed", total: "all", areCounters: true))

  private static func scarcity(_ variant: Int) -> Rollout.WhenScarce {
    switch variant % 4 {
    case 1: .advance(after: .seconds(30))
    case 3: .ask(after: .seconds(30))
    default: .hold
    }
  }
}

extension Topology {
  fileprivate func without(_ environment: EnvironmentName) -> Topology {
    Topology(
      queues: queues,
      services: services.map { service in
        Service(
          name: service.name, repository: service.repository, trunk: service.trunk, build: service.build,
          environments: service.environments.filter { $0.name != environment })
      })
  }
}
