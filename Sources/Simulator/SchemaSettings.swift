import ControlPlane
import Kernel
import MergeQueues
import Migrations
import Promotions
import Rollouts

extension SimulatedNames {
  static let pier: ServiceName = name("pier")
  static let services = [service, pier]
  static let database: DatabaseName = name("orders")
  static func orders(_ environment: EnvironmentName) -> SchemaPlace { SchemaPlace(environment, database) }
  static let sharedDeliveries = services.flatMap { service in
    [staging, production].map { StreamID.delivery(service, $0) }
  }
  static let sharedProduction = services.map { StreamID.delivery($0, production) }
}

/// What `plimsoll.yaml` says in a story of schemas: two services of one repository live on one database.
struct SchemaSettings: Equatable {
  /// How production rolls out, by service.
  var plans: [SimulatedSettings.Plan]
  /// The queue asks the databases before it lands a change.
  var reviews: Bool
  /// Sorted.
  var databases: [SchemaPlace]

  var topology: Topology {
    let queue = MergeQueue.Policy(
      repository: SimulatedNames.repository, trunk: SimulatedNames.trunk, slots: 3, method: .mergeCommit,
      messageTemplate: "{title}", command: "make test", timeLimit: .seconds(20), capacity: 12,
      scheduling: SchedulingRules(
        mode: .auto, batchLimit: 4, threshold: 0.1, bypassDepth: 3, isOptimistic: true, ejectionConfidence: 0.5),
      requirements: MergeQueue.Policy.Requirements(
        schemas: reviews ? databases.map(\.description).sorted() : []))
    let policies = databases.map { place in
      DatabaseSchema.Policy(
        place: place, repository: SimulatedNames.repository, trunk: SimulatedNames.trunk, path: "db/migrations",
        services: SimulatedNames.services.sorted().map { service in
          DatabaseSchema.Use(service: service, repository: SimulatedNames.repository, statements: "db/statements.jsonl")
        })
    }
    let services = zip(SimulatedNames.services, plans).map { service, plan in
      Topology.Service(
        name: service, repository: SimulatedNames.repository, trunk: SimulatedNames.trunk,
        build: Promotion.BuildStep(command: "make", output: "out", timeLimit: .seconds(30)),
        environments: [
          environment(service, SimulatedNames.staging, .allAtOnce, judged: false),
          environment(service, SimulatedNames.production, plan, judged: true),
        ].filter { environment in databases.contains { $0.environment == environment.name } })
    }
    return Topology(queues: [queue], services: services, databases: policies)
  }

  private func environment(
    _ service: ServiceName, _ name: EnvironmentName, _ plan: SimulatedSettings.Plan, judged: Bool
  ) -> Topology.Environment {
    Topology.Environment(
      stage: Promotion.Stage(
        environment: name, checks: [], soak: .seconds(judged ? 0 : 2), database: SimulatedNames.database),
      rollout: Rollout.Policy(
        service: service, environment: name, strategy: plan.strategy, steps: plan.steps,
        stepMinimum: .seconds(judged ? 3 : 1), finalWatch: .seconds(judged ? 5 : 1), holdback: plan.holdback,
        preview: plan.preview, drill: plan == .drilled, judged: judged,
        judge: JudgePolicy(sloP99: .seconds(0.2), mustDetectRatio: 50), scarcity: .advance(after: .seconds(20)),
        startLimit: .seconds(15), keep: SimulatedSettings.keep, announceTargets: SimulatedSettings.announceTargets,
        database: SimulatedNames.database))
  }
}
