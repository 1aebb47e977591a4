import Kernel
import MergeQueues
import Migrations
import Promotions
import Ramps
import Rollouts

/// What `plimsoll.yaml` asks for, without any value that could be a secret: names, commands and policies only.
/// Variables are sealed per deployment and known to the ledger by a keyed hash.
package struct Topology: Codable, Equatable, Sendable {
  /// One queue per (repository, trunk), sorted by repository.
  package var queues: [MergeQueue.Policy]
  /// Sorted by name.
  package var services: [Service]
  /// Places to which something else deploys, sorted by service and environment.
  package var observed: [Observation.Policy]
  /// Databases whose migrations are judged, one for each environment, sorted by place.
  package var databases: [DatabaseSchema.Policy]
  /// Folders in which flags are defined, one for each repository, sorted by it.
  package var flagFolders: [FlagFolder.Policy]

  package struct Service: Codable, Equatable, Sendable {
    package let name: ServiceName
    package let repository: RepositoryName
    package let trunk: BranchName
    package let build: Promotion.BuildStep
    /// In the order of promotion; the last is where users are.
    package let environments: [Environment]
    package init(
      name: ServiceName, repository: RepositoryName, trunk: BranchName, build: Promotion.BuildStep,
      environments: [Environment]
    ) {
      self.name = name
      self.repository = repository
      self.trunk = trunk
      self.build = build
      self.environments = environments
    }
  }

  /// One environment of one service: its gate and its rollout policy.
  package struct Environment: Codable, Equatable, Sendable {
    package let stage: Promotion.Stage
    package let rollout: Rollout.Policy
    package init(stage: Promotion.Stage, rollout: Rollout.Policy) {
      self.stage = stage
      self.rollout = rollout
    }
    package var name: EnvironmentName { stage.environment }
  }

  package init(
    queues: [MergeQueue.Policy] = [], services: [Service] = [], observed: [Observation.Policy] = [],
    databases: [DatabaseSchema.Policy] = [], flagFolders: [FlagFolder.Policy] = []
  ) {
    self.queues = queues
    self.services = services
    self.observed = observed
    self.databases = databases
    self.flagFolders = flagFolders
  }

  private enum CodingKeys: String, CodingKey { case queues, services, observed, databases, flagFolders }
  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    queues = try values.decode([MergeQueue.Policy].self, forKey: .queues)
    services = try values.decode([Service].self, forKey: .services)
    // Events of before there were observed places have none.
    observed = try values.decodeIfPresent([Observation.Policy].self, forKey: .observed) ?? []
    // Nor had they databases.
    databases = try values.decodeIfPresent([DatabaseSchema.Policy].self, forKey: .databases) ?? []
    // Nor flags.
    flagFolders = try values.decodeIfPresent([FlagFolder.Policy].self, forKey: .flagFolders) ?? []
  }
  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(queues, forKey: .queues)
    try values.encode(services, forKey: .services)
    if !observed.isEmpty { try values.encode(observed, forKey: .observed) }
    if !databases.isEmpty { try values.encode(databases, forKey: .databases) }
    if !flagFolders.isEmpty { try values.encode(flagFolders, forKey: .flagFolders) }
  }

  package func service(_ name: ServiceName) -> Service? { services.first { $0.name == name } }
  package func services(of repository: RepositoryName, trunk: BranchName) -> [Service] {
    services.filter { $0.repository == repository && $0.trunk == trunk }
  }
  /// The database that a service lives on in an environment; nil when it has none.
  package func database(of service: ServiceName, in environment: EnvironmentName) -> SchemaPlace? {
    self.service(service)?.environments.first { $0.name == environment }?.rollout.database.map {
      SchemaPlace(environment, $0)
    }
  }
  /// Where migrations of that repository and trunk go.
  package func databases(of queue: StreamID) -> [DatabaseSchema.Policy] {
    databases.filter { StreamID.queue($0.repository, $0.trunk) == queue }
  }
  /// The queue of every branch, the delivery of every place, the observation of every observed one, the schema of every
  /// database and every folder of flags, sorted.
  package var streams: [StreamID] {
    let places = services.flatMap { service in service.environments.map { StreamID.delivery(service.name, $0.name) } }
    let looks = observed.map { StreamID.observation($0.service, $0.environment) }
    let schemas = databases.map { StreamID.schema($0.place) }
    let folders = flagFolders.map { StreamID.flagFolder($0.repository, $0.trunk) }
    return (queues.map { .queue($0.repository, $0.trunk) } + places + looks + schemas + folders).sorted()
  }
  /// Services that `old` had not, had elsewhere or sent through other environments, on a branch whose queue it had:
  /// that queue has nothing new to tell them by itself. Sorted.
  func newcomers(since old: Topology) -> [ServiceName] {
    services.filter { service in
      guard old.queues.contains(where: { $0.repository == service.repository && $0.trunk == service.trunk }) else {
        return false
      }
      guard let known = old.service(service.name) else { return true }
      return (known.repository, known.trunk) != (service.repository, service.trunk)
        || known.environments.map(\.name) != service.environments.map(\.name)
        // What is on its way would pass by a database that it was not sent to.
        || known.environments.map(\.stage.database) != service.environments.map(\.stage.database)
    }.map(\.name).sorted()
  }
  /// All environments of all services, each once, in order of first mention.
  package var environments: [EnvironmentName] {
    var seen: [EnvironmentName] = []
    for service in services {
      for environment in service.environments where !seen.contains(environment.name) { seen.append(environment.name) }
    }
    return seen
  }
}
