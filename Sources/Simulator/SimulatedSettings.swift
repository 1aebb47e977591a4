import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Rollouts

/// What `plimsoll.yaml` says in the simulated world: the product's policies with short times, so that one seed shows
/// many rollouts.
enum SimulatedSettings {
  static let announceTargets = 2

  /// What plimsoll.yaml does not name for a while.
  enum Absence: CaseIterable {
    case staging, production, service
  }

  static func topology(variant: Int, without absence: Absence? = nil) -> Topology {
    let whole = topology(variant: variant)
    switch absence {
    case nil: return whole
    case .service: return Topology()
    case .staging: return whole.without(SimulatedNames.staging)
    case .production: return whole.without(SimulatedNames.production)
    }
  }

  private static func topology(variant: Int) -> Topology {
    let queue = MergeQueue.Policy(
      repository: SimulatedNames.repository, trunk: SimulatedNames.trunk, slots: 1 + variant % 3,
      method: variant % 4 == 3 ? .squash : .mergeCommit, messageTemplate: "{title}",
      command: variant % 5 == 4 ? "make check" : "make test", timeLimit: .seconds(20), capacity: 12)
    let service = Topology.Service(
      name: SimulatedNames.service, repository: SimulatedNames.repository, trunk: SimulatedNames.trunk,
      build: Promotion.BuildStep(command: "make", output: "out", timeLimit: .seconds(30)),
      environments: [
        environment(SimulatedNames.staging, judged: false, steps: [100], variant: variant),
        environment(SimulatedNames.production, judged: true, steps: [20, 50, 100], variant: variant),
      ])
    return Topology(queues: [queue], services: [service])
  }

  private static func environment(
    _ name: EnvironmentName, judged: Bool, steps: [Int], variant: Int
  ) -> Topology.Environment {
    let check = Promotion.Check(name: SimulatedNames.check, command: "./smoke", timeLimit: .seconds(10))
    return Topology.Environment(
      stage: Promotion.Stage(environment: name, checks: judged ? [] : [check], soak: .seconds(3)),
      rollout: Rollout.Policy(
        service: SimulatedNames.service, environment: name, steps: steps, stepMinimum: .seconds(judged ? 5 : 1),
        finalWatch: .seconds(judged ? 10 : 1), judged: judged,
        judge: JudgePolicy(sloP99: .seconds(0.2), mustDetectRatio: 50),
        scarcity: variant % 2 == 0 ? .hold : .advance(after: .seconds(30)), startLimit: .seconds(15), keep: 3,
        announceTargets: announceTargets))
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
